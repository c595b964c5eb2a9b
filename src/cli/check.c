/* `weir check`: reads the configuration as `weir up` would and tells every mistake; lists and explains settings, and
 * what holds for a tenant. */
#include <stdio.h>
#include <sysexits.h>

#include "base/json_text.h"
#include "catalog/catalog.h"
#include "cli/args.h"
#include "cli/check_against.h"
#include "cli/check_domains.h"
#include "cli/check_settings.h"
#include "cli/check_tenant.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "config/config.h"
#include "config/schema.h"
#include "config/sink_check.h"
#include "world/world.h"

#define JSON_BYTES_MAX (256u << 20)

struct check_options {
    const char *config, *env, *explain, *schema, *against, *tenant;
    bool list, json, without_secrets;
};

static const struct arg ARGS[] = {
    ARG_TEXT(struct check_options, config, "config", 'c', "DIR", "config",
             "directory with platform.yaml, environments/ and domains/"),
    ARG_TEXT(struct check_options, env, "env", 'e', "NAME", "dev", "environment: environments/NAME.yaml"),
    ARG_TEXT(struct check_options, explain, "explain", 'x', "KEY", NULL,
             "what a setting does, its type, its default, its value and where that comes from"),
    ARG_FLAG(struct check_options, list, "list", 'l', "all settings with their values"),
    ARG_TEXT(struct check_options, tenant, "tenant", 't', "ID", NULL,
             "what holds for this tenant, and which file and line says it"),
    ARG_TEXT(struct check_options, against, "against", 'a', "PATH", NULL,
             "also hold the event types against what is deployed in this data directory (default: the catalog's "
             "server, where the settings name one, or data), or against another configuration or domain file"),
    ARG_TEXT(struct check_options, schema, "schema", 0, "settings|domain", NULL,
             "a JSON Schema for editors, of the settings' or a domain's files"),
    ARG_FLAG(struct check_options, without_secrets, "without-secrets", 0,
             "do not look secrets up: for where they are not, as in CI"),
    ARG_FLAG(struct check_options, json, "json", 0, "JSON instead of text"),
};

static const struct args_command CHECK = {
    .name = "check",
    .summary = "check the configuration, list and explain settings",
    .description = "Reads the YAML files as `weir up` would and prints every mistake at once: file:line:column, the "
                   "line, and what was\n"
                   "probably meant. Exit code 78 when there is one, 66 when there is nothing at --against.",
    .examples = "  weir check\n  weir check --against /var/lib/weir\n  weir check --env prod --without-secrets\n  weir "
                "check --explain "
                "journal.segment_size\n  weir check --list\n  weir check --tenant acme\n  weir check --schema domain > "
                "domain.schema.json\n",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
};

/* What was read, or as much of it as is right. */
struct checked {
    struct config config;
    struct domain_set *domains; /* NULL: something is wrong */
    struct problems problems;
    struct error err;
};

/* False: it is too large. A directory that is not there is a mistake, too. */
static bool print_json(const struct check_options *options, struct checked *checked, enum status s)
{
    AUTO(buf) struct buf out;
    buf_init(&out, JSON_BYTES_MAX);
    buf_add_text(&out, "{");
    json_add_field_u64(&out, "mistakes", checked->problems.count ? checked->problems.count : s != OK);
    if (s != OK)
        json_add_field(&out, "error", slice_from(checked->err.text));
    json_add_field(&out, "text", slice_from(problems_text(&checked->problems)));
    json_add_key(&out, "problems");
    buf_add_text(&out, "[");
    buf_add_slice(&out, buf_slice(&checked->problems.json));
    buf_add_text(&out, "]");
    check_settings_json(&checked->config, &out);
    if (checked->domains)
        check_domains_json(checked->domains, &out);
    if (checked->domains && options->tenant)
        check_tenant_json(&checked->config, checked->domains, slice_from(options->tenant), &out);
    buf_add_text(&out, "}");
    if (!out.full)
        puts(buf_text(&out));
    return !out.full;
}

static int explain(const struct config *config, const char *key)
{
    size_t shown = check_settings_explain(config, key);
    if (!option_find(SETTINGS, slice_from(key)))
        shown += check_domains_list(key);
    if (shown)
        return EX_OK;
    const char *closest = option_closest(SETTINGS, slice_from(key));
    fprintf(stderr, "weir check: there is no setting %s%s%s; `weir check --list` shows all\n", key,
            closest ? ", did you mean " : "", closest ? closest : "");
    return EX_USAGE;
}

