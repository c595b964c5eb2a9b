/* The command table: `weir COMMAND …`. Each command is a file in cli/ (or the entry of a role in app/, olap/). */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    const struct command *command = command_find(name);
    if (!command) {
        fprintf(stderr, "weir: there is no command '%s'%s%s%s\nTry: weir --help\n", name,
                command_closest(name) ? "; did you mean " : "", command_closest(name) ? command_closest(name) : "",
                command_closest(name) ? "?" : "");
        return EX_USAGE;
    }
    return command->run(argc - 1, argv + 1);
}
