/* docs/domains.md promises that its example works: the domain in it is loaded, its event goes through the transforms,
 * and each row of its table of expressions is evaluated on what comes out. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_scan.h"
#include "base/test.h"
#include "config/problems.h"
#include "process/stage_transform.h"
#include "world/disk.h"
#include "world/disk_sim.h"
#include "world/world.h"
#include "world/world_sim.h"

static struct slice docs;
static struct world_sim sim;
static struct disk_sim *disk;
static struct domain_set *domains;
static struct process_batch batch;
static struct arena arena;

static struct slice text(const char *from)
{
    return slice_of(from, (size_t)(docs.p + docs.n - from));
}

/* The n-th block of a language, without its fences. */
static struct slice block(const char *fence, int n)
{
    const char *at = docs.p;
    for (int i = 0; i <= n; i++) {
        at = strstr(at, fence);
        assert_non_null(at);
        at += strlen(fence);
    }
    const char *end = strstr(at, "```");
    assert_non_null(end);
    return slice_of(at, (size_t)(end - at));
}

static struct slice member(struct slice object, const char *name)
{
    struct slice value;
    if (!json_find(object, name, &value))
        fail_msg("the event in the document has no %s", name);
    return value.p[0] == '"' ? slice_of(value.p + 1, value.n - 2) : value;
}

static void test_the_domain_loads(void **state)
{
    (void)state;
    struct slice yaml = block("```yaml\n", 0);
    struct problems problems;
    struct error err;
    problems_init(&problems, false);
    assert_int_equal(disk_make_dirs(sim.world.disk, "/c/domains", &err), OK);
    assert_int_equal(disk_replace(sim.world.disk, "/c/domains/bikes.yaml", yaml.p, yaml.n, &err), OK);
    if (domain_set_load("/c", &sim.world, &domains, &problems, &err) != OK)
        fail_msg("%s%s", problems_text(&problems), err.text);
    problems_done(&problems);
    assert_int_equal(domains->window_count, 3);
    assert_int_equal(domains->transform_count, 2);
}

static void test_the_event_becomes_what_is_said(void **state)
{
    (void)state;
    struct slice json = block("```json\n", 0), wanted = slice_trim(block("```json\n", 1));
    struct metrics *metrics = metrics_new(100);
    struct stage_transform *stage = stage_transform_new(domains, metrics);
    struct error err;
    batch.arena = &arena;
    batch.count = batch.live_count = 1;
    batch.domains[0] = &domains->others;
    batch.events[0] = (struct event){ .event_type = member(json, "event_type"),
                                      .event_name = member(json, "event_name"),
                                      .visitor_id = member(json, "visitor_id"),
                                      .properties = member(json, "properties"),
                                      .context = member(json, "context") };
    assert_int_equal(stage_transform_run(stage, &batch, &err), OK);
    assert_int_equal(batch.verdicts[0], PROCESS_ACCEPTED);
    if (!slice_equal(batch.events[0].properties, wanted))
        fail_msg("%.*s\nis not\n%.*s", SLICE_ARG(batch.events[0].properties), SLICE_ARG(wanted));
    stage_transform_free(stage);
    metrics_free(metrics);
}

static void check_row(struct slice expression, struct slice wanted)
{
    static struct field_plan plan;
    static struct value fields[FIELD_PATHS_MAX];
    struct expr_problem problem;
    const struct expr *expr;
    char digits[VALUE_DIGITS_MAX];
    field_plan_init(&plan, &arena);
    if (expr_parse(expression, &plan, &arena, &expr, &problem) != OK)
        fail_msg("%.*s: %s", SLICE_ARG(expression), problem.text);
    field_plan_fill(&plan, &batch.events[0], &arena, fields);
    struct slice got = value_as_text(expr_eval(expr, fields, &arena), digits);
    if (!slice_equal(got, wanted))
        fail_msg("%.*s gives %.*s, not %.*s", SLICE_ARG(expression), SLICE_ARG(got), SLICE_ARG(wanted));
}

static void test_every_row_of_the_table_is_true(void **state)
{
    (void)state;
    const char *at = strstr(docs.p, "| expression | gives |\n|---|---|\n");
    assert_non_null(at);
    at = strchr(strchr(at, '\n') + 1, '\n') + 1;
    size_t rows = 0;
    for (; text(at).n > 3 && memcmp(at, "| `", 3) == 0; rows++) {
        const char *end = strstr(at, "` | "), *line_end = strchr(at, '\n');
        assert_true(end && line_end && end < line_end);
        check_row(slice_of(at + 3, (size_t)(end - at - 3)), slice_of(end + 4, (size_t)(line_end - end - 6)));
        at = line_end + 1;
    }
    assert_true(rows >= 10);
}

static int begin(void **state)
{
    (void)state;
    char *p;
    struct error err;
    size_t n;
    disk = disk_sim_new(7, &sim);
    world_sim_init(&sim, 7, disk_sim_disk(disk));
    arena_init(&arena, PROCESS_ARENA_BYTES);
    if (disk_read_whole(world_real()->disk, "docs/domains.md", 1 << 20, &p, &n, &err) != OK)
        fail_msg("%s", err.text);
    docs = slice_of(p, n);
    return 0;
}

static int end(void **state)
{
    (void)state;
    domain_set_free(domains);
    arena_done(&arena);
    disk_sim_free(disk);
    free((void *)(uintptr_t)docs.p);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_domain_loads),
        cmocka_unit_test(test_the_event_becomes_what_is_said),
        cmocka_unit_test(test_every_row_of_the_table_is_true),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
