/* A measure is a call: its name decides what it takes. The argument is an expression like any other; the number behind
 * it is a literal. */
#include <stdio.h>

#include "config/domain_reader.h"

static const struct measure_row {
    enum measure_kind kind;
    const char *name;
    unsigned takes; /* TYPE_… of its argument; 0: none */
    bool number;    /* and a number behind it */
    const char *usage, *help;
} MEASURES[] = {
    { MEASURE_COUNT, "count", 0, false, "count()", "How many events." },
    { MEASURE_SUM, "sum", TYPE_NUMERIC, false, "sum(number)", "Whole numbers exactly; money as sum(cents(x))." },
    { MEASURE_MIN, "min", TYPE_NUMERIC, false, "min(number)", "The least." },
    { MEASURE_MAX, "max", TYPE_NUMERIC, false, "max(number)", "The greatest." },
    { MEASURE_MEAN, "mean", TYPE_NUMERIC, false, "mean(number)", "The average." },
    { MEASURE_VARIANCE, "variance", TYPE_NUMERIC, false, "variance(number)", "Of the population." },
    { MEASURE_DISTINCT, "distinct", TYPE_ANY, false, "distinct(x)", "How many different values." },
    { MEASURE_QUANTILE, "quantile", TYPE_NUMERIC, true, "quantile(number, 0.95)",
      "The value below which that share lies, within 1 %." },
    { MEASURE_TOP, "top", TYPE_ANY, true, "top(x, 10)", "The most frequent values with their counts; 1 to 100." },
    { MEASURE_FIRST, "first", TYPE_ANY, false, "first(x)", "The value of the earliest event that has one." },
    { MEASURE_LAST, "last", TYPE_ANY, false, "last(x)", "The value of the latest event that has one." },
};

const char *measure_kind_name(enum measure_kind kind)
{
    for (size_t i = 0; i < COUNT_OF(MEASURES); i++)
        if (MEASURES[i].kind == kind)
            return MEASURES[i].name;
    return "unknown";
}

bool domain_measure_at(size_t index, struct domain_key_help *out)
{
    if (index >= COUNT_OF(MEASURES))
        return false;
    *out = (struct domain_key_help){ MEASURES[index].usage, "", MEASURES[index].help };
    return true;
}

struct call {
    struct domain_reader *reader;
    struct fy_node *node;
    struct slice text;
    size_t at;
};

static bool fail(struct call *call, size_t width, const char *format, const char *detail)
{
    char message[256];
    snprintf(message, sizeof message, format, detail);
    yaml_problem_inside(&call->reader->file, call->node, call->at, width, message);
    return false;
}

static bool fail_usage(struct call *call, const struct measure_row *row)
{
    const bool cut = call->at == call->text.n && domain_cut_at_comma(call->reader, call->node, call->text);
    return cut ? fail(call, 1, "%s", DOMAIN_CUT_AT_COMMA) : fail(call, 1, "write it as %s", row->usage);
}

static void skip_blanks(struct call *call)
{
    while (call->at < call->text.n && memchr(" \t\r\n", call->text.p[call->at], 4))
        call->at++;
}

static bool take(struct call *call, char c)
{
    skip_blanks(call);
    if (call->at == call->text.n || call->text.p[call->at] != c)
        return false;
    call->at++;
    return true;
}

static const struct measure_row *take_name(struct call *call)
{
    const char *names[COUNT_OF(MEASURES)];
    skip_blanks(call);
    size_t end = call->at;
    while (end < call->text.n && ((call->text.p[end] >= 'a' && call->text.p[end] <= 'z') || call->text.p[end] == '_'))
        end++;
    struct slice name = slice_of(call->text.p + call->at, end - call->at);
    for (size_t i = 0; i < COUNT_OF(MEASURES); i++) {
        names[i] = MEASURES[i].name;
        if (slice_equal(name, slice_from(MEASURES[i].name))) {
            call->at = end;
            return &MEASURES[i];
        }
    }
    const char *closest = domain_closest(name, names, COUNT_OF(MEASURES));
    if (closest)
        fail(call, name.n, "there is no such measure; did you mean %s?", closest);
    else
        fail(call, name.n ? name.n : 1, "a measure is one of %s",
             "count, sum, min, max, mean, variance, distinct, quantile, top, first, last");
    return NULL;
}

static bool take_argument(struct call *call, const struct measure_row *row, struct window_measure *measure)
{
    struct expr_problem problem;
    const struct expr *expr = NULL;
    size_t from = call->at;
    struct domain_build *build = call->reader->build;
    if (expr_parse_argument(call->text, &call->at, build->fields, build->arena, &expr, &problem) != OK) {
        yaml_problem_inside(&call->reader->file, call->node, problem.at, problem.width, problem.text);
        return false;
    }
    if (!(expr_types(expr) & row->takes)) {
        size_t width = call->at - from;
        call->at = from;
        return fail(call, width, row->takes == TYPE_NUMERIC ? "this measure takes a number, not %s" : "not %s",
                    value_types_text(expr_types(expr)));
    }
    measure->value = expr;
    return true;
}

static bool take_number(struct call *call, const struct measure_row *row, struct window_measure *measure)
{
    if (!take(call, ','))
        return fail_usage(call, row);
    skip_blanks(call);
    size_t end = call->at;
    while (end < call->text.n && call->text.p[end] != ')' && call->text.p[end] != ' ')
        end++;
    size_t width = end - call->at;
    struct value number = value_from_decimal(slice_of(call->text.p + call->at, width));
    if (row->kind == MEASURE_TOP) {
        if (number.kind != VALUE_INT || number.i < 1 || number.i > 100)
            return fail(call, width, "how many: a whole number from 1 to 100%s", "");
        measure->top = (uint32_t)number.i;
    } else {
        if (number.kind != VALUE_NUMBER || number.d <= 0 || number.d >= 1)
            return fail(call, width, "which share: a number between 0 and 1, such as 0.95%s", "");
        measure->quantile = number.d;
    }
    call->at = end;
    return true;
}

bool domain_read_measure(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                         struct window_measure *out)
{
    struct call call = { .reader = reader, .node = value };
    struct window_measure measure = { 0 };
    if (!domain_name(reader, key, key, &measure.name))
        return false;
    if (!yaml_scalar(value, &call.text) || !call.text.n) {
        yaml_problem_at(&reader->file, key, "a measure is written as `name: count()` or `name: sum(properties.x)`");
        return false;
    }
    const struct measure_row *row = take_name(&call);
    if (!row)
        return false;
    measure.kind = row->kind;
    if (!take(&call, '('))
        return fail_usage(&call, row);
    if (row->kind == MEASURE_COUNT && !take(&call, ')'))
        return fail(&call, 1, "count() takes nothing; what is counted is said by where, or sum(if(%s, 1, 0))", "…");
    if (row->takes && (!take_argument(&call, row, &measure) || (row->number && !take_number(&call, row, &measure))))
        return false;
    if (row->takes && !take(&call, ')'))
        return fail_usage(&call, row);
    skip_blanks(&call);
    if (call.at < call.text.n)
        return fail(&call, call.text.n - call.at,
                    "a measure is one call, such as %s; what it works on is an expression", row->usage);
    *out = measure;
    return true;
}
