/* The sessions of a visitor depend on the set of its events alone. Checked against the obvious way: sort the events,
 * cut where the pause is longer than the gap. */
#include "process/state/session_table.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "world/world_sim.h"

#define GAP_MS 1000
#define EVENTS_MAX 60

static const struct id128 ANN = { 1, 2 };

struct known {
    int64_t start_ms;
    struct session session;
};

/* What somebody outside knows who was told every change. */
struct outside {
    struct known known[EVENTS_MAX];
    size_t count;
};

static struct session_table *table_with_ann(void)
{
    struct session_table *table = session_table_new(GAP_MS);
    assert_true(session_table_reserve(table, EVENTS_MAX));
    assert_non_null(session_table_add(table, ANN, SLICE("acme"), SLICE("ann"), SLICE("")));
    return table;
}

static void event(struct session_table *table, int64_t time_ms, const char *user)
{
    assert_true(session_table_reserve(table, 1));
    assert_true(session_table_event(table, session_table_find(table, ANN), time_ms, slice_from(user), true));
}

static struct known *find(struct outside *outside, int64_t start_ms)
{
    for (size_t i = 0; i < outside->count; i++)
        if (outside->known[i].start_ms == start_ms)
            return &outside->known[i];
    return NULL;
}

static void learn(struct outside *outside, const struct session_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct known *known = find(outside, changes[i].start_ms);
        const struct session *session =
            changes[i].removed ? NULL : session_visitor_find(changes[i].visitor, changes[i].start_ms);
        if (changes[i].removed) {
            if (known) /* what was never sent may come to an end, too */
                *known = outside->known[--outside->count];
        } else if (session && known) {
            known->session = *session;
        } else if (session) {
            outside->known[outside->count++] = (struct known){ changes[i].start_ms, *session };
        }
    }
}

static void tell(struct session_table *table, struct outside *outside)
{
    size_t count;
    const struct session_change *changes = session_table_changes(table, &count);
    learn(outside, changes, count);
    session_table_clear_changes(table, 1);
}

/* Sending waits longer than telling, and does not send everything. */
static void send(struct session_table *table, struct outside *outside, size_t most)
{
    size_t count;
    const struct session_change *changes = session_table_unsent(table, &count);
    count = count < most ? count : most;
    learn(outside, changes, count);
    session_table_sent(table, count);
}

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The obvious way. */
static size_t cut(int64_t *times, size_t count, struct session *out)
{
    size_t sessions = 0;
    qsort(times, count, sizeof *times, by_value);
    for (size_t i = 0; i < count; i++) {
        if (sessions == 0 || times[i] - out[sessions - 1].end_ms > GAP_MS)
            out[sessions++] = (struct session){ .start_ms = times[i] };
        out[sessions - 1].end_ms = times[i];
        out[sessions - 1].events++;
    }
    return sessions;
}

static void check(struct session_table *table, struct outside *outside, int64_t *times, size_t count, uint64_t seed)
{
    struct session expected[EVENTS_MAX];
    size_t sessions = cut(times, count, expected);
    const struct session_visitor *ann = session_table_find(table, ANN);
    bool same = ann->count == sessions && outside->count == sessions && session_table_sessions(table) == sessions;
    for (size_t i = 0; same && i < sessions; i++) {
        const struct session *got = &ann->sessions[i];
        const struct known *known = find(outside, expected[i].start_ms);
        same = got->start_ms == expected[i].start_ms && got->end_ms == expected[i].end_ms &&
               got->events == expected[i].events && got->views == expected[i].events && known &&
               known->session.end_ms == got->end_ms && known->session.events == got->events;
    }
    if (!same)
        fail_msg("SEED=%llu: %zu sessions expected, %u in the table, %zu known outside", (unsigned long long)seed,
                 sessions, ann->count, outside->count);
}

