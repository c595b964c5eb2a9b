#include "deliver/render.h"

#include <stdio.h>

#include "base/test.h"
#include "event/dead_letter.h"
#include "event/late_record.h"
#include "event/session_record.h"
#include "event/window_record.h"
#include "journal/journal.h"

static struct buf out;
static struct render_sizes sizes;
static bool wanted;

static enum status render(const struct selection *selection, uint16_t topic, struct slice record)
{
    const struct render_source source = { topic, 3, 1874 };
    struct error err;
    return render_record(selection, &source, record, &out, &sizes, &wanted, &err);
}

static void assert_parts(const char *id, const char *key, const char *value)
{
    assert_true(wanted);
    assert_int_equal(out.n, sizes.id_n + sizes.key_n + sizes.value_n);
    char whole[4096];
    assert_int_equal(sizes.id_n, strlen(id));
    assert_memory_equal(out.p, id, sizes.id_n);
    snprintf(whole, sizeof whole, "%.*s", (int)sizes.key_n, out.p + sizes.id_n);
    assert_string_equal(whole, key);
    snprintf(whole, sizeof whole, "%.*s", (int)sizes.value_n, out.p + sizes.id_n + sizes.key_n);
    assert_string_equal(whole, value);
}

static int begin(void **state)
{
    (void)state;
    buf_init(&out, 64 << 10);
    wanted = false;
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_done(&out);
    return 0;
}

static const struct selection ALL = { .results = "windows", .windows = "", .tenants = "" };

static struct slice window_bytes(bool final, struct slice customer_id)
{
    static char bytes[1024];
    const struct window_record window = { .customer_id = customer_id,
                                          .window = SLICE("by_page"),
                                          .key = SLICE("{\"page\":\"/\xc3\xa4\\n\"}"),
                                          .measures = SLICE("{\"n\":3}"),
                                          .start_ms = 1700000000000,
                                          .end_ms = 1700000060000,
                                          .definition = 18446744073709551615u,
                                          .events = 3,
                                          .revision = 2,
                                          .kind = WINDOW_RECORD_TUMBLING,
                                          .final = final };
    assert_true(window_record_size(&window) <= sizeof bytes);
    window_record_encode(&window, bytes);
    return slice_of(bytes, window_record_size(&window));
}

static void test_a_window_has_the_names_of_the_table_and_an_id_of_its_place(void **state)
{
    (void)state;
    assert_int_equal(render(&ALL, TOPIC_WINDOWS, window_bytes(true, SLICE("shop"))), OK);
    assert_parts("windows/3/1874",
                 "{\"customer_id\":\"shop\",\"window\":\"by_page\",\"key\":{\"page\":\"/\xc3\xa4\\n\"}}",
                 "{\"table\":\"windows\",\"id\":\"windows/3/1874\",\"customer_id\":\"shop\",\"window\":\"by_page\","
                 "\"definition\":\"18446744073709551615\",\"kind\":\"tumbling\","
                 "\"window_start\":\"2023-11-14T22:13:20.000Z\",\"window_end\":\"2023-11-14T22:14:20.000Z\","
                 "\"key\":{\"page\":\"/\xc3\xa4\\n\"},\"measures\":{\"n\":3},\"event_count\":3,\"revision\":2,"
                 "\"is_final\":true,\"is_removed\":false}");
}

static void test_what_is_not_selected_is_left_out_and_leaves_no_trace(void **state)
{
    (void)state;
    struct selection selection = ALL;
    selection.tenants = "other, shop";
    assert_int_equal(render(&selection, TOPIC_WINDOWS, window_bytes(true, SLICE("shop"))), OK);
    assert_true(wanted);
    buf_reset(&out);
    assert_int_equal(render(&selection, TOPIC_WINDOWS, window_bytes(true, SLICE("sho"))), OK);
    assert_false(wanted);
    selection = ALL;
    selection.windows = "by_pag,by_page2";
    assert_int_equal(render(&selection, TOPIC_WINDOWS, window_bytes(true, SLICE("shop"))), OK);
    assert_false(wanted);
    selection = ALL;
    selection.only_final = true;
    assert_int_equal(render(&selection, TOPIC_WINDOWS, window_bytes(false, SLICE("shop"))), OK);
    assert_false(wanted);
    assert_int_equal(out.n, 0);
}

static void test_a_value_is_one_line_whatever_a_client_wrote(void **state)
{
    (void)state;
    char bytes[1024];
    const struct event event = { .customer_id = SLICE("shop"),
                                 .visitor_id = SLICE("v\n1"),
                                 .event_id = SLICE("e"),
                                 .event_type = SLICE("t"),
                                 .properties = SLICE("{\n  \"a\": 1,\r\n  \"b\": \"x\\ny\"\n}"),
                                 .context = SLICE("{}"),
                                 .timestamp_ms = 1700000000000,
                                 .received_ms = INT64_MAX };
    event_encode(&event, bytes);
    assert_int_equal(render(&ALL, TOPIC_ENRICHED, slice_of(bytes, event_encoded_size(&event))), OK);
    assert_null(memchr(out.p, '\n', out.n));
    assert_null(memchr(out.p, '\r', out.n));
    assert_non_null(memmem(out.p, out.n, "\"b\": \"x\\ny\"", 11));
    assert_non_null(memmem(out.p, out.n, "{\"customer_id\":\"shop\",\"visitor_id\":\"v\\n1\"}", 42));
}

