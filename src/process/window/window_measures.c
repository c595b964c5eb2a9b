#include "process/window/window_measures.h"

#include "base/json_text.h"

static const enum aggregate_kind KINDS[MEASURE_KINDS] = {
    [MEASURE_COUNT] = AGGREGATE_COUNT,       [MEASURE_SUM] = AGGREGATE_SUM,
    [MEASURE_MIN] = AGGREGATE_MIN,           [MEASURE_MAX] = AGGREGATE_MAX,
    [MEASURE_MEAN] = AGGREGATE_MEAN,         [MEASURE_VARIANCE] = AGGREGATE_VARIANCE,
    [MEASURE_DISTINCT] = AGGREGATE_DISTINCT, [MEASURE_QUANTILE] = AGGREGATE_QUANTILE,
    [MEASURE_TOP] = AGGREGATE_TOP,           [MEASURE_FIRST] = AGGREGATE_FIRST,
    [MEASURE_LAST] = AGGREGATE_LAST,
};

/* count(x) is the sum of a 1 for each x that is there: a count looks at no input. */
static bool counts_values(const struct window_measure *measure)
{
    return measure->kind == MEASURE_COUNT && measure->value;
}

enum status window_measures_layout(const struct window *window, struct aggregate_layout *out, struct error *err)
{
    struct aggregate_def defs[WINDOW_MEASURES_MAX];
    uint32_t inputs[WINDOW_MEASURES_MAX] = { 0 };
    for (size_t i = 0; i < window->measure_count; i++) {
        const struct window_measure *measure = &window->measures[i];
        defs[i].kind = counts_values(measure) ? AGGREGATE_SUM : KINDS[measure->kind];
        defs[i].parameter = measure->kind == MEASURE_TOP ? (double)measure->top : measure->quantile;
        if (measure->value && !counts_values(measure) && expr_field(measure->value) >= 0)
            inputs[i] = (uint32_t)expr_field(measure->value) + 1; /* the same field is the same input */
    }
    enum status s = aggregate_layout_make_sharing(defs, inputs, window->measure_count, out, err);
    return s == OK ? OK : error_wrap(err, s, "window %.*s", SLICE_ARG(window->name));
}

static struct aggregate_value input_of(struct value value)
{
    switch ((enum value_kind)value.kind) {
    case VALUE_NULL:
        break;
    case VALUE_BOOL:
        return (struct aggregate_value){ .kind = AGGREGATE_TEXT, .text = value.b ? SLICE("true") : SLICE("false") };
    case VALUE_INT:
        return (struct aggregate_value){ .kind = AGGREGATE_INT, .integer = value.i };
    case VALUE_NUMBER:
        return (struct aggregate_value){ .kind = AGGREGATE_NUMBER, .number = value.d };
    case VALUE_TEXT:
        return (struct aggregate_value){ .kind = AGGREGATE_TEXT, .text = value_slice(value) };
    }
    return (struct aggregate_value){ .kind = AGGREGATE_NULL };
}

void window_measures_inputs(const struct window *window, const struct value *fields, struct arena *arena,
                            struct aggregate_value inputs[WINDOW_MEASURES_MAX])
{
    for (size_t i = 0; i < window->measure_count; i++) {
        const struct window_measure *measure = &window->measures[i];
        inputs[i] = (struct aggregate_value){ .kind = AGGREGATE_NULL };
        if (!measure->value)
            continue;
        inputs[i] = input_of(expr_eval(measure->value, fields, arena));
        if (counts_values(measure) && inputs[i].kind != AGGREGATE_NULL)
            inputs[i] = (struct aggregate_value){ .kind = AGGREGATE_INT, .integer = 1 };
    }
}

static void add_value(const struct aggregate_value *value, struct buf *out)
{
    switch (value->kind) {
    case AGGREGATE_NULL:
        buf_add_text(out, "null");
        return;
    case AGGREGATE_INT:
        buf_add_format(out, "%lld", (long long)value->integer);
        return;
    case AGGREGATE_NUMBER:
        json_add_number(out, value->number);
        return;
    case AGGREGATE_TEXT:
        json_add_string(out, value->text);
        return;
    }
}

static void add_top(const struct aggregate_result *result, struct buf *out)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < result->top_count; i++) {
        buf_add_text(out, i ? ",{\"value\":" : "{\"value\":");
        add_value(&result->top[i].value, out);
        json_add_field_u64(out, "count", result->top[i].count);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

void window_measures_add_json(const struct window *window, const struct aggregate_layout *layout, const void *row,
                              struct buf *out)
{
    struct aggregate_result result;
    buf_add_char(out, '{');
    for (size_t i = 0; i < window->measure_count; i++) {
        const struct window_measure *measure = &window->measures[i];
        aggregate_result(layout, row, i, &result);
        if (i)
            buf_add_char(out, ',');
        json_add_string(out, measure->name);
        buf_add_char(out, ':');
        if (measure->kind == MEASURE_TOP)
            add_top(&result, out);
        else if (counts_values(measure) && result.value.kind == AGGREGATE_NULL)
            buf_add_char(out, '0');
        else
            add_value(&result.value, out);
    }
    buf_add_char(out, '}');
}
