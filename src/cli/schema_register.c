/* `weir schema register`: the Avro schemas of event types into a schema registry. What is there already is found by
 * its text, so that a second run changes nothing; what the registry finds incompatible with the versions that the
 * subject's level of compatibility counts (the latest, or all) is told with the registry's own reason, and the others
 * are registered all the same. A dry run with a level that is not set judges by it without the registry's help. */
#include "cli/schema_register.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/json_layout.h"
#include "base/json_text.h"
#include "cli/args.h"
#include "cli/schema_select.h"
#include "cli/settings_there.h"
#include "cli/term.h"
#include "config/problems.h"
#include "registry/registry.h"
#include "world/world.h"

#define LEVELS "keep|BACKWARD|FORWARD|FULL|BACKWARD_TRANSITIVE|FORWARD_TRANSITIVE|FULL_TRANSITIVE|NONE"

struct register_options {
    const char *config, *env, *domain, *registry, *strategy, *topic, *compatibility;
    bool dry_run, json;
    struct args_rest types;
};

static const struct arg ARGS[] = {
    ARG_TEXT(struct register_options, registry, "registry", 'r', "URL", NULL, "default: the setting registry.url"),
    ARG_TEXT(struct register_options, strategy, "subject-strategy", 's', SUBJECT_STRATEGIES, "record",
             "the subject's name: TOPIC-value (of one type alone), weir.DOMAIN.TYPE, or TOPIC-weir.DOMAIN.TYPE"),
    ARG_TEXT(struct register_options, topic, "topic", 't', "NAME", NULL, "of the subject's name"),
    ARG_TEXT(struct register_options, compatibility, "compatibility", 0, LEVELS, "keep",
             "what each subject's versions must be to each other from now on; --dry-run judges as if it were"),
    ARG_FLAG(struct register_options, dry_run, "dry-run", 'n', "asks what would become of them; changes nothing"),
    ARG_FLAG(struct register_options, json, "json", 'j', "one JSON object instead of text"),
    ARG_TEXT(struct register_options, config, "config", 'c', "DIR", "config",
             "directory with domains/; registry.user and registry.password are read there, too"),
    ARG_TEXT(struct register_options, env, "env", 'e', "NAME", NULL,
             "environment: environments/NAME.yaml; unless said dev, where that is there"),
    ARG_TEXT(struct register_options, domain, "domain", 'd', "NAME", NULL, "the event types of this domain alone"),
    ARG_REST(struct register_options, types, "TYPE", 0, EVENT_TYPES_MAX, "event types; none: all"),
};

static const struct args_command REGISTER = {
    .name = "schema register",
    .summary = "Avro schemas of event types into a schema registry",
    .description = "Those of `weir schema avro`, a version of a subject each, in a registry with Confluent's API. Says "
                   "which are new, which were there,\n"
                   "and which the registry refuses since they are incompatible, with its reason: exit code 1.",
    .examples = "  weir schema register --registry http://registry:8081\n"
                "  weir schema register --registry http://registry:8081 --dry-run --json purchase\n"
                "  weir schema register --subject-strategy topic --topic purchases purchase\n",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
};

enum outcome { NEW, THERE, REFUSED, OUTCOMES };
static const char *const OUTCOME_NAMES[OUTCOMES] = { "new", "there", "incompatible" };

struct registering {
    const struct register_options *options;
    struct registry *registry;
    enum subject_strategy strategy;
    struct buf schema, out;
    size_t counts[OUTCOMES];
};

struct verdict {
    char subject[REGISTRY_SUBJECT_MAX];
    enum outcome outcome;
    struct registry_version version; /* 0: unknown */
    char level[REGISTRY_LEVEL_MAX];  /* of compatibility, by which it was judged; "": it was there, or it is unknown */
    struct error why;                /* of REFUSED */
};

/* OK: set, or left as it is. ERR_NOT_FOUND: some registries set it for a subject only that is there. */
static enum status set_level(const struct registering *registering, const char *subject, struct error *err)
{
    const struct register_options *options = registering->options;
    if (options->dry_run || strcmp(options->compatibility, "keep") == 0)
        return OK;
    return registry_set_compatibility(registering->registry, subject, options->compatibility, err);
}

