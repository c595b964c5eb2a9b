/* `weir check`: reads the configuration as `weir up` would and tells every mistake; lists and explains settings. */
#include <stdio.h>
#include <sysexits.h>

#include "base/json_text.h"
#include "cli/args.h"
#include "cli/check_domains.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "config/config.h"
#include "world/world.h"

struct check_options {
    const char *config, *env, *explain;
    bool list, json;
};

static const struct arg ARGS[] = {
    ARG_TEXT(struct check_options, config, "config", 'c', "DIR", "config",
             "directory with platform.yaml and environments/"),
    ARG_TEXT(struct check_options, env, "env", 'e', "NAME", "dev", "environment: environments/NAME.yaml"),
    ARG_TEXT(struct check_options, explain, "explain", 'x', "KEY", NULL,
             "what a setting does, its default, its value and where that comes from"),
    ARG_FLAG(struct check_options, list, "list", 'l', "all settings with their values"),
    ARG_FLAG(struct check_options, json, "json", 0, "JSON instead of text"),
};

static const struct args_command CHECK = {
    .name = "check",
    .summary = "check the configuration, list and explain settings",
    .description = "Reads the YAML files as `weir up` would and prints every mistake at once: file:line:column, the "
                   "line, and what was\n"
                   "probably meant. Exit code 78 when there is one.",
    .examples =
        "  weir check\n  weir check --env prod\n  weir check --explain journal.segment_size\n  weir check --list\n",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
};

static void print_json(const struct config *config, const struct domain_set *domains, const struct buf *problems,
                       size_t count)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    buf_add_text(&out, "{");
    json_add_field_u64(&out, "mistakes", count);
    json_add_field(&out, "text", buf_slice(problems));
    json_add_key(&out, "settings");
    buf_add_text(&out, "[");
    for (size_t i = 0; i < SETTINGS.count; i++) {
        char value[OPTION_TEXT_MAX + 1];
        option_format(&SETTINGS.rows[i], &config->settings, value, sizeof value);
        buf_add_text(&out, i ? ",{" : "{");
        json_add_field(&out, "key", slice_from(SETTINGS.rows[i].key));
        json_add_field(&out, "value", slice_from(value));
        json_add_field(&out, "default", slice_from(SETTINGS.rows[i].default_text));
        json_add_field(&out, "from", slice_from(config->origins[i].file));
        json_add_field_u64(&out, "line", (uint64_t)config->origins[i].line);
        json_add_field(&out, "help", slice_from(SETTINGS.rows[i].help));
        buf_add_text(&out, "}");
    }
    buf_add_text(&out, "]");
    if (domains)
        check_domains_json(domains, &out);
    buf_add_text(&out, "}");
    printf("%s\n", buf_text(&out));
    buf_done(&out);
}

static void print_setting(const struct config *config, size_t row, bool whole)
{
    const struct option *option = &SETTINGS.rows[row];
    const struct config_origin *origin = &config->origins[row];
    char value[OPTION_TEXT_MAX + 1], from[300] = "default";
    option_format(option, &config->settings, value, sizeof value);
    if (origin->file[0])
        snprintf(from, sizeof from, "%s:%d", origin->file, origin->line);
    printf("%s%s%s = %s%s%s  %s(%s)%s\n", term_style(stdout, TERM_BOLD), option->key, term_style(stdout, TERM_PLAIN),
           term_style(stdout, TERM_CYAN), value[0] ? value : "\"\"", term_style(stdout, TERM_PLAIN),
           term_style(stdout, TERM_DIM), from, term_style(stdout, TERM_PLAIN));
    if (!whole)
        return;
    printf("    %s\n    default: %s\n", option->help, option->default_text[0] ? option->default_text : "\"\"");
    if (option->choices)
        printf("    one of: %s\n", option->choices);
}

static int explain(const struct config *config, const char *key)
{
    const struct option *option = option_find(SETTINGS, slice_from(key));
    if (option) {
        print_setting(config, (size_t)(option - SETTINGS.rows), true);
        return EX_OK;
    }
    size_t shown = 0;
    for (size_t i = 0; i < SETTINGS.count; i++)
        if (strstr(SETTINGS.rows[i].key, key)) {
            print_setting(config, i, true);
            shown++;
        }
    shown += check_domains_list(key);
    if (shown)
        return EX_OK;
    const char *closest = option_closest(SETTINGS, slice_from(key));
    fprintf(stderr, "weir check: there is no setting %s%s%s; `weir check --list` shows all\n", key,
            closest ? ", did you mean " : "", closest ? closest : "");
    return EX_USAGE;
}

/* What was read, or as much of it as is right. */
struct checked {
    struct config config;
    struct domain_set *domains; /* NULL: something is wrong */
    struct buf problems;
    size_t count;
    struct error err;
};

static enum status read_all(const struct check_options *options, struct checked *checked)
{
    struct error err;
    size_t count = 0;
    enum status s = config_load(options->config, options->env, world_real(), &checked->config, &checked->problems,
                                &checked->count, &checked->err);
    if (s != OK && !checked->count)
        return s;
    enum status of_domains =
        domain_set_load(options->config, world_real(), &checked->domains, &checked->problems, &count, &err);
    checked->count += count;
    if (s == OK && of_domains != OK)
        checked->err = err;
    else if (s != OK && count)
        error_set(&checked->err, s, "%zu mistakes in the configuration and the domains", checked->count);
    return s != OK ? s : of_domains;
}

static int print_all(const struct check_options *options, const struct checked *checked, enum status s)
{
    int exit_code = s == OK ? EX_OK : EX_CONFIG;
    bool readable = s == OK || checked->count;
    fwrite(checked->problems.p, 1, checked->problems.n, stderr);
    if (options->explain && readable)
        exit_code = explain(&checked->config, options->explain);
    else if (options->list && readable) {
        for (size_t i = 0; i < SETTINGS.count; i++)
            print_setting(&checked->config, i, false);
        check_domains_list(NULL);
    }
    if (s != OK) {
        fprintf(stderr, "weir check: %s\n", checked->err.text);
    } else if (!options->list && !options->explain) {
        check_domains_print(checked->domains);
        printf("%s is right for environment %s\n", options->config, options->env);
    }
    return exit_code;
}

int command_check(int argc, char **argv)
{
    struct check_options options;
    static struct checked checked;
    int exit_code;
    if (!args_parse(&CHECK, argc, argv, &options, &exit_code))
        return exit_code;
    buf_init(&checked.problems, 1 << 20);
    enum status s = read_all(&options, &checked);
    exit_code = s == OK ? EX_OK : EX_CONFIG;
    if (options.json)
        print_json(&checked.config, checked.domains, &checked.problems, checked.count);
    else
        exit_code = print_all(&options, &checked, s);
    domain_set_free(checked.domains);
    buf_done(&checked.problems);
    return exit_code;
}
