/* What an event costs before anything is counted: filling the fields of a plan from its properties, and evaluating
 * expressions on them; and a transform as a script. usage: expr_bench. Each line: what, and ns an event, the best of
 * many short rounds. */
#include <stdio.h>
#include <stdlib.h>

#include "expr/expr.h"
#include "script/script.h"
#include "world/world.h"

#define EVENTS 1000
#define ROUNDS 300

static const char PROPERTIES[] =
    "{\"page\":\"/p/"
    "tents-042\",\"title\":\"Product\",\"product_id\":\"tents-042\",\"category\":\"tents\",\"quantity\":2,"
    "\"amount\":159.90,\"currency\":\"EUR\",\"load_ms\":231}";

static struct arena arena, scratch;
static struct field_plan plan;
static struct value fields[FIELD_PATHS_MAX];
static const struct event EVENT = { .event_type = { "purchase", 8 },
                                    .event_name = { "Bought", 6 },
                                    .visitor_id = { "vid_00af13", 10 },
                                    .properties = { PROPERTIES, sizeof PROPERTIES - 1 },
                                    .context = { "{\"country\":\"DE\"}", 16 },
                                    .timestamp_ms = 1737455400123 };

static const struct expr *parse(const char *text)
{
    struct expr_problem problem;
    const struct expr *expr;
    if (expr_parse(slice_from(text), &plan, &arena, &expr, &problem) != OK) {
        fprintf(stderr, "%s: %s\n", text, problem.text);
        exit(1);
    }
    return expr;
}

static void report(const char *what, int64_t best_us)
{
    printf("%-72s %7.1f ns\n", what, (double)best_us * 1000 / EVENTS);
}

static void measure_fill(const char *what)
{
    struct world *world = world_real();
    int64_t best = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t began = world_mono_us(world);
        for (int i = 0; i < EVENTS; i++) {
            field_plan_fill(&plan, &EVENT, &scratch, fields);
            __asm__ volatile("" ::"r"(fields) : "memory");
        }
        int64_t took = world_mono_us(world) - began;
        best = took < best ? took : best;
    }
    report(what, best);
}

static void measure_eval(const char *text)
{
    struct world *world = world_real();
    const struct expr *expr = parse(text);
    int64_t best = INT64_MAX;
    field_plan_fill(&plan, &EVENT, &scratch, fields);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t began = world_mono_us(world);
        for (int i = 0; i < EVENTS; i++) {
            struct value v = expr_eval(expr, fields, &scratch);
            __asm__ volatile("" ::"r"(&v) : "memory");
        }
        int64_t took = world_mono_us(world) - began;
        best = took < best ? took : best;
        arena_reset(&scratch);
    }
    report(text, best);
}

static void measure_script(const char *what, const char *text)
{
    struct world *world = world_real();
    struct script *script;
    struct error err;
    int64_t best = INT64_MAX;
    if (script_new(slice_from(text), SLICE("bench"), 1, &script, &err) != OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    for (int round = 0; round < ROUNDS / 10; round++) {
        int64_t began = world_mono_us(world);
        for (int i = 0; i < EVENTS; i++) {
            struct event event = EVENT;
            if (script_run(script, &event, &scratch, &err) != OK)
                exit(1);
        }
        int64_t took = world_mono_us(world) - began;
        best = took < best ? took : best;
        arena_reset(&scratch);
    }
    report(what, best);
    script_free(script);
}

int main(void)
{
    arena_init(&arena, 1 << 20);
    arena_init(&scratch, 16 << 20);
    field_plan_init(&plan, &arena);
    printf("properties of %zu bytes\n", sizeof PROPERTIES - 1);
    (void)parse("properties.page");
    measure_fill("fill 1 path (the first)");
    (void)parse("properties.amount");
    measure_fill("fill 2 paths (the first and the sixth of eight)");
    (void)parse("event_type == properties.load_ms");
    measure_fill("fill 4 paths (the last included)");
    (void)parse("properties.none");
    measure_fill("fill 5 paths, one of which is missing");
    measure_eval("event_type == 'purchase'");
    measure_eval("event_type == 'page_view' and properties.page is not null");
    measure_eval("cents(properties.amount)");
    measure_eval(
        "event_type == 'purchase' and cents(properties.amount) >= 1000 and properties.currency in ('EUR', 'USD')");
    measure_eval("lower(properties.page)");
    measure_script("script: return event", "function transform(event) return event end");
    measure_script(
        "script: set one property",
        "function transform(event) event.properties.cents = weir.cents(event.properties.amount) return event end");
    arena_done(&arena);
    arena_done(&scratch);
    return 0;
}
