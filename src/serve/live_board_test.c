/* What a reader is shown, when it comes, goes and comes back; and the ring under it. */
#include "serve/live_board.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"

#define SINCE_MS 1700000000000

static struct live_board *board;
static struct live_entry *acme;
static struct buf text;

static int setup(void **state)
{
    (void)state;
    board = board_new(3, SINCE_MS);
    acme = board_entry(board, SLICE("acme"));
    buf_init(&text, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_done(&text);
    board_free(board);
    return 0;
}

static void happen(unsigned number)
{
    char name[32];
    snprintf(name, sizeof name, "event-%u.", number);
    struct ring_event event = { .visitor_id = SLICE("v"),
                                .user_id = SLICE("u"),
                                .session_id = SLICE("s"),
                                .event_id = SLICE("e"),
                                .event_type = SLICE("click"),
                                .event_name = slice_from(name),
                                .properties = SLICE("{\"a\":\n1}"),
                                .context = SLICE("{\"library\":\r\n\"x\"}"),
                                .timestamp_ms = 5,
                                .received_ms = SINCE_MS };
    board_event(acme, &event);
}

/* The message for a reader who saw everything up to *io_seq. */
static const char *shown(uint64_t *io_seq)
{
    buf_reset(&text);
    board_write(board, acme, SLICE("acme"), board_pulse(acme), SIZE_MAX, io_seq, &text);
    assert_false(text.full);
    return buf_text(&text);
}

static unsigned events_in(const char *message)
{
    unsigned count = 0;
    for (const char *at = message; (at = strstr(at, "\"event_name\"")); at++)
        count++;
    return count;
}

static uint64_t read_id(const char *id)
{
    return board_read_id(board, acme, slice_from(id));
}

static void test_an_event_is_shown_with_all_its_parts_on_one_line(void **state)
{
    uint64_t seq = 0;
    (void)state;
    board_listen(board, acme);
    happen(1);
    const char *message = shown(&seq);
    assert_int_equal(seq, 1);
    assert_non_null(strstr(message, "{\"event_type\":\"click\",\"event_name\":\"event-1.\",\"visitor_id\":\"v\","
                                    "\"user_id\":\"u\",\"session_id\":\"s\",\"event_id\":\"e\",\"timestamp_ms\":5,"
                                    "\"received_ms\":1700000000000,\"properties\":{\"a\": 1},"
                                    "\"context\":{\"library\":  \"x\"}}"));
    assert_null(strchr(message, '\n'));
    assert_null(strchr(message, '\r'));
}

static void test_the_ring_keeps_the_newest_hundred(void **state)
{
    uint64_t seq = 0;
    (void)state;
    board_listen(board, acme);
    for (unsigned i = 1; i <= 250; i++)
        happen(i);
    const char *message = shown(&seq);
    assert_int_equal(events_in(message), RING_EVENTS_MAX);
    assert_null(strstr(message, "event-150."));
    assert_non_null(strstr(message, "event-151."));
    assert_non_null(strstr(message, "event-250."));
    assert_int_equal(events_in(shown(&seq)), 0);
}

static void test_a_short_message_has_the_newest_events(void **state)
{
    uint64_t seq = 0;
    (void)state;
    board_listen(board, acme);
    happen(1);
    shown(&seq);
    size_t one = (size_t)(strstr(buf_text(&text), "]}") - strstr(buf_text(&text), "\"events\":[") - 10);
    for (unsigned i = 2; i < 10; i++)
        happen(i);
    for (size_t wanted = 0; wanted < 4; wanted++) {
        uint64_t from = 1;
        buf_reset(&text);
        board_write(board, acme, SLICE("acme"), (struct slice){ "", 0 }, wanted * one, &from, &text);
        assert_int_equal(events_in(buf_text(&text)), wanted ? wanted : 1);
        assert_non_null(strstr(buf_text(&text), "event-9."));
        assert_int_equal(from, 9);
    }
}

static void test_who_comes_back_is_shown_what_came_meanwhile(void **state)
{
    uint64_t seq = 0;
    (void)state;
    board_listen(board, acme);
    happen(1);
    happen(2);
    shown(&seq);
    AUTO(buf) struct buf id;
    buf_init(&id, 64);
    board_write_id(board, seq, &id);
    assert_string_equal(buf_text(&id), "1700000000000-2");
    board_unlisten(acme, 1000); /* cut off */
    happen(3);
    assert_int_equal(board_expire(board, 1001), 1000 + BOARD_LINGER_MS);
    board_listen(board, acme);
    seq = read_id(buf_text(&id));
    const char *message = shown(&seq);
    assert_int_equal(events_in(message), 1);
    assert_non_null(strstr(message, "event-3."));
}

static void test_an_id_of_another_process_or_of_nobody_shows_the_whole_ring(void **state)
{
    (void)state;
    board_listen(board, acme);
    happen(1);
    happen(2);
    assert_int_equal(read_id("1700000000000-1"), 1);
    static const char *const OTHERS[] = { "1699999999999-1",
                                          "1700000000000-3",
                                          "1700000000000-",
                                          "-1",
                                          "",
                                          "1",
                                          "1700000000000-x",
                                          "1700000000000-99999999999999999999",
                                          "1700000000000--1" };
    for (size_t i = 0; i < COUNT_OF(OTHERS); i++)
        assert_int_equal(read_id(OTHERS[i]), 0);
}

static void test_a_minute_after_the_last_reader_the_events_are_forgotten_and_numbers_go_on(void **state)
{
    uint64_t seq = 0;
    (void)state;
    board_listen(board, acme);
    happen(1);
    board_unlisten(acme, 1000);
    assert_int_equal(board_expire(board, 1000 + BOARD_LINGER_MS), INT64_MAX);
    happen(2); /* nobody listens */
    board_listen(board, acme);
    assert_int_equal(events_in(shown(&seq)), 0);
    assert_int_equal(seq, 1);
    happen(3);
    assert_non_null(strstr(shown(&seq), "event-3."));
    assert_int_equal(seq, 2);
}

static void test_only_those_who_are_listened_to_are_looked_at(void **state)
{
    (void)state;
    struct live_entry *other = board_entry(board, SLICE("other"));
    assert_null(board_next_listened(board, NULL));
    board_listen(board, acme);
    board_listen(board, other);
    board_unlisten(acme, 0);
    assert_ptr_equal(board_next_listened(board, NULL), other);
    assert_null(board_next_listened(board, other));
}

static void test_latency_is_that_of_events_shown_to_somebody_counted_once(void **state)
{
    static const double HALF[] = { 0.5 };
    int64_t ms;
    uint64_t seq = 0;
    (void)state;
    board_listen(board, acme);
    assert_false(board_latency(acme, SINCE_MS, HALF, 1, &ms));
    happen(1);
    shown(&seq);
    board_shown(acme, seq, SINCE_MS + 8);
    board_shown(acme, seq, SINCE_MS + 5000); /* a second reader: the same event again */
    assert_true(board_latency(acme, SINCE_MS + 5000, HALF, 1, &ms));
    assert_int_equal(ms, 8);
    board_unlisten(acme, 0);
    happen(2);
    board_listen(board, acme);
    shown(&seq);
    board_shown(acme, seq, SINCE_MS + 50000); /* it waited for its reader */
    assert_true(board_latency(acme, SINCE_MS + 50000, (const double[]){ 1 }, 1, &ms));
    assert_int_equal(ms, 8);
}

static void test_a_pulse_counts_as_a_change_when_it_differs(void **state)
{
    uint64_t seq = 0, before = board_version(acme);
    (void)state;
    board_listen(board, acme);
    board_set_pulse(acme, SLICE("\"engine\":\"ready\""), 7);
    assert_true(board_version(acme) > before);
    before = board_version(acme);
    board_set_pulse(acme, SLICE("\"engine\":\"ready\""), 8);
    assert_int_equal(board_version(acme), before);
    assert_int_equal(board_pulse_at_ms(acme), 8);
    assert_non_null(strstr(shown(&seq), ",\"engine\":\"ready\",\"events\":[]}"));
}

static void test_dead_letters_are_counted_by_reason_and_too_many_reasons_folded(void **state)
{
    const struct board_reason *reasons;
    uint64_t sum = 0;
    (void)state;
    assert_int_equal(board_reasons(acme, &reasons), 0);
    for (unsigned i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "reason-%u", i % 20);
        board_dead(acme, slice_from(name), 2);
    }
    size_t count = board_reasons(acme, &reasons);
    assert_int_equal(count, BOARD_REASONS_MAX);
    for (size_t i = 0; i < count; i++)
        sum += reasons[i].count;
    assert_int_equal(sum, 200);
    assert_string_equal(reasons[0].name, "reason-0");
    assert_string_equal(reasons[count - 1].name, "…");
}

