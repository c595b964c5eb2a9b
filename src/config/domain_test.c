#include "config/domain.h"

#include <stdio.h>
#include <stdlib.h>

#include "test/support/domain_files.h"

static const char WHOLE[] = "domain: web\n"
                            "description: everything that can be said\n"
                            "sessions: { gap: 45m }\n"
                            "time: { out_of_orderness: 5m }\n"
                            "windows:\n"
                            "  - name: page_views_1m\n"
                            "    kind: tumbling\n"
                            "    size: 1m\n"
                            "    where: event_type == 'page_view'\n"
                            "    by: [properties.page, {country: lower(context.country)}]\n"
                            "    measures:\n"
                            "      views: count()\n"
                            "      visitors: distinct(visitor_id)\n"
                            "      revenue: sum(cents(properties.amount))\n"
                            "      p95: quantile(properties.load_ms, 0.95)\n"
                            "      top_refs: top(properties.referrer, 10)\n"
                            "      first_seen: first(event_name)\n"
                            "    emit: close\n"
                            "    lateness: 1h\n"
                            "    time: processing\n"
                            "    tenants: [a, b]\n"
                            "  - {name: active, kind: sliding, size: 5m, slide: 1m, measures: {n: count()}}\n"
                            "transforms:\n"
                            "  - name: price\n"
                            "    where: event_type == 'purchase'\n"
                            "    set: { properties.amount_cents: cents(properties.amount), event_name: \"'x'\" }\n"
                            "    remove: [properties.secret, context.ip]\n"
                            "event_types:\n"
                            "  - {name: purchase, metrics: [{name: amount, type: money}]}\n";

static void test_a_whole_domain_becomes_windows_and_transforms(void **state)
{
    (void)state;
    domain_files_expect_fine(WHOLE);
    assert_int_equal(domain_files.set->domain_count, 1);
    assert_int_equal(domain_files.set->window_count, 2);
    assert_int_equal(domain_files.set->others.session_gap_ms, 45 * 60000);
    assert_int_equal(domain_files.set->others.out_of_orderness_ms, 5 * 60000);
    const struct window *w = &domain_files.set->windows[0];
    assert_true(slice_equal(w->name, SLICE("page_views_1m")) && slice_equal(w->domain, SLICE("web")));
    assert_int_equal(w->kind, WINDOW_TUMBLING);
    assert_int_equal(w->size_ms, 60000);
    assert_int_equal(w->slide_ms, 60000);
    assert_int_equal(w->lateness_ms, 3600000);
    assert_int_equal(w->emit, WINDOW_EMIT_CLOSE);
    assert_true(w->processing_time);
    assert_int_equal(w->key_count, 2);
    assert_true(slice_equal(w->keys[0].name, SLICE("properties.page")));
    assert_true(slice_equal(w->keys[1].name, SLICE("country")));
    assert_int_equal(w->measure_count, 6);
    assert_int_equal(w->measures[3].kind, MEASURE_QUANTILE);
    assert_true(w->measures[3].quantile == 0.95);
    assert_int_equal(w->measures[4].top, 10);
    assert_int_equal(w->tenant_count, 2);
    assert_true(slice_equal(w->tenants[1], SLICE("b")));
    assert_int_equal(domain_files.set->windows[1].slide_ms, 60000);
    assert_int_equal(domain_files.set->windows[1].emit, WINDOW_EMIT_UPDATE | WINDOW_EMIT_CLOSE);
    assert_int_equal(domain_files.set->transform_count, 1);
    const struct transform *t = &domain_files.set->transforms[0];
    assert_int_equal(t->set_count, 2);
    assert_int_equal(t->remove_count, 2);
    assert_true(slice_equal(t->set[0].target.names[0], SLICE("amount_cents")));
    assert_int_equal(t->remove[1].source, FIELD_CONTEXT);
    assert_int_equal(t->fields->count, 2); /* event_type, properties.amount */
    assert_int_equal(domain_files.set->fields->count, 8);
}

static void test_no_domains_are_an_empty_set_with_defaults(void **state)
{
    (void)state;
    assert_int_equal(domain_files_load(), OK);
    assert_int_equal(domain_files.set->window_count, 0);
    assert_int_equal(domain_files.set->others.session_gap_ms, 30 * 60000);
    assert_int_equal(domain_files.set->others.out_of_orderness_ms, 10 * 60000);
}

static uint64_t id_of(const char *window)
{
    char text[1024];
    snprintf(text, sizeof text, "domain: web\nwindows:\n  - {name: w, measures: {n: count()}, %s}\n", window);
    domain_files_expect_fine(text);
    return domain_files.set->windows[0].id;
}

