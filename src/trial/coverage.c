/* Of windows by their results: key and measures stand in each row in the order of their declaration. Of transforms by
 * the counters that they have in /metrics, too. Of rules by what is said of an event that breaks one: in its dead
 * letter
 * ("TYPE breaks the rule …", the rule is the field), or in context.weir_faults ("RULE: rule_failed"). */
#include "trial/coverage.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json_scan.h"
#include "process/stage_transform.h"

#define NAME_BYTES_MAX 512

struct window_hits {
    bool counted;
    bool keys[WINDOW_KEYS_MAX], measures[WINDOW_MEASURES_MAX]; /* had a value */
};

struct type_hits {
    bool stored, rules[EVENT_RULES_MAX]; /* broken */
};

struct coverage {
    const struct domain_set *domains;
    struct slice tenant; /* of the case at hand */
    struct window_hits windows[WINDOWS_MAX];
    bool transforms[TRANSFORMS_MAX];
    struct type_hits types[EVENT_TYPES_MAX];
};

struct coverage *coverage_new(const struct domain_set *domains)
{
    struct coverage *coverage = calloc(1, sizeof *coverage);
    if (!coverage)
        abort();
    coverage->domains = domains;
    return coverage;
}

void coverage_free(struct coverage *coverage)
{
    free(coverage);
}

/* ---- hits ---- */

static bool has_value(const struct window_measure *measure, struct slice value)
{
    const bool counts = measure && (measure->kind == MEASURE_COUNT || measure->kind == MEASURE_DISTINCT);
    return !json_is_null(value) && !(counts && slice_equal(value, SLICE("0"))) && !slice_equal(value, SLICE("[]"));
}

static void note_columns(const struct window *window, struct slice row, struct window_hits *hits)
{
    struct slice key, measures;
    struct json_walk walk;
    if (!json_find(row, "key", &key) || !json_find(row, "measures", &measures))
        return;
    json_walk_begin(&walk, key);
    for (size_t i = 0; json_walk_next(&walk) && i < window->key_count; i++)
        hits->keys[i] |= has_value(NULL, walk.value);
    json_walk_begin(&walk, measures);
    for (size_t i = 0; json_walk_next(&walk) && i < window->measure_count; i++)
        hits->measures[i] |= has_value(&window->measures[i], walk.value);
}

/* A text without its quotes; names have nothing that would be escaped. */
static struct slice member(struct slice row, const char *name)
{
    struct slice value;
    return json_find(row, name, &value) && value.n >= 2 ? slice_of(value.p + 1, value.n - 2) : SLICE("");
}

static void note_event(struct coverage *coverage, struct slice row)
{
    const struct domain_set *domains = coverage->domains;
    const struct event_type *type =
        event_type_find(domains, domain_set_of(domains, coverage->tenant), member(row, "event_type"));
    struct slice context, faults;
    if (!type)
        return;
    struct type_hits *hits = &coverage->types[type - coverage->domains->event_types];
    hits->stored = true;
    if (!json_find(row, "context", &context) || !json_find(context, "weir_faults", &faults))
        return;
    for (size_t r = 0; r < type->rule_count; r++) {
        char fault[EVENT_IDENTIFIER_MAX + 32];
        snprintf(fault, sizeof fault, "\"%.*s: rule_failed\"", SLICE_ARG(type->rules[r].name));
        hits->rules[r] |= memmem(faults.p, faults.n, fault, strlen(fault)) != NULL;
    }
}

static void note_letter(struct coverage *coverage, struct slice row)
{
    const struct slice message = member(row, "message"), rule = member(row, "field");
    const char *space = message.n ? memchr(message.p, ' ', message.n) : NULL;
    if (!space || !slice_equal(member(row, "reason"), SLICE("rule_failed")))
        return;
    const struct event_type *type =
        event_type_find(coverage->domains, domain_set_of(coverage->domains, coverage->tenant),
                        slice_of(message.p, (size_t)(space - message.p)));
    for (size_t r = 0; type && r < type->rule_count; r++)
        coverage->types[type - coverage->domains->event_types].rules[r] |= slice_equal(type->rules[r].name, rule);
}

void coverage_add_rows(struct coverage *coverage, struct slice tenant, const struct outcome *outcome)
{
    const struct domain_set *domains = coverage->domains;
    coverage->tenant = tenant;
    for (size_t i = 0; i < outcome->count; i++) {
        const struct outcome_row *row = &outcome->rows[i];
        if (row->table == OUTCOME_EVENTS)
            note_event(coverage, buf_slice(&row->json));
        else if (row->table == OUTCOME_DEAD)
            note_letter(coverage, buf_slice(&row->json));
        for (size_t w = 0; row->window.n && w < domains->window_count; w++)
            if (slice_equal(row->window, domains->windows[w].name)) {
                coverage->windows[w].counted = true;
                note_columns(&domains->windows[w], buf_slice(&row->json), &coverage->windows[w]);
            }
    }
}

void coverage_add_life(struct coverage *coverage, struct metrics *metrics)
{
    for (size_t i = 0; metrics && i < coverage->domains->transform_count; i++) {
        char labels[STAGE_TRANSFORM_LABELS_MAX];
        double events;
        stage_transform_labels(&coverage->domains->transforms[i], labels);
        coverage->transforms[i] |= metrics_read(metrics, STAGE_TRANSFORM_EVENTS, labels, &events) && events > 0;
    }
}

/* ---- what was never hit ---- */

static void never_part(enum coverage_kind kind, struct slice of, struct slice part, coverage_visit *visit, void *self)
{
    char name[NAME_BYTES_MAX];
    snprintf(name, sizeof name, "%.*s.%.*s", SLICE_ARG(of), SLICE_ARG(part));
    visit(self, kind, slice_from(name));
}

static void never_of_window(const struct window *window, const struct window_hits *hits, coverage_visit *visit,
                            void *self)
{
    if (!hits->counted) {
        visit(self, COVERAGE_WINDOW, window->name);
        return;
    }
    for (size_t i = 0; i < window->key_count; i++)
        if (!hits->keys[i])
            never_part(COVERAGE_COLUMN, window->name, window->keys[i].name, visit, self);
    for (size_t i = 0; i < window->measure_count; i++)
        if (!hits->measures[i])
            never_part(COVERAGE_COLUMN, window->name, window->measures[i].name, visit, self);
}

static void never_of_type(const struct event_type *type, const struct type_hits *hits, coverage_visit *visit,
                          void *self)
{
    if (!hits->stored)
        visit(self, COVERAGE_EVENT_TYPE, type->name);
    for (size_t r = 0; r < type->rule_count; r++)
        if (!hits->rules[r])
            never_part(COVERAGE_RULE, type->name, type->rules[r].name, visit, self);
}

void coverage_never(const struct coverage *coverage, coverage_visit *visit, void *self)
{
    const struct domain_set *domains = coverage->domains;
    for (size_t i = 0; i < domains->window_count; i++)
        never_of_window(&domains->windows[i], &coverage->windows[i], visit, self);
    for (size_t i = 0; i < domains->transform_count; i++)
        if (!coverage->transforms[i])
            visit(self, COVERAGE_TRANSFORM, domains->transforms[i].name);
    for (size_t i = 0; i < domains->event_type_count; i++)
        never_of_type(&domains->event_types[i], &coverage->types[i], visit, self);
}