static void test_any_order_gives_the_same_sessions_and_everybody_is_told(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        uint64_t dice[2];
        int64_t times[EVENTS_MAX];
        struct outside outside = { .count = 0 }, reader = { .count = 0 };
        struct session_table *table = table_with_ann();
        dice_init(dice, seed);
        size_t count = 1 + dice_below(dice, EVENTS_MAX - 1);
        uint64_t span_ms = 1 + dice_below(dice, 60 * GAP_MS);
        for (size_t i = 0; i < count; i++) {
            times[i] = (int64_t)dice_below(dice, span_ms) - (int64_t)span_ms / 2; /* before 1970, too */
            event(table, times[i], "");
            if (dice_below(dice, 4) == 0)
                tell(table, &outside);
            if (dice_below(dice, 8) == 0) { /* a commit: both */
                send(table, &reader, 1 + dice_below(dice, 5));
                tell(table, &outside);
            }
        }
        send(table, &reader, SIZE_MAX);
        tell(table, &outside);
        check(table, &outside, times, count, seed);
        check(table, &reader, times, count, seed);
        assert_int_equal(session_table_find(table, ANN)->unsent, 0);
        session_table_free(table);
    }
}

static void test_a_pause_of_the_gap_belongs_to_the_session_and_a_longer_one_does_not(void **state)
{
    (void)state;
    struct session_table *table = table_with_ann();
    event(table, 0, "");
    event(table, GAP_MS, "");
    assert_int_equal(session_table_sessions(table), 1);
    event(table, 2 * GAP_MS + 1, "");
    assert_int_equal(session_table_sessions(table), 2);
    session_table_free(table);
}

static void test_the_latest_known_user_is_the_sessions_user(void **state)
{
    (void)state;
    struct session_table *table = table_with_ann();
    event(table, 500, "bea");
    event(table, 200, "al");
    event(table, 700, "");
    const struct session_visitor *ann = session_table_find(table, ANN);
    assert_true(slice_equal(session_visitor_user(ann, &ann->sessions[0]), SLICE("bea")));
    event(table, 500, "abe"); /* the same moment: the greater text, in whatever order */
    assert_true(slice_equal(session_visitor_user(ann, &ann->sessions[0]), SLICE("bea")));
    event(table, 500, "cle");
    assert_true(slice_equal(session_visitor_user(ann, &ann->sessions[0]), SLICE("cle")));
    session_table_free(table);
}

static void test_extreme_times_do_not_overflow(void **state)
{
    (void)state;
    struct session_table *table = table_with_ann();
    event(table, INT64_MAX, "");
    event(table, INT64_MIN, "");
    event(table, 0, "");
    event(table, INT64_MAX - GAP_MS, "");
    assert_int_equal(session_table_sessions(table), 3);
    session_table_free(table);
}

static struct id128 id_of(uint64_t number)
{
    return (struct id128){ number % 97 << 4, number }; /* many share a home, so that holes have to be closed */
}

static void test_visitors_come_and_go_and_the_others_are_still_found(void **state)
{
    (void)state;
    struct session_table *table = session_table_new(GAP_MS);
    bool here[700] = { false };
    uint64_t dice[2];
    dice_init(dice, 7);
    for (unsigned turn = 0; turn < 20000; turn++) {
        uint64_t number = 1 + dice_below(dice, COUNT_OF(here) - 1);
        assert_true(session_table_reserve(table, 1));
        struct session_visitor *visitor = session_table_find(table, id_of(number));
        assert_int_equal(visitor != NULL, here[number]);
        if (visitor)
            session_table_drop(table, visitor);
        else
            assert_non_null(session_table_add(table, id_of(number), SLICE("t"), SLICE("v"), SLICE("p")));
        here[number] = !here[number];
    }
    size_t count = 0, seen = 0, hand = 0;
    for (size_t i = 0; i < COUNT_OF(here); i++)
        count += here[i];
    assert_int_equal(session_table_visitors(table), count);
    for (struct session_visitor *visitor; seen < count && (visitor = session_table_next(table, &hand)); seen++)
        assert_true(here[visitor->id.hi]);
    assert_int_equal(seen, count);
    session_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order_gives_the_same_sessions_and_everybody_is_told),
        cmocka_unit_test(test_a_pause_of_the_gap_belongs_to_the_session_and_a_longer_one_does_not),
        cmocka_unit_test(test_the_latest_known_user_is_the_sessions_user),
        cmocka_unit_test(test_extreme_times_do_not_overflow),
        cmocka_unit_test(test_visitors_come_and_go_and_the_others_are_still_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
