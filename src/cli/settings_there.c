#include "cli/settings_there.h"

#include <stdio.h>
#include <sysexits.h>

#include "cli/term.h"
#include "config/problems.h"
#include "world/world.h"

int settings_there(const char *command, const char *directory, const char *environment, struct config *out)
{
    const struct config_request request = { .directory = directory, .environment = environment ? environment : "dev" };
    struct problems problems;
    struct error err;
    problems_init(&problems, term_style(stderr, TERM_BOLD)[0] != '\0');
    enum status s = config_load(&request, world_real(), out, &problems, &err);
    if (s == ERR_NOT_FOUND && !environment)
        s = OK; /* the defaults are set */
    if (s != OK)
        fprintf(stderr, "%sweir %s: %s\n", problems_text(&problems), command, err.text);
    problems_done(&problems);
    return s == OK ? EX_OK : EX_CONFIG;
}