/* By the level that would be set, or the one that is. */
static enum status check(const struct registering *registering, struct verdict *verdict, struct slice schema,
                         struct error *err)
{
    const struct register_options *options = registering->options;
    enum status s = registry_compatibility(registering->registry, verdict->subject, verdict->level, err);
    if (s != OK)
        return s;
    if (options->dry_run && strcmp(options->compatibility, "keep") != 0 &&
        strcmp(options->compatibility, verdict->level) != 0) {
        snprintf(verdict->level, sizeof verdict->level, "%s", options->compatibility);
        return registry_check_as_if(registering->registry, verdict->subject, schema, verdict->level, err);
    }
    return registry_check(registering->registry, verdict->subject, schema, verdict->level, err);
}

static enum status add_version(struct registering *registering, struct verdict *verdict, struct error *err)
{
    struct slice schema = buf_slice(&registering->schema);
    enum status s = check(registering, verdict, schema, err);
    if (s == OK && registering->options->dry_run)
        return OK;
    if (s == OK)
        s = registry_register(registering->registry, verdict->subject, schema, &verdict->version.id, err);
    if (s == OK && registry_find(registering->registry, verdict->subject, schema, &verdict->version, err) != OK)
        verdict->version.version = 0; /* it is there, whatever its number is */
    return s;
}

/* Anything but OK: the registry's trouble; whether the schema is fine is not known. */
static enum status judge(struct registering *registering, const struct event_type *type, struct verdict *out,
                         struct error *err)
{
    *out = (struct verdict){ .outcome = THERE };
    buf_reset(&registering->schema);
    avro_add_record(&registering->schema, type);
    struct slice schema = buf_slice(&registering->schema);
    enum status s = subject_name(registering->strategy, registering->options->topic, schema, out->subject, err);
    if (s != OK)
        return s;
    enum status level = set_level(registering, out->subject, err);
    if (level != OK && level != ERR_NOT_FOUND)
        return level;
    s = registry_find(registering->registry, out->subject, schema, &out->version, err);
    if (s != ERR_NOT_FOUND)
        return s;
    s = add_version(registering, out, err);
    out->outcome = s == OK ? NEW : REFUSED;
    if (s == ERR_INVALID)
        out->why = *err;
    else if (s == OK && level == ERR_NOT_FOUND)
        return set_level(registering, out->subject, err);
    return s == ERR_INVALID ? OK : s;
}

/* ---- telling ---- */

static void add_json(struct buf *out, const struct event_type *type, const struct verdict *verdict)
{
    buf_add_text(out, out->p[out->n - 1] == '[' ? "{" : ",{");
    json_add_field(out, "event_type", type->name);
    json_add_field(out, "subject", slice_from(verdict->subject));
    json_add_field(out, "outcome", slice_from(OUTCOME_NAMES[verdict->outcome]));
    if (verdict->version.id)
        json_add_field_u64(out, "id", verdict->version.id);
    if (verdict->version.version)
        json_add_field_u64(out, "version", verdict->version.version);
    if (verdict->level[0])
        json_add_field(out, "compatibility", slice_from(verdict->level));
    if (verdict->outcome == REFUSED)
        json_add_field(out, "reason", slice_from(verdict->why.text));
    buf_add_char(out, '}');
}

static void add_line(struct buf *out, const struct verdict *verdict)
{
    const enum term_style style = verdict->outcome == REFUSED ? TERM_RED
                                  : verdict->outcome == NEW   ? TERM_GREEN
                                                              : TERM_PLAIN;
    buf_add_format(out, "%s%-12s%s  %s", term_style(stdout, style), OUTCOME_NAMES[verdict->outcome],
                   term_style(stdout, TERM_PLAIN), verdict->subject);
    if (verdict->version.id)
        buf_add_format(out, "  id %u", verdict->version.id);
    if (verdict->version.version)
        buf_add_format(out, ", version %u", verdict->version.version);
    if (verdict->level[0])
        buf_add_format(out, "  %s%s", verdict->level,
                       strcmp(verdict->level, "NONE") == 0     ? ": anything goes"
                       : registry_compares_all(verdict->level) ? " with all versions"
                                                               : " with the latest version");
    if (verdict->outcome == REFUSED)
        buf_add_format(out, "\n              %s", verdict->why.text);
    buf_add_char(out, '\n');
}

static void add_end(const struct registering *registering, struct buf *out)
{
    const size_t *counts = registering->counts;
    if (!registering->options->json) {
        buf_add_format(out, "%s%zu new, %zu there, %zu incompatible\n",
                       registering->options->dry_run ? "nothing was changed: " : "", counts[NEW], counts[THERE],
                       counts[REFUSED]);
        return;
    }
    buf_add_format(out, "],\"new\":%zu,\"there\":%zu,\"incompatible\":%zu,\"dry_run\":%s}", counts[NEW], counts[THERE],
                   counts[REFUSED], registering->options->dry_run ? "true" : "false");
}

