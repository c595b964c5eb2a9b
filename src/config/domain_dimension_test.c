#include "config/domain.h"

#include <stdio.h>

#include "config/dimension_fill.h"

#include "test/support/domain_files.h"

static const char SHOP[] = "domain: shop\n"
                           "windows: [{name: w, size: 1h, by: [\"lookup('products', properties.p, 'category')\"],"
                           " measures: {n: count()}}]\n"
                           "dimension_tables:\n"
                           "  - name: products\n"
                           "    from: {csv: products.csv}\n"
                           "    key: id\n"
                           "    columns: {id: text, category: text, price: money, rank: float, sale: boolean}\n"
                           "    valid_from: since\n"
                           "    valid_to: until\n";
#define HEADER "id,category,price,rank,sale,since,until\n"

static struct value find(const char *key, const char *column, int64_t at_ms)
{
    const struct lookup_table *lookup = domain_files.set->tables[0].lookup;
    size_t i = 0;
    while (i < lookup->column_count && !slice_equal(lookup->columns[i].name, slice_from(column)))
        i++;
    const struct value wanted = value_text(slice_from(key));
    return lookup_find(lookup, &wanted, at_ms, i);
}

static void test_rows_are_found_by_key_and_time(void **state)
{
    (void)state;
    domain_files_put("products.csv", HEADER "boots,\"winter, \"\"warm\"\"\",89.90,1.5,true,,2026-03-01\r\n"
                                            "boots,spring,79.9,,FALSE,2026-03-01T00:00:00Z,\n"
                                            "socks,, 5 ,2e1,,,\n");
    domain_files_expect_fine(SHOP);
    const int64_t march = 1772323200000;
    assert_int_equal(domain_files.set->table_count, 1);
    assert_int_equal(domain_files.set->tables[0].lookup->row_count, 3);
    assert_true(slice_equal(value_slice(find("boots", "category", march - 1)), SLICE("winter, \"warm\"")));
    assert_true(slice_equal(value_slice(find("boots", "category", march)), SLICE("spring")));
    assert_int_equal(find("boots", "price_cents", INT64_MIN).i, 8990);
    assert_int_equal(find("boots", "price_cents", INT64_MAX - 1).i, 7990);
    assert_true(find("boots", "rank", 0).d == 1.5 && find("boots", "sale", 0).b);
    assert_true(value_is_null(find("boots", "rank", march)) && !find("boots", "sale", march).b);
    assert_int_equal(find("socks", "price_cents", 0).i, 500);
    assert_true(value_is_null(find("socks", "category", 0)));
    assert_true(value_is_null(find("hat", "category", 0)));
}

static void test_without_an_end_a_row_is_valid_until_the_next_of_its_key(void **state)
{
    (void)state;
    domain_files_put("p.csv", "id,n,t\n7,2,2026-02-01\n8,9,\n7,1,\n7,3,2026-03-01\n");
    domain_files_expect_fine("domain: shop\ndimension_tables: [{name: p, from: {csv: p.csv}, key: id,"
                             " columns: {id: integer, n: integer}, valid_from: t}]\n");
    const int64_t february = 1769904000000;
    assert_int_equal(find("7", "n", february - 1).i, 1);
    assert_int_equal(find("7.0", "n", february).i, 2);
    assert_int_equal(find("7", "n", INT64_MAX - 1).i, 3);
    assert_int_equal(find("8", "n", february).i, 9);
}

static void test_a_set_that_was_replaced_gives_its_rows_back_and_keeps_its_names(void **state)
{
    (void)state;
    domain_files_put("products.csv", HEADER "boots,spring,1,,,,\n");
    domain_files_expect_fine(SHOP);
    assert_true(slice_equal(value_slice(find("boots", "category", 0)), SLICE("spring")));
    for (int i = 0; i < 2; i++)
        domain_set_drop_rows(domain_files.set);
    assert_true(value_is_null(find("boots", "category", 0)));
    assert_int_equal(domain_files.set->tables[0].lookup->row_count, 0);
    assert_true(slice_equal(domain_files.set->tables[0].name, SLICE("products")));
    assert_true(slice_equal(domain_files.set->windows[0].name, SLICE("w")));
}

