#include "store/schema.h"

#include <stdio.h>

#include "base/test.h"

struct engine {
    uint32_t version_on_disk;
    uint32_t statements, recorded, views;
    uint32_t fail_at; /* 0: never */
};

static enum status run(void *self, struct slice sql, struct buf *out, struct error *err)
{
    struct engine *engine = self;
    engine->statements++;
    if (engine->statements == engine->fail_at)
        return error_set(err, ERR_RETRY, "gone");
    if (slice_starts(sql, SLICE("SELECT max(version)")))
        buf_add_format(out, "%u\n", engine->version_on_disk);
    if (slice_starts(sql, SLICE("INSERT INTO weir.schema_migrations")))
        engine->recorded++;
    if (slice_starts(sql, SLICE("CREATE OR REPLACE VIEW pub.")))
        engine->views++;
    return OK;
}

static void test_an_empty_directory_gets_every_version_and_the_views(void **state)
{
    (void)state;
    struct engine engine = { 0 };
    struct error err;
    uint32_t applied = 0;
    assert_int_equal(schema_migrate(&(struct schema_runner){ &engine, run }, &applied, &err), OK);
    assert_int_equal(applied, schema_version());
    assert_int_equal(engine.recorded, schema_version());
    assert_int_equal(engine.views, 9);
}

static void test_a_directory_up_to_date_gets_only_the_views(void **state)
{
    (void)state;
    struct engine engine = { .version_on_disk = schema_version() };
    struct error err;
    uint32_t applied = 99;
    assert_int_equal(schema_migrate(&(struct schema_runner){ &engine, run }, &applied, &err), OK);
    assert_int_equal(applied, 0);
    assert_int_equal(engine.recorded, 0);
    assert_int_equal(engine.views, 9);
}

static void test_a_newer_directory_is_refused_untouched(void **state)
{
    (void)state;
    struct engine engine = { .version_on_disk = schema_version() + 1 };
    struct error err = { .text = "" };
    assert_int_equal(schema_migrate(&(struct schema_runner){ &engine, run }, NULL, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "newer weir"));
    assert_int_equal(engine.recorded + engine.views, 0);
}

static void test_a_version_cut_off_is_not_recorded(void **state)
{
    (void)state;
    for (uint32_t at = 5; at < 11; at++) {
        struct engine engine = { .fail_at = at };
        struct error err = { .text = "" };
        assert_int_equal(schema_migrate(&(struct schema_runner){ &engine, run }, NULL, &err), ERR_RETRY);
        assert_int_equal(engine.recorded, 0);
    }
}

static void test_every_statement_can_be_run_again(void **state)
{
    (void)state;
    for (uint32_t version = 1; version <= schema_version(); version++)
        for (size_t i = 0; schema_statement(version, i); i++)
            assert_non_null(strstr(schema_statement(version, i), " IF NOT EXISTS "));
}

static void test_a_tenant_name_cannot_leave_its_quotes(void **state)
{
    (void)state;
    AUTO(buf) struct buf sql;
    buf_init(&sql, 4096);
    struct schema_reader readers[] = { { SLICE("reader_0001"), SLICE("a'),('x\\") }, { SLICE("r"), SLICE("b") } };
    schema_assign_readers(readers, 2, &sql);
    assert_string_equal(buf_text(&sql), "INSERT INTO weir.tenant_users (user, tenant) VALUES "
                                        "('reader_0001','a\\'),(\\'x\\\\'),('r','b')");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_directory_gets_every_version_and_the_views),
        cmocka_unit_test(test_a_directory_up_to_date_gets_only_the_views),
        cmocka_unit_test(test_a_newer_directory_is_refused_untouched),
        cmocka_unit_test(test_a_version_cut_off_is_not_recorded),
        cmocka_unit_test(test_every_statement_can_be_run_again),
        cmocka_unit_test(test_a_tenant_name_cannot_leave_its_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
