#include "expr/lookup.h"

#include <stdio.h>

#include "base/test.h"
#include "expr/expr.h"

#define ROWS 5000u

static struct arena arena;
static struct field_plan plan;
static struct lookup_table table;
static struct lookup_set set = { &table, 1 };

/* Key K has K % 4 + 1 versions, each of 10 ms, with 10 ms between them; the cell is K * 10 + version. */
static void make(bool whole_keys)
{
    static const struct lookup_column COLUMNS[] = { { SLICE("n"), TYPE_INT | TYPE_NULL },
                                                    { SLICE("id"), TYPE_TEXT | TYPE_INT | TYPE_NULL } };
    size_t slot_count = lookup_slot_count(ROWS), count = 0;
    struct lookup_row *rows = arena_take(&arena, ROWS * sizeof *rows);
    uint32_t *slots = arena_take(&arena, slot_count * sizeof *slots);
    memset(slots, 0, slot_count * sizeof *slots);
    for (size_t key = 0; key < ROWS / 4; key++)
        for (size_t version = 0; version <= key % 4; version++) {
            char text[16];
            struct value *cells = arena_take(&arena, 2 * sizeof *cells);
            cells[0] = value_int((int64_t)(key * 10 + version));
            snprintf(text, sizeof text, "%zu", key);
            cells[1] = whole_keys ? value_int((int64_t)key) : value_text(arena_copy(&arena, slice_from(text)));
            rows[count++] = (struct lookup_row){ .from_ms = (int64_t)version * 20,
                                                 .to_ms = (int64_t)version * 20 + 10,
                                                 .cells = cells };
        }
    table = (struct lookup_table){ .name = SLICE("things"),
                                   .columns = COLUMNS,
                                   .column_count = 2,
                                   .keys = { 1 },
                                   .key_count = 1,
                                   .whole = { whole_keys },
                                   .rows = rows,
                                   .row_count = count,
                                   .slots = slots,
                                   .slot_count = slot_count };
    lookup_index(&table, rows, count, slots, slot_count);
}

static struct value find(struct value key, int64_t at_ms)
{
    return lookup_find(&table, &key, at_ms, 0);
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 8 << 20);
    field_plan_init(&plan, &arena);
    plan.lookups = &set;
    make(false);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void test_of_each_key_the_version_of_that_time_is_found(void **state)
{
    (void)state;
    char text[16];
    for (size_t key = 0; key < ROWS / 4; key++) {
        snprintf(text, sizeof text, "%zu", key);
        struct value name = value_text(slice_from(text));
        for (int64_t version = 0; version <= (int64_t)(key % 4); version++) {
            assert_int_equal(find(name, version * 20).i, key * 10 + (size_t)version);
            assert_int_equal(find(name, version * 20 + 9).i, key * 10 + (size_t)version);
            assert_true(value_is_null(find(name, version * 20 + 10)));
        }
        assert_true(value_is_null(find(name, -1)));
        assert_true(value_is_null(find(name, INT64_MAX)));
    }
    assert_true(value_is_null(find(value_text(SLICE("nobody")), 0)));
    assert_true(value_is_null(find(value_null(REASON_TYPE), 0)));
}

static void test_whole_keys_are_found_however_they_are_written(void **state)
{
    (void)state;
    assert_true(value_is_null(find(value_number(7.0), 0)) == false);
    assert_true(value_is_null(find(value_from_decimal(SLICE("7.0")), 0)));
    make(true);
    assert_int_equal(find(value_int(7), 0).i, 70);
    assert_int_equal(find(value_from_decimal(SLICE("7.0")), 0).i, 70);
    assert_int_equal(find(value_text(SLICE("7")), 0).i, 70);
    assert_true(value_is_null(find(value_text(SLICE("seven")), 0)));
    assert_true(value_is_null(find(value_number(7.5), 0)));
    assert_true(value_is_null(find(value_bool(true), 0)));
}

static struct value eval(const char *text, int64_t timestamp_ms)
{
    struct expr_problem problem;
    struct value fields[FIELD_PATHS_MAX];
    const struct expr *expr = NULL;
    if (expr_parse(slice_from(text), &plan, &arena, &expr, &problem) != OK)
        fail_msg("%s: column %zu: %s", text, problem.at + 1, problem.text);
    struct event event = { .properties = SLICE("{\"k\":\"2\"}"), .timestamp_ms = timestamp_ms };
    field_plan_fill(&plan, &event, &arena, fields);
    struct value v = expr_eval(expr, fields, &arena);
    assert_true(expr_types(expr) & 1u << v.kind);
    return v;
}

static void test_an_expression_asks_at_the_events_time(void **state)
{
    (void)state;
    assert_int_equal(eval("lookup('things', properties.k, 'n')", 0).i, 20);
    assert_int_equal(eval("lookup('things', properties.k, 'n')", 40).i, 22);
    assert_true(value_is_null(eval("lookup('things', properties.k, 'n')", 15)));
    assert_true(value_is_null(eval("lookup('things', properties.none, 'n')", 0)));
    assert_int_equal(eval("lookup('things', concat(1, 1), \"n\") + lookup('things', 3, 'n') * 2", 20).i, 111 + 62);
    assert_true(eval("lookup('things', 'x', 'n') is null and lookup('things', 1, 'n') in (10, 11)", 0).b);
}

