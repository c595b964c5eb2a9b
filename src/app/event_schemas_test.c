#include "app/event_schemas.h"

#include "base/test.h"
#include "schema/schema.h"
#include "test/support/domain_files.h"

static const char SHOP[] = "domain: shop\nevent_types:\n  - {name: purchase, attributes: [{name: order_no}]}\n"
                           "  - {name: refund, attributes: [{name: why}]}\n";

static struct event_schemas schemas;
static struct error err;

static void test_each_type_has_its_schema(void **state)
{
    (void)state;
    const struct domain_set *domains = domain_files_expect_fine(SHOP);
    assert_int_equal(event_schemas_init(&schemas, domains, SCHEMA_BYTES_MAX, &err), OK);
    assert_int_equal(schemas.count, 2);
    assert_string_equal(schemas.types[0].event_type, "purchase");
    assert_non_null(strstr(schemas.types[0].schema, "\"order_no\""));
    assert_null(strstr(schemas.types[0].schema, "\"why\""));
    assert_string_equal(schemas.types[1].event_type, "refund");
    assert_non_null(strstr(schemas.types[1].schema, "\"why\""));
    assert_int_equal(schemas.types[1].tenant_count, 0);
    event_schemas_done(&schemas);
}

static void test_types_of_the_closest_domain_come_first(void **state)
{
    (void)state;
    domain_files_put("acme.yaml",
                     "domain: acme\ntenants: [acme]\nevent_types: [{name: purchase, attributes: [mine]}]\n");
    domain_files_put("base.yaml",
                     "domain: base\nfallback: true\nevent_types: [{name: purchase, attributes: [least]}]\n");
    const struct domain_set *domains = domain_files_expect_fine(SHOP);
    static const char *const FIELDS[] = { "\"mine\"", "\"order_no\"", "\"why\"", "\"least\"" };
    assert_int_equal(event_schemas_init(&schemas, domains, SCHEMA_BYTES_MAX, &err), OK);
    assert_int_equal(schemas.count, COUNT_OF(FIELDS));
    for (size_t i = 0; i < COUNT_OF(FIELDS); i++)
        assert_non_null(strstr(schemas.types[i].schema, FIELDS[i]));
    assert_int_equal(schemas.types[0].tenant_count, 1);
    assert_int_equal(schemas.types[3].tenant_count, 0);
    event_schemas_done(&schemas);
}

static void test_a_set_over_its_bound_is_an_error_and_not_a_smaller_set(void **state)
{
    (void)state;
    const struct domain_set *domains = domain_files_expect_fine(SHOP);
    assert_int_equal(event_schemas_init(&schemas, domains, SCHEMA_BYTES_MAX, &err), OK);
    const size_t needed = schemas.text.n;
    event_schemas_done(&schemas);
    assert_int_equal(event_schemas_init(&schemas, domains, needed, &err), OK);
    assert_int_equal(schemas.count, 2);
    event_schemas_done(&schemas);
    assert_int_equal(event_schemas_init(&schemas, domains, needed - 2, &err),
                     ERR_INVALID); /* a buffer has room for a NUL more */
    assert_int_equal(schemas.count, 0);
    assert_non_null(strstr(err.text, "the Avro schemas of the 2 event types exceed"));
    event_schemas_done(&schemas);
}

/* The set that it is of lives on, until it is freed. */
static struct domain_set *schemas_of(const char *text, struct event_schemas *out)
{
    (void)domain_files_expect_fine(text);
    struct domain_set *set = domain_files.set;
    domain_files.set = NULL;
    assert_int_equal(event_schemas_init(out, set, SCHEMA_BYTES_MAX, &err), OK);
    return set;
}

static bool are_equal(const char *one, const char *other)
{
    struct event_schemas first, second;
    struct domain_set *sets[2] = { schemas_of(one, &first), schemas_of(other, &second) };
    const bool equal = event_schemas_equal(&first, &second);
    event_schemas_done(&first);
    event_schemas_done(&second);
    domain_set_free(sets[0]);
    domain_set_free(sets[1]);
    return equal;
}

#define TYPE "event_types: [{name: purchase, attributes: [order_no]}]\n"

static void test_schemas_are_equal_when_types_fields_and_tenants_are(void **state)
{
    (void)state;
    static const char *const OTHERS[] = {
        "domain: shop\n",
        "domain: shop\nevent_types: [{name: purchase, attributes: [order_no, page]}]\n",
        "domain: shop\nevent_types: [{name: purchase, attributes: [order_no]}, {name: refund}]\n",
        "domain: club\n" TYPE,
        "domain: shop\ntenants: [b]\n" TYPE,
        "domain: shop\ntenants: [a, b]\n" TYPE,
        "domain: shop\n" TYPE,
    };
    const char *shop = "domain: shop\ntenants: [a]\n" TYPE;
    assert_true(are_equal(shop, shop));
    assert_true(
        are_equal(shop, "domain: shop\ntenants: [a]\nwindows: [{name: w, size: 1m, measures: {n: count()}}]\n" TYPE));
    for (size_t i = 0; i < COUNT_OF(OTHERS); i++)
        assert_false(are_equal(shop, OTHERS[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(test_each_type_has_its_schema),
        DOMAIN_TEST(test_schemas_are_equal_when_types_fields_and_tenants_are),
        DOMAIN_TEST(test_types_of_the_closest_domain_come_first),
        DOMAIN_TEST(test_a_set_over_its_bound_is_an_error_and_not_a_smaller_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
