/* What a name stands for: a field of the event, or a function and what is in its brackets. Names that are not there are
 * told with the one that was probably meant. */
#include "expr/parser.h"

/* ---- fields ---- */

static const char *closest_source(struct slice name)
{
    const char *best = NULL;
    size_t least = name.n / 3 + 2;
    for (unsigned i = 0; i < FIELD_SOURCES; i++) {
        const char *known = field_source_name((enum field_source)i);
        size_t distance = slice_distance(name, slice_from(known));
        if (distance < least) {
            least = distance;
            best = known;
        }
    }
    return best;
}

static bool unknown_name(struct parser *parser, const struct token *name)
{
    const char *closest = closest_source(name->text);
    size_t end = name->at + name->text.n;
    if (closest)
        return parse_fail(parser, name->at, end, "there is no field %.*s; did you mean %s?", SLICE_ARG(name->text),
                          closest);
    return parse_fail(parser, name->at, end,
                      "there is no field %.*s; what an event brings along is properties.%.*s, text stands in quotes",
                      SLICE_ARG(name->text), SLICE_ARG(name->text));
}

static bool take_name(struct parser *parser, struct slice *out)
{
    if (take_word(parser, ".")) {
        if (parser->token.kind != TOKEN_NAME)
            return fail_here(parser, "a name behind the point (others are written ['as text'])");
        *out = parser->token.text;
        next_token(parser);
        return true;
    }
    struct value text;
    if (!take_word(parser, "["))
        return false;
    if (parser->token.kind != TOKEN_STRING)
        return fail_here(parser, "a name in quotes");
    if (!unquoted(parser, &parser->token, &text))
        return false;
    *out = value_slice(text);
    next_token(parser);
    return expect_word(parser, "]", "]");
}

bool parse_field(struct parser *parser, const struct token *name, struct operand *out)
{
    enum field_source source = field_source_find(name->text);
    struct slice names[FIELD_DEPTH_MAX];
    size_t count = 0, index;
    if (source == FIELD_SOURCES)
        return unknown_name(parser, name);
    while (token_is(&parser->token, ".") || token_is(&parser->token, "[")) {
        if (source < FIELD_PROPERTIES)
            return parse_fail(parser, parser->token.at, parser->token.at + 1,
                              "%s has no parts; properties and context do", field_source_name(source));
        if (count == FIELD_DEPTH_MAX)
            return parse_fail(parser, name->at, parser->token.at, "a path has at most %d names", FIELD_DEPTH_MAX);
        if (!take_name(parser, &names[count]))
            return false;
        if (names[count].n == 0 || names[count].n > FIELD_NAME_MAX)
            return parse_fail(parser, name->at, parser->last_end, "a name has 1 to %d bytes", FIELD_NAME_MAX);
        count++;
    }
    if (field_plan_add(parser->plan, source, names, count, &index) != OK)
        return parse_full(parser, name->at, parser->last_end, "too many different fields in all expressions together");
    end_operand(parser, out, count ? TYPE_ANY : field_source_types(source));
    return emit(parser, (struct op){ .code = OP_FIELD, .at = (uint16_t)index }, 0, 1);
}

/* ---- functions ---- */

static bool unknown_function(struct parser *parser, const struct token *name)
{
    const char *best = NULL;
    size_t least = name->text.n / 3 + 2;
    for (size_t i = 0; i < EXPR_FUNCTION_COUNT; i++) {
        size_t distance = slice_distance(name->text, slice_from(EXPR_FUNCTIONS[i].name));
        if (distance < least) {
            least = distance;
            best = EXPR_FUNCTIONS[i].name;
        }
    }
    return parse_fail(parser, name->at, name->at + name->text.n, "there is no function %.*s%s%s%s",
                      SLICE_ARG(name->text), best ? "; did you mean " : "; docs/domains.md lists them",
                      best ? best : "", best ? "?" : "");
}

/* coalesce: each argument but the last is kept when it has a value. */
static bool parse_coalesce(struct parser *parser, struct operand *out)
{
    uint16_t jumps[FUNCTION_ARGUMENTS_MAX];
    size_t count = 0;
    unsigned types = 0;
    do {
        struct operand argument;
        if (count == FUNCTION_ARGUMENTS_MAX)
            return fail_here(parser, "fewer arguments: at most 16");
        if (!parse_or(parser, &argument))
            return false;
        types = (types & ~(unsigned)TYPE_NULL) | argument.types;
        if (!token_is(&parser->token, ",") && !token_is(&parser->token, ")"))
            return fail_here(parser, ", or )");
        if (token_is(&parser->token, ",") && !emit_jump(parser, OP_JUMP_IF_VALUE, 1, &jumps[count]))
            return false;
        count++;
    } while (take_word(parser, ","));
    for (size_t i = 0; i + 1 < count; i++)
        land(parser, jumps[i]);
    if (!expect_word(parser, ")", ")"))
        return false;
    end_operand(parser, out, types);
    return true;
}

