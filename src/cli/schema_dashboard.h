/* `weir schema dashboard`, a subcommand of schema.c. */
#pragma once

int schema_dashboard(int argc, char **argv);
