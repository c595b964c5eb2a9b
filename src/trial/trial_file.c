#include "trial/trial_file.h"

#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "base/timestamp.h"
#include "trial/outcome.h"

#define TENANT_BYTES_MAX 64

static const char *const STEPS[] = { "send", "wait", "restart", "expect" };
static const char *const RESTARTS[] = { "kill", "stop", "power" };
static const char *const OF_CASE[] = { "case", "at", "tenant", "partitions", "given", "expect", "steps" };
static const char *const OF_FILE[] = { "tests", "description" };

enum trial_step_kind trial_step(struct fy_node *step, struct fy_node **out_value)
{
    for (size_t i = 0; i < COUNT_OF(STEPS); i++)
        if ((*out_value = yaml_member(step, STEPS[i])) != NULL)
            return (enum trial_step_kind)i;
    return TRIAL_STEPS;
}

bool trial_duration(struct fy_node *value, int64_t *out_ms, struct error *err)
{
    const struct option option = { .key = "wait", .kind = OPTION_DURATION };
    struct slice text;
    if (!yaml_scalar(value, &text))
        return error_set(err, ERR_INVALID, "a duration is wanted, such as 10m") == OK;
    if (option_set(&option, out_ms, text, err) != OK)
        return false;
    if (*out_ms < 0 || *out_ms > TRIAL_WAIT_MAX_MS)
        return error_set(err, ERR_INVALID, "more than 400 days") == OK;
    return true;
}

static bool is_one_of(struct slice name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(name, slice_from(names[i])))
            return true;
    return false;
}

/* Says which names there are, where one is unknown. False: it is no group. */
static bool check_names(struct yaml_file *file, struct fy_node *group, const char *of_what, const char *const *names,
                        size_t count)
{
    void *at = NULL;
    struct fy_node_pair *pair;
    if (!group || !fy_node_is_mapping(group)) {
        yaml_problem_at(file, group, "%s has names and values", of_what);
        return false;
    }
    while ((pair = fy_node_mapping_iterate(group, &at)) != NULL) {
        char list[200] = "";
        struct slice name = { 0 };
        if (yaml_scalar(fy_node_pair_key(pair), &name) && is_one_of(name, names, count))
            continue;
        for (size_t i = 0; i < count; i++)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", names[i]);
        yaml_problem_at(file, fy_node_pair_key(pair), "%s has no %.*s; it may have: %s", of_what, SLICE_ARG(name),
                        list);
    }
    return true;
}

static bool is_count(struct fy_node *node)
{
    struct slice text;
    uint64_t number;
    return yaml_scalar(node, &text) && slice_to_u64(text, &number);
}

static void check_rows(struct yaml_file *file, struct fy_node *rows, const char *of_what)
{
    void *at = NULL;
    struct fy_node *row;
    if (is_count(rows))
        return;
    if (!rows || !fy_node_is_sequence(rows)) {
        yaml_problem_at(file, rows, "%s: a list of rows is wanted, or how many there are", of_what);
        return;
    }
    while ((row = yaml_follow(fy_node_sequence_iterate(rows, &at))) != NULL)
        if (!fy_node_is_mapping(row))
            yaml_problem_at(file, row, "%s: a row has names and values, such as {events: 3}", of_what);
}

static void check_windows(struct yaml_file *file, struct fy_node *windows, const struct domain_set *domains)
{
    void *at = NULL;
    struct fy_node_pair *pair;
    if (!fy_node_is_mapping(windows)) {
        yaml_problem_at(file, windows, "windows has the names of windows, each with its rows");
        return;
    }
    while ((pair = fy_node_mapping_iterate(windows, &at)) != NULL) {
        struct slice name = { 0 };
        bool known = false;
        for (size_t i = 0; yaml_scalar(fy_node_pair_key(pair), &name) && i < domains->window_count; i++)
            known |= slice_equal(name, domains->windows[i].name);
        if (!known)
            yaml_problem_at(file, fy_node_pair_key(pair), "no domain has a window %.*s", SLICE_ARG(name));
        check_rows(file, yaml_follow(fy_node_pair_value(pair)), "a window");
    }
}

static void check_expect(struct yaml_file *file, struct fy_node *expect, const struct domain_set *domains)
{
    if (!check_names(file, expect, "expect", OUTCOME_NAMES, OUTCOME_TABLES))
        return;
    for (int table = 0; table < OUTCOME_TABLES; table++) {
        struct fy_node *rows = yaml_member(expect, OUTCOME_NAMES[table]);
        if (rows && table == OUTCOME_WINDOWS)
            check_windows(file, rows, domains);
        else if (rows)
            check_rows(file, rows, OUTCOME_NAMES[table]);
    }
}

static void check_events(struct yaml_file *file, struct fy_node *events)
{
    void *at = NULL;
    struct fy_node *event;
    if (!fy_node_is_sequence(events)) {
        yaml_problem_at(file, events, "a list of events is wanted");
        return;
    }
    if (fy_node_sequence_item_count(events) > TRIAL_EVENTS_MAX)
        yaml_problem_at(file, events, "more than %d events in one step", TRIAL_EVENTS_MAX);
    while ((event = yaml_follow(fy_node_sequence_iterate(events, &at))) != NULL)
        if (!fy_node_is_mapping(event))
            yaml_problem_at(file, event, "an event has names and values, such as {event_type: purchase}");
}

