/* `weir schema diff`, a subcommand of schema.c. */
#pragma once

int schema_diff(int argc, char **argv);