static void test_the_id_changes_with_what_state_means_and_with_nothing_else(void **state)
{
    (void)state;
    uint64_t id = id_of("size: 1m, where: properties.a == 'x'");
    assert_int_equal(id_of("size: 60s, where: \"properties.a   == \\\"x\\\"\""), id);
    assert_int_equal(id_of("size: 1m, where: properties.a == 'x', emit: close, lateness: 1h, tenants: [a]"), id);
    assert_int_not_equal(id_of("size: 2m, where: properties.a == 'x'"), id);
    assert_int_not_equal(id_of("size: 1m, where: properties.b == 'x'"), id);
    assert_int_not_equal(id_of("size: 1m, where: properties.a == 'x', by: [visitor_id]"), id);
    assert_int_not_equal(id_of("size: 1m, where: properties.a == 'x', time: processing"), id);
    assert_int_not_equal(id_of("kind: sliding, size: 1m, slide: 30s, where: properties.a == 'x'"), id);
}

static void test_every_mistake_of_every_file_is_told_in_one_go(void **state)
{
    (void)state;
    domain_files_put("a.yaml", "domain: a\nwindws: []\n");
    domain_files_put("b.yaml", "domain: b\nwindows:\n  - name: B-1\n    size: 5\n    wher: true\n");
    domain_files_put("notes.txt", "not ours");
    assert_int_equal(domain_files_load(), ERR_INVALID);
    assert_int_equal(domain_files.problems.count, 5);
    assert_string_equal(domain_files.err.text, "5 mistakes in the domains");
    domain_files_expect_problem("/c/domains/a.yaml:2:1: a domain has no key windws; did you mean windows?\n"
                                "     2 | windws: []\n"
                                "       | ^~~~~~\n");
    domain_files_expect_problem("/c/domains/b.yaml:3:11: a name is 1 to 64 of a to z, 0 to 9 and _\n");
    domain_files_expect_problem("b.yaml:4:11: size: '5' is not a time with its unit, like 250ms, 10s, 5m, 24h or 7d\n");
    domain_files_expect_problem("b.yaml:5:5: windows[] has no key wher; did you mean where?\n");
    domain_files_expect_problem("b.yaml:3:5: a window needs measures");
}

static void test_a_mistake_in_an_expression_is_told_where_it_stands(void **state)
{
    (void)state;
    assert_int_equal(domain_files_load_text("domain: web\n"
                                            "windows:\n"
                                            "  - name: w\n"
                                            "    size: 1m\n"
                                            "    where: event_type == 'ü' and lowr(event_name) == 'x'\n"
                                            "    by: [\"concat(event_type 'b')\", concat(event_type, event_name)]\n"
                                            "    measures:\n"
                                            "      a: sum(event_name)\n"
                                            "      b: quantile(properties.x, 95)\n"
                                            "      c: cont()\n"
                                            "      d: count(visitor_id)\n"
                                            "      e: top(properties.x)\n"
                                            "      f: sum(properties.x) + 1\n"
                                            "  - {name: v, size: 1m, measures: {g: quantile(properties.x, 0.9)}}\n"),
                     ERR_INVALID);
    domain_files_expect_problem("web.yaml:5:34: there is no function lowr; did you mean lower?\n"
                                "     5 |     where: event_type == 'ü' and lowr(event_name) == 'x'\n"
                                "       |                                  ^~~~\n");
    domain_files_expect_problem("web.yaml:6:29: expected , or ), not 'b'\n");
    domain_files_expect_problem(
        "web.yaml:6:53: inside of [ ] and { } a comma ends the value: put this expression in quotes\n");
    domain_files_expect_problem("web.yaml:8:14: this measure takes a number, not text\n");
    domain_files_expect_problem("web.yaml:9:33: which share: a number between 0 and 1, such as 0.95\n");
    domain_files_expect_problem("web.yaml:10:10: there is no such measure; did you mean count?\n");
    domain_files_expect_problem("web.yaml:11:16: count() takes nothing");
    domain_files_expect_problem("web.yaml:12:26: write it as top(x, 10)\n");
    domain_files_expect_problem("web.yaml:13:28: a measure is one call");
    domain_files_expect_problem("web.yaml:14:60: inside of [ ] and { } a comma ends the value");
}

