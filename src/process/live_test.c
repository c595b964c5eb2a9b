/* Totals are exact however much is gathered, messages stand alone, the newest events are the ones kept. */
#include "process/live.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "event/event.h"

static struct live_gather gather, other;

static uint64_t accepted_of(const struct live_update *update, const char *tenant)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < update->count_count; i++)
        if (!tenant || slice_equal(update->counts[i].customer_id, slice_from(tenant)))
            sum += update->counts[i].accepted;
    return sum;
}

static void count(struct live_gather *to, unsigned tenant, unsigned type)
{
    char tenant_text[64], type_text[64];
    int a = snprintf(tenant_text, sizeof tenant_text, "tenant-%u", tenant);
    int b = snprintf(type_text, sizeof type_text, "type-%u", type);
    live_gather_count(to, slice_of(tenant_text, (size_t)a), slice_of(type_text, (size_t)b))->accepted++;
}

static void test_more_pairs_than_a_message_holds_are_folded_and_none_is_lost(void **state)
{
    (void)state;
    live_gather_reset(&gather);
    for (unsigned i = 0; i < 20000; i++)
        count(&gather, i % 100, i / 100);
    assert_true(gather.count_count <= LIVE_COUNTS_MAX);
    struct live_update *update = live_gather_message(&gather);
    assert_int_equal(accepted_of(update, NULL), 20000);
    assert_true(accepted_of(update, "tenant-0") > 1); /* types fold before tenants do */
    live_update_free(update);
}

static void test_very_long_names_are_folded_when_the_texts_are_full(void **state)
{
    (void)state;
    char name[1000];
    memset(name, 'x', sizeof name);
    live_gather_reset(&gather);
    for (unsigned i = 0; i < 500; i++) {
        snprintf(name, 8, "%07u", i);
        live_gather_count(&gather, slice_of(name, sizeof name), slice_of(name, sizeof name))->dead++;
    }
    uint64_t dead = 0;
    for (size_t i = 0; i < gather.count_count; i++)
        dead += gather.counts[i].dead;
    assert_int_equal(dead, 500);
}

static void test_merging_adds_up_and_keeps_the_newest_events(void **state)
{
    (void)state;
    live_gather_reset(&gather);
    live_gather_reset(&other);
    for (unsigned i = 0; i < 100; i++) {
        struct event event = { .customer_id = SLICE("acme"), .properties = SLICE("{}"), .timestamp_ms = i };
        count(i < 50 ? &gather : &other, 1, i % 3);
        live_gather_event(i < 50 ? &gather : &other, &event);
    }
    live_gather_merge(&gather, &other);
    struct live_update *update = live_gather_message(&gather);
    live_gather_reset(&gather);
    assert_int_equal(accepted_of(update, "tenant-1"), 100);
    assert_int_equal(update->event_count, LIVE_EVENTS_MAX);
    for (unsigned i = 0; i < LIVE_EVENTS_MAX; i++)
        assert_int_equal(update->events[i].timestamp_ms, 100 - LIVE_EVENTS_MAX + i);
    live_update_free(update);
}

static void test_an_event_too_large_for_the_feed_goes_without_its_properties(void **state)
{
    (void)state;
    char *large = malloc(5000);
    memset(large, 'p', 5000);
    live_gather_reset(&gather);
    struct event event = { .customer_id = SLICE("acme"), .event_id = SLICE("e"), .properties = { large, 5000 } };
    count(&gather, 1, 1);
    live_gather_event(&gather, &event);
    struct live_update *update = live_gather_message(&gather);
    assert_true(slice_equal(update->events[0].properties, SLICE("{}")));
    assert_true(slice_equal(update->events[0].event_id, SLICE("e")));
    live_update_free(update);
    free(large);
}

static void test_dead_letters_are_added_up_by_tenant_and_reason(void **state)
{
    (void)state;
    char tenant[32];
    live_gather_reset(&gather);
    live_gather_reset(&other);
    live_gather_dead(&gather, SLICE("acme"), "missing_field", 2);
    live_gather_dead(&other, SLICE("acme"), "missing_field", 3);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(tenant, sizeof tenant, "tenant-%u", i);
        live_gather_dead(&other, slice_from(tenant), "bad_id", 1);
    }
    live_gather_merge(&gather, &other);
    struct live_update *update = live_gather_message(&gather);
    uint64_t sum = 0;
    assert_true(update->dead_count <= LIVE_DEADS_MAX);
    for (size_t i = 0; i < update->dead_count; i++)
        sum += update->deads[i].count;
    assert_int_equal(sum, 205);
    assert_true(slice_equal(update->deads[0].customer_id, SLICE("acme")));
    assert_string_equal(update->deads[0].reason, "missing_field");
    assert_int_equal(update->deads[0].count, 5);
    live_update_free(update);
}

static void test_a_long_context_is_left_out_and_a_short_one_kept(void **state)
{
    (void)state;
    char large[LIVE_CONTEXT_BYTES + 1];
    memset(large, 'c', sizeof large);
    live_gather_reset(&gather);
    struct event event = { .customer_id = SLICE("acme"),
                           .user_id = SLICE("u"),
                           .session_id = SLICE("s"),
                           .properties = SLICE("{}"),
                           .context = SLICE("{\"a\":1}") };
    live_gather_event(&gather, &event);
    event.context = slice_of(large, sizeof large);
    live_gather_event(&gather, &event);
    struct live_update *update = live_gather_message(&gather);
    assert_true(slice_equal(update->events[0].context, SLICE("{\"a\":1}")));
    assert_true(slice_equal(update->events[0].user_id, SLICE("u")));
    assert_true(slice_equal(update->events[0].session_id, SLICE("s")));
    assert_int_equal(update->events[1].context.n, 0);
    live_update_free(update);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_pairs_than_a_message_holds_are_folded_and_none_is_lost),
        cmocka_unit_test(test_very_long_names_are_folded_when_the_texts_are_full),
        cmocka_unit_test(test_merging_adds_up_and_keeps_the_newest_events),
        cmocka_unit_test(test_dead_letters_are_added_up_by_tenant_and_reason),
        cmocka_unit_test(test_a_long_context_is_left_out_and_a_short_one_kept),
        cmocka_unit_test(test_an_event_too_large_for_the_feed_goes_without_its_properties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
