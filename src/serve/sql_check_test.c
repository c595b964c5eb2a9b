#include "serve/sql_check.h"

#include <stdlib.h>

#include "base/test.h"

static struct error err;

static void test_ordinary_questions_pass(void **state)
{
    (void)state;
    static const char *const GOOD[] = {
        "SELECT 1",
        "select count() from events_raw;",
        "SELECT count(*) AS total_events, uniq(visitor_id) AS unique_visitors, max(timestamp) AS latest_event FROM "
        "events_raw WHERE customer_id = 'demo_tenant'",
        "  -- how many\n SELECT /* all of them */ count() FROM events_raw ; -- done\n",
        "WITH a AS (SELECT visitor_id FROM events_raw) SELECT * FROM a LEFT JOIN (SELECT 1 AS x) b ON 1 = b.x",
        "SELECT toStartOfHour(timestamp) AS h, count() AS n FROM events_raw GROUP BY h ORDER BY n DESC, h ASC LIMIT 1",
        "SELECT 'a; DROP TABLE x; -- it''s \\' /* SETTINGS x=1', `format`, \"settings\" FROM events_raw",
        "SELECT format('{} {}', event_type, event_name) FROM events_raw",
        "SELECT 1e-5, 0x1F, 1_000, 1.5e+3, -1, [1,2][1], {'a':1}['a'], (1, 2).1, x -> x + 1",
        "SELECT deltaSum(event_count), windowFunnel(3600)(timestamp, event_type = 'a') FROM events_hourly",
        "SELECT toString(event_id) FROM events_raw ORDER BY event_id LIMIT 10000 OFFSET 10000",
        "SELECT uniqMerge(unique_visitors) FROM events_hourly WHERE customer_id='victim'",
        "SELECT 'Grüße, 世界', \"größe\" FROM events_raw",
        "SELECT visitor_id FROM pub.events_raw UNION ALL SELECT visitor_id FROM events_raw",
        "SELECT JSONExtractString(properties, 'url') AS url, file FROM (SELECT properties, 1 AS file FROM events_raw)",
        "SELECT number FROM numbers(10)",
    };
    for (size_t i = 0; i < COUNT_OF(GOOD); i++)
        if (sql_check(slice_from(GOOD[i]), &err) != OK)
            fail_msg("refused: %s\n%s", GOOD[i], err.text);
}

