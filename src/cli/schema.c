/* `weir schema FORM [TYPE…]`: what follows from the event types of the domains, on standard output. */
#include <stdio.h>
#include <sysexits.h>

#include "base/json_layout.h"
#include "base/json_text.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/schema_dashboard.h"
#include "cli/schema_diff.h"
#include "cli/schema_register.h"
#include "cli/schema_select.h"
#include "cli/term.h"
#include "config/config.h"
#include "schema/schema.h"
#include "world/world.h"

struct schema_options {
    const char *config, *domain;
    bool canonical, fingerprint, json;
    struct args_rest types;
};

#define ARG_CONFIG ARG_TEXT(struct schema_options, config, "config", 'c', "DIR", "config", "directory with domains/")
#define ARG_DOMAIN                                                                                                     \
    ARG_TEXT(struct schema_options, domain, "domain", 'd', "NAME", NULL, "the event types of this domain alone")
#define ARG_TYPES ARG_REST(struct schema_options, types, "TYPE", 0, EVENT_TYPES_MAX, "event types; none: all")

/* ---- one command each ---- */

typedef void write_schema(const struct schema_options *options, const struct schema_selection *selection,
                          struct buf *out);

static int print_selection(const struct args_command *command, const struct schema_options *options,
                           const struct domain_set *domains, write_schema *write)
{
    static struct schema_selection selection;
    int exit_code = schema_select(command, options->config, options->domain, &options->types, domains, &selection);
    if (exit_code != EX_OK)
        return exit_code;
    struct buf out;
    buf_init(&out, SCHEMA_BYTES_MAX);
    write(options, &selection, &out);
    bool written = !out.full && fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    if (out.full)
        fprintf(stderr, "weir %s: this is larger than %u MiB\n", command->name, SCHEMA_BYTES_MAX >> 20);
    buf_done(&out);
    return written ? EX_OK : EX_IOERR;
}

static int run(const struct args_command *command, int argc, char **argv, write_schema *write)
{
    struct schema_options options;
    struct domain_set *domains = NULL;
    struct problems problems;
    struct error err;
    int exit_code;
    if (!args_parse(command, argc, argv, &options, &exit_code))
        return exit_code;
    problems_init(&problems, term_style(stderr, TERM_BOLD)[0] != '\0');
    if (domain_set_load(options.config, world_real(), &domains, &problems, &err) == OK) {
        exit_code = print_selection(command, &options, domains, write);
    } else {
        fprintf(stderr, "%sweir %s: %s\n", problems_text(&problems), command->name, err.text);
        exit_code = EX_CONFIG;
    }
    problems_done(&problems);
    domain_set_free(domains);
    return exit_code;
}

static void lay_out(struct buf *out, struct buf *json)
{
    if (json->full)
        out->full = true;
    else
        json_add_laid_out(out, buf_slice(json));
    buf_done(json);
}

static const struct arg AVRO_ARGS[] = {
    ARG_CONFIG,
    ARG_DOMAIN,
    ARG_FLAG(struct schema_options, canonical, "canonical", 0, "the Parsing Canonical Form, a line for each type"),
    ARG_FLAG(struct schema_options, fingerprint, "fingerprint", 0,
             "its CRC-64-AVRO (the bytes of single-object encoding) and the name"),
    ARG_TYPES,
};
static const struct args_command AVRO = {
    .name = "schema avro",
    .summary = "Avro schemas of events as they are kept",
    .description = "A record for each event type, in the namespace weir.DOMAIN; of several types a list, which is a "
                   "union in Avro.\n"
                   "Money is whole cents; fields that may be missing have a default, so that they may come and go.",
    .examples = "  weir schema avro purchase > purchase.avsc\n  weir schema avro --fingerprint\n",
    .args = AVRO_ARGS,
    .arg_count = COUNT_OF(AVRO_ARGS),
};

/* In the order of bytes that Avro's single-object encoding has. */
static void add_fingerprint(struct buf *out, const struct event_type *type)
{
    uint64_t crc = avro_fingerprint(type);
    for (int i = 0; i < 8; i++)
        buf_add_format(out, "%02x", (unsigned)(crc >> (8 * i)) & 0xff);
}

static void write_avro_lines(const struct schema_options *options, const struct schema_selection *selection,
                             struct buf *out)
{
    for (size_t i = 0; i < selection->count; i++) {
        if (options->canonical)
            avro_add_canonical(out, selection->types[i]);
        else {
            add_fingerprint(out, selection->types[i]);
            buf_add_format(out, "  %.*s", SLICE_ARG(selection->types[i]->name));
        }
        buf_add_char(out, '\n');
    }
}

