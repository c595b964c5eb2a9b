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
    static const struct lookup_column COLUMNS[] = { { SLICE("n"), TYPE_INT | TYPE_NULL } };
    size_t slot_count = lookup_slot_count(ROWS), count = 0;
    struct lookup_row *rows = arena_take(&arena, ROWS * sizeof *rows);
    uint32_t *slots = arena_take(&arena, slot_count * sizeof *slots);
    memset(slots, 0, slot_count * sizeof *slots);
    for (size_t key = 0; key < ROWS / 4; key++)
        for (size_t version = 0; version <= key % 4; version++) {
            char text[16];
            struct value *cell = arena_take(&arena, sizeof *cell);
            *cell = value_int((int64_t)(key * 10 + version));
            snprintf(text, sizeof text, "%zu", key);
            rows[count++] = (struct lookup_row){ .key = arena_copy(&arena, slice_from(text)),
                                                 .from_ms = (int64_t)version * 20,
                                                 .to_ms = (int64_t)version * 20 + 10,
                                                 .cells = cell };
        }
    lookup_index(rows, count, slots, slot_count);
    table = (struct lookup_table){ .name = SLICE("things"),
                                   .columns = COLUMNS,
                                   .column_count = 1,
                                   .rows = rows,
                                   .row_count = count,
                                   .slots = slots,
                                   .slot_count = slot_count,
                                   .whole_keys = whole_keys };
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
            assert_int_equal(lookup_find(&table, name, version * 20, 0).i, key * 10 + (size_t)version);
            assert_int_equal(lookup_find(&table, name, version * 20 + 9, 0).i, key * 10 + (size_t)version);
            assert_true(value_is_null(lookup_find(&table, name, version * 20 + 10, 0)));
        }
        assert_true(value_is_null(lookup_find(&table, name, -1, 0)));
        assert_true(value_is_null(lookup_find(&table, name, INT64_MAX, 0)));
    }
    assert_true(value_is_null(lookup_find(&table, value_text(SLICE("nobody")), 0, 0)));
    assert_true(value_is_null(lookup_find(&table, value_null(REASON_TYPE), 0, 0)));
}

static void test_whole_keys_are_found_however_they_are_written(void **state)
{
    (void)state;
    assert_true(value_is_null(lookup_find(&table, value_number(7.0), 0, 0)) == false);
    assert_true(value_is_null(lookup_find(&table, value_from_decimal(SLICE("7.0")), 0, 0)));
    make(true);
    assert_int_equal(lookup_find(&table, value_int(7), 0, 0).i, 70);
    assert_int_equal(lookup_find(&table, value_from_decimal(SLICE("7.0")), 0, 0).i, 70);
    assert_int_equal(lookup_find(&table, value_text(SLICE("7")), 0, 0).i, 70);
    assert_true(value_is_null(lookup_find(&table, value_text(SLICE("seven")), 0, 0)));
    assert_true(value_is_null(lookup_find(&table, value_number(7.5), 0, 0)));
    assert_true(value_is_null(lookup_find(&table, value_bool(true), 0, 0)));
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
        cmocka_unit_test_setup_teardown(test_what_it_means_are_the_names_and_not_the_rows, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
