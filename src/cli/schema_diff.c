/* `weir schema diff OLD NEW`: two versions of the domains, field by field, and whether records of one are read by the
 * other. */
#include "cli/schema_diff.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/json_layout.h"
#include "base/json_text.h"
#include "cli/args.h"
#include "cli/term.h"
#include "config/problems.h"
#include "schema/compare.h"
#include "schema/schema.h"
#include "world/disk.h"
#include "world/world.h"

struct diff_options {
    const char *require;
    bool json;
    struct args_rest paths;
};

static const struct arg ARGS[] = {
    ARG_TEXT(struct diff_options, require, "require", 'r', "backward|forward|full|none", "backward",
             "what every event type must be, for exit code 0"),
    ARG_FLAG(struct diff_options, json, "json", 'j', "one JSON object instead of text"),
    ARG_REST(struct diff_options, paths, "OLD NEW", 2, 2, "two configurations (with domains/), or two domain files"),
};

static const struct args_command DIFF = {
    .name = "schema diff",
    .summary = "what changed between two versions of the domains, and who still reads whom",
    .description =
        "BACKWARD: the new schema reads old records. FORWARD: the old one reads new records. FULL: both. NONE: "
        "neither;\n"
        "in Avro's sense, with the reason of what is not. Exit code 1 when an event type is less than "
        "--require asks for.",
    .examples = "  weir schema diff config.old config\n"
                "  git show main:config/domains/shop.yaml > /tmp/old.yaml\n"
                "  weir schema diff /tmp/old.yaml config/domains/shop.yaml --require full\n",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
};

/* Of the event type that is being compared; changes and breaks as they are printed. */
struct report {
    bool json;
    struct buf changes, breaks; /* as text, or as members of JSON lists */
    struct buf out;
    size_t differing, failing;
    unsigned all, required;
};

/* ---- as text ---- */

static void add_plain(struct buf *out, struct slice text)
{
    if (text.n)
        term_add_cut(out, text, 200);
    else
        buf_add_text(out, "nothing");
}

static void add_change(struct report *report, const struct compare_change *change)
{
    static const char *const SIGNS[] = { "+", "-", "~" };
    static const enum term_style STYLES[] = { TERM_GREEN, TERM_RED, TERM_YELLOW };
    struct buf *out = &report->changes;
    if (!change->property && !change->field.n)
        return; /* the type's own line says it */
    buf_add_format(out, "  %s%s%s ", term_style(stdout, STYLES[change->what]), SIGNS[change->what],
                   term_style(stdout, TERM_PLAIN));
    if (change->field.n)
        buf_add_format(out, "%.*s: ", SLICE_ARG(change->field));
    if (change->what == COMPARE_CHANGED) {
        buf_add_format(out, "%s ", change->property);
        add_plain(out, change->before);
        buf_add_text(out, " → ");
        add_plain(out, change->now);
    } else {
        add_plain(out, change->what == COMPARE_ADDED ? change->now : change->before);
    }
    buf_add_char(out, '\n');
}

static void add_break(struct report *report, const struct compare_break *broken)
{
    buf_add_format(&report->breaks, "  %snot %s:%s %s%s%s\n", term_style(stdout, TERM_RED),
                   compare_name(broken->direction), term_style(stdout, TERM_PLAIN), broken->column,
                   broken->column[0] ? ": " : "", broken->reason);
}

static void add_type(struct report *report, const struct event_type *type, const char *what, unsigned directions)
{
    bool enough = (directions & report->required) == report->required;
    buf_add_format(&report->out, "%s%.*s%s (%.*s)%s: %s%s%s\n", term_style(stdout, TERM_BOLD), SLICE_ARG(type->name),
                   term_style(stdout, TERM_PLAIN), SLICE_ARG(type->domain), what,
                   term_style(stdout, enough ? TERM_GREEN : TERM_RED), compare_name(directions),
                   term_style(stdout, TERM_PLAIN));
    buf_add_slice(&report->out, buf_slice(&report->changes));
    buf_add_slice(&report->out, buf_slice(&report->breaks));
}

/* ---- as JSON ---- */

static void add_change_json(struct buf *out, const struct compare_change *change)
{
    static const char *const WHATS[] = { "added", "removed", "changed" };
    if (!change->property && !change->field.n)
        return;
    buf_add_text(out, out->n ? ",{" : "{");
    json_add_field(out, "change", slice_from(WHATS[change->what]));
    if (change->field.n)
        json_add_field(out, "field", change->field);
    if (change->property)
        json_add_field(out, "property", slice_from(change->property));
    if (change->before.n)
        json_add_field(out, "before", change->before);
    if (change->now.n)
        json_add_field(out, "now", change->now);
    buf_add_char(out, '}');
}

static void add_break_json(struct buf *out, const struct compare_break *broken)
{
    buf_add_text(out, out->n ? ",{" : "{");
    json_add_field(out, "not", slice_from(compare_name(broken->direction)));
    if (broken->column[0])
        json_add_field(out, "field", slice_from(broken->column));
    json_add_field(out, "reason", slice_from(broken->reason));
    buf_add_char(out, '}');
}

