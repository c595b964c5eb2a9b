/* What may go, and how it is asked for. That the engine removes just that: test/scenario/retention_test.py. */
#include "retention/retention.h"

#include <string.h>

#include "base/metrics.h"
#include "base/role.h"
#include "base/test.h"
#include "catalog/catalog.h"
#include "retention/retention_sql.h"
#include "world/world_sim.h"

#define DAY ((int64_t)86400000)

static void test_nothing_within_the_retention_and_its_spare_goes_and_little_behind_it_stays(void **state)
{
    (void)state;
    static const int32_t DAYS[] = { 1, 7, 32, 33, 90, 400, 36500 };
    for (size_t i = 0; i < COUNT_OF(DAYS); i++) {
        const int64_t days = DAYS[i], step_ms = days > 32 ? days * DAY / 32 : DAY;
        int64_t before_ms = INT64_MIN;
        for (int64_t now_ms = -3 * DAY; now_ms < 40000 * DAY; now_ms += 7 * DAY + 12345) {
            const int64_t cutoff_ms = retention_cutoff_ms(now_ms, DAYS[i], DAY);
            assert_true(cutoff_ms <= now_ms - (days + 1) * DAY);
            assert_true(cutoff_ms > now_ms - (days + 1) * DAY - step_ms);
            assert_true(cutoff_ms >= before_ms && cutoff_ms % step_ms == 0);
            before_ms = cutoff_ms;
        }
    }
    assert_int_equal(retention_cutoff_ms(1000 * DAY, -1, DAY), INT64_MIN);
}

static void test_each_tenant_has_its_own_cut_and_the_newest_is_told_alone(void **state)
{
    (void)state;
    const struct retention_cut cuts[] = { { SLICE("acme"), 1000 },
                                          { SLICE("o'neil"), 3000 },
                                          { SLICE("third"), 2000 } };
    AUTO(buf) struct buf sql;
    buf_init(&sql, 1 << 20);
    retention_add_where(&sql, 0, RETENTION_OF_TENANTS, SLICE(""), cuts, COUNT_OF(cuts));
    const char *text = buf_text(&sql);
    assert_string_equal(retention_table(0), "events_raw");
    assert_non_null(strstr(text, " WHERE timestamp < fromUnixTimestamp64Milli(toInt64(3000), 'UTC') AND "));
    assert_non_null(strstr(text, "transform(customer_id, ['acme','o\\'neil','third'], [toInt64(1000),toInt64(3000),"
                                 "toInt64(2000)], toInt64(-2208988800000))"));
}

static void test_what_a_domain_keeps_for_a_shorter_time_is_a_part_of_its_tables_alone(void **state)
{
    (void)state;
    static const char *const PARTS[] = { [RETENTION_OF_EVENT_TYPE] = " AND event_type = 'o\\'clock' AND ",
                                         [RETENTION_OF_WINDOW] = " AND window = 'o\\'clock' AND " };
    static const size_t CONCERNED[] = { [RETENTION_OF_EVENT_TYPE] = 2, [RETENTION_OF_WINDOW] = 3 };
    const struct retention_cut cut = { SLICE("acme"), 1000 };
    for (enum retention_of of = RETENTION_OF_EVENT_TYPE; of <= RETENTION_OF_WINDOW; of++) {
        size_t concerned = 0;
        for (size_t table = 0; retention_table(table); table++) {
            AUTO(buf) struct buf sql;
            assert_true(retention_concerns(table, RETENTION_OF_TENANTS));
            if (!retention_concerns(table, of))
                continue;
            concerned++;
            buf_init(&sql, 1 << 20);
            retention_add_where(&sql, table, of, SLICE("o'clock"), &cut, 1);
            assert_non_null(strstr(buf_text(&sql), PARTS[of]));
        }
        assert_int_equal(concerned, CONCERNED[of]);
    }
}

/* A question of as many tenants as there may be must fit into what the engine parses. */
static void test_the_largest_question_fits(void **state)
{
    (void)state;
    static struct retention_cut cuts[RETENTION_TENANTS_MAX];
    static const char NAME[] = "a123456789b123456789c123456789d123456789e123456789f123456789abcd";
    for (size_t i = 0; i < COUNT_OF(cuts); i++)
        cuts[i] = (struct retention_cut){ slice_from(NAME), 1700000000000 };
    for (size_t table = 0; retention_table(table); table++) {
        AUTO(buf) struct buf sql;
        buf_init(&sql, 1 << 18);
        retention_add_where(&sql, table, RETENTION_OF_TENANTS, SLICE(""), cuts, COUNT_OF(cuts));
        assert_true(!sql.full && sql.n < (1 << 18) - 1000);
    }
}

struct asked {
    struct catalog catalog; /* first */
    int times;
};

static enum status no_directory(struct catalog *catalog, struct directory **out, struct error *err)
{
    ((struct asked *)(void *)catalog)->times++;
    *out = NULL;
    return error_set(err, ERR_RETRY, "the catalog is away");
}

/* Nothing is deleted in the first hour, nor in the hour behind a jump: a pass begins by asking who the tenants are. */
static void test_a_clock_that_jumped_deletes_nothing_for_an_hour(void **state)
{
    (void)state;
    const int64_t hour_us = 3600 * INT64_C(1000000);
    static const struct catalog_backend BACKEND = { .directory = no_directory };
    struct asked asked = { .catalog = { .backend = &BACKEND } };
    struct world_sim sim;
    world_sim_init(&sim, 1, NULL);
    const struct retention_options options = {
        .catalog = &asked.catalog, .engine = { .url = "http://127.0.0.1:9" }, .days = 30, .every_ms = DAY
    };
    struct metrics *metrics = metrics_new(100);
    struct retention *retention = retention_new(&options, metrics, &sim.world);
    const struct role role = retention_role(retention);
    int64_t wake_us = 0;
    assert_false(role.step(role.self, &sim.world, &wake_us));
    assert_true(asked.times == 0 && wake_us == sim.now_us + hour_us);
    world_sim_advance(&sim, hour_us);
    (void)role.step(role.self, &sim.world, &wake_us);
    assert_int_equal(asked.times, 1);
    for (int64_t by_days = -40; by_days <= 40; by_days += 80) {
        world_sim_jump(&sim, by_days * DAY * 1000);
        world_sim_advance(&sim, hour_us);
        asked.times = 0;
        (void)role.step(role.self, &sim.world, &wake_us);
        assert_true(asked.times == 0 && wake_us == sim.now_us + hour_us);
        world_sim_advance(&sim, hour_us);
        (void)role.step(role.self, &sim.world, &wake_us);
        assert_int_equal(asked.times, 1);
    }
    retention_free(retention);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_within_the_retention_and_its_spare_goes_and_little_behind_it_stays),
        cmocka_unit_test(test_each_tenant_has_its_own_cut_and_the_newest_is_told_alone),
        cmocka_unit_test(test_what_a_domain_keeps_for_a_shorter_time_is_a_part_of_its_tables_alone),
        cmocka_unit_test(test_the_largest_question_fits),
        cmocka_unit_test(test_a_clock_that_jumped_deletes_nothing_for_an_hour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
