/* The retention of tenants as a task sees it, from a real catalog. */
#include "process/process_retention.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "catalog/catalog.h"
#include "test/support/scratch.h"
#include "world/world.h"

#define DAY_MS ((int64_t)86400000)

static char path[SCRATCH_PATH_MAX];
static struct catalog *catalog;
static struct error err;

static int setup(void **state)
{
    (void)state;
    scratch_make("retention", path);
    assert_int_equal(catalog_sqlite.open(&(struct catalog_options){ .path = path }, world_real(), &catalog, &err), OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    catalog_sqlite.close(catalog);
    return scratch_remove(path);
}

static struct tenant make(const char *id, int32_t days)
{
    struct tenant tenant = { .retention_days = days };
    struct tenant_keys keys = { 0 };
    snprintf(tenant.id, sizeof tenant.id, "%s", id);
    assert_int_equal(catalog_sqlite.tenant_create(catalog, &tenant, &keys, "ann", &err), OK);
    return tenant;
}

static void test_a_tenants_own_days_then_the_default_and_what_is_unknown_is_kept(void **state)
{
    (void)state;
    struct process_retention *retention = process_retention_new(catalog, 400);
    assert_int_equal(process_retention_ms(retention, SLICE("brief")), INT64_MAX);
    struct tenant brief = make("brief", 30);
    (void)make("plain", 0);
    (void)make("ever", -1);
    assert_int_equal(process_retention_ms(retention, SLICE("brief")), 30 * DAY_MS);
    assert_int_equal(process_retention_ms(retention, SLICE("plain")), 400 * DAY_MS);
    assert_int_equal(process_retention_ms(retention, SLICE("ever")), INT64_MAX);
    brief.retention_days = 36500;
    assert_int_equal(catalog_sqlite.tenant_update(catalog, &brief, "ann", &err), OK);
    assert_int_equal(process_retention_ms(retention, SLICE("brief")), 36500 * DAY_MS);
    process_retention_free(retention);
    retention = process_retention_new(catalog, -1);
    assert_int_equal(process_retention_ms(retention, SLICE("plain")), INT64_MAX);
    process_retention_free(retention);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_tenants_own_days_then_the_default_and_what_is_unknown_is_kept, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