static void write_avro(const struct schema_options *options, const struct schema_selection *selection, struct buf *out)
{
    struct buf json;
    if (options->canonical || options->fingerprint) {
        write_avro_lines(options, selection, out);
        return;
    }
    buf_init(&json, SCHEMA_BYTES_MAX);
    bool is_list = selection->count > 1;
    for (size_t i = 0; i < selection->count; i++) {
        buf_add_text(&json, i ? "," : is_list ? "[" : "");
        avro_add_record(&json, selection->types[i]);
    }
    buf_add_text(&json, is_list ? "]" : "");
    lay_out(out, &json);
}

static int run_avro(int argc, char **argv)
{
    return run(&AVRO, argc, argv, write_avro);
}

static const struct arg PLAIN_ARGS[] = { ARG_CONFIG, ARG_DOMAIN, ARG_TYPES };
static const struct args_command JSON = {
    .name = "schema json",
    .summary = "JSON Schemas of events as they are sent",
    .description = "What POST /track takes of an event type (draft 2020-12): its fields with their kinds, ranges, "
                   "formats and values.\n"
                   "Of several types one schema, which tells them apart by event_type. Rules are not in it.",
    .examples = "  weir schema json purchase > purchase.schema.json\n",
    .args = PLAIN_ARGS,
    .arg_count = COUNT_OF(PLAIN_ARGS),
};

static void write_json(const struct schema_options *options, const struct schema_selection *selection, struct buf *out)
{
    struct buf json;
    (void)options;
    buf_init(&json, SCHEMA_BYTES_MAX);
    if (selection->count == 1)
        json_schema_add(&json, selection->types[0]);
    else
        json_schema_add_all(&json, selection);
    lay_out(out, &json);
}

static int run_json(int argc, char **argv)
{
    return run(&JSON, argc, argv, write_json);
}

static const struct args_command TYPESCRIPT = {
    .name = "schema ts",
    .summary = "TypeScript types for the browser SDK",
    .description = "A module with the type of each event's properties, and WeirEvents, the map of all of them, for\n"
                   "createWeir<WeirEvents>(…): a misspelt event or field does not compile.",
    .examples = "  weir schema ts > src/weir-events.ts\n",
    .args = PLAIN_ARGS,
    .arg_count = COUNT_OF(PLAIN_ARGS),
};

static void write_typescript(const struct schema_options *options, const struct schema_selection *selection,
                             struct buf *out)
{
    (void)options;
    typescript_add(out, selection);
}

static int run_typescript(int argc, char **argv)
{
    return run(&TYPESCRIPT, argc, argv, write_typescript);
}

static const struct args_command DOCS = {
    .name = "schema docs",
    .summary = "a reference of the events for people, in Markdown",
    .description = "What to send, what is allowed, as which column it is found again, and the rules.",
    .examples = "  weir schema docs --domain shop > events.md\n",
    .args = PLAIN_ARGS,
    .arg_count = COUNT_OF(PLAIN_ARGS),
};

static void write_docs(const struct schema_options *options, const struct schema_selection *selection, struct buf *out)
{
    (void)options;
    docs_add(out, selection);
}

static int run_docs(int argc, char **argv)
{
    return run(&DOCS, argc, argv, write_docs);
}

static const struct arg DDL_ARGS[] = {
    ARG_CONFIG,
    ARG_DOMAIN,
    ARG_FLAG(struct schema_options, json, "json", 'j', "a JSON list of event_type, view and statement"),
    ARG_TYPES,
};
static const struct args_command DDL = {
    .name = "schema ddl",
    .summary = "the engine's views of events, a typed column for each field",
    .description =
        "What `weir up` makes at start and when it reads the configuration again: a view events_NAME for each "
        "event type,\n"
        "of which each tenant sees its own rows, past ones too.",
    .examples = "  weir schema ddl purchase\n  weir sql \"SELECT * FROM event_types\"\n",
    .args = DDL_ARGS,
    .arg_count = COUNT_OF(DDL_ARGS),
};