static void test_other_rows_are_another_digest_and_the_same_window(void **state)
{
    (void)state;
    domain_files_put("products.csv", HEADER "boots,a,1,,,,\n");
    domain_files_expect_fine(SHOP);
    uint64_t digest = domain_files.set->digest, table = domain_files.set->tables[0].digest,
             window = domain_files.set->windows[0].id;
    domain_files_put("products.csv", HEADER "boots,b,1,,,,\n");
    domain_files_expect_fine(SHOP);
    assert_true(domain_files.set->digest != digest && domain_files.set->tables[0].digest != table);
    assert_true(domain_files.set->windows[0].id == window);
}

static void test_what_is_wrong_in_the_file_is_told_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *problem;
    } CASES[] = {
        { "", "products.csv:1:1: the first line has the names of the columns" },
        { "id;category;price\n", "products.csv:1:1: cells are separated by commas; here are semicolons" },
        { "id,categry,price,rank,sale,since,until\n", "products.csv:1:4: there is no column category; is it categry?" },
        { "id,id,category,price,rank,sale,since,until\n", "products.csv:1:4: there are two columns id" },
        { HEADER "a,b,much,,,,\n", "products.csv:2:5: price is an amount, such as 19.99; 'much' is not" },
        { HEADER "a,b,,x,,,\n", "products.csv:2:6: rank is a number" },
        { HEADER "a,b,,,yes,,\n", "products.csv:2:7: sale is true or false" },
        { HEADER "a,\xc3\xa4,,,,soon,\n", "products.csv:2:8: since is a time" },
        { HEADER ",b,,,,,\n", "products.csv:2:1: the key is empty here" },
        { HEADER "a,b\n", "products.csv:2:1: this row has 2 cells, the first line has 7" },
        { HEADER "a,\"b\"c,,,,,\n", "products.csv:2:6: behind the closing quote" },
        { HEADER "a,\"b,,,,,\n", "products.csv:2:3: this quote is never closed" },
        { HEADER "a,\xe4,,,,,\n", "products.csv:2:3: this is not UTF-8" },
        { HEADER "a,,,,,2026-02-01,2026-02-01\n", "products.csv:2:18: this row ends before it begins" },
        { HEADER "b,,,,,,2026-02-02\n\na,,,,,,\nb,,,,,2026-02-01,\n",
          "products.csv:5:1: this row of b and the one of line 2 are valid at one time" },
        { HEADER "b,,,,,,\nb,,,,,,\n", "products.csv:3:1: this row of b and the one of line 2 are valid at one time" },
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        domain_files_put("products.csv", CASES[i].text);
        domain_files_expect_wrong(SHOP, CASES[i].problem);
    }
}

static const char ASKED[] =
    "domain: shop\n"
    "windows: [{name: w, size: 1h, by: [\"lookup('plans', properties.p, 'plan')\"],"
    " measures: {n: count()}}]\n"
    "dimension_tables: [{name: plans, from: {sql: SELECT * FROM shop.weirs, every: 30s}, key: id,"
    " columns: {id: text, plan: text}}]\n";

static struct dimension_fill *fill_with(const char *text)
{
    problems_done(&domain_files.problems);
    problems_init(&domain_files.problems, false);
    return dimension_fill_read(&domain_files.set->tables[0], "answer", slice_from(text), &domain_files.problems);
}

static void test_rows_of_a_query_come_later_and_are_replaced_as_a_whole(void **state)
{
    (void)state;
    const struct domain_set *set = domain_files_expect_fine(ASKED);
    const struct dimension_table *table = &set->tables[0];
    uint64_t empty = table->digest, window = set->windows[0].id;
    assert_int_equal(table->every_ms, 30000);
    assert_true(slice_equal(table->sql, SLICE("SELECT * FROM shop.weirs")));
    assert_true(value_is_null(find("a", "plan", 0)));
    dimension_fill_use(fill_with("plan,id\ngold,a\niron,b\n"));
    uint64_t first = table->digest;
    assert_true(slice_equal(value_slice(find("b", "plan", 0)), SLICE("iron")) && first != empty);
    dimension_fill_use(fill_with("id,plan\nb,lead\n"));
    assert_true(slice_equal(value_slice(find("b", "plan", 0)), SLICE("lead")) && table->digest != first);
    assert_true(value_is_null(find("a", "plan", 0)));
    dimension_fill_use(fill_with("id,plan\n"));
    assert_true(value_is_null(find("b", "plan", 0)));
    assert_int_equal(set->windows[0].id, window);
}

