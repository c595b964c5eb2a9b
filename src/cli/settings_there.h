/* Settings for commands that can do without: of the environment that was asked for, or of `dev` where it is there. */
#pragma once
#include "config/config.h"

/* environment NULL: none was asked for. Mistakes are told on standard error. Returns the exit code. */
int settings_there(const char *command, const char *directory, const char *environment, struct config *out);