static void refused(const char *text, const char *words, size_t at)
{
    struct expr_problem problem = { 0 };
    const struct expr *expr = NULL;
    assert_int_equal(expr_parse(slice_from(text), &plan, &arena, &expr, &problem), ERR_INVALID);
    if (!strstr(problem.text, words) || problem.at != at)
        fail_msg("%s: at %zu: %s", text, problem.at, problem.text);
}

static void test_names_that_are_not_there_are_told(void **state)
{
    (void)state;
    refused("lookup('thing', 1, 'n')", "did you mean things?", 7);
    refused("lookup('other', 1, 'n')", "no dimension table other", 7);
    refused("lookup('things', 1, 'm')", "has no column m; did you mean n?", 20);
    refused("lookup('things', 1, 'other')", "has no column other", 20);
    refused("lookup(things, 1, 'n')", "name in quotes", 7);
    refused("lookup('things', 1, properties.n)", "name in quotes", 20);
    refused("lookup('things', 1)", ", and a column's name", 18);
    refused("lookup('things')", ", and the key", 15);
    refused("lookup()", "write it as lookup('table', key, 'column')", 0);
    refused("lookup('things', 1, 'n') == 'a'", "cannot be compared", 0);
    plan.lookups = NULL;
    refused("lookup('things', 1, 'n')", "no dimension table things", 7);
}

static void test_a_key_of_several_values_is_asked_with_all_of_them(void **state)
{
    (void)state;
    static const struct lookup_column COLUMNS[] = { { SLICE("country"), TYPE_TEXT | TYPE_NULL },
                                                    { SLICE("sku"), TYPE_INT | TYPE_NULL },
                                                    { SLICE("n"), TYPE_INT | TYPE_NULL } };
    struct value cells[][3] = { { value_text(SLICE("DE")), value_int(2), value_int(5) },
                                { value_text(SLICE("DE")), value_int(7), value_int(6) } };
    struct lookup_row rows[] = { { 0, 10, cells[0], 0 }, { 0, 10, cells[1], 0 } };
    uint32_t slots[16] = { 0 };
    table = (struct lookup_table){ .name = SLICE("prices"),
                                   .columns = COLUMNS,
                                   .column_count = 3,
                                   .keys = { 0, 1 },
                                   .key_count = 2,
                                   .whole = { false, true },
                                   .rows = rows,
                                   .row_count = 2,
                                   .slots = slots,
                                   .slot_count = 16 };
    lookup_index(&table, rows, 2, slots, 16);
    assert_int_equal(eval("lookup('prices', 'DE', properties.k, 'n')", 5).i, 5);
    assert_int_equal(eval("lookup('prices', 'DE', 7, 'n') + lookup('prices', 'DE', '2', 'n')", 5).i, 11);
    assert_true(value_is_null(eval("lookup('prices', 'DE', 7, 'n')", 10)));
    assert_true(value_is_null(eval("lookup('prices', 'FR', 7, 'n')", 5)));
    refused("lookup('prices', 'DE', 'n')",
            "prices is found by 2 values and a column's name: "
            "lookup('prices', country, sku, 'column')",
            26);
    refused("lookup('prices', 'DE')", "found by 2 values", 21);
    refused("lookup('prices')", "found by 2 values", 15);
    refused("lookup('prices', 'DE', 7, 'x', 'n')", "found by 2 values", 29);
    refused("lookup('prices', 'DE', 7)", "found by 2 values", 24);
    refused("lookup('prices', 'DE', event_type == 'a', 'n')", "sku, a key of prices, takes", 23);
    table.slot_count = 0; /* its rows have not come yet */
    assert_true(value_is_null(eval("lookup('prices', 'DE', 7, 'n')", 5)));
}

static void test_what_it_means_are_the_names_and_not_the_rows(void **state)
{
    (void)state;
    struct expr_problem problem;
    const struct expr *expr = NULL;
    struct buf text;
    buf_init(&text, 4096);
    assert_int_equal(expr_parse(SLICE("lookup('things', properties.k, 'n')"), &plan, &arena, &expr, &problem), OK);
    expr_add_canonical(expr, &plan, &text);
    assert_string_equal(buf_text(&text), "field properties.k;field timestamp;lookup things.n;");
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_of_each_key_the_version_of_that_time_is_found, begin, end),
        cmocka_unit_test_setup_teardown(test_whole_keys_are_found_however_they_are_written, begin, end),
        cmocka_unit_test_setup_teardown(test_an_expression_asks_at_the_events_time, begin, end),
        cmocka_unit_test_setup_teardown(test_names_that_are_not_there_are_told, begin, end),
        cmocka_unit_test_setup_teardown(test_a_key_of_several_values_is_asked_with_all_of_them, begin, end),
        cmocka_unit_test_setup_teardown(test_what_it_means_are_the_names_and_not_the_rows, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
