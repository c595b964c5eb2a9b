#include "config/csv.h"

#include "base/buf.h"
#include "base/test.h"

#define CELLS 8

struct example {
    const char *text;
    const char *rows; /* cells with | between, rows with / behind; !N at the end: wrong at byte N */
};

/* As in an example's rows. */
static void read_all(struct slice text, struct buf *out)
{
    struct arena arena;
    struct csv csv;
    struct csv_cell cells[CELLS];
    enum csv_result result;
    size_t count;
    buf_reset(out);
    arena_init(&arena, 1 << 20);
    csv_init(&csv, text, &arena);
    while ((result = csv_next(&csv, cells, CELLS, &count)) == CSV_ROW) {
        for (size_t i = 0; i < count && i < CELLS; i++) {
            buf_add_text(out, i ? "|" : "");
            buf_add_slice(out, cells[i].text);
        }
        buf_add_char(out, '/');
    }
    if (result == CSV_WRONG)
        buf_add_format(out, "!%zu", csv.problem_at);
    assert_int_equal(csv_next(&csv, cells, CELLS, &count), result);
    arena_done(&arena);
}

static void test_cells_are_what_rfc_4180_says(void **state)
{
    (void)state;
    static const struct example CASES[] = {
        { "", "" },
        { "a,b\n1,2\n", "a|b/1|2/" },
        { "a,b\r\n1,2", "a|b/1|2/" },
        { "\xef\xbb\xbf"
          "a,b\n",
          "a|b/" },
        { "a\n\n\r\nb\n\n", "a/b/" },
        { ",\n", "|/" },
        { "a,", "a|/" },
        { "\"a,b\",\"c\nd\"\n", "a,b|c\nd/" },
        { "\"\",\"\"\"\"\n", "|\"/" },
        { "\"a \"\"b\"\" c\"", "a \"b\" c/" },
        { " a , b\n", " a | b/" },
        { "\xc3\xa4\n", "\xc3\xa4/" },
        { "1,2,3,4,5,6,7,8,9\nx", "1|2|3|4|5|6|7|8/x/" },
    };
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        read_all(slice_from(CASES[i].text), &out);
        assert_string_equal(buf_text(&out), CASES[i].rows);
    }
    buf_done(&out);
}

static void test_what_is_no_csv_is_told_where_it_stands(void **state)
{
    (void)state;
    static const struct example CASES[] = {
        { "a\nb\"c\n", "a/!3" },
        { "a,\"b\nc", "!2" },
        { "\"a\"b\n", "!3" },
        { "a\rb\n", "!1" },
        { "a\n\xe4,b\n", "a/!2" },
        { "\"\xff\"", "!1" },
        { "\"a\"\r", "!3" },
        { "\xff\xfe"
          "a",
          "!0" },
    };
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        read_all(slice_from(CASES[i].text), &out);
        assert_string_equal(buf_text(&out), CASES[i].rows);
    }
    read_all(SLICE("a\0b"), &out);
    assert_string_equal(buf_text(&out), "!1");
    buf_done(&out);
}

static void test_a_cell_says_where_it_stands(void **state)
{
    (void)state;
    struct arena arena;
    struct csv csv;
    struct csv_cell cells[CELLS];
    size_t count;
    arena_init(&arena, 4096);
    csv_init(&csv,
             SLICE("\xef\xbb\xbf"
                   "ab,\"c\"\"d\",\n"),
             &arena);
    assert_int_equal(csv_next(&csv, cells, CELLS, &count), CSV_ROW);
    assert_int_equal(count, 3);
    assert_int_equal(cells[0].at, 3);
    assert_int_equal(cells[0].width, 2);
    assert_int_equal(cells[1].at, 6);
    assert_int_equal(cells[1].width, 6);
    assert_int_equal(cells[2].at, 13);
    assert_int_equal(cells[2].width, 0);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells_are_what_rfc_4180_says),
        cmocka_unit_test(test_what_is_no_csv_is_told_where_it_stands),
        cmocka_unit_test(test_a_cell_says_where_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