static void check_step(struct yaml_file *file, struct fy_node *step, const struct domain_set *domains)
{
    struct fy_node *value;
    struct slice text;
    struct error err;
    int64_t ms;
    if (!check_names(file, step, "a step", STEPS, COUNT_OF(STEPS)))
        return;
    if (fy_node_mapping_item_count(step) > 1)
        yaml_problem_at(file, step, "a step is one thing: what comes next is a step of its own");
    switch (trial_step(step, &value)) {
    case TRIAL_SEND:
        check_events(file, value);
        break;
    case TRIAL_WAIT:
        if (!trial_duration(value, &ms, &err))
            yaml_problem_at(file, value, "%s", err.text);
        break;
    case TRIAL_RESTART:
        if (!yaml_scalar(value, &text) || !is_one_of(text, RESTARTS, COUNT_OF(RESTARTS)))
            yaml_problem_at(file, value, "restart is kill, stop or power");
        break;
    case TRIAL_EXPECT:
        check_expect(file, value, domains);
        break;
    case TRIAL_STEPS:
        yaml_problem_at(file, step, "a step is one of send, wait, restart, expect");
        break;
    }
}

static bool expects_something(struct fy_node *expect)
{
    return expect && !(fy_node_is_mapping(expect) && fy_node_mapping_is_empty(expect));
}

/* Checks them. True: one of them can fail. */
static bool check_steps(struct yaml_file *file, struct fy_node *steps, const struct domain_set *domains)
{
    void *at = NULL;
    struct fy_node *step, *value;
    bool expects = false;
    if (!fy_node_is_sequence(steps)) {
        yaml_problem_at(file, steps, "steps is a list");
        return true;
    }
    while ((step = yaml_follow(fy_node_sequence_iterate(steps, &at))) != NULL) {
        check_step(file, step, domains);
        expects |= trial_step(step, &value) == TRIAL_EXPECT && expects_something(value);
    }
    return expects;
}

static void check_case(struct yaml_file *file, struct fy_node *one, const struct domain_set *domains)
{
    struct slice text;
    int64_t ms;
    uint64_t number;
    if (!check_names(file, one, "a case", OF_CASE, COUNT_OF(OF_CASE)))
        return;
    struct fy_node *name = yaml_member(one, "case"), *begin = yaml_member(one, "at"),
                   *partitions = yaml_member(one, "partitions"), *steps = yaml_member(one, "steps"),
                   *given = yaml_member(one, "given"), *expect = yaml_member(one, "expect"),
                   *tenant = yaml_member(one, "tenant");
    if (!yaml_scalar(name, &text) || text.n == 0)
        yaml_problem_at(file, one, "a case needs a name: `case: what it is about`");
    if (begin && !(yaml_scalar(begin, &text) && timestamp_parse(text, &ms)))
        yaml_problem_at(file, begin, "at is a time, such as 2026-05-01T10:00:00Z");
    if (partitions && !(yaml_scalar(partitions, &text) && slice_to_u64(text, &number) && number >= 1 &&
                        number <= MACHINE_PARTITIONS_MAX))
        yaml_problem_at(file, partitions, "partitions is 1, 2 or 3");
    if (tenant && !(yaml_scalar(tenant, &text) && text.n > 0 && text.n <= TENANT_BYTES_MAX))
        yaml_problem_at(file, tenant, "tenant is a name; a case is about one");
    if (given)
        check_events(file, given);
    if (expect)
        check_expect(file, expect, domains);
    const bool of_steps = steps && check_steps(file, steps, domains);
    if (!of_steps && !expects_something(expect))
        yaml_problem_at(file, one, "a case that expects nothing cannot fail: add `expect`");
}

/* How many nodes a walk would meet; beyond the bounds TRIAL_NODES_MAX + 1. */
static size_t count_nodes(struct fy_node *node, unsigned depth, size_t count)
{
    void *at = NULL;
    node = yaml_follow(node);
    if (depth > TRIAL_DEPTH_MAX)
        return TRIAL_NODES_MAX + 1;
    count++;
    if (fy_node_is_sequence(node)) {
        for (struct fy_node *item; count <= TRIAL_NODES_MAX && (item = fy_node_sequence_iterate(node, &at));)
            count = count_nodes(item, depth + 1, count);
    } else if (fy_node_is_mapping(node)) {
        for (struct fy_node_pair *pair; count <= TRIAL_NODES_MAX && (pair = fy_node_mapping_iterate(node, &at));)
            count = count_nodes(fy_node_pair_value(pair), depth + 1, count);
    }
    return count;
}

void trial_check(struct yaml_file *file, struct fy_node *top, const struct domain_set *domains)
{
    void *at = NULL;
    struct fy_node *one, *cases;
    size_t count = 0;
    if (count_nodes(top, 0, 0) > TRIAL_NODES_MAX) {
        yaml_problem_at(file, top, "more than %d values, those that aliases repeat counted, or %d levels",
                        TRIAL_NODES_MAX, TRIAL_DEPTH_MAX);
        return;
    }
    if (!check_names(file, top, "a file of tests", OF_FILE, COUNT_OF(OF_FILE)))
        return;
    cases = yaml_member(top, "tests");
    if (!cases || !fy_node_is_sequence(cases)) {
        yaml_problem_at(file, cases ? cases : top, "`tests:` with a list of cases is missing");
        return;
    }
    while ((one = yaml_follow(fy_node_sequence_iterate(cases, &at))) != NULL) {
        if (++count > TRIAL_CASES_MAX) {
            yaml_problem_at(file, one, "more than %d cases: the others belong into another file", TRIAL_CASES_MAX);
            return;
        }
        check_case(file, one, domains);
    }
}