static void test_what_only_makes_sense_together_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *window, *part;
    } EXAMPLES[] = {
        { "size: 1m, slide: 10s", "a tumbling window has no slide" },
        { "kind: session, size: 1m, gap: 1m", "a session window has no size" },
        { "kind: session, gap: 10d", "gap: 10d is outside 1 s to 7 d" },
        { "kind: session, slide: 1m", "a session window has no slide" },
        { "size: 1m, gap: 1m", "a tumbling window has no gap" },
        { "kind: sliding, size: 1m", "a sliding window needs a slide" },
        { "kind: sliding, size: 1m, slide: 7s", "slide must divide size" },
        { "kind: sliding, size: 1d, slide: 1s", "size is at most 1000 times slide" },
        { "kind: slidng, size: 1m", "'slidng' is not one of tumbling, sliding, session; did you mean sliding?" },
        { "by: [visitor_id]", "a tumbling window needs a size" },
        { "size: 1ms", "size: 1ms is outside 1 s to 400 d" },
        { "size: 1m, by: [visitor_id, visitor_id]", "there is a key visitor_id already" },
        { "size: 1m, by: [a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8, i: 9]", "at most 8 keys" },
        { "size: 1m, by: visitor_id", "by is a list of expressions" },
        { "size: 1m, where: properties.a + 1", "this must be true or false; it is a number" },
        { "size: 1m, tenants: []", "1 to 1000 tenants" },
        { "size: 1m, retention: 36h", "whole days are wanted" },
        { "size: [1m]", "size takes one value, not a list or a group" },
    };
    for (size_t i = 0; i < COUNT_OF(EXAMPLES); i++) {
        char text[512];
        snprintf(text, sizeof text, "domain: web\nwindows:\n  - {name: w, measures: {n: count()}, %s}\n",
                 EXAMPLES[i].window);
        domain_files_expect_wrong(text, EXAMPLES[i].part);
    }
}

static void test_names_are_unique_over_all_files_and_shared_settings_agree(void **state)
{
    (void)state;
    domain_files_put(
        "a.yaml",
        "domain: a\nsessions: {gap: 10m, enabled: true}\nwindows:\n  - {name: w, size: 1m, measures: {n: count()}}\n");
    domain_files_put(
        "b.yaml",
        "domain: a\nsessions: {gap: 20m, enabled: false}\nwindows:\n  - {name: w, size: 1m, measures: {n: count()}}\n");
    assert_int_equal(domain_files_load(), ERR_INVALID);
    domain_files_expect_problem("b.yaml:1:9: the domain a is described by /c/domains/a.yaml already");
    domain_files_expect_problem("b.yaml:4:12: there is a window w already, in domain a");
    domain_files_expect_problem("b.yaml:2:17: sessions.gap is another one in domain a (/c/domains/a.yaml:2:17)");
    domain_files_expect_problem("b.yaml:2:31: sessions.enabled is another one in domain a (/c/domains/a.yaml:2:");
}

static void test_a_setting_of_the_platform_is_sent_home(void **state)
{
    (void)state;
    domain_files_expect_wrong(
        "domain: web\njournal: {partitions: 8}\n",
        "web.yaml:2:1: journal is a setting of the platform, not of a domain: it belongs into platform.yaml");
}

static void test_transforms_say_what_they_cannot_do(void **state)
{
    (void)state;
    static const struct {
        const char *transform, *part;
    } EXAMPLES[] = {
        { "set: {visitor_id: \"'x'\"}", "what can be set is properties.…, context.…, event_type and event_name" },
        { "set: {properties.a: 'free'}", "YAML takes these quotes away: write the text as \"'free'\"" },
        { "remove: [event_type]", "what can be removed is properties.… and context.…" },
        { "remove: [properties]", "what can be removed is properties.… and context.…" },
        { "set: {properties.a: 1, properties.a.b: 2}", "properties.a.b and properties.a are changed at once" },
        { "set: {properties.a: 1}, remove: [properties.a]", "properties.a and properties.a are changed at once" },
        { "set: {properties.a: 1}, lua: x", "a transform is either a script or set and remove" },
        { "where: \"true\"", "a transform needs set, remove, lua or file" },
        { "file: ../x.lua", "a name without /" },
        { "file: missing.lua", "missing.lua" },
    };
    for (size_t i = 0; i < COUNT_OF(EXAMPLES); i++) {
        char text[512];
        snprintf(text, sizeof text, "domain: web\ntransforms:\n  - {name: t, %s}\n", EXAMPLES[i].transform);
        domain_files_expect_wrong(text, EXAMPLES[i].part);
    }
}

static void test_a_mistake_in_a_script_is_told_at_its_line(void **state)
{
    (void)state;
    domain_files_put("x.lua", "function transform(event)\n  return event\nend\n");
    domain_files_put("y.lua", "\nreturn +\n");
    domain_files_expect_fine("domain: web\ntransforms:\n  - {name: x, file: x.lua}\n");
    assert_true(slice_equal(domain_files.set->transforms[0].lua_name, SLICE("/c/domains/x.lua")));
    assert_int_equal(domain_files_load_text("domain: web\n"
                                            "transforms:\n"
                                            "  - name: t\n"
                                            "    lua: |\n"
                                            "      function transform(event)\n"
                                            "        local x = = 1\n"
                                            "        return event\n"
                                            "      end\n"
                                            "  - {name: u, lua: 'x = 1'}\n"
                                            "  - {name: v, file: y.lua}\n"),
                     ERR_INVALID);
    assert_int_equal(domain_files.problems.count, 3);
    domain_files_expect_problem("web.yaml:6:9: unexpected symbol near '='\n     6 |         local x = = 1\n");
    domain_files_expect_problem("web.yaml:9:15: the script has no function transform(event)\n");
    domain_files_expect_problem("web.yaml:10:15: /c/domains/y.lua:2: unexpected symbol near '+'\n");
}

