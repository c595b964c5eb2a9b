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

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(test_each_type_has_its_schema),
        DOMAIN_TEST(test_a_set_over_its_bound_is_an_error_and_not_a_smaller_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