static void print(const struct registering *registering)
{
    struct buf text;
    buf_init(&text, SCHEMA_BYTES_MAX);
    if (registering->options->json)
        json_add_laid_out(&text, buf_slice(&registering->out));
    else
        buf_add_slice(&text, buf_slice(&registering->out));
    fwrite(text.p, 1, text.n, stdout);
    buf_done(&text);
}

/* ---- */

static int exit_code_of(enum status s)
{
    return s == ERR_RETRY ? EX_UNAVAILABLE : s == ERR_IO ? EX_NOPERM : EX_DATAERR;
}

static int register_all(struct registering *registering, const struct schema_selection *selection)
{
    struct error err;
    enum status s = OK;
    const bool json = registering->options->json;
    buf_add_text(&registering->out, json ? "{\"schemas\":[" : "");
    for (size_t i = 0; s == OK && i < selection->count; i++) {
        struct verdict verdict;
        s = judge(registering, selection->types[i], &verdict, &err);
        if (s != OK)
            break;
        registering->counts[verdict.outcome]++;
        if (json)
            add_json(&registering->out, selection->types[i], &verdict);
        else
            add_line(&registering->out, &verdict);
    }
    add_end(registering, &registering->out);
    print(registering);
    if (s != OK)
        fprintf(stderr, "weir schema register: %s\n", err.text);
    if (s != OK)
        return exit_code_of(s);
    return registering->counts[REFUSED] ? 1 : EX_OK;
}

static int with_registry(const struct register_options *options, const struct settings *settings,
                         const struct schema_selection *selection)
{
    struct error err;
    struct registering registering = { .options = options, .strategy = subject_strategy_of(options->strategy) };
    const struct registry_options registry = { .url = options->registry ? options->registry : settings->registry_url,
                                               .user = settings->registry_user,
                                               .password = settings->registry_password };
    if (registering.strategy == SUBJECT_TOPIC && selection->count > 1)
        return args_usage_error(&REGISTER,
                                "--subject-strategy topic: a subject has one schema, and these are %zu: "
                                "name one TYPE",
                                selection->count);
    if (registry_open(&registry, world_real(), &registering.registry, &err) != OK) {
        fprintf(stderr, "weir schema register: --registry or the setting registry.url: %s\n", err.text);
        return EX_USAGE;
    }
    buf_init(&registering.schema, AVRO_SCHEMA_BYTES_MAX);
    buf_init(&registering.out, SCHEMA_BYTES_MAX);
    int exit_code = register_all(&registering, selection);
    buf_done(&registering.schema);
    buf_done(&registering.out);
    registry_close(registering.registry);
    return exit_code;
}

static int with_domains(const struct register_options *options, const struct settings *settings)
{
    struct domain_set *domains = NULL;
    static struct schema_selection selection;
    struct problems problems;
    struct error err;
    int exit_code = EX_CONFIG;
    problems_init(&problems, term_style(stderr, TERM_BOLD)[0] != '\0');
    if (domain_set_load(options->config, world_real(), &domains, &problems, &err) != OK)
        fprintf(stderr, "%sweir schema register: %s\n", problems_text(&problems), err.text);
    else
        exit_code = schema_select(&REGISTER, options->config, options->domain, &options->types, domains, &selection);
    if (exit_code == EX_OK)
        exit_code = with_registry(options, settings, &selection);
    problems_done(&problems);
    domain_set_free(domains);
    return exit_code;
}

int schema_register(int argc, char **argv)
{
    struct register_options options;
    static struct config config;
    int exit_code;
    if (!args_parse(&REGISTER, argc, argv, &options, &exit_code))
        return exit_code;
    if (strcmp(options.strategy, "record") != 0 && !options.topic)
        return args_usage_error(&REGISTER, "--subject-strategy %s wants --topic NAME", options.strategy);
    exit_code = settings_there("schema register", options.config, options.env, &config);
    if (exit_code != EX_OK)
        return exit_code;
    if (!options.registry && !config.settings.registry_url[0])
        return args_usage_error(&REGISTER, "--registry URL or the setting registry.url says where the registry is");
    return with_domains(&options, &config.settings);
}