static void test_a_set_that_was_replaced_gives_the_rows_of_its_queries_back_too(void **state)
{
    (void)state;
    domain_files_expect_fine(ASKED);
    dimension_fill_use(fill_with("plan,id\ngold,a\niron,b\n"));
    assert_int_equal(domain_files.set->tables[0].lookup->row_count, 2);
    for (int i = 0; i < 2; i++)
        domain_set_drop_rows(domain_files.set);
    assert_null(domain_files.set->tables[0].place->fill);
    assert_int_equal(domain_files.set->tables[0].lookup->row_count, 0);
}

static void test_an_answer_that_is_no_table_changes_nothing(void **state)
{
    (void)state;
    domain_files_expect_fine(ASKED);
    dimension_fill_use(fill_with("id,plan\na,gold\n"));
    static const struct {
        const char *text, *problem;
    } CASES[] = {
        { "", "answer:1:1: the first line has the names" },
        { "plan\ngold\n", "answer:1:1: there is no column id" },
        { "id,plan\na,gold\na,iron\n", "answer:3:1: a is in line 2 already" },
        { "id,plan\na,\"gold\n", "answer:2:3: this quote is never closed" },
        { "id,plan,customer_id\na,gold,ann\n", "answer:1:9: each tenant would see the rows of all" },
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        assert_null(fill_with(CASES[i].text));
        domain_files_expect_problem(CASES[i].problem);
        assert_true(slice_equal(value_slice(find("a", "plan", 0)), SLICE("gold")));
    }
}

static void test_after_some_mistakes_reading_stops(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_add_text(&text, HEADER);
    for (int i = 0; i < 1000; i++)
        buf_add_text(&text, "a,b,much,,,,\n");
    domain_files_put("products.csv", buf_text(&text));
    domain_files_expect_wrong(SHOP, "products.csv:11:5: price");
    assert_null(strstr(buf_text(&domain_files.problems.text), "products.csv:13:"));
    buf_done(&text);
}

