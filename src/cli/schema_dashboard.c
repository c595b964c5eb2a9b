/* `weir schema dashboard`: what the dashboard's page of a domain draws. Of whole domains, since one may have windows
 * and no event types. */
#include "cli/schema_dashboard.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/json_layout.h"
#include "cli/args.h"
#include "cli/term.h"
#include "config/problems.h"
#include "schema/schema.h"
#include "world/world.h"

struct dashboard_options {
    const char *config, *domain;
};

static const struct arg ARGS[] = {
    ARG_TEXT(struct dashboard_options, config, "config", 'c', "DIR", "config", "directory with domains/"),
    ARG_TEXT(struct dashboard_options, domain, "domain", 'd', "NAME", NULL, "this domain alone"),
};

static const struct args_command DASHBOARD = {
    .name = "schema dashboard",
    .summary = "a dashboard for each domain, as the page Domains draws it",
    .description =
        "JSON: panels for event types, their metrics and dimensions, windows and visits, in the order of the "
        "files.\n"
        "The same domains give the same bytes, so that a change shows in a diff. GET /v1/dashboards answers "
        "with the same.",
    .examples = "  weir schema dashboard --domain shop\n  weir schema dashboard > dashboards.json && git diff\n",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
};

static bool is_there(const struct domain_set *domains, const char *name)
{
    bool found = name == NULL;
    for (size_t i = 0; !found && i < domains->domain_count; i++)
        found = slice_equal(domains->domains[i].name, slice_from(name));
    return found;
}

static int print(const struct dashboard_options *options, const struct domain_set *domains)
{
    if (!is_there(domains, options->domain)) {
        fprintf(stderr, "weir schema dashboard: %s/domains has no domain %s\nTry: weir schema dashboard\n",
                options->config, options->domain);
        return EX_DATAERR;
    }
    AUTO(buf) struct buf json, out;
    buf_init(&json, SCHEMA_BYTES_MAX);
    buf_init(&out, SCHEMA_BYTES_MAX);
    dashboard_add(&json, domains, slice_from(options->domain ? options->domain : ""), SLICE(""));
    json_add_laid_out(&out, buf_slice(&json));
    if (json.full || out.full) {
        fprintf(stderr, "weir schema dashboard: this is larger than %u MiB\n", SCHEMA_BYTES_MAX >> 20);
        return EX_IOERR;
    }
    return fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

int schema_dashboard(int argc, char **argv)
{
    struct dashboard_options options;
    struct domain_set *domains = NULL;
    struct problems problems;
    struct error err;
    int exit_code;
    if (!args_parse(&DASHBOARD, argc, argv, &options, &exit_code))
        return exit_code;
    problems_init(&problems, term_style(stderr, TERM_BOLD)[0] != '\0');
    if (domain_set_load(options.config, world_real(), &domains, &problems, &err) == OK) {
        exit_code = print(&options, domains);
    } else {
        fprintf(stderr, "%sweir schema dashboard: %s\n", problems_text(&problems), err.text);
        exit_code = EX_CONFIG;
    }
    problems_done(&problems);
    domain_set_free(domains);
    return exit_code;
}
