#include "trial/trial.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/timestamp.h"
#include "event/event_parse.h"
#include "process/process_task.h"
#include "trial/coverage.h"
#include "trial/outcome.h"
#include "trial/trial_file.h"
#include "trial/trial_json.h"
#include "world/world.h"

#define BODY_BYTES_MAX (16u << 20)
#define CASE_BYTES_MAX (64u << 20) /* of events: what comes of them is kept in memory several times over */
#define ARENA_BYTES_MAX (64u << 20)
#define DIFFERENCE_BYTES_MAX (1u << 20)
#define SEGMENT_BYTES (4u << 20) /* of which the journal takes half at once: so many results of some KiB are in it */
#define RESULTS_MAX 400
#define COMMIT_BYTES (256u << 10) /* about */
#define REST_MS 60000             /* the stream must have come to rest within it, in virtual time */

struct trial {
    const struct trial_options *options;
    struct machine machine;
    struct outcome outcome;
    struct event_parser *parser;
    struct arena arena;
    struct event_tenant tenant;
    struct buf body, difference;
    size_t sent_bytes;
};

static int64_t wall_ms(struct trial *trial)
{
    return world_wall_ms(&trial->machine.time.world);
}

/* False, and the reason: the case cannot go on. */
static bool is_well(struct trial *trial, bool rested)
{
    const char *failure = machine_failure(&trial->machine);
    if (failure)
        buf_add_format(&trial->difference, "  the stream failed: %s\n", failure);
    else if (!rested)
        buf_add_text(&trial->difference, "  the stream did not come to rest\n");
    return rested && !failure;
}

/* ---- steps ---- */

/* All at once as the stream sees it, though the journal wants it in pieces. */
static enum status commit_events(struct trial *trial, const struct event *events, size_t count)
{
    enum status s = OK;
    for (size_t begin = 0, end = 0; s == OK && begin < count; begin = end) {
        for (size_t bytes = 0; end < count && bytes < COMMIT_BYTES; end++)
            bytes += event_encoded_size(&events[end]);
        s = machine_send(&trial->machine, events + begin, end - begin);
    }
    return s;
}

/* In trial->body. False, and the reason: it is too much. */
static bool write_json(struct trial *trial, struct fy_node *node)
{
    buf_reset(&trial->body);
    trial_add_json(node, &trial->body);
    const size_t n = trial->body.n;
    const bool fits = buf_reserve(&trial->body, EVENT_BODY_PADDING) && !trial->body.full;
    trial->body.n = n;
    if (!fits)
        buf_add_format(&trial->difference, "  more than %u MiB of JSON in one step\n", BODY_BYTES_MAX >> 20);
    return fits;
}

static bool send_events(struct trial *trial, struct fy_node *events)
{
    struct event_request request = { .endpoint = EVENT_ENDPOINT_TRACK,
                                     .received_ms = wall_ms(trial),
                                     .tenant = &trial->tenant };
    struct event_parse_result parsed = { 0 };
    struct slice key;
    struct error err = { 0 };
    if (!write_json(trial, events))
        return false;
    trial->sent_bytes += trial->body.n;
    if (trial->sent_bytes > CASE_BYTES_MAX) {
        buf_add_format(&trial->difference, "  more than %u MiB of events in one case\n", CASE_BYTES_MAX >> 20);
        return false;
    }
    arena_reset(&trial->arena);
    enum status s = event_body_open(trial->parser, buf_slice(&trial->body), &key, &err);
    if (s == OK)
        s = event_body_parse(trial->parser, &request, &trial->arena, &parsed, &err);
    for (size_t i = 0; s == OK && i < parsed.reject_count; i++) {
        const struct event_reject *reject = &parsed.rejects[i];
        outcome_reject(&trial->outcome, event_code_name(reject->code), reject->field, reject->event_id,
                       reject->message);
    }
    for (size_t i = 0; i < parsed.event_count; i++)
        parsed.events[i].ingested_us = wall_ms(trial) * 1000;
    if (s == OK)
        s = commit_events(trial, parsed.events, parsed.event_count);
    if (s != OK)
        buf_add_format(&trial->difference, "  the events were not taken: %s\n",
                       err.text[0] ? err.text : "the journal refuses them");
    return s == OK && is_well(trial, machine_settle(&trial->machine, REST_MS));
}

static bool restart(struct trial *trial, struct slice how)
{
    struct machine *machine = &trial->machine;
    struct error err = { 0 };
    outcome_read(&trial->outcome, machine);
    coverage_add_life(trial->options->coverage, machine->metrics);
    if (slice_equal(how, SLICE("stop")))
        machine_down(machine);
    if (slice_equal(how, SLICE("power")))
        disk_sim_power_cut(machine->disk);
    else
        disk_sim_kill(machine->disk);
    if (machine->journal)
        machine_crash(machine);
    disk_sim_restart(machine->disk);
    if (machine_up(machine, &err) != OK) {
        buf_add_format(&trial->difference, "  the stream did not start again: %s\n", err.text);
        return false;
    }
    return is_well(trial, machine_settle(machine, REST_MS));
}

static bool expect(struct trial *trial, struct fy_node *expected)
{
    bool right = true;
    outcome_read(&trial->outcome, &trial->machine);
    for (int table = 0; table < OUTCOME_TABLES; table++) {
        struct fy_node *rows = yaml_member(expected, OUTCOME_NAMES[table]);
        struct fy_node_pair *pair;
        void *at = NULL;
        struct slice name;
        if (!rows)
            continue;
        if (table != OUTCOME_WINDOWS) {
            right &=
                write_json(trial, rows) && outcome_is(&trial->outcome, (enum outcome_table)table, (struct slice){ 0 },
                                                      buf_slice(&trial->body), &trial->difference);
            continue;
        }
        while ((pair = fy_node_mapping_iterate(rows, &at)) != NULL) {
            if (!yaml_scalar(fy_node_pair_key(pair), &name))
                continue;
            right &= write_json(trial, fy_node_pair_value(pair)) &&
                     outcome_is(&trial->outcome, OUTCOME_WINDOWS, name, buf_slice(&trial->body), &trial->difference);
        }
    }
    return right;
}