static void write_ddl_json(const struct schema_selection *selection, struct buf *out)
{
    struct buf json, part;
    buf_init(&json, SCHEMA_BYTES_MAX);
    buf_init(&part, SCHEMA_BYTES_MAX);
    buf_add_char(&json, '[');
    for (size_t i = 0; i < selection->count; i++) {
        buf_add_text(&json, i ? ",{" : "{");
        json_add_field(&json, "event_type", selection->types[i]->name);
        buf_reset(&part);
        ddl_add_view_name(&part, selection->types[i]);
        json_add_field(&json, "view", buf_slice(&part));
        buf_reset(&part);
        ddl_add_view(&part, selection->types[i]);
        json_add_field(&json, "statement", buf_slice(&part));
        buf_add_char(&json, '}');
    }
    buf_add_char(&json, ']');
    buf_done(&part);
    lay_out(out, &json);
}

static void write_ddl(const struct schema_options *options, const struct schema_selection *selection, struct buf *out)
{
    if (options->json) {
        write_ddl_json(selection, out);
        return;
    }
    for (size_t i = 0; i < selection->count; i++) {
        buf_add_text(out, i ? "\n" : "");
        ddl_add_view(out, selection->types[i]);
        buf_add_text(out, ";\n");
    }
}

static int run_ddl(int argc, char **argv)
{
    return run(&DDL, argc, argv, write_ddl);
}

static const struct arg LIST_ARGS[] = {
    ARG_CONFIG,
    ARG_DOMAIN,
    ARG_FLAG(struct schema_options, json, "json", 'j', "a JSON list"),
    ARG_TYPES,
};
static const struct args_command LIST = {
    .name = "schema list",
    .summary = "the event types of all domains",
    .description =
        "Name, domain, how many fields, and the CRC-64-AVRO of its Avro schema, which changes with what is kept.",
    .examples = "  weir schema list\n  weir schema list --domain shop --json\n",
    .args = LIST_ARGS,
    .arg_count = COUNT_OF(LIST_ARGS),
};

static void write_list_json(const struct schema_selection *selection, struct buf *out)
{
    struct buf json;
    buf_init(&json, SCHEMA_BYTES_MAX);
    buf_add_char(&json, '[');
    for (size_t i = 0; i < selection->count; i++) {
        const struct event_type *type = selection->types[i];
        buf_add_text(&json, i ? ",{" : "{");
        json_add_field(&json, "event_type", type->name);
        json_add_field(&json, "domain", type->domain);
        json_add_field_u64(&json, "fields", type->field_count);
        json_add_field_u64(&json, "rules", type->rule_count);
        json_add_key(&json, "fingerprint");
        buf_add_char(&json, '"');
        add_fingerprint(&json, type);
        buf_add_char(&json, '"');
        json_add_field(&json, "description", type->description);
        json_add_field(&json, "deprecated", type->deprecated);
        buf_add_char(&json, '}');
    }
    buf_add_char(&json, ']');
    lay_out(out, &json);
}

static void write_list(const struct schema_options *options, const struct schema_selection *selection, struct buf *out)
{
    if (options->json) {
        write_list_json(selection, out);
        return;
    }
    for (size_t i = 0; i < selection->count; i++) {
        const struct event_type *type = selection->types[i];
        buf_add_format(out, "%s%.*s%s  domain %.*s, %zu field%s, ", term_style(stdout, TERM_BOLD),
                       SLICE_ARG(type->name), term_style(stdout, TERM_PLAIN), SLICE_ARG(type->domain),
                       type->field_count, type->field_count == 1 ? "" : "s");
        add_fingerprint(out, type);
        if (type->deprecated.n)
            buf_add_format(out, ", deprecated: %.*s", SLICE_ARG(type->deprecated));
        buf_add_char(out, '\n');
    }
}

static int run_list(int argc, char **argv)
{
    return run(&LIST, argc, argv, write_list);
}

static const struct subcommand SUBCOMMANDS[] = {
    { "list", "the event types of all domains", run_list },
    { "avro", "Avro schemas of events as they are kept", run_avro },
    { "json", "JSON Schemas of events as they are sent", run_json },
    { "ddl", "the engine's views of events, a typed column for each field", run_ddl },
    { "ts", "TypeScript types for the browser SDK", run_typescript },
    { "docs", "a reference of the events for people, in Markdown", run_docs },
    { "dashboard", "a dashboard for each domain, as the page Domains draws it", schema_dashboard },
    { "diff", "what changed between two versions, and who still reads whom", schema_diff },
    { "register", "their Avro schemas into a schema registry", schema_register },
};

int command_schema(int argc, char **argv)
{
    return args_dispatch("schema", "what follows from the event types of the domains", SUBCOMMANDS,
                         COUNT_OF(SUBCOMMANDS), argc, argv);
}
