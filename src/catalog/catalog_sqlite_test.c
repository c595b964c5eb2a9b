/* What only the SQLite backend promises: what lies in its file. The port's promises: test/contract/. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/test.h"
#include "catalog/catalog.h"
#include "test/support/scratch.h"
#include "world/disk.h"
#include "world/world.h"

static char path[SCRATCH_PATH_MAX], file[SCRATCH_PATH_MAX + 16];
static struct error err;

static int setup(void **state)
{
    (void)state;
    scratch_make("sqlite", path);
    snprintf(file, sizeof file, "%s/catalog.db", path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return scratch_remove(path);
}

static enum status open_catalog(struct catalog **out)
{
    return catalog_sqlite.open(&(struct catalog_options){ .path = path }, world_real(), out, &err);
}

static void make_acme(struct tenant_keys *keys)
{
    struct catalog *catalog;
    struct tenant tenant = { .id = "acme" };
    assert_int_equal(open_catalog(&catalog), OK);
    assert_int_equal(catalog_sqlite.tenant_create(catalog, &tenant, keys, "ann", &err), OK);
    tenant.quota_per_minute = 77;
    assert_int_equal(catalog_sqlite.tenant_update(catalog, &tenant, "bob", &err), OK);
    catalog_sqlite.close(catalog);
}

static void test_no_key_is_in_the_file_and_only_its_owner_may_read_it(void **state)
{
    (void)state;
    struct tenant_keys keys = { 0 };
    make_acme(&keys);
    char *bytes;
    size_t n;
    assert_int_equal(disk_read_whole(world_real()->disk, file, 1 << 24, &bytes, &n, &err), OK);
    assert_non_null(memmem(bytes, n, "acme", 4));
    assert_null(memmem(bytes, n, keys.write_key + 3, 32));
    assert_null(memmem(bytes, n, keys.read_key + 3, 32));
    free(bytes);
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static char audit_text[2048];

static int add_row(void *self, int count, char **values, char **names)
{
    (void)self, (void)names;
    for (int i = 0; i < count; i++) {
        strncat(audit_text, values[i] ? values[i] : "-", 400);
        strcat(audit_text, "|");
    }
    return 0;
}

static void test_every_change_is_in_the_audit_log_with_old_and_new_values(void **state)
{
    (void)state;
    struct tenant_keys keys = { 0 };
    make_acme(&keys);
    sqlite3 *db;
    audit_text[0] = '\0';
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "SELECT actor, entity_id, action, json_extract(old_value, '$.quota_per_minute'),"
                                  " json_extract(new_value, '$.quota_per_minute') FROM audit ORDER BY id",
                                  add_row, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    assert_string_equal(audit_text, "ann|acme|create|-|default|bob|acme|update|default|77|");
}

static void test_a_catalog_of_a_newer_weir_is_refused_untouched(void **state)
{
    (void)state;
    struct tenant_keys keys = { 0 };
    struct catalog *catalog;
    sqlite3 *db;
    make_acme(&keys);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=999", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(open_catalog(&catalog), ERR_INVALID);
    assert_non_null(strstr(err.text, "newer"));
}

static void test_a_file_that_is_no_catalog_is_refused(void **state)
{
    (void)state;
    struct catalog *catalog;
    char garbage[4096];
    memset(garbage, 'x', sizeof garbage);
    assert_int_equal(disk_replace(world_real()->disk, file, garbage, sizeof garbage, &err), OK);
    assert_int_equal(open_catalog(&catalog), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_key_is_in_the_file_and_only_its_owner_may_read_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_change_is_in_the_audit_log_with_old_and_new_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_catalog_of_a_newer_weir_is_refused_untouched, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_no_catalog_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
