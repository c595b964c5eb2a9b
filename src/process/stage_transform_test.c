#include "process/stage_transform.h"

#include <stdio.h>

#include "base/test.h"
#include "config/problems.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

static struct world_sim sim;
static struct disk_sim *disk;
static struct domain_set *domains;
static struct stage_transform *stage;
static struct process_batch batch;
static struct arena arena;
static struct metrics *metrics;

static void use(const char *transforms)
{
    struct buf text;
    struct problems problems;
    struct error err;
    buf_init(&text, 1 << 20);
    problems_init(&problems, false);
    buf_add_format(&text, "domain: web\ntransforms:\n%s", transforms);
    assert_int_equal(disk_make_dirs(sim.world.disk, "/c/domains", &err), OK);
    assert_int_equal(disk_replace(sim.world.disk, "/c/domains/web.yaml", text.p, text.n, &err), OK);
    if (domain_set_load("/c", &sim.world, &domains, &problems, &err) != OK)
        fail_msg("%s%s", problems_text(&problems), err.text);
    stage = stage_transform_new(domains, metrics);
    buf_done(&text);
    problems_done(&problems);
}

/* One event more in the batch. */
static struct event *add(const char *type, const char *properties)
{
    uint32_t i = (uint32_t)batch.count++;
    batch.events[i] = (struct event){ .customer_id = SLICE("acme"),
                                      .visitor_id = SLICE("v"),
                                      .event_id = SLICE("e"),
                                      .event_type = slice_from(type),
                                      .event_name = slice_from(type),
                                      .properties = slice_from(properties),
                                      .context = SLICE("{\"ip\":\"10.0.0.1\"}"),
                                      .timestamp_ms = 1737455400123 };
    batch.domains[i] = &domains->others;
    batch.live[batch.live_count++] = i;
    return &batch.events[i];
}

static void run(void)
{
    struct error err;
    assert_int_equal(stage_transform_run(stage, &batch, &err), OK);
}

static void expect(struct slice got, const char *wanted)
{
    if (!slice_equal(got, slice_from(wanted)))
        fail_msg("%.*s\n  is not\n%s", SLICE_ARG(got), wanted);
}

static void test_only_events_for_which_where_is_true_change(void **state)
{
    (void)state;
    use("  - name: price\n"
        "    where: event_type == 'purchase'\n"
        "    set: { properties.amount_cents: cents(properties.amount), properties.deep.er: \"'x'\" }\n"
        "    remove: [properties.secret, context.ip]\n");
    struct event *view = add("page_view", "{\"secret\":1}"),
                 *buy = add("purchase", "{\"amount\":19.90,\"secret\":\"s\",\"id\":12345678901234567890}");
    run();
    expect(view->properties, "{\"secret\":1}");
    assert_false(batch.changed[0]);
    expect(buy->properties,
           "{\"amount\":19.90,\"id\":12345678901234567890,\"amount_cents\":1990,\"deep\":{\"er\":\"x\"}}");
    expect(buy->context, "{}");
    assert_true(batch.changed[1]);
    assert_int_equal(batch.verdicts[1], PROCESS_ACCEPTED);
    double events;
    assert_true(metrics_read(metrics, STAGE_TRANSFORM_EVENTS, "transform=\"price\"", &events));
    assert_true(events == 1);
}

static void test_each_transform_sees_what_the_one_before_left(void **state)
{
    (void)state;
    use("  - {name: a, set: {properties.n: \"coalesce(properties.n, 0) + 1\"}}\n"
        "  - {name: b, set: {properties.n: properties.n * 10, event_type: \"concat(event_type, '_b')\"}}\n"
        "  - {name: c, set: {properties.type: event_type, properties.n: properties.n + 1}}\n"
        "  - {name: d, set: {event_name: properties.type}}\n"
        "  - {name: e, set: {properties.type: \"'gone'\"}}\n"
        "  - {name: f, set: {properties.more: \"'over'\"}}\n");
    struct event *event = add("t", "{}"), *other = add("u", "{\"n\":4}");
    run();
    expect(event->properties, "{\"n\":11,\"type\":\"gone\",\"more\":\"over\"}");
    expect(event->event_type, "t_b");
    expect(event->event_name, "t_b");
    expect(other->properties, "{\"n\":51,\"type\":\"gone\",\"more\":\"over\"}");
    expect(other->event_name, "u_b");
}

static void test_expressions_are_computed_before_anything_is_set(void **state)
{
    (void)state;
    use("  - {name: swap, set: {properties.a: properties.b, properties.b: properties.a}}\n");
    struct event *event = add("t", "{\"a\":1,\"b\":{\"x\":[1, 2]}}");
    run();
    expect(event->properties, "{\"a\":{\"x\":[1, 2]},\"b\":1}");
}