static enum status read_all(const struct check_options *options, struct checked *checked)
{
    const struct config_request request = { .directory = options->config,
                                            .environment = options->env,
                                            .without_secrets = options->without_secrets };
    struct error err;
    enum status s = config_load(&request, world_real(), &checked->config, &checked->problems, &checked->err);
    if (s != OK && !checked->problems.count)
        return s;
    size_t of_settings = checked->problems.count;
    enum status of_domains =
        domain_set_load(options->config, world_real(), &checked->domains, &checked->problems, &err);
    if (s == OK && of_domains == OK)
        of_domains = event_types_check_key(checked->domains, &checked->config.settings, false, &err);
    if (s == OK && of_domains != OK)
        checked->err = err;
    else if (s != OK && checked->problems.count > of_settings)
        error_set(&checked->err, s, "%zu mistakes in the configuration and the domains", checked->problems.count);
    if (s != OK || of_domains != OK)
        return s != OK ? s : of_domains;
    const struct settings *settings = options->without_secrets ? NULL : &checked->config.settings;
    s = check_against(options->against, settings, checked->domains, &checked->problems, &checked->err);
    return s == OK ? sinks_check(&checked->config, checked->domains, &checked->problems, &checked->err) : s;
}

/* The domains were read, so it is what they are held against that is not there. */
static int exit_code_of(const struct checked *checked, enum status s)
{
    if (s == ERR_NOT_FOUND && checked->domains)
        return EX_NOINPUT;
    return s == OK ? EX_OK : EX_CONFIG;
}

static int print_tenant(const struct checked *checked, const char *tenant)
{
    if (check_tenant_print(&checked->config, checked->domains, slice_from(tenant)))
        return EX_OK;
    fprintf(stderr, "weir check: what holds for %s is more than can be shown\n", tenant);
    return EX_SOFTWARE;
}

static int print_all(const struct check_options *options, struct checked *checked, enum status s)
{
    int exit_code = exit_code_of(checked, s);
    bool readable = s == OK || checked->problems.count;
    fputs(problems_text(&checked->problems), stderr);
    if (options->explain && readable)
        exit_code = explain(&checked->config, options->explain);
    else if (options->list && readable) {
        check_settings_list(&checked->config);
        check_domains_list(NULL);
    }
    if (s != OK) {
        fprintf(stderr, "weir check: %s\n", checked->err.text);
    } else if (options->tenant) {
        return print_tenant(checked, options->tenant);
    } else if (!options->list && !options->explain) {
        check_domains_print(checked->domains);
        printf("%s is right for environment %s\n", options->config, options->env);
    }
    return exit_code;
}

static int print_schema(const char *of_what)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    if (strcmp(of_what, "domain") == 0)
        schema_of_domain(&out);
    else
        schema_of_settings(&out);
    assert(!out.full);
    printf("%s\n", buf_text(&out));
    buf_done(&out);
    return EX_OK;
}

int command_check(int argc, char **argv)
{
    struct check_options options;
    static struct checked checked;
    int exit_code;
    if (!args_parse(&CHECK, argc, argv, &options, &exit_code))
        return exit_code;
    if (options.schema)
        return print_schema(options.schema);
    struct error err;
    if (options.tenant && (options.list || options.explain))
        return args_usage_error(&CHECK, "--tenant stands alone, without --list and --explain");
    if (options.tenant && tenant_id_check(slice_from(options.tenant), &err) != OK)
        return args_usage_error(&CHECK, "--tenant: %s", err.text);
    problems_init(&checked.problems, !options.json && term_style(stderr, TERM_BOLD)[0] != '\0');
    enum status s = read_all(&options, &checked);
    exit_code = exit_code_of(&checked, s);
    if (options.json) {
        if (!print_json(&options, &checked, s)) {
            fprintf(stderr, "weir check: as JSON it is longer than %u MiB\n", JSON_BYTES_MAX >> 20);
            exit_code = EX_SOFTWARE;
        }
    } else
        exit_code = print_all(&options, &checked, s);
    domain_set_free(checked.domains);
    problems_done(&checked.problems);
    return exit_code;
}
