/* Any bytes as the properties of an event of each of some declared types: it is refused, or what comes out is JSON
 * wherever what came in was, without what is of persons; no crash, no hang, no leak. */
#include <stdlib.h>
#include <string.h>

#include "base/json_scan.h"
#include "config/domain.h"
#include "config/problems.h"
#include "event/json.h"
#include "process/stage_event_type.h"
#include "world/world.h"

#define TEXT_MAX (64 << 10)

static const char DOMAIN[] =
    "domain: fuzz\n"
    "event_types:\n"
    "  - name: loose\n"
    "    on_failure: tag\n"
    "    attributes: [{name: a, type: integer, min: 1, values: [1, 2]}, {name: b, format: email, pattern: '*?', min: "
    "2},\n"
    "      {name: c, type: timestamp}, {name: d, type: boolean, default: true}, {name: p, pii: hash}, {name: q, pii: "
    "drop},\n"
    "      {name: r, type: integer, pii: encrypt, max: 9}]\n"
    "    metrics: [{name: m, type: money, min: 0.5, default: 1}, {name: f, max: 1.5}]\n"
    "    rules: [{name: r, expect: properties.m_cents > 0 or properties.x.y == 'z'}]\n"
    "  - name: strict\n"
    "    unknown_fields: quarantine\n"
    "    attributes: [{name: a, format: url}, {name: b, format: ip}, {name: c, format: uuid}, {name: p, pii: hash}]\n"
    "    metrics: [{name: m, type: money, required: true}]\n";

static struct stage_event_type *stage;
static struct arena arena;
static struct domain_set *domains;

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void set_up(void)
{
    static struct process_metrics metrics;
    struct problems problems;
    struct error err;
    problems_init(&problems, false);
    expect(domain_set_load_text("fuzz.yaml", slice_from(DOMAIN), world_real(), &domains, &problems, &err) == OK);
    process_metrics_init(&metrics, metrics_new(1000), 0);
    const struct stage_event_type_options options = { .domains = domains,
                                                      .secret = SLICE("fuzz"),
                                                      .metrics = &metrics };
    stage = stage_event_type_new(&options);
    arena_init(&arena, 1 << 20);
    problems_done(&problems);
}

/* What ingestion lets pass as properties, by the parser that it has. */
static bool is_json(struct slice text)
{
    static struct json_index index;
    static char room[TEXT_MAX + JSON_PADDING];
    const struct json_limits limits = { JSON_DEPTH_MAX, TEXT_MAX, TEXT_MAX };
    struct json_cursor cursor;
    struct json_value value;
    struct error err;
    memcpy(room, text.p, text.n);
    memset(room + text.n, ' ', JSON_PADDING);
    expect(json_index_build(&index, slice_of(room, text.n), &err) == OK);
    json_cursor_begin(&cursor, &index, &limits);
    return json_walk_value(&cursor, &value) && value.kind == JSON_OBJECT && json_peek(&cursor) == 0;
}

/* A second member of a name, behind the first that counts, would be stored as it came. */
static bool comes_twice(struct slice properties, const char *name)
{
    struct json_walk walk;
    size_t times = 0;
    for (json_walk_begin(&walk, properties); json_walk_next(&walk);) {
        char room[64];
        struct buf plain = { .p = room, .capacity = sizeof room, .max_bytes = sizeof room };
        times += json_scan_string(walk.name, &plain) && !plain.full && slice_equal(buf_slice(&plain), slice_from(name));
    }
    return times > 1;
}

static bool is_clear(struct slice properties, const char *name, struct slice text)
{
    struct slice value;
    return json_find(properties, name, &value) && !json_is_null(value) && slice_equal(value, text);
}

static void run(const char *type, struct slice properties)
{
    static struct process_batch batch;
    struct error err;
    struct slice sent;
    batch.arena = &arena;
    batch.count = batch.live_count = 1;
    batch.domains[0] = &domains->others;
    batch.verdicts[0] = PROCESS_ACCEPTED;
    batch.changed[0] = false;
    batch.live[0] = 0;
    batch.events[0] = (struct event){ .customer_id = SLICE("t"),
                                      .visitor_id = SLICE("v"),
                                      .event_id = SLICE("e"),
                                      .event_type = slice_from(type),
                                      .properties = properties,
                                      .context = SLICE("{\"ip\":\"x\"}") };
    expect(stage_event_type_run(stage, &batch, &err) == OK);
    const struct event *event = &batch.events[0];
    if (batch.verdicts[0] == PROCESS_DEAD) {
        expect(batch.refusals[0].message.n > 0 && slice_equal(event->properties, properties));
        return;
    }
    expect(json_is_whole(event->context));
    if (json_is_whole(properties))
        expect(json_is_whole(event->properties));
    if (!is_json(properties))
        return;
    for (const char *name = "pqr"; *name; name++) {
        const char field[2] = { *name, '\0' };
        if (json_find(properties, field, &sent) && strcmp(type, "loose") == 0)
            expect(!is_clear(event->properties, field, sent) && !comes_twice(event->properties, field));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!stage)
        set_up();
    if (size > TEXT_MAX)
        return 0;
    run("loose", slice_of(data, size));
    run("strict", slice_of(data, size));
    run("none", slice_of(data, size));
    arena_reset(&arena);
    return 0;
}