static void test_dead_letters_sessions_and_late_events_keep_what_people_need(void **state)
{
    (void)state;
    char bytes[1024];
    const struct dead_letter letter = { .customer_id = SLICE("shop"),
                                        .stage = SLICE("ingest"),
                                        .reason = SLICE("missing_field"),
                                        .field = SLICE("visitor_id"),
                                        .message = SLICE("m"),
                                        .original = SLICE("{\"a\":\xff}"),
                                        .received_ms = 1700000000000 };
    dead_letter_encode(&letter, bytes);
    assert_int_equal(render(&ALL, TOPIC_DEAD_LETTERS, slice_of(bytes, dead_letter_encoded_size(&letter))), OK);
    assert_parts(
        "dead_letters/3/1874", "{\"customer_id\":\"shop\",\"event_id\":\"\"}",
        "{\"table\":\"dead_letters\",\"id\":\"dead_letters/3/1874\",\"customer_id\":\"shop\",\"stage\":\"ingest\","
        "\"reason\":\"missing_field\",\"message\":\"m\",\"field\":\"visitor_id\",\"event_id\":\"\","
        "\"received_at\":\"2023-11-14T22:13:20.000Z\",\"original\":\"{\\\"a\\\":\xef\xbf\xbd}\"}");
    buf_reset(&out);
    const struct session_record session = { .customer_id = SLICE("shop"),
                                            .visitor_id = SLICE("v"),
                                            .start_ms = 1700000000000,
                                            .end_ms = 1700000000001,
                                            .events = 2,
                                            .removed = true };
    session_record_encode(&session, bytes);
    assert_int_equal(render(&ALL, TOPIC_SESSIONS, slice_of(bytes, session_record_size(&session))), OK);
    assert_non_null(memmem(out.p, out.n, "\"is_removed\":true}", 18));
    buf_reset(&out);
    struct late_record late = { .window = SLICE("by_page"), .key = SLICE(""), .events = 1 };
    late.event = (struct event){
        .customer_id = SLICE("shop"), .event_id = SLICE("e"), .properties = SLICE("{}"), .context = SLICE("{}")
    };
    late_record_encode(&late, bytes);
    assert_int_equal(render(&ALL, TOPIC_LATE, slice_of(bytes, late_record_size(&late))), OK);
    assert_non_null(memmem(out.p, out.n, "\"key\":null", 10));
    assert_non_null(memmem(out.p, out.n, "\"event\":{\"customer_id\":\"shop\"", 29));
    memset(bytes + 2, 0, 2); /* the length of the window's name */
    assert_int_equal(render(&ALL, TOPIC_LATE, slice_of(bytes, late_record_size(&late))), ERR_CORRUPT);
}

static void test_what_cannot_be_read_or_has_no_room_adds_nothing(void **state)
{
    (void)state;
    struct slice record = window_bytes(true, SLICE("shop"));
    for (size_t n = 0; n < record.n; n++) {
        assert_int_equal(render(&ALL, TOPIC_WINDOWS, slice_of(record.p, n)), ERR_CORRUPT);
        assert_int_equal(out.n, 0);
    }
    buf_done(&out);
    buf_init(&out, 400); /* one fits in 391 bytes or so */
    size_t whole = 0;
    for (int i = 0; i < 2; i++) {
        whole = out.n;
        enum status s = render(&ALL, TOPIC_WINDOWS, record);
        assert_int_equal(s, i == 0 && out.n ? OK : ERR_FULL);
        if (s != OK)
            break;
    }
    assert_int_equal(out.n, whole);
    assert_false(out.full);
}

static void test_lists_are_of_whole_names(void **state)
{
    (void)state;
    uint32_t topics;
    struct error err;
    struct selection selection = { .results = " windows ,dead_letters,", .windows = "", .tenants = "" };
    assert_int_equal(selection_topics(&selection, &topics, &err), OK);
    assert_int_equal(topics, TOPIC_BIT(TOPIC_WINDOWS) | TOPIC_BIT(TOPIC_DEAD_LETTERS));
    selection.results = "windows,changelog";
    assert_int_equal(selection_topics(&selection, &topics, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "changelog"));
    selection.results = " , ";
    assert_int_equal(selection_topics(&selection, &topics, &err), ERR_INVALID);
    assert_true(selection_names("", SLICE("any")));
    assert_true(selection_names("a, b ,c", SLICE("b")));
    assert_false(selection_names("a, b ,c", SLICE("")));
    assert_false(selection_names("ab", SLICE("a")));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_window_has_the_names_of_the_table_and_an_id_of_its_place),
        CASE(test_what_is_not_selected_is_left_out_and_leaves_no_trace),
        CASE(test_a_value_is_one_line_whatever_a_client_wrote),
        CASE(test_dead_letters_sessions_and_late_events_keep_what_people_need),
        CASE(test_what_cannot_be_read_or_has_no_room_adds_nothing),
        CASE(test_lists_are_of_whole_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