static void test_a_full_board_shows_zeros(void **state)
{
    uint64_t seq = 0;
    (void)state;
    board_entry(board, SLICE("b"));
    board_entry(board, SLICE("c"));
    assert_null(board_entry(board, SLICE("d")));
    buf_reset(&text);
    board_write(board, NULL, SLICE("d"), (struct slice){ "", 0 }, SIZE_MAX, &seq, &text);
    assert_non_null(strstr(buf_text(&text), "\"tenant\":\"d\""));
    assert_non_null(strstr(buf_text(&text), "\"accepted\":0"));
    assert_non_null(strstr(buf_text(&text), "\"events\":[]}"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_event_is_shown_with_all_its_parts_on_one_line),
        TEST(test_the_ring_keeps_the_newest_hundred),
        TEST(test_a_short_message_has_the_newest_events),
        TEST(test_who_comes_back_is_shown_what_came_meanwhile),
        TEST(test_an_id_of_another_process_or_of_nobody_shows_the_whole_ring),
        TEST(test_a_minute_after_the_last_reader_the_events_are_forgotten_and_numbers_go_on),
        TEST(test_only_those_who_are_listened_to_are_looked_at),
        TEST(test_latency_is_that_of_events_shown_to_somebody_counted_once),
        TEST(test_a_pulse_counts_as_a_change_when_it_differs),
        TEST(test_dead_letters_are_counted_by_reason_and_too_many_reasons_folded),
        TEST(test_a_full_board_shows_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
