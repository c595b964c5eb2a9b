#include "cli/command.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/slice.h"
#include "cli/commands.h"

static int run_help(int argc, char **argv);
static int run_version(int argc, char **argv);

static const struct command COMMANDS[] = {
#define COMMAND(name, function, summary) { name, summary, function, false },
#define COMMAND_HIDDEN(name, function, summary) { name, summary, function, true },
    COMMAND_TABLE(COMMAND, COMMAND_HIDDEN){ "version", "print the version", run_version, false },
    { "help", "this text", run_help, false },
};

const struct command *command_at(size_t index)
{
    return index < COUNT_OF(COMMANDS) ? &COMMANDS[index] : NULL;
}

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(COMMANDS); i++)
        if (strcmp(COMMANDS[i].name, name) == 0)
            return &COMMANDS[i];
    return NULL;
}

const char *command_closest(const char *name)
{
    const char *best = NULL;
    size_t best_distance = 3;
    for (size_t i = 0; i < COUNT_OF(COMMANDS); i++) {
        size_t d = slice_distance(slice_from(name), slice_from(COMMANDS[i].name));
        if (!COMMANDS[i].hidden && d < best_distance) {
            best = COMMANDS[i].name;
            best_distance = d;
        }
    }
    return best;
}

static int run_help(int argc, char **argv)
{
    (void)argc, (void)argv;
    printf("weir: events in, answers out. Durable ingestion, exactly-once processing, SQL.\n\nusage: weir COMMAND "
           "[OPTION…]\n\n");
    for (size_t i = 0; i < COUNT_OF(COMMANDS); i++)
        if (!COMMANDS[i].hidden)
            printf("  %-14s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
    printf("\nStart here:  weir up          everything in one process, from ./config, data in ./data\n"
           "             weir COMMAND --help\n");
    return EX_OK;
}

static int run_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    puts("weir " WEIR_VERSION);
    return EX_OK;
}