static void test_what_is_wrong_with_what_is_declared_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *table, *problem;
    } CASES[] = {
        { "{name: t}", "a dimension table needs `from: {csv: products.csv}`" },
        { "{name: T, from: {csv: t.csv}, key: a, columns: {a: text}}", "a name is 1 to 64 of a to z" },
        { "{name: t, from: {csv: t.csv}, key: b, columns: {a: text}}", "the key b is not among the columns" },
        { "{name: t, from: {csv: t.csv}, key: a, columns: {a: money}}", "the key is text or integer; a is money" },
        { "{name: t, from: {csv: t.csv}, key: a, columns: {a: txt}}", "did you mean text?" },
        { "{name: t, from: {csv: t.csv}, key: a, columns: [a]}", "columns are written as `name: type`" },
        { "{name: t, from: {csv: t.csv}, key: a, columns: {a: text, 'b c': text}}", "a name here is a letter or _" },
        { "{name: t, from: {csv: t.csv}, key: a, columns: {a: text, b: money, b_cents: integer}}",
          "there is a column b_cents already" },
        { "{name: t, from: {csv: t.csv}, key: a, columns: {a: text, valid_to: timestamp}}",
          "valid_to is no column of its own" },
        { "{name: t, from: {csv: t.csv}, key: a, columns: {a: text}, valid_to: x}", "valid_to needs valid_from" },
        { "{name: t, from: {csv: none.csv}, key: a, columns: {a: text}}", "none.csv" },
        { "{name: t, from: {csv: ../t.csv}, key: a, columns: {a: text}}", "a name without /" },
        { "{name: t, from: {sql: t}, key: a, columns: {a: text}}", "begins with SELECT or WITH" },
        { "{name: t, from: {sql: selector, csv: t.csv}, key: a, columns: {a: text}}", "begins with SELECT or WITH" },
        { "{name: t, from: {sql: SELECT 1, csv: t.csv}, key: a, columns: {a: text}}", "csv or sql, not both" },
        { "{name: t, from: {csv: t.csv, every: 1m}, key: a, columns: {a: text}}", "every is of sql" },
        { "{name: t, from: {sql: SELECT 1, every: 10ms}, key: a, columns: {a: text}}", "every" },
        { "{name: t, from: {sql: SELECT 1; DROP TABLE x}, key: a, columns: {a: text}}", "leave ; out" },
        { "{name: t, from: {sql: SELECT a FROM weir.events_raw}, key: a, columns: {a: text}}",
          "this reads rows of tenants" },
        { "{name: t, from: {sql: 'SELECT a FROM `pub`.events_raw'}, key: a, columns: {a: text}}",
          "this reads rows of tenants" },
        { "{name: t, from: t.csv, key: a, columns: {a: text}}", "dimension_tables[].from is written as `key: value`" },
        { "{name: t, from: {}, key: a, columns: {a: text}}", "say where the rows are" },
        { "{nam: t}", "dimension_tables[] has no key nam; did you mean name?" },
        { "t", "dimension_tables[] is written as `key: value` lines" },
        { "{name: t, from: {csv: t.csv}, key: a, columns: {a: text}}, {name: t, from: {csv: t.csv}, key: a, columns: "
          "{a: text}}",
          "there is a dimension table t already, in domain shop" },
        { "{name: t, from: {csv: t.csv}, key: [], columns: {a: text}}", "by which columns is a row found?" },
        { "{name: t, from: {csv: t.csv}, key: [a, a], columns: {a: text}}", "a is in the key twice" },
        { "{name: t, from: {csv: t.csv}, key: [a, b], columns: {a: text}}", "the key b is not among the columns" },
        { "{name: t, from: {csv: t.csv}, key: [a, b, c, d, e], columns: {a: text}}", "a key has at most 4 columns" },
        { "{name: t, from: {csv: t.csv}, key: [a, {b: c}], columns: {a: text}}", "this takes one value, not a list" },
        { "{name: t, from: {csv: t.csv}, key: [a, customer_id], columns: {a: text, customer_id: text}}",
          "leave customer_id out here" },
        { "{name: t, from: {csv: t.csv}, key: a, columns: {a: text, customer_id: integer}}", "its type is text" },
        { "{name: t, from: {csv: t.csv}, key: a, columns: {a: text}}, {name: u, from: {csv: t.csv}, key: a, columns: "
          "{a: text}}]\nwindows: [{name: w, size: 1m, by: [\"lookup('other', 1, 'a')\"], measures: {n: count()}}",
          "this domain declares no dimension table other" },
    };
    char text[600];
    domain_files_put("t.csv", "a\n1\n");
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        snprintf(text, sizeof text, "domain: shop\ndimension_tables: [%s]\n", CASES[i].table);
        domain_files_expect_wrong(text, CASES[i].problem);
    }
}

static const char PRICES[] =
    "domain: shop\n"
    "windows: [{name: w, size: 1h, by: [\"lookup('prices', properties.c, properties.s, 'price_cents')\"],"
    " measures: {n: count()}}]\n"
    "dimension_tables: [{name: prices, from: {csv: p.csv}, key: [country, sku], valid_from: since,"
    " columns: {sku: integer, country: text, price: money}}]\n";

static int64_t price(const char *country, struct value sku, int64_t at_ms)
{
    const struct value key[] = { value_text(slice_from(country)), sku };
    struct value found = lookup_find(domain_files.set->tables[0].lookup, key, at_ms, 2);
    return value_is_null(found) ? -1 : found.i;
}

