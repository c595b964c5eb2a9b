/* `weir schema register`, a subcommand of schema.c. */
#pragma once

int schema_register(int argc, char **argv);
