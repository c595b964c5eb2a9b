#include <stdio.h>

#include "config/domain.h"
#include "test/support/domain_files.h"

static void test_generate_says_how_events_are_made(void **state)
{
    (void)state;
    const struct domain_set *set = domain_files_expect_fine(
        "domain: web\n"
        "generate: {visitors: 50, pause: 1m, rhythm: flat, session: [a, {event: [b, a], times: 2.5, chance: 40%, else: "
        "a},"
        " {event: b, else: leave}]}\n"
        "event_types:\n"
        "  - {name: a, generate: {weight: 2.5}, attributes: [{name: x, generate: {by: y, distinct: 9}},"
        " {name: y, generate: {present: 12.5%, by: visitor}}, {name: z, type: integer, generate: {as: "
        "length(properties.x)}}]}\n"
        "  - {name: b}\n");
    const struct generate_domain *domain = set->domains[0].generate;
    assert_true(domain->visitors == 50 && domain->pause_ms == 60000 && domain->flat);
    assert_int_equal(domain->step_count, 3);
    assert_true(slice_equal(domain->session[0].events[0], SLICE("a")) && domain->session[0].times == 1 &&
                domain->session[0].chance == 1 && domain->session[0].otherwise == GENERATE_SKIP);
    const struct generate_step *step = &domain->session[1];
    assert_true(step->event_count == 2 && step->times == 2.5 && step->chance == 0.4);
    assert_true(step->otherwise == GENERATE_EVENT && slice_equal(step->otherwise_event, SLICE("a")));
    assert_int_equal(domain->session[2].otherwise, GENERATE_LEAVE);
    const struct event_type *a = event_type_find(set, &set->others, SLICE("a")),
                            *b = event_type_find(set, &set->others, SLICE("b"));
    assert_true(*a->weight == 2.5 && !b->weight);
    const struct generate_field *x = a->fields[0].generate, *y = a->fields[1].generate;
    assert_true(x->by == GENERATE_BY_FIELD && slice_equal(x->by_name, SLICE("y")) && x->distinct == 9 && !x->as);
    assert_true(y->by == GENERATE_BY_VISITOR && y->has_present && y->present == 0.125);
    assert_non_null(a->fields[2].generate->as);
}

static void test_what_is_wrong_with_generate_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *top, *type, *problem;
    } CASES[] = {
        { "generate: {session: [{event: bb}]}", "{name: bbb}", "the domain has no event type bb; did you mean bbb?" },
        { "generate: {session: [{times: 2}]}", "{name: a}",
          "a step is an event type, or a group of keys with `event`" },
        { "generate: {session: a}", "{name: a}", "session is a list of steps" },
        { "generate: {session: [{event: a, times: 0.5}]}", "{name: a}", "a number from 1 to 100000" },
        { "generate: {session: [{event: a, chance: 0.5}]}", "{name: a}", "a percentage, such as 80%" },
        { "generate: {session: [{event: a, else: [b]}]}", "{name: a}", "this is the name of an event type" },
        { "generate: {visitors: 0}", "{name: a}", "a whole number from 1 to 16000000" },
        { "generate: {visitor: 5}", "{name: a}", "generate has no key visitor; did you mean visitors?" },
        { "generate: [a]", "{name: a}", "generate is written as `key: value` lines" },
        { "", "{name: a, generate: {weight: -1}}", "a weight is a number" },
        { "", "{name: a, attributes: [{name: x, generate: {present: 120%}}]}", "a percentage, such as 80%" },
        { "", "{name: a, attributes: [{name: x, generate: {by: nobody}}]}",
          "event, visit, visitor or a field; nobody is none" },
        { "", "{name: a, attributes: [{name: x, generate: {by: y}}, {name: y, generate: {by: x}}]}", "goes in a ring" },
        { "", "{name: a, attributes: [{name: x, generate: {by: x}}]}", "goes in a ring" },
        { "", "{name: a, attributes: [{name: x, generate: {as: properties.}}]}", "properties" },
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        char text[1024];
        snprintf(text, sizeof text, "domain: web\n%s\nevent_types:\n  - %s\n", CASES[i].top, CASES[i].type);
        domain_files_expect_wrong(text, CASES[i].problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(test_generate_says_how_events_are_made),
        DOMAIN_TEST(test_what_is_wrong_with_generate_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
