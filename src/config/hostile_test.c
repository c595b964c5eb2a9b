/* Files that mean harm, as settings and as domains: each ends, soon and in bounds, with mistakes that say where. The
 * fuzzers (test/fuzz/fuzz_config.c, fuzz_domain.c) look for what nobody thought of. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "config/config.h"
#include "test/support/domain_files.h"

#define FILE_NAME "/c/domains/web.yaml"
#define SOON_S 20 /* of processor time, with sanitizers; what is quadratic takes many times that */

static struct buf text;

static enum status load_domains(void)
{
    return domain_files_load_text(buf_text(&text));
}

static void put_settings(const char *name, const char *settings)
{
    char path[128];
    struct error why;
    struct disk *disk = domain_files.sim.world.disk;
    snprintf(path, sizeof path, "/c/%s", name);
    assert_int_equal(disk_make_dirs(disk, "/c/environments", &why), OK);
    assert_int_equal(disk_replace(disk, path, settings, strlen(settings), &why), OK);
}

static enum status load_settings(void)
{
    static struct config config;
    struct domain_files *files = &domain_files;
    const struct config_request request = { .directory = "/c", .environment = "dev" };
    problems_done(&files->problems);
    problems_init(&files->problems, false);
    put_settings("environments/dev.yaml", buf_text(&text));
    return config_load(&request, &files->sim.world, &config, &files->problems, &files->err);
}

static void expect_refused(enum status (*load)(void), const char *what)
{
    const clock_t begun = clock();
    if (load() != ERR_INVALID)
        fail_msg("%s passed", what);
    const double took_s = (double)(clock() - begun) / CLOCKS_PER_SEC;
    if (took_s > SOON_S)
        fail_msg("%s took %.1f s", what, took_s);
    assert_true(domain_files.problems.count > 0 && domain_files.problems.text.n > 0);
}

/* As both kinds of file. */
static void expect_refused_soon(const char *what)
{
    expect_refused(load_domains, what);
    expect_refused(load_settings, what);
}

static void begin_text(const char *first)
{
    buf_reset(&text);
    buf_add_text(&text, first);
}

static void repeat(const char *part, int times)
{
    for (int i = 0; i < times; i++)
        buf_add_text(&text, part);
}

/* ---- size ---- */

static void test_aliases_of_aliases_do_not_multiply(void **state)
{
    (void)state;
    static const char *const FORMS[] = { "w%d: &a%d [*a%d, *a%d]\n", "w%d: &a%d {a: *a%d, b: *a%d}\n" };
    static const char *const USES[] = { "windows: *a60\n",  "transforms: *a60\n", "event_types: [*a60]\n",
                                        "sessions: *a60\n", "ingest: *a60\n",     "journal: {retention: *a60}\n" };
    for (size_t f = 0; f < COUNT_OF(FORMS); f++)
        for (size_t u = 0; u < COUNT_OF(USES); u++) {
            begin_text("domain: web\na0: &a0 [1]\n");
            for (int i = 1; i <= 60; i++)
                buf_add_format(&text, FORMS[f], i, i, i - 1, i - 1);
            buf_add_text(&text, USES[u]);
            expect_refused_soon(USES[u]);
        }
}

static void test_an_alias_of_what_it_stands_in_ends(void **state)
{
    (void)state;
    static const char *const FILES[] = { "--- &a\ndomain: web\nwindows: *a\nx: *a\n", "a: &a {b: *a, c: [*a]}\n",
                                         "windows: &a [*a, {by: *a, measures: *a}]\n",
                                         "ingest: &a {port: *a, ingest: *a}\n", "a: *nobody\n" };
    for (size_t i = 0; i < COUNT_OF(FILES); i++) {
        begin_text(FILES[i]);
        expect_refused_soon(FILES[i]);
    }
}

static void test_a_hundred_thousand_levels_are_a_mistake(void **state)
{
    (void)state;
    static const char *const OPENING[] = { "[", "{a: ", "- ", "? ", "[{a: ", "!t [", "&a [" };
    for (size_t i = 0; i < COUNT_OF(OPENING); i++) {
        begin_text("");
        repeat(OPENING[i], 100000);
        expect_refused_soon(OPENING[i]);
        begin_text("domain: web\nwindows:\n  - name: w\n    by:\n      ");
        repeat(OPENING[i], 100000);
        expect_refused_soon(OPENING[i]);
    }
}

