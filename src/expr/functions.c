/* The functions as a table: the parser checks arguments against it, the documentation is printed from it. */
#include "expr/functions.h"

#include "expr/expr_inside.h"

static struct value call_cents(const struct value *a, size_t count, struct arena *arena)
{
    (void)count;
    (void)arena;
    return expr_cents(a[0]);
}

#define ANY (TYPE_BOOL | TYPE_NUMERIC | TYPE_TEXT)
#define TIME (TYPE_INT | TYPE_TEXT)

const struct function EXPR_FUNCTIONS[] = {
    { "lower", 1, 1, { TYPE_TEXT }, TYPE_TEXT, function_lower, "lower(text)", "A to Z become a to z" },
    { "upper", 1, 1, { TYPE_TEXT }, TYPE_TEXT, function_upper, "upper(text)", "a to z become A to Z" },
    { "length", 1, 1, { TYPE_TEXT }, TYPE_INT, function_length, "length(text)", "characters" },
    { "substr",
      2,
      3,
      { TYPE_TEXT, TYPE_INT, TYPE_INT },
      TYPE_TEXT,
      function_substr,
      "substr(text, from, count)",
      "part of a text; the first character is 1, without count up to the end" },
    { "concat",
      1,
      FUNCTION_ARGUMENTS_MAX,
      { ANY },
      TYPE_TEXT,
      function_concat,
      "concat(a, b, …)",
      "texts, numbers and truths behind one another" },
    { "starts_with", 2, 2, { TYPE_TEXT }, TYPE_BOOL, function_starts_with, "starts_with(text, part)", "" },
    { "ends_with", 2, 2, { TYPE_TEXT }, TYPE_BOOL, function_ends_with, "ends_with(text, part)", "" },
    { "contains", 2, 2, { TYPE_TEXT }, TYPE_BOOL, function_contains, "contains(text, part)", "" },
    { "coalesce",
      1,
      FUNCTION_ARGUMENTS_MAX,
      { TYPE_ANY },
      TYPE_ANY,
      NULL,
      "coalesce(a, b, …)",
      "the first that is not null" },
    { "if",
      3,
      3,
      { TYPE_BOOL, TYPE_ANY },
      TYPE_ANY,
      NULL,
      "if(condition, a, b)",
      "a when the condition is true, else b" },
    { "lookup",
      3,
      FUNCTION_ARGUMENTS_MAX,
      { TYPE_TEXT, ANY, TYPE_TEXT },
      TYPE_ANY,
      NULL,
      "lookup('table', key, 'column')",
      "what the dimension table says of the key at the event's time; null when nothing" },
    { "abs", 1, 1, { TYPE_NUMERIC }, TYPE_NUMERIC, function_abs, "abs(number)", "without its sign" },
    { "round",
      1,
      2,
      { TYPE_NUMERIC, TYPE_INT },
      TYPE_NUMERIC,
      function_round,
      "round(number, digits)",
      "halves away from zero; without digits to a whole number" },
    { "floor", 1, 1, { TYPE_NUMERIC }, TYPE_INT, function_floor, "floor(number)", "the whole number at or below" },
    { "ceil", 1, 1, { TYPE_NUMERIC }, TYPE_INT, function_ceil, "ceil(number)", "the whole number at or above" },
    { "min", 2, FUNCTION_ARGUMENTS_MAX, { ANY }, ANY, function_min, "min(a, b, …)", "the least" },
    { "max", 2, FUNCTION_ARGUMENTS_MAX, { ANY }, ANY, function_max, "max(a, b, …)", "the greatest" },
    { "int",
      1,
      1,
      { ANY },
      TYPE_INT,
      function_int,
      "int(x)",
      "text, truth or number as a whole number; a fraction is cut off" },
    { "number", 1, 1, { ANY }, TYPE_NUMERIC, function_number, "number(x)", "text or truth as a number" },
    { "text", 1, 1, { ANY }, TYPE_TEXT, function_text, "text(x)", "number or truth as text" },
    { "cents",
      1,
      1,
      { TYPE_NUMERIC | TYPE_TEXT },
      TYPE_INT,
      call_cents,
      "cents(amount)",
      "19.99 becomes 1999, exactly; half cents away from zero" },
    { "host",
      1,
      1,
      { TYPE_TEXT },
      TYPE_TEXT,
      function_host,
      "host(url)",
      "https://a.example:80/b?c becomes a.example" },
    { "path",
      1,
      1,
      { TYPE_TEXT },
      TYPE_TEXT,
      function_path,
      "path(url)",
      "/b; a text without a host is a path already" },
    { "query",
      2,
      2,
      { TYPE_TEXT },
      TYPE_TEXT,
      function_query,
      "query(url, 'utm_source')",
      "the first value of that name behind the question mark, decoded" },
    { "hour", 1, 1, { TIME }, TYPE_INT, function_hour, "hour(time)", "0 to 23, UTC; of timestamp or of an ISO text" },
    { "day", 1, 1, { TIME }, TYPE_TEXT, function_day, "day(time)", "'2026-01-31', UTC" },
};
const size_t EXPR_FUNCTION_COUNT = COUNT_OF(EXPR_FUNCTIONS);

int expr_function_find(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(EXPR_FUNCTIONS); i++)
        if (slice_equal(slice_from(EXPR_FUNCTIONS[i].name), name))
            return (int)i;
    return -1;
}

bool expr_function_at(size_t index, struct expr_function_help *out)
{
    if (index >= COUNT_OF(EXPR_FUNCTIONS))
        return false;
    *out = (struct expr_function_help){ EXPR_FUNCTIONS[index].usage, EXPR_FUNCTIONS[index].help,
                                        EXPR_FUNCTIONS[index].call != NULL };
    return true;
}
