/* The settings of a command: of the environment that was asked for. Mistakes are told on standard error. */
#pragma once
#include "config/config.h"

/* Returns the exit code; EX_OK: *out has them. */
int settings_load(const char *command, const char *directory, const char *environment, struct config *out);
/* For commands that can do without: environment NULL, none was asked for, is that of `dev`, which need not be there. */
int settings_there(const char *command, const char *directory, const char *environment, struct config *out);