static bool parse_if(struct parser *parser, struct operand *out)
{
    struct operand condition, yes, no;
    uint16_t to_no, to_end;
    if (!parse_or(parser, &condition) || !check_types(parser, "if", TYPE_BOOL, &condition) ||
        !expect_word(parser, ",", ", and what it is when true") || !emit_jump(parser, OP_JUMP_UNLESS, 1, &to_no) ||
        !parse_or(parser, &yes) || !expect_word(parser, ",", ", and what it is otherwise") ||
        !emit_jump(parser, OP_JUMP, 1, &to_end))
        return false;
    land(parser, to_no);
    if (!parse_or(parser, &no) || !expect_word(parser, ")", ")"))
        return false;
    land(parser, to_end);
    end_operand(parser, out, yes.types | no.types);
    return true;
}

static bool take_string(struct parser *parser, const char *wanted, struct token *out)
{
    if (parser->token.kind != TOKEN_STRING)
        return fail_here(parser, wanted);
    *out = parser->token;
    next_token(parser);
    return true;
}

/* As many as its table has columns in its key; that is said, since a column's name looks like one more. */
static bool parse_keys(struct parser *parser, const struct lookup_table *table)
{
    bool one = table->key_count == table->by_tenant + 1;
    for (size_t i = table->by_tenant; i < table->key_count; i++) {
        struct operand key;
        struct token next = parser->token;
        if (!token_is(&next, ",") && !one)
            return lookup_usage(parser, table, &next);
        if (!expect_word(parser, ",", ", and the key") || !parse_or(parser, &key) ||
            !lookup_takes(parser, table, i, &key))
            return false;
    }
    return true;
}

static bool parse_lookup(struct parser *parser, struct operand *out)
{
    struct token token;
    const struct lookup_table *table;
    size_t column;
    if (!take_string(parser, "a dimension table's name in quotes", &token) ||
        !lookup_table_named(parser, &token, &table) || !emit_tenant(parser, table) || !parse_keys(parser, table))
        return false;
    token = parser->token;
    if (token_is(&token, ")") && table->key_count > table->by_tenant + 1u)
        return lookup_usage(parser, table, &token);
    if (!expect_word(parser, ",", ", and a column's name") || !take_string(parser, "a column's name in quotes", &token))
        return false;
    if (token_is(&parser->token, ","))
        return lookup_usage(parser, table, &parser->token);
    if (!lookup_column_named(parser, &token, table, &column) || !expect_word(parser, ")", ")"))
        return false;
    end_operand(parser, out, table->columns[column].types);
    return emit_lookup(parser, table, column);
}

static bool wrong_count(struct parser *parser, const struct function *function, const struct token *name)
{
    return parse_fail(parser, name->at, parser->last_end, "write it as %s", function->usage);
}

static unsigned taken(const struct function *function, size_t argument)
{
    size_t at = argument;
    while (at > 0 && (at >= COUNT_OF(function->takes) || !function->takes[at]))
        at--;
    return function->takes[at];
}

static bool parse_arguments(struct parser *parser, int index, const struct token *name, struct operand *out)
{
    const struct function *function = &EXPR_FUNCTIONS[index];
    size_t count = 0;
    bool whole = function->gives == TYPE_NUMERIC;
    while (!token_is(&parser->token, ")")) {
        struct operand argument;
        if (count == function->most)
            return wrong_count(parser, function, name);
        if (!parse_or(parser, &argument) || !check_types(parser, function->name, taken(function, count), &argument))
            return false;
        whole &= argument.types == TYPE_INT;
        count++;
        if (!take_word(parser, ","))
            break;
    }
    if (!expect_word(parser, ")", ", or )"))
        return false;
    if (count < function->least)
        return wrong_count(parser, function, name);
    /* Any function can give null: a text too long, a number too large. */
    end_operand(parser, out, (whole ? (unsigned)TYPE_INT : function->gives) | TYPE_NULL);
    return emit(parser, (struct op){ OP_CALL, (uint16_t)count, (uint16_t)index }, (unsigned)count, 1);
}

bool parse_call(struct parser *parser, const struct token *name, struct operand *out)
{
    int index = expr_function_find(name->text);
    if (index < 0)
        return unknown_function(parser, name);
    if (token_is(&parser->token, ")"))
        return wrong_count(parser, &EXPR_FUNCTIONS[index], name);
    if (EXPR_FUNCTIONS[index].call)
        return parse_arguments(parser, index, name, out);
    if (slice_equal(name->text, SLICE("lookup")))
        return parse_lookup(parser, out);
    return slice_equal(name->text, SLICE("if")) ? parse_if(parser, out) : parse_coalesce(parser, out);
}
