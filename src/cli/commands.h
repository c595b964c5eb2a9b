/* The rows of the command table. To add a command: write src/cli/NAME.c with `int command_NAME(int, char **)`, declare
 * it here, add its row. */
#pragma once

#define WEIR_VERSION "0.1.0"

#define COMMAND_TABLE(ROW, HIDDEN)
