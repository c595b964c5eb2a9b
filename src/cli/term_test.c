#include "cli/term.h"

#include "base/test.h"

static struct buf out;

static const char *text(void)
{
    return buf_text(&out);
}

static int setup(void **state)
{
    (void)state;
    buf_init(&out, 1 << 16);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_done(&out);
    return 0;
}

static void test_widths_count_cells_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(term_width(SLICE("abc")), 3);
    assert_int_equal(term_width(SLICE("é")), 1);
    assert_int_equal(term_width(SLICE("e\xcc\x81")), 1);
    assert_int_equal(term_width(SLICE("日本")), 4);
    assert_int_equal(term_width(SLICE("\xff\xfe")), 2);
}

static void test_nothing_that_moves_the_cursor_reaches_the_terminal(void **state)
{
    (void)state;
    term_add_cut(&out,
                 SLICE("a\x1b[2Jb\rc\nd\te\xc2\x9b"
                       "f\xe2\x80\xaeg"),
                 80);
    assert_null(strchr(text(), '\x1b'));
    assert_null(strchr(text(), '\r'));
    assert_null(strchr(text(), '\n'));
    assert_null(strstr(text(), "\xc2\x9b"));
    assert_null(strstr(text(), "\xe2\x80\xae"));
}

static void test_a_cut_never_splits_a_character(void **state)
{
    (void)state;
    term_add_cut(&out, SLICE("日本語"), 4);
    assert_string_equal(text(), "日…");
}

static void test_numbers_read_well(void **state)
{
    (void)state;
    term_add_grouped(&out, 1234567);
    term_add_grouped(&out, 12);
    buf_add_char(&out, ' ');
    term_add_short(&out, 999);
    buf_add_char(&out, ' ');
    term_add_short(&out, 1234);
    buf_add_char(&out, ' ');
    term_add_short(&out, 999960);
    buf_add_char(&out, ' ');
    term_add_ms(&out, 0.854);
    buf_add_char(&out, ' ');
    term_add_ms(&out, 125000);
    assert_string_equal(text(), "1,234,56712 999 1.23k 1.00M 0.85 ms 2 m 5 s");
}

static const struct term_column COLUMNS[] = { { { "name", 4 }, false }, { { "n", 1 }, true } };

static void test_a_table_is_a_box_with_numbers_to_the_right(void **state)
{
    (void)state;
    const struct slice cells[] = { SLICE("añb"), SLICE("7"), SLICE("c"), SLICE("1000") };
    term_add_table(&out, COLUMNS, 2, cells, 2, 80);
    assert_string_equal(text(), "┌──────┬──────┐\n"
                                "│ name │    n │\n"
                                "├──────┼──────┤\n"
                                "│ añb  │    7 │\n"
                                "│ c    │ 1000 │\n"
                                "└──────┴──────┘\n");
}

static void test_a_table_never_grows_wider_than_asked(void **state)
{
    (void)state;
    const struct slice cells[] = { SLICE("a very long text that does not fit at all"), SLICE("7") };
    for (size_t width = 10; width < 50; width++) {
        buf_reset(&out);
        term_add_table(&out, COLUMNS, 2, cells, 1, width);
        const char *line = text();
        while (*line) {
            size_t n = strcspn(line, "\n");
            assert_true(term_width(slice_of(line, n)) <= width);
            line += n + (line[n] == '\n');
        }
    }
}

/* What its cells end with is what matters, such as a file's line: the others give way, then each row is a list. */
static void test_a_whole_column_is_never_cut(void **state)
{
    (void)state;
    static const struct term_column PLACES[] = { { .name = { "what", 4 } }, { .name = { "from", 4 }, .whole = true } };
    const struct slice cells[] = { SLICE("an event type of three fields"), SLICE("config/domains/bikes.yaml:117") };
    for (size_t width = 10; width < 80; width++) {
        buf_reset(&out);
        term_add_table(&out, PLACES, 2, cells, 1, width);
        assert_non_null(strstr(text(), "config/domains/bikes.yaml:117"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_widths_count_cells_not_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_that_moves_the_cursor_reaches_the_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_cut_never_splits_a_character, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers_read_well, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_table_is_a_box_with_numbers_to_the_right, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_table_never_grows_wider_than_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_whole_column_is_never_cut, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