static void test_many_thousands_of_anything_end_soon(void **state)
{
    (void)state;
    static const char *const LINES[] = {
        "k%d: 1\n",          "a%d: &a%d 1\n",  "a%d: *a\n", "? [k%d]\n: 1\n", "same: 1\n", "- %d\n",
        "\"k%d\\x41\": 1\n", "k%d.a.b.c: 1\n", "#%d\n",     "---\n%d: 1\n",   "...\n",     "!<t%d> a%d: 1\n",
    };
    for (size_t i = 0; i < COUNT_OF(LINES); i++) {
        begin_text("");
        for (int n = 0; n < 30000; n++)
            buf_add_format(&text, LINES[i], n, n);
        buf_add_text(&text, "\nunknown_key: 1\n");
        expect_refused_soon(LINES[i]);
    }
}

static void test_many_anchors_and_as_many_aliases_end_soon(void **state)
{
    (void)state;
    for (int anchors = 4000; anchors < 50000; anchors *= 10) {
        begin_text("domain: web\nx:\n");
        for (int n = 0; n < anchors; n++)
            buf_add_format(&text, "  - &a%d 1\n", n);
        buf_add_text(&text, "windows:\n");
        for (int n = 0; n < 30000; n++)
            buf_add_format(&text, "  - *a%d\n", n % anchors);
        expect_refused_soon("anchors and aliases");
    }
    domain_files_expect_problem("more than 5000 anchors");
}

static void test_a_file_of_more_than_a_mebibyte_is_refused_by_name(void **state)
{
    (void)state;
    begin_text("domain: web\n");
    repeat("# a comment\n", CONFIG_FILE_BYTES_MAX / 12);
    assert_int_equal(load_domains(), ERR_INVALID);
    assert_non_null(strstr(domain_files.err.text, FILE_NAME ": it has 10485"));
    assert_int_equal(load_settings(), ERR_INVALID);
    assert_non_null(strstr(domain_files.err.text, "/c/environments/dev.yaml: it has 10485"));
}

static void test_a_word_of_a_mebibyte_is_a_mistake_wherever_it_stands(void **state)
{
    (void)state;
    static const char *const BEFORE[] = { "",
                                          "domain: ",
                                          "ingest: ",
                                          "ingest: {port: ",
                                          "domain: web\nwindows: [{name: ",
                                          "domain: web\nwindows: [{where: ",
                                          "domain: web\nwindows: [{measures: {n: ",
                                          "domain: web\nwindows: [{measures: {",
                                          "domain: web\ntransforms: [{name: t, lua: " };
    for (size_t i = 0; i < COUNT_OF(BEFORE); i++) {
        begin_text(BEFORE[i]);
        repeat("abcdefgh", (1 << 17) - 16);
        const bool open = strchr(BEFORE[i], '{') != NULL;
        buf_add_text(&text, !open                           ? ": 1"
                            : strstr(BEFORE[i], "measures") ? ": 1}}]"
                            : strchr(BEFORE[i], '[')        ? "}]"
                                                            : "}");
        expect_refused_soon(BEFORE[i]);
    }
}

/* ---- kinds of values ---- */

static const char *const VALUES[] = { "7",    "[7]", "{zz: 7}", "~",    "''",          "[[[]]]",     "[~]", "{zz: ~}",
                                      "[{}]", "[]",  "{}",      "*all", "{[zz]: [7]}", "!!binary x", "|\n", "\"\\0\"" };

static bool is_told_at(const char *file, int line)
{
    char place[128];
    snprintf(place, sizeof place, "%s:%d:", file, line);
    return strstr(buf_text(&domain_files.problems.text), place) != NULL;
}

/* "windows[].by" with the value on a line of its own; returns that line. A key before it takes the mistakes that are
 * about the whole group, so that what is told at the key or the value is about the value. What is in a list has a name:
 * some keys are looked at only when the rest is right. */
