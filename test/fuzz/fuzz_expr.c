/* Any bytes as an expression and as an event's properties: text before the first newline, JSON behind it. Parsing must
 * say what is wrong inside of the text; what parses must evaluate to a kind that was promised, twice to the same,
 * whatever the event is. */
#include <stdlib.h>

#include "expr/expr.h"

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void evaluate(const struct expr *expr, const struct field_plan *plan, struct slice properties,
                     struct arena *arena)
{
    static struct value fields[FIELD_PATHS_MAX];
    struct event event = { .event_type = SLICE("purchase"),
                           .event_name = SLICE("Bought"),
                           .visitor_id = SLICE("v1"),
                           .properties = properties,
                           .context = properties,
                           .timestamp_ms = 1737455400123 };
    char a_digits[VALUE_DIGITS_MAX], b_digits[VALUE_DIGITS_MAX];
    field_plan_fill(plan, &event, arena, fields);
    struct value a = expr_eval(expr, fields, arena), b = expr_eval(expr, fields, arena);
    expect(expr_types(expr) & 1u << a.kind);
    expect(a.kind == b.kind && slice_equal(value_as_text(a, a_digits), value_as_text(b, b_digits)));
    if (a.kind == VALUE_TEXT && a.n)
        expect(a.p[0] + a.p[a.n - 1] < 1000); /* both ends are readable */
}

/* lookup('t', country, sku, 'n') */
static const struct lookup_set *tables(void)
{
    static const struct lookup_column COLUMNS[] = { { SLICE("country"), TYPE_TEXT | TYPE_NULL },
                                                    { SLICE("sku"), TYPE_INT | TYPE_NULL },
                                                    { SLICE("n"), TYPE_INT | TYPE_NULL } };
    static struct value cells[3];
    static struct lookup_row row = { LOOKUP_BEGIN_MS, LOOKUP_END_MS, cells, 1 };
    static uint32_t slots[16];
    static struct lookup_table table = {
        SLICE("t"), COLUMNS, 3, { 0, 1 }, 2, { false, true }, false, &row, 1, slots, 16
    };
    static const struct lookup_set set = { &table, 1 };
    if (!cells[0].kind) {
        cells[0] = value_text(SLICE("DE"));
        cells[1] = value_int(7);
        cells[2] = value_int(1);
        lookup_index(&table, &row, 1, slots, 16);
    }
    return &set;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena arena;
    static struct field_plan plan;
    struct expr_problem problem = { 0 };
    const struct expr *expr = NULL;
    const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
    size_t n = newline ? (size_t)(newline - data) : size, rest = newline ? size - n - 1 : 0;
    char *text = malloc(n + 1), *json = malloc(rest + 1); /* blocks of their own, so that reading past them is seen */
    if (n)
        memcpy(text, data, n);
    if (rest)
        memcpy(json, data + size - rest, rest);
    arena_init(&arena, 1 << 20);
    field_plan_init(&plan, &arena);
    plan.lookups = tables();
    enum status s = expr_parse(slice_of(text, n), &plan, &arena, &expr, &problem);
    if (s == OK)
        evaluate(expr, &plan, slice_of(json, rest), &arena);
    else
        expect(problem.text[0] && problem.at <= n && problem.width > 0);
    arena_done(&arena);
    free(text);
    free(json);
    return 0;
}