static void test_what_cannot_be_computed_is_null(void **state)
{
    (void)state;
    use("  - {name: n, set: {properties.x: properties.none + 1, properties.y: properties.z == 'text'}}\n");
    struct event *event = add("t", "{\"z\":1}");
    run();
    expect(event->properties, "{\"z\":1,\"x\":null,\"y\":null}");
}

static void test_a_type_that_is_no_text_makes_a_dead_letter_and_leaves_the_rest(void **state)
{
    (void)state;
    use("  - {name: fine, set: {properties.a: 1}}\n"
        "  - {name: bad, set: {properties.b: 1, event_type: properties.kind}}\n");
    struct event *dead = add("t", "{\"kind\":5}"), *fine = add("t", "{\"kind\":\"k\"}");
    run();
    assert_int_equal(batch.verdicts[0], PROCESS_DEAD);
    assert_string_equal(batch.refusals[0].stage, "transform");
    assert_string_equal(batch.refusals[0].reason, "bad_type");
    expect(batch.refusals[0].field, "event_type");
    expect(batch.refusals[0].message, "transform bad: this must become text of 1 to 1024 bytes");
    expect(dead->event_type, "t");
    expect(fine->event_type, "k");
    expect(fine->properties, "{\"kind\":\"k\",\"a\":1,\"b\":1}");
}

static void test_events_that_would_not_fit_are_dead_letters(void **state)
{
    (void)state;
    use("  - {name: double, set: {properties.a: \"concat(properties.a, properties.a)\"}}\n");
    static char large[50000];
    snprintf(large, sizeof large, "{\"a\":\"%040000d\"}", 7);
    add("t", large);
    add("t", "{\"a\":\"x\"}");
    run();
    assert_string_equal(batch.refusals[0].reason, "too_long");
    expect(batch.events[1].properties, "{\"a\":\"xx\"}");
}

static void test_a_failing_script_is_a_dead_letter_with_its_line(void **state)
{
    (void)state;
    use("  - name: custom\n"
        "    where: event_type != 'other'\n"
        "    lua: |\n"
        "      function transform(event)\n"
        "        if event.properties.loop then while true do end end\n"
        "        event.properties.sum = event.properties.a + event.properties.b\n"
        "        return event\n"
        "      end\n"
        "  - {name: after, set: {properties.twice: properties.sum * 2}}\n");
    add("t", "{\"a\":1,\"b\":2.50}");
    add("t", "{\"a\":1}");
    add("t", "{\"loop\":true}");
    add("other", "{}");
    run();
    expect(batch.events[0].properties, "{\"a\":1,\"b\":2.50,\"sum\":3.5,\"twice\":7}");
    assert_true(batch.changed[0]);
    assert_int_equal(batch.verdicts[1], PROCESS_DEAD);
    assert_string_equal(batch.refusals[1].reason, "script_failed");
    expect(batch.refusals[1].message, "transform custom: /c/domains/web.yaml:8: attempt to perform arithmetic on field "
                                      "'b' (a nil value)");
    assert_string_equal(batch.refusals[2].reason, "script_limit");
    expect(batch.events[2].properties, "{\"loop\":true}");
    expect(batch.events[3].properties, "{\"twice\":null}");
}

static void test_a_full_arena_is_a_dead_letter_not_half_an_event(void **state)
{
    (void)state;
    arena_done(&arena);
    arena_init(&arena, 64);
    use("  - {name: long, set: {properties.a: \"'a text that is longer than the arena of this batch is large'\"}}\n");
    struct event *event = add("t", "{}");
    run();
    assert_int_equal(batch.verdicts[0], PROCESS_DEAD);
    assert_string_equal(batch.refusals[0].reason, "no_room");
    expect(event->properties, "{}");
}

static int begin(void **state)
{
    (void)state;
    disk = disk_sim_new(7, &sim);
    world_sim_init(&sim, 7, disk_sim_disk(disk));
    memset(&batch, 0, sizeof batch);
    arena_init(&arena, PROCESS_ARENA_BYTES);
    batch.arena = &arena;
    metrics = metrics_new(100);
    return 0;
}

static int end(void **state)
{
    (void)state;
    stage_transform_free(stage);
    metrics_free(metrics);
    domain_set_free(domains);
    stage = NULL;
    domains = NULL;
    arena_done(&arena);
    disk_sim_free(disk);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_events_for_which_where_is_true_change),
        TEST(test_each_transform_sees_what_the_one_before_left),
        TEST(test_expressions_are_computed_before_anything_is_set),
        TEST(test_what_cannot_be_computed_is_null),
        TEST(test_a_type_that_is_no_text_makes_a_dead_letter_and_leaves_the_rest),
        TEST(test_events_that_would_not_fit_are_dead_letters),
        TEST(test_a_failing_script_is_a_dead_letter_with_its_line),
        TEST(test_a_full_arena_is_a_dead_letter_not_half_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
