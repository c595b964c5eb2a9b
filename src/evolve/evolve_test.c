#include "evolve/evolve.h"

#include <stdlib.h>

#include "base/json_text.h"
#include "schema/compare.h"
#include "schema/schema.h"
#include "test/support/domain_files.h"

/* Every key that a field can have. */
static const char WHOLE[] =
    "domain: web\n"
    "compatibility: full\n"
    "event_types:\n"
    "  - name: purchase\n"
    "    description: \"it's \\\"paid\\\": a\\nb\"\n"
    "    deprecated: order\n"
    "    unknown_fields: tag\n"
    "    on_failure: quarantine\n"
    "    retention: 90d\n"
    "    metrics: [{name: amount, type: money, min: 0.01, max: 10000, required: true}, {name: weight, min: -1.5, max: "
    "1e9, default: .5}]\n"
    "    dimensions: [{name: shop, values: [a, \"true\"], default: a}, {name: n, type: integer, values: [1, 2]}]\n"
    "    attributes:\n"
    "      - {name: mail, format: email, pii: hash, on_failure: tag, deprecated: no more, description: 'of: whom'}\n"
    "      - {name: sku, pattern: 'SKU-*', min: 3, max: 20}\n"
    "      - {name: gift, type: boolean, default: true}\n"
    "      - {name: since, type: timestamp, min: 2026-01-31T00:00:00Z, default: 2026-02-01}\n";

static void count_change(void *self, const struct compare_change *change)
{
    (*(size_t *)self)++;
    print_message("%.*s %s: %.*s → %.*s\n", SLICE_ARG(change->field), change->property ? change->property : "",
                  SLICE_ARG(change->before), SLICE_ARG(change->now));
}

static void count_break(void *self, const struct compare_break *broken)
{
    (*(size_t *)self)++;
    (void)broken;
}

static void test_what_is_written_down_is_read_as_it_was_declared(void **state)
{
    (void)state;
    AUTO(buf) struct buf text, again;
    AUTO(problems) struct problems problems;
    struct domain_set *read;
    struct error err;
    size_t differences = 0;
    const struct compare_visitor visitor = { count_change, count_break, &differences };
    const struct event_type *type = domain_files_expect_fine(WHOLE)->event_types;
    buf_init(&text, 1 << 20);
    buf_init(&again, 1 << 20);
    problems_init(&problems, false);
    buf_add_text(&text, "{\"domain\":\"web\",\"event_types\":[");
    declared_add_type(&text, type);
    buf_add_text(&text, "]}");
    if (domain_set_load_text("catalog", buf_slice(&text), &domain_files.sim.world, &read, &problems, &err) != OK)
        fail_msg("%s\n%s", problems_text(&problems), buf_text(&text));
    assert_int_equal(compare_types(type, &read->event_types[0], &visitor), COMPARE_FULL);
    assert_int_equal(differences, 0);
    assert_int_equal(read->event_types[0].compatibility, EVENT_COMPATIBLE_FULL);
    buf_add_text(&again, "{\"domain\":\"web\",\"event_types\":[");
    declared_add_type(&again, &read->event_types[0]);
    buf_add_text(&again, "]}");
    assert_string_equal(buf_text(&again), buf_text(&text));
    domain_set_free(read);
}

#define TYPE(compatibility, attributes)                                                                                \
    "domain: d\nevent_types: [{name: t, compatibility: " compatibility ", attributes: [" attributes "]}]\n"
#define NEEDED "{name: a, required: true}"

static void test_what_a_type_asks_for_decides_and_the_place_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *before, *now, *problem; /* NULL: it is taken */
    } CASES[] = {
        { TYPE("none", "b"), TYPE("backward", "b, a"), NULL },
        { TYPE("none", "b"), TYPE("backward", "b, " NEEDED), "t.a: this change is not BACKWARD" },
        { TYPE("full", "b"), TYPE("none", "b, " NEEDED), NULL },
        { TYPE("none", "b"), TYPE("forward", "b, " NEEDED), NULL },
        { TYPE("none", NEEDED), TYPE("backward", "b"), NULL },
        { TYPE("none", NEEDED), TYPE("forward", "b"), "t.a: this change is not FORWARD" },
        { TYPE("none", NEEDED), TYPE("full", "a"), "may have null there; keep it required" },
        { TYPE("none", "a"), TYPE("full", NEEDED), "may have null there; leave `required` out" },
        { TYPE("none", "{name: a, type: money}"), TYPE("full", "{name: a, type: timestamp}"), NULL },
        { TYPE("backward", "a"), "domain: d\n", "the event type t is deployed (a test) and gone from here" },
        { TYPE("none", "a"), "domain: d\n", NULL },
        { "domain: d\nevent_types: [{name: t, deprecated: u}]\n", "domain: d\n", NULL },
        { TYPE("backward", "a"), "domain: other\n", NULL },
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        AUTO(problems) struct problems problems, of_before;
        struct domain_set *before;
        struct error err;
        problems_init(&problems, false);
        problems_init(&of_before, false);
        assert_int_equal(domain_set_load_text("before", slice_from(CASES[i].before), &domain_files.sim.world, &before,
                                              &of_before, &err),
                         OK);
        enum status s = evolve_check_sets(before, "a test", domain_files_expect_fine(CASES[i].now), &problems, &err);
        const char *text = problems_text(&problems);
        if (s != (CASES[i].problem ? ERR_INVALID : OK) || (CASES[i].problem && !strstr(text, CASES[i].problem)))
            fail_msg("case %zu: %s", i, text);
        domain_set_free(before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(test_what_is_written_down_is_read_as_it_was_declared),
        DOMAIN_TEST(test_what_a_type_asks_for_decides_and_the_place_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