static void add_type_json(struct report *report, const struct event_type *type, const char *what, unsigned directions)
{
    struct buf *out = &report->out;
    buf_add_text(out, out->n ? ",{" : "{");
    json_add_field(out, "event_type", type->name);
    json_add_field(out, "domain", type->domain);
    json_add_field(out, "change", slice_from(what));
    json_add_field(out, "compatibility", slice_from(compare_name(directions)));
    json_add_key(out, "changes");
    buf_add_format(out, "[%s]", buf_text(&report->changes));
    json_add_key(out, "incompatible");
    buf_add_format(out, "[%s]}", buf_text(&report->breaks));
}

/* ---- one type after the other ---- */

static void on_change(void *self, const struct compare_change *change)
{
    struct report *report = self;
    if (report->json)
        add_change_json(&report->changes, change);
    else
        add_change(report, change);
}

static void on_break(void *self, const struct compare_break *broken)
{
    struct report *report = self;
    if (report->json)
        add_break_json(&report->breaks, broken);
    else
        add_break(report, broken);
}

/* type: the new one, or the old one that is gone. */
static void compare_one(struct report *report, const struct event_type *type, const struct event_type *before,
                        const struct event_type *now)
{
    const struct compare_visitor visitor = { on_change, on_break, report };
    buf_reset(&report->changes);
    buf_reset(&report->breaks);
    unsigned directions = compare_types(before, now, &visitor);
    if (before && now && !report->changes.n)
        return;
    report->differing++;
    report->failing += (directions & report->required) != report->required;
    report->all &= directions;
    if (report->json)
        add_type_json(report, type, !before ? "added" : !now ? "removed" : "changed", directions);
    else
        add_type(report, type, !before ? ", new" : !now ? ", gone" : "", directions);
}

static void compare_all(struct report *report, const struct domain_set *before, const struct domain_set *now)
{
    for (size_t i = 0; i < now->event_type_count; i++)
        compare_one(report, &now->event_types[i],
                    event_type_again(before, now->event_types[i].domain, now->event_types[i].key),
                    &now->event_types[i]);
    for (size_t i = 0; i < before->event_type_count; i++)
        if (!event_type_again(now, before->event_types[i].domain, before->event_types[i].key))
            compare_one(report, &before->event_types[i], &before->event_types[i], NULL);
}

static void print_report(struct report *report)
{
    if (!report->json) {
        fwrite(report->out.p, 1, report->out.n, stdout);
        printf("%zu event type%s differ%s: %s\n", report->differing, report->differing == 1 ? "" : "s",
               report->differing == 1 ? "s" : "", compare_name(report->all));
        return;
    }
    struct buf json, text;
    buf_init(&json, SCHEMA_BYTES_MAX);
    buf_init(&text, SCHEMA_BYTES_MAX);
    buf_add_format(&json, "{\"compatibility\":\"%s\",\"required\":\"%s\",\"compatible\":%s,\"event_types\":[",
                   compare_name(report->all), compare_name(report->required), report->failing ? "false" : "true");
    buf_add_slice(&json, buf_slice(&report->out));
    buf_add_text(&json, "]}");
    json_add_laid_out(&text, buf_slice(&json));
    fwrite(text.p, 1, text.n, stdout);
    buf_done(&json);
    buf_done(&text);
}

/* ---- the two versions ---- */

static int load(const char *path, struct domain_set **out)
{
    struct stat about;
    struct problems problems;
    struct error err;
    char domains[DISK_PATH_MAX];
    snprintf(domains, sizeof domains, "%s/domains", path);
    bool is_file = stat(path, &about) == 0 && S_ISREG(about.st_mode);
    if (!is_file && stat(domains, &about) != 0) {
        fprintf(stderr, "weir schema diff: %s is neither a domain's file nor a directory with domains/\n", path);
        return EX_NOINPUT;
    }
    problems_init(&problems, term_style(stderr, TERM_BOLD)[0] != '\0');
    enum status s = is_file ? domain_set_load_file(path, world_real(), out, &problems, &err)
                            : domain_set_load(path, world_real(), out, &problems, &err);
    if (s != OK)
        fprintf(stderr, "%sweir schema diff: %s\n", problems_text(&problems), err.text);
    problems_done(&problems);
    return s == OK ? EX_OK : EX_CONFIG;
}

static unsigned directions_of(const char *require)
{
    unsigned directions = COMPARE_FULL;
    while (directions && !slice_equal_nocase(slice_from(compare_name(directions)), slice_from(require)))
        directions--;
    return directions;
}

int schema_diff(int argc, char **argv)
{
    struct diff_options options;
    struct domain_set *before = NULL, *now = NULL;
    int exit_code;
    if (!args_parse(&DIFF, argc, argv, &options, &exit_code))
        return exit_code;
    exit_code = load(options.paths.items[0], &before);
    if (exit_code == EX_OK)
        exit_code = load(options.paths.items[1], &now);
    if (exit_code == EX_OK) {
        struct report report = { .json = options.json,
                                 .all = COMPARE_FULL,
                                 .required = directions_of(options.require) };
        buf_init(&report.changes, SCHEMA_BYTES_MAX);
        buf_init(&report.breaks, SCHEMA_BYTES_MAX);
        buf_init(&report.out, SCHEMA_BYTES_MAX);
        compare_all(&report, before, now);
        print_report(&report);
        exit_code = report.failing ? 1 : EX_OK;
        buf_done(&report.changes);
        buf_done(&report.breaks);
        buf_done(&report.out);
    }
    domain_set_free(before);
    domain_set_free(now);
    return exit_code;
}