/* A file may be anything; none of these may crash, hang or pass. */
static void test_hostile_files_give_mistakes(void **state)
{
    (void)state;
    static const char *const EXAMPLES[] = {
        "a: &a [*a]\n",
        "domain: &x web\nwindows: *x\n",
        "domain: web\ndomain: web\n",
        "domain: {a: b}\nwindows: 7\ntransforms: {}\nsessions: []\ntime: x\nevent_types: [1]\n",
        "domain: web\nwindows: [1, [], {}, {name: []}, {measures: {a: {}}}, {by: [[], {}, {a: 1, b: 2}]}]\n",
        "domain: web\ntransforms: [1, {set: []}, {set: {[a]: 1}}, {remove: [[]]}, {lua: []}, {file: {}}]\n",
        "? [a]\n: b\n",
        "- domain: web\n",
        "domain: \"a\\0b\"\n",
        "\xff\xfe\x00",
        "%\xdd",
        "%YAML 1.2\n---\ndomain: web\n",
        "domain: web\ndescription: \xc3(\n",
        "domain: web\nwindows:\n  - &w {name: w, size: 1m, measures: {n: count()}}\n  - *w\n",
        "{domain: web, windows: [{where: '((((((((((((((((((((((((((((((((((((((((((((((((1'}]}\n",
    };
    for (size_t i = 0; i < COUNT_OF(EXAMPLES); i++) {
        if (domain_files_load_text(EXAMPLES[i]) != ERR_INVALID)
            fail_msg("passed: %s", EXAMPLES[i]);
        assert_true(domain_files.problems.count > 0 && domain_files.problems.text.n > 0);
    }
}

static void test_targets_of_quality_are_shares_and_what_is_none_is_told_where_it_stands(void **state)
{
    (void)state;
    assert_int_equal(
        domain_files_load_text("domain: web\nquality: {completeness: 0.99, validity: 99.5 %, uniqueness: 0}\n"), OK);
    static const int64_t TARGETS[QUALITY_RATIOS] = { 990000, 995000, 0, -1, -1 };
    for (int i = 0; i < QUALITY_RATIOS; i++)
        assert_int_equal(
            domain_quality_target(domain_files.set, &domain_files.set->others, SLICE("any"), (enum quality_ratio)i),
            TARGETS[i]);
    assert_int_equal(domain_files_load_text("domain: web\nquality:\n  validity: 99\n  completness: 1\n"), ERR_INVALID);
    domain_files_expect_problem(
        "web.yaml:3:13: validity: '99' is not a share of 0 to 1 with at most 6 decimals, like 0.9999 or 99.99 %\n");
    domain_files_expect_problem("web.yaml:4:3: ");
    domain_files_expect_problem("did you mean completeness?");
}

static void test_every_key_and_measure_is_in_the_documentation(void **state)
{
    (void)state;
    struct domain_key_help help;
    size_t keys = 0, measures = 0;
    for (; domain_key_at(keys, &help); keys++)
        assert_true(help.form[0] && help.help[0]);
    for (; domain_measure_at(measures, &help); measures++)
        assert_true(help.path[0] && help.help[0]);
    assert_int_equal(keys, 93);
    assert_int_equal(measures, MEASURE_KINDS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(test_a_whole_domain_becomes_windows_and_transforms),
        DOMAIN_TEST(test_no_domains_are_an_empty_set_with_defaults),
        DOMAIN_TEST(test_the_id_changes_with_what_state_means_and_with_nothing_else),
        DOMAIN_TEST(test_every_mistake_of_every_file_is_told_in_one_go),
        DOMAIN_TEST(test_a_mistake_in_an_expression_is_told_where_it_stands),
        DOMAIN_TEST(test_what_only_makes_sense_together_is_checked),
        DOMAIN_TEST(test_names_are_unique_over_all_files_and_shared_settings_agree),
        DOMAIN_TEST(test_a_setting_of_the_platform_is_sent_home),
        DOMAIN_TEST(test_transforms_say_what_they_cannot_do),
        DOMAIN_TEST(test_a_mistake_in_a_script_is_told_at_its_line),
        DOMAIN_TEST(test_hostile_files_give_mistakes),
        DOMAIN_TEST(test_targets_of_quality_are_shares_and_what_is_none_is_told_where_it_stands),
        DOMAIN_TEST(test_every_key_and_measure_is_in_the_documentation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