static bool run_step(struct trial *trial, struct fy_node *step)
{
    struct fy_node *value;
    struct slice how = { 0 };
    int64_t ms = 0;
    switch (trial_step(step, &value)) {
    case TRIAL_SEND:
        return send_events(trial, value);
    case TRIAL_WAIT:
        if (trial_duration(value, &ms, NULL))
            machine_run(&trial->machine, ms);
        return is_well(trial, true);
    case TRIAL_RESTART:
        return yaml_scalar(value, &how) && restart(trial, how);
    case TRIAL_EXPECT:
        return expect(trial, value);
    case TRIAL_STEPS:
        break;
    }
    return false; /* trial_check has refused it */
}

/* ---- a case ---- */

static bool begin(struct trial *trial, struct fy_node *one)
{
    struct machine *machine = &trial->machine;
    struct slice text;
    uint64_t partitions = 1;
    int64_t at_ms;
    struct error err = { 0 };
    if (yaml_scalar(yaml_member(one, "partitions"), &text))
        (void)!slice_to_u64(text, &partitions);
    machine_init(machine, 1, (uint16_t)partitions);
    machine->journal_options.segment_bytes = SEGMENT_BYTES;
    machine->options.results_max = RESULTS_MAX;
    machine->options.domains = trial->options->domains;
    if (yaml_scalar(yaml_member(one, "at"), &text) && timestamp_parse(text, &at_ms))
        world_sim_jump(&machine->time, (at_ms - wall_ms(trial)) * 1000);
    const struct event_parse_options options = { .body_bytes_max = BODY_BYTES_MAX, .events_max = TRIAL_EVENTS_MAX };
    trial->parser = event_parser_new(&options, &machine->time.world);
    trial->tenant = (struct event_tenant){ .customer_id = SLICE("test"), .oldest_ms = INT64_MIN };
    if (yaml_scalar(yaml_member(one, "tenant"), &text))
        trial->tenant.customer_id = text;
    if (machine_up(machine, &err) == OK)
        return is_well(trial, machine_settle(machine, REST_MS));
    buf_add_format(&trial->difference, "  the stream did not start: %s\n", err.text);
    return false;
}

static bool run_case(struct trial *trial, struct fy_node *one)
{
    struct fy_node *given = yaml_member(one, "given"), *steps = yaml_member(one, "steps"),
                   *expected = yaml_member(one, "expect"), *step;
    void *at = NULL;
    bool right = begin(trial, one);
    if (right && given)
        right = send_events(trial, given);
    while (right && steps && (step = yaml_follow(fy_node_sequence_iterate(steps, &at))) != NULL)
        right = run_step(trial, step);
    return right && (!expected || expect(trial, expected));
}

static void note_hits(struct trial *trial)
{
    if (trial->machine.journal)
        outcome_read(&trial->outcome, &trial->machine);
    coverage_add_rows(trial->options->coverage, trial->tenant.customer_id, &trial->outcome);
    coverage_add_life(trial->options->coverage, trial->machine.metrics);
}

static void one_case(const struct trial_options *options, struct trial_result *result, struct fy_node *one,
                     struct world *clock, trial_report *report, void *self)
{
    struct trial *trial = calloc(1, sizeof *trial);
    if (!trial)
        abort();
    int64_t begun_us = world_mono_us(clock);
    trial->options = options;
    buf_init(&trial->body, BODY_BYTES_MAX);
    buf_init(&trial->difference, DIFFERENCE_BYTES_MAX);
    arena_init(&trial->arena, ARENA_BYTES_MAX);
    result->passed = run_case(trial, one);
    note_hits(trial);
    result->difference = buf_slice(&trial->difference);
    event_parser_free(trial->parser);
    machine_done(&trial->machine);
    outcome_done(&trial->outcome);
    result->took_us = world_mono_us(clock) - begun_us;
    report(self, result);
    arena_done(&trial->arena);
    buf_done(&trial->body);
    buf_done(&trial->difference);
    free(trial);
}

static bool contains(struct slice text, const char *part)
{
    return !part || memmem(text.p, text.n, part, strlen(part)) != NULL;
}

enum status trial_run(const struct trial_options *options, const char *file, struct slice text, struct world *clock,
                      trial_report *report, void *self, struct problems *problems, struct error *err)
{
    struct yaml_file yaml = { .name = file, .text = text, .problems = problems };
    struct fy_document *document = yaml_parse(&yaml);
    struct fy_node *top = document ? fy_document_root(document) : NULL, *one;
    void *at = NULL;
    if (top)
        trial_check(&yaml, yaml_follow(top), options->domains);
    if (yaml.count) {
        fy_document_destroy(document);
        return error_set(err, ERR_INVALID, "%s has %zu mistake%s", file, yaml.count, yaml.count == 1 ? "" : "s");
    }
    struct fy_node *cases = top ? yaml_member(yaml_follow(top), "tests") : NULL;
    while (cases && (one = yaml_follow(fy_node_sequence_iterate(cases, &at))) != NULL) {
        struct trial_result result = { .file = file, .line = yaml_line(&yaml, yaml_position(one)) + 1 };
        if (yaml_scalar(yaml_member(one, "case"), &result.name) && contains(result.name, options->only))
            one_case(options, &result, one, clock, report, self);
    }
    fy_document_destroy(document);
    return OK;
}
