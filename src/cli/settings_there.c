#include "cli/settings_there.h"

#include <stdio.h>
#include <sysexits.h>

#include "cli/term.h"
#include "config/problems.h"
#include "world/world.h"

static int load(const char *command, const struct config_request *request, struct config *out)
{
    AUTO(problems) struct problems problems;
    struct error err;
    problems_init(&problems, term_style(stderr, TERM_BOLD)[0] != '\0');
    if (config_load(request, world_real(), out, &problems, &err) == OK)
        return EX_OK;
    fprintf(stderr, "%sweir %s: %s\n", problems_text(&problems), command, err.text);
    return EX_CONFIG;
}

int settings_load(const char *command, const char *directory, const char *environment, struct config *out)
{
    const struct config_request request = { .directory = directory, .environment = environment };
    return load(command, &request, out);
}

int settings_there(const char *command, const char *directory, const char *environment, struct config *out)
{
    const struct config_request request = { .directory = directory,
                                            .environment = environment ? environment : "dev",
                                            .may_be_missing = environment == NULL };
    return load(command, &request, out);
}