static int write_at(const char *path, const char *value)
{
    int depth = 0, line = 1;
    begin_text("--- &all\nzz: 1\n");
    for (const char *at = path; *at; depth++) {
        const size_t n = strcspn(at, ".");
        const bool list = n > 2 && at[n - 1] == ']';
        buf_add_format(&text, "%*s%.*s:\n", 4 * depth, "", (int)(list ? n - 2 : n), at);
        at += n + (at[n] == '.');
        if (*at)
            buf_add_format(&text, "%*s%s\n", 4 * depth + 2, "",
                           !list                     ? "  zz: 1"
                           : strcmp(at, "name") == 0 ? "- zz: 1"
                                                     : "- name: n");
    }
    for (size_t i = 0; i < text.n; i++)
        line += text.p[i] == '\n';
    buf_add_format(&text, "%*s%s\n", 4 * depth, "", value);
    return line;
}

static void test_every_key_of_a_domain_tells_values_of_a_wrong_kind(void **state)
{
    (void)state;
    struct domain_key_help help;
    size_t keys = 0;
    for (; domain_key_at(keys, &help); keys++) {
        char path[64];
        size_t told = 0;
        snprintf(path, sizeof path, "%s", help.path);
        for (size_t v = 0; v < COUNT_OF(VALUES); v++) {
            const int line = write_at(path, VALUES[v]);
            assert_int_equal(load_domains(), ERR_INVALID);
            told += v < 3 && (is_told_at(FILE_NAME, line) || is_told_at(FILE_NAME, line - 1));
        }
        if (told < 2) /* of a scalar, a list and a group one may be right */
            fail_msg("%s takes values of two kinds:\n%s", path, buf_text(&domain_files.problems.text));
    }
    assert_true(keys >= 28);
}

static void test_every_setting_tells_a_list_and_a_group(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETTINGS.count; i++)
        for (size_t v = 0; v < COUNT_OF(VALUES); v++) {
            const int line = write_at(SETTINGS.rows[i].key, VALUES[v]);
            assert_int_equal(load_settings(), ERR_INVALID);
            if (VALUES[v][0] != '{' && (VALUES[v][0] != '[' || SETTINGS.rows[i].list))
                continue;
            if (!is_told_at("dev.yaml", line) && !is_told_at("dev.yaml", line - 1))
                fail_msg("%s: %s\n%s", SETTINGS.rows[i].key, VALUES[v], buf_text(&domain_files.problems.text));
        }
}

static void test_a_setting_that_is_there_twice_is_a_mistake_however_it_is_written(void **state)
{
    (void)state;
    static const char *const FILES[] = {
        "ingest.port: 1\ningest: {port: 2}\n",      "ingest: {port: 1}\ningest.port: 2\n",
        "ingest:\n  tls.key: a\n  tls: {key: b}\n", "ingest.port: 1\ningest.port: 1\n",
        "ingest.port: 1\n\"ingest.port\": 1\n",     "sinks: {a: {kind: kafka, topic: t}}\nsinks.a.topic: t\n"
    };
    for (size_t i = 0; i < COUNT_OF(FILES); i++) {
        begin_text(FILES[i]);
        if (load_settings() != ERR_INVALID)
            fail_msg("passed: %s", FILES[i]);
    }
    begin_text("ingest.port: 1\ningest: {port: 2}\n");
    assert_int_equal(load_settings(), ERR_INVALID);
    domain_files_expect_problem("dev.yaml:2:10: ingest.port is in line 1 already\n");
    put_settings("platform.yaml", "ingest.port: 1\n"); /* a layer over another is no mistake */
    begin_text("ingest.port: 2\n");
    assert_int_equal(load_settings(), OK);
}

static int begin(void **state)
{
    buf_init(&text, 4 << 20);
    return domain_files_begin(state);
}

static int end(void **state)
{
    buf_done(&text);
    return domain_files_end(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_aliases_of_aliases_do_not_multiply),
        TEST(test_an_alias_of_what_it_stands_in_ends),
        TEST(test_a_hundred_thousand_levels_are_a_mistake),
        TEST(test_many_thousands_of_anything_end_soon),
        TEST(test_many_anchors_and_as_many_aliases_end_soon),
        TEST(test_a_file_of_more_than_a_mebibyte_is_refused_by_name),
        TEST(test_a_word_of_a_mebibyte_is_a_mistake_wherever_it_stands),
        TEST(test_every_key_of_a_domain_tells_values_of_a_wrong_kind),
        TEST(test_every_setting_tells_a_list_and_a_group),
        TEST(test_a_setting_that_is_there_twice_is_a_mistake_however_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