static void test_what_leaves_the_fence_is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        /* not a question */
        "",
        "   ",
        "-- nothing\n",
        ";",
        "SHOW TABLES",
        "INSERT INTO events_raw (visitor_id) VALUES ('x')",
        "DROP TABLE events_raw",
        "EXPLAIN SELECT 1",
        "(SELECT 1)",
        "SET x=1",
        "SYSTEM SHUTDOWN",
        "DESCRIBE events_raw",
        "/* SELECT */ DROP TABLE x",
        "EXISTS TABLE x",
        "USE weir",
        "KILL QUERY WHERE 1",
        "`SELECT` 1",
        "'SELECT' 1",
        /* more than one */
        "SELECT 1; DROP TABLE events_raw",
        "SELECT 1;SELECT 2",
        "SELECT 1;;",
        "SELECT 1; /* */ SELECT 2",
        "SELECT 1;-- x\nSELECT 2",
        /* clauses that change settings or the output */
        "SELECT * FROM events_raw SETTINGS readonly=0",
        "SELECT * FROM events_raw settings/**/readonly = 0",
        "SELECT * FROM (SELECT 1 SETTINGS max_threads=1)",
        "SELECT 1 SETTINGS\nx = 1",
        "SELECT 1 SETTINGS additional_table_filters={'a':'1'}",
        "WITH x AS (SELECT 1 SETTINGS a=1) SELECT * FROM x",
        "SELECT 1 FORMAT JSON",
        "SELECT 1 FORMAT/**/Null",
        "SELECT 1 format \"TSV\"",
        "SELECT 1 FORMAT\tVertical",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "SELECT 1 into/**/outfile 'x'",
        "WITH x AS (SELECT 1) INSERT INTO events_raw SELECT * FROM x",
        "SELECT 1\\G",
        /* other databases */
        "SELECT * FROM system.tables",
        "SELECT * FROM system . tables",
        "SELECT * FROM /**/system/**/./**/tables",
        "SELECT * FROM `system`.tables",
        "SELECT * FROM \"system\".\"tables\"",
        "SELECT * FROM SYSTEM.tables",
        "SELECT * FROM `sys\\tem`.tables",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM INFORMATION_SCHEMA.TABLES",
        "SELECT 1 IN system.one",
        "SELECT * FROM weir.events_raw",
        "SELECT * FROM events_raw JOIN system.users ON 1=1",
        "SELECT * FROM system--\n.tables",
        /* functions that read from elsewhere */
        "SELECT file('/etc/passwd')",
        "SELECT FILE ('/etc/passwd')",
        "SELECT `file`('/etc/passwd')",
        "SELECT \"file\"('/etc/passwd')",
        "SELECT file\n--x\n('/etc/passwd')",
        "SELECT `fi\\le`('/etc/passwd')",
        "SELECT * FROM url/**/('http://127.0.0.1:1/','TSV','a String')",
        "SELECT * FROM s3('x')",
        "SELECT * FROM s3Cluster('x')",
        "SELECT * FROM mergeTreeIndex('weir','events_raw')",
        "SELECT * FROM merge('weir', '.*')",
        "SELECT * FROM remote('127.0.0.1', weir.events_raw)",
        "SELECT * FROM remoteSecure('x')",
        "SELECT * FROM executable('x', TSV, 'a String')",
        "SELECT * FROM loop(weir.events_raw)",
        "SELECT * FROM cluster('default', weir, events_raw)",
        "SELECT * FROM mysql('x')",
        "SELECT * FROM postgresql('x')",
        "SELECT dictGet('x', 'y', 1)",
        "SELECT * FROM dictionary('x')",
        "SELECT getSetting('max_threads')",
        "SELECT hostName()",
        "SELECT sleepEachRow(3)",
        "SELECT * FROM view(SELECT 1)",
        "SELECT * FROM azureBlobStorage('x')",
        "SELECT * FROM iceberg('x')",
        "SELECT * FROM deltaLake('x')",
        "SELECT * FROM sqlite('a','b')",
        "SELECT joinGet('a','b',1)",
        "SELECT currentUser()",
        "SELECT * FROM input('a String')",
        "SELECT * FROM hdfsCluster('x')",
        "SELECT * FROM redis('x')",
        "SELECT * FROM mongodb('x')",
        /* where two lexers could disagree */
        "SELECT 1 /* a /* b */ SETTINGS x=1 -- */",
        "SELECT 1 /* open",
        "SELECT 'open",
        "SELECT \"open",
        "SELECT `open",
        "SELECT 'x\\",
        "SELECT $$; DROP TABLE x$$",
        "SELECT $a$ ' $a$ SETTINGS x=1 --'",
        "SELECT 1 # comment",
        "SELECT 1 #! SETTINGS x=1",
        "SELECT @@version",
        "SELECT \xe2\x80\x98x\xe2\x80\x99",
        "SELECT \xe2\x80\x9cx\xe2\x80\x9d",
        "SELECT\xc2\xa0"
        "1",
        "SELECT 1 \xe2\x88\x92 1",
        "SELECT 1e--5 SETTINGS x=1",
        "SELECT 0x1p-- SETTINGS x=1",
        "SELECT 1\x01",
        "SELECT (1",
        "SELECT 1)",
        "SELECT 1) SETTINGS (x=1",
        "SELECT s\xd0\xb5ttings",
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        if (sql_check(slice_from(BAD[i]), &err) != ERR_INVALID)
            fail_msg("not refused: %s", BAD[i]);
    assert_int_equal(sql_check(slice_of("SELECT 1\0 SETTINGS x=1", 22), &err), ERR_INVALID);
    assert_int_equal(sql_check(slice_of("SELECT 'a\0b'", 12), &err), ERR_INVALID);
}

static void test_the_message_says_where(void **state)
{
    (void)state;
    assert_int_equal(sql_check(SLICE("SELECT 1\nFROM system.tables"), &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "line 2, column 6"));
    assert_non_null(strstr(err.text, "system"));
    assert_int_equal(sql_check(SLICE("SELECT 1 SETTINGS x=1"), &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "`SETTINGS`"));
}

static void test_the_length_is_bounded(void **state)
{
    (void)state;
    static char sql[SQL_BYTES_MAX + 1];
    memset(sql, ' ', sizeof sql);
    memcpy(sql, "SELECT 1", 8);
    assert_int_equal(sql_check(slice_of(sql, SQL_BYTES_MAX), &err), OK);
    assert_int_equal(sql_check(slice_of(sql, SQL_BYTES_MAX + 1), &err), ERR_INVALID);
}

/* Cut a hostile text anywhere: no read past its end (the sanitizer watches), always an answer. */
static void test_any_cut_of_a_text_is_answered(void **state)
{
    (void)state;
    static const char TEXT[] = "SELECT `a\\`b`, 'it''s\\'', \"q\"\"\", 1e-5 /* c */ -- d\n FROM t WHERE x = $ /*";
    for (size_t n = 0; n < sizeof TEXT; n++) {
        char *copy = malloc(n ? n : 1);
        memcpy(copy, TEXT, n);
        enum status s = sql_check(slice_of(copy, n), &err);
        assert_true(s == OK || s == ERR_INVALID);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ordinary_questions_pass),       cmocka_unit_test(test_what_leaves_the_fence_is_refused),
        cmocka_unit_test(test_the_message_says_where),        cmocka_unit_test(test_the_length_is_bounded),
        cmocka_unit_test(test_any_cut_of_a_text_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