static void test_a_key_of_two_columns_finds_the_row_of_both_and_its_time(void **state)
{
    (void)state;
    const int64_t february = 1769904000000;
    domain_files_put("p.csv", "country,sku,price,since\nDE,11,3,2026-02-01\nD,1,1,\nDE,1,2,\nDE,11,4,\n");
    domain_files_expect_fine(PRICES);
    assert_int_equal(price("DE", value_int(1), 0), 200);
    assert_int_equal(price("DE", value_text(SLICE("11.0")), february - 1), 400);
    assert_int_equal(price("DE", value_int(11), february), 300);
    assert_int_equal(price("D", value_int(1), 0), 100);
    assert_int_equal(price("D", value_int(11), 0), -1);
    assert_int_equal(price("D", value_null(REASON_MISSING), 0), -1);
    assert_int_equal(price("D", value_bool(true), 0), -1);
    domain_files_put("p.csv", "country,sku,price,since\nDE,1,2,\nDE,11,2,\nDE,1,3,\n");
    domain_files_expect_wrong(PRICES, "p.csv:4:4: this row of DE, 1 and the one of line 2 are valid at one time");
    domain_files_put("p.csv", "country,sku,price,since\n,1,2,\n");
    domain_files_expect_wrong(PRICES, "p.csv:2:1: the key is empty here");
    domain_files_put("p.csv", "country,sku,price,since\nDE,,2,\n");
    domain_files_expect_wrong(PRICES, "p.csv:2:4: the key is empty here");
}

static void test_with_customer_id_each_tenant_has_rows_of_its_own(void **state)
{
    (void)state;
    static const char OWN[] = "domain: shop\n"
                              "windows: [{name: w, size: 1h, by: [\"lookup('plans', properties.p, 'plan')\"],"
                              " measures: {n: count()}}]\n"
                              "dimension_tables: [{name: plans, from: {csv: p.csv}, key: id,"
                              " columns: {id: text, plan: text, customer_id: text}}]\n";
    domain_files_put("p.csv", "customer_id,id,plan\nann,1,gold\nbob,1,iron\n");
    const struct domain_set *set = domain_files_expect_fine(OWN);
    const struct lookup_table *lookup = set->tables[0].lookup;
    assert_true(lookup->by_tenant);
    AUTO(buf) struct buf text;
    buf_init(&text, 4096);
    expr_add_canonical(set->windows[0].keys[0].value, set->fields, &text);
    assert_string_equal(buf_text(&text), "field customer_id;field properties.p;field timestamp;lookup plans.plan;");
    const struct value ann[] = { value_text(SLICE("ann")), value_text(SLICE("1")) },
                       eve[] = { value_text(SLICE("eve")), value_text(SLICE("1")) },
                       nobody[] = { value_null(REASON_MISSING), value_text(SLICE("1")) };
    assert_true(slice_equal(value_slice(lookup_find(lookup, ann, 0, 1)), SLICE("gold")));
    assert_true(value_is_null(lookup_find(lookup, eve, 0, 1)));
    assert_true(value_is_null(lookup_find(lookup, nobody, 0, 1)));
    domain_files_put("p.csv", "customer_id,id,plan\n,1,gold\n");
    domain_files_expect_wrong(OWN, "p.csv:2:1: the key is empty here");
    domain_files_put("t.csv", "a,customer_id\n1,ann\n");
    domain_files_expect_wrong(
        "domain: shop\ndimension_tables: [{name: t, from: {csv: t.csv}, key: a, columns: {a: text}}]\n",
        "t.csv:1:3: each tenant would see the rows of all: declare `customer_id: text`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(test_rows_are_found_by_key_and_time),
        DOMAIN_TEST(test_without_an_end_a_row_is_valid_until_the_next_of_its_key),
        DOMAIN_TEST(test_a_set_that_was_replaced_gives_its_rows_back_and_keeps_its_names),
        DOMAIN_TEST(test_a_set_that_was_replaced_gives_the_rows_of_its_queries_back_too),
        DOMAIN_TEST(test_other_rows_are_another_digest_and_the_same_window),
        DOMAIN_TEST(test_what_is_wrong_in_the_file_is_told_at_its_place),
        DOMAIN_TEST(test_a_key_of_two_columns_finds_the_row_of_both_and_its_time),
        DOMAIN_TEST(test_with_customer_id_each_tenant_has_rows_of_its_own),
        DOMAIN_TEST(test_rows_of_a_query_come_later_and_are_replaced_as_a_whole),
        DOMAIN_TEST(test_an_answer_that_is_no_table_changes_nothing),
        DOMAIN_TEST(test_after_some_mistakes_reading_stops),
        DOMAIN_TEST(test_what_is_wrong_with_what_is_declared_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
