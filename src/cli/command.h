/* What `weir` can be told to do: one row a command, each in its own file. The help and the completion come from this
 * table. */
#pragma once
#include "base/compiler.h"

struct command {
    const char *name;
    const char *summary; /* one line, for `weir --help` */
    /* argv[0] is the command's name. Returns a sysexits code. Answers --help itself. */
    int (*run)(int argc, char **argv);
    bool hidden; /* started by weir itself, not by people */
};

const struct command *command_find(const char *name);
const char *command_closest(const char *name);  /* for "did you mean", or NULL */
const struct command *command_at(size_t index); /* NULL behind the last */
