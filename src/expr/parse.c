/* Recursive descent, the loosest binding first; operations are written as soon as their operands are, so the program is
 * in the order of evaluation. The recursion is bounded by EXPR_DEPTH_MAX, and happens at start only. */
#include <stdio.h>

#include "expr/parser.h"

#define EACH_OPERAND_AT_ONCE 64 /* operands of one run of the same operator cost no depth */

static bool parse_or(struct parser *parser, struct operand *out);

/* ---- tokens ---- */

static void advance(struct parser *parser)
{
    parser->last_end = parser->token.at + parser->token.text.n;
    parser->token = lexer_next(&parser->lexer);
}

static bool accept(struct parser *parser, const char *word)
{
    if (!token_is(&parser->token, word))
        return false;
    advance(parser);
    return true;
}

static bool fail_here(struct parser *parser, const char *wanted)
{
    const struct token *token = &parser->token;
    size_t end = token->at + token->text.n;
    if (token->kind == TOKEN_BAD)
        return parse_fail(parser, token->at, end, "%s", parser->lexer.problem);
    if (token->kind == TOKEN_END)
        return parse_fail(parser, token->at, end, "%s is missing at the end", wanted);
    return parse_fail(parser, token->at, end, "expected %s, not %.*s", wanted,
                      (int)(token->text.n < 40 ? token->text.n : 40), token->text.p);
}

static bool expect(struct parser *parser, const char *sign, const char *wanted)
{
    return accept(parser, sign) || fail_here(parser, wanted);
}

static void end_operand(const struct parser *parser, struct operand *operand, unsigned types)
{
    operand->types = types;
    operand->end = parser->last_end;
}

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
    if (accept(parser, ".")) {
        if (parser->token.kind != TOKEN_NAME)
            return fail_here(parser, "a name behind the point (others are written ['as text'])");
        *out = parser->token.text;
        advance(parser);
        return true;
    }
    struct value text;
    if (!accept(parser, "["))
        return false;
    if (parser->token.kind != TOKEN_STRING)
        return fail_here(parser, "a name in quotes");
    if (!unquoted(parser, &parser->token, &text))
        return false;
    *out = value_slice(text);
    advance(parser);
    return expect(parser, "]", "]");
}

static bool parse_field(struct parser *parser, const struct token *name, struct operand *out)
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
    } while (accept(parser, ","));
    for (size_t i = 0; i + 1 < count; i++)
        land(parser, jumps[i]);
    if (!expect(parser, ")", ")"))
        return false;
    end_operand(parser, out, types);
    return true;
}

static bool parse_if(struct parser *parser, struct operand *out)
{
    struct operand condition, yes, no;
    uint16_t to_no, to_end;
    if (!parse_or(parser, &condition) || !check_types(parser, "if", TYPE_BOOL, &condition) ||
        !expect(parser, ",", ", and what it is when true") || !emit_jump(parser, OP_JUMP_UNLESS, 1, &to_no) ||
        !parse_or(parser, &yes) || !expect(parser, ",", ", and what it is otherwise") ||
        !emit_jump(parser, OP_JUMP, 1, &to_end))
        return false;
    land(parser, to_no);
    if (!parse_or(parser, &no) || !expect(parser, ")", ")"))
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
    advance(parser);
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
        if (!expect(parser, ",", ", and the key") || !parse_or(parser, &key) || !lookup_takes(parser, table, i, &key))
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
    if (!expect(parser, ",", ", and a column's name") || !take_string(parser, "a column's name in quotes", &token))
        return false;
    if (token_is(&parser->token, ","))
        return lookup_usage(parser, table, &parser->token);
    if (!lookup_column_named(parser, &token, table, &column) || !expect(parser, ")", ")"))
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
        if (!accept(parser, ","))
            break;
    }
    if (!expect(parser, ")", ", or )"))
        return false;
    if (count < function->least)
        return wrong_count(parser, function, name);
    /* Any function can give null: a text too long, a number too large. */
    end_operand(parser, out, (whole ? (unsigned)TYPE_INT : function->gives) | TYPE_NULL);
    return emit(parser, (struct op){ OP_CALL, (uint16_t)count, (uint16_t)index }, (unsigned)count, 1);
}

static bool parse_call(struct parser *parser, const struct token *name, struct operand *out)
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

/* ---- operands ---- */

static bool parse_number(struct parser *parser, const struct token *token, struct operand *out)
{
    struct slice digits = arena_copy(parser->arena, token->text);
    if (!digits.p)
        return parse_full(parser, token->at, token->at + token->text.n, "too much text in all expressions together");
    struct value value = value_from_decimal(digits);
    if (value_is_null(value))
        return parse_fail(parser, token->at, token->at + token->text.n, "this number is too large");
    end_operand(parser, out, 1u << value.kind);
    return emit_constant(parser, value);
}

static bool parse_string(struct parser *parser, const struct token *token, struct operand *out)
{
    struct value value;
    end_operand(parser, out, TYPE_TEXT);
    return unquoted(parser, token, &value) && emit_constant(parser, value);
}

static bool is_keyword(const struct token *token)
{
    static const char *const WORDS[] = { "and", "or", "not", "in", "is", "matches" };
    for (size_t i = 0; i < COUNT_OF(WORDS); i++)
        if (token_is(token, WORDS[i]))
            return true;
    return false;
}

static bool parse_word(struct parser *parser, const struct token *token, struct operand *out)
{
    if (accept(parser, "("))
        return parse_call(parser, token, out);
    if (token_is(token, "true") || token_is(token, "false")) {
        end_operand(parser, out, TYPE_BOOL);
        return emit_constant(parser, value_bool(token_is(token, "true")));
    }
    if (token_is(token, "null")) {
        end_operand(parser, out, TYPE_NULL);
        return emit_constant(parser, value_null(REASON_MISSING));
    }
    return parse_field(parser, token, out);
}

static bool parse_primary(struct parser *parser, struct operand *out)
{
    struct token token = parser->token;
    out->at = token.at;
    if (is_keyword(&token))
        return fail_here(parser, "a value");
    if (accept(parser, "(")) {
        if (!parse_or(parser, out) || !expect(parser, ")", ")"))
            return false;
        out->end = parser->last_end;
        return true;
    }
    switch (token.kind) {
    case TOKEN_NUMBER:
        advance(parser);
        return parse_number(parser, &token, out);
    case TOKEN_STRING:
        advance(parser);
        return parse_string(parser, &token, out);
    case TOKEN_NAME:
        advance(parser);
        return parse_word(parser, &token, out);
    case TOKEN_END:
    case TOKEN_SIGN:
    case TOKEN_BAD:
        break;
    }
    return fail_here(parser, "a value");
}

/* -9223372036854775808 is a whole number, although 9223372036854775808 is not. */
static bool parse_negative_number(struct parser *parser, struct operand *out)
{
    struct token token = parser->token;
    char room[64];
    if (token.kind != TOKEN_NUMBER || token.text.n + 1 > sizeof room)
        return false;
    room[0] = '-';
    memcpy(room + 1, token.text.p, token.text.n);
    advance(parser);
    token.text = slice_of(room, token.text.n + 1);
    return parse_number(parser, &token, out);
}

static bool parse_unary(struct parser *parser, struct operand *out)
{
    size_t at = parser->token.at;
    if (!accept(parser, "-")) {
        if (parser->depth == EXPR_DEPTH_MAX)
            return parse_fail(parser, at, at + 1, "brackets and functions may lie %d deep within one another",
                              EXPR_DEPTH_MAX);
        parser->depth++;
        bool fine = parse_primary(parser, out);
        parser->depth--;
        return fine;
    }
    if (parser->token.kind == TOKEN_NUMBER) {
        bool fine = parse_negative_number(parser, out);
        out->at = at;
        return fine || fail_here(parser, "a shorter number");
    }
    if (parser->token.kind == TOKEN_SIGN && token_is(&parser->token, "-"))
        return fail_here(parser, "one minus at most");
    if (!parse_unary(parser, out) || !check_types(parser, "-", TYPE_NUMERIC, out))
        return false;
    out->at = at;
    out->types = (out->types & TYPE_NUMERIC) | TYPE_NULL;
    return emit(parser, (struct op){ .code = OP_NEGATE }, 1, 1);
}

/* ---- operators ---- */

static bool emit_arithmetic(struct parser *parser, enum op_code code, struct operand *left, const struct operand *right,
                            const char *sign)
{
    if (code == OP_ADD && (left->types == TYPE_TEXT || right->types == TYPE_TEXT))
        return parse_fail(parser, left->at, right->end, "+ takes numbers; texts are joined by concat(a, b)");
    if (!check_types(parser, sign, TYPE_NUMERIC, left) || !check_types(parser, sign, TYPE_NUMERIC, right))
        return false;
    bool whole = left->types == TYPE_INT && right->types == TYPE_INT && code != OP_DIVIDE;
    left->types = (whole ? TYPE_INT : code == OP_DIVIDE ? TYPE_NUMBER : TYPE_NUMERIC) | TYPE_NULL;
    left->end = right->end;
    return emit(parser, (struct op){ .code = (uint8_t)code }, 2, 1);
}

static bool parse_product(struct parser *parser, struct operand *out)
{
    static const char *const SIGNS[] = { "*", "/", "%" };
    static const enum op_code CODES[] = { OP_MULTIPLY, OP_DIVIDE, OP_REMAINDER };
    if (!parse_unary(parser, out))
        return false;
    for (size_t i = 0; i < COUNT_OF(SIGNS);) {
        struct operand right;
        if (!accept(parser, SIGNS[i])) {
            i++;
            continue;
        }
        if (!parse_unary(parser, &right) || !emit_arithmetic(parser, CODES[i], out, &right, SIGNS[i]))
            return false;
        i = 0;
    }
    return true;
}

static bool parse_sum(struct parser *parser, struct operand *out)
{
    if (!parse_product(parser, out))
        return false;
    for (;;) {
        struct operand right;
        bool add = accept(parser, "+");
        if (!add && !accept(parser, "-"))
            return true;
        if (!parse_product(parser, &right) ||
            !emit_arithmetic(parser, add ? OP_ADD : OP_SUBTRACT, out, &right, add ? "+" : "-"))
            return false;
    }
}

static bool parse_list(struct parser *parser, struct operand *left)
{
    uint16_t count = 0;
    if (!expect(parser, "(", "( and the values behind `in`"))
        return false;
    do {
        struct operand item;
        if (!parse_sum(parser, &item))
            return false;
        unsigned a = left->types | (left->types & TYPE_NUMERIC ? TYPE_NUMERIC : 0);
        if (!(a & item.types & ~(unsigned)TYPE_NULL) && item.types != TYPE_NULL && left->types != TYPE_NULL)
            return parse_fail(parser, item.at, item.end, "%s is never %s", value_types_text(left->types),
                              value_types_text(item.types));
        count++;
    } while (accept(parser, ","));
    if (!expect(parser, ")", ", or )"))
        return false;
    return emit(parser, (struct op){ .code = OP_IN, .count = count }, count + 1u, 1);
}

static bool parse_pattern(struct parser *parser, const struct operand *left)
{
    struct value pattern;
    struct token token = parser->token;
    if (!check_types(parser, "matches", TYPE_TEXT, left))
        return false;
    if (token.kind != TOKEN_STRING)
        return fail_here(parser, "a pattern in quotes, such as '/blog/*'");
    if (token.text.n > 256)
        return parse_fail(parser, token.at, token.at + token.text.n, "a pattern has at most 254 bytes");
    if (!unquoted(parser, &token, &pattern))
        return false;
    advance(parser);
    uint16_t at = parser->constant_count;
    if (at == EXPR_NODES_MAX)
        return parse_fail(parser, token.at, token.at + 1, "this expression is too long");
    parser->constants[parser->constant_count++] = pattern;
    return emit(parser, (struct op){ .code = OP_MATCHES, .at = at }, 1, 1);
}

static bool parse_is(struct parser *parser)
{
    bool negated = accept(parser, "not");
    if (!expect(parser, "null", "`is null` or `is not null`") || !emit(parser, (struct op){ .code = OP_IS_NULL }, 1, 1))
        return false;
    return !negated || emit(parser, (struct op){ .code = OP_NOT }, 1, 1);
}

/* 0: not a comparison. */
static bool take_comparison(struct parser *parser, enum op_code *out)
{
    static const struct {
        const char *sign;
        enum op_code code;
    } SIGNS[] = { { "==", OP_EQUAL },      { "=", OP_EQUAL }, { "!=", OP_NOT_EQUAL },     { "<>", OP_NOT_EQUAL },
                  { "<=", OP_LESS_EQUAL }, { "<", OP_LESS },  { ">=", OP_GREATER_EQUAL }, { ">", OP_GREATER } };
    for (size_t i = 0; i < COUNT_OF(SIGNS); i++)
        if (accept(parser, SIGNS[i].sign)) {
            *out = SIGNS[i].code;
            return true;
        }
    return false;
}

static bool parse_comparison(struct parser *parser, struct operand *out)
{
    enum op_code code;
    struct operand right;
    if (!parse_sum(parser, out))
        return false;
    bool negated = false, fine;
    if (take_comparison(parser, &code)) {
        fine = parse_sum(parser, &right) && emit_comparison(parser, code, out, &right);
    } else if (accept(parser, "is")) {
        fine = parse_is(parser);
    } else {
        negated = accept(parser, "not");
        if (accept(parser, "in"))
            fine = parse_list(parser, out);
        else if (accept(parser, "matches"))
            fine = parse_pattern(parser, out);
        else
            return !negated || fail_here(parser, "`in` or `matches` behind this `not`");
    }
    if (fine && negated)
        fine = emit(parser, (struct op){ .code = OP_NOT }, 1, 1);
    end_operand(parser, out, TYPE_BOOL | TYPE_NULL);
    return fine;
}

static bool parse_not(struct parser *parser, struct operand *out)
{
    size_t at = parser->token.at;
    unsigned count = 0;
    while (accept(parser, "not") || accept(parser, "!"))
        count++;
    if (!parse_comparison(parser, out) || (count && !check_types(parser, "not", TYPE_BOOL, out)))
        return false;
    if (count)
        *out = (struct operand){ TYPE_BOOL | TYPE_NULL, at, out->end };
    /* Two of them are not nothing: what is no truth becomes null. */
    for (unsigned i = 0; i < (count ? 2 - count % 2 : 0); i++)
        if (!emit(parser, (struct op){ .code = OP_NOT }, 1, 1))
            return false;
    return true;
}

/* A run of `and`: when one side decides, the rest is jumped over. */
static bool parse_run(struct parser *parser, struct operand *out, bool is_or)
{
    const char *word = is_or ? "or" : "and", *sign = is_or ? "||" : "&&";
    uint16_t jumps[EACH_OPERAND_AT_ONCE];
    size_t count = 0;
    if (!(is_or ? parse_run(parser, out, false) : parse_not(parser, out)))
        return false;
    while (accept(parser, word) || accept(parser, sign)) {
        struct operand right;
        if (count == EACH_OPERAND_AT_ONCE)
            return fail_here(parser, "fewer parts: `in (…)` takes many values at once");
        if (!check_types(parser, word, TYPE_BOOL, out) ||
            !emit_jump(parser, is_or ? OP_JUMP_IF_TRUE : OP_JUMP_IF_FALSE, 0, &jumps[count++]) ||
            !(is_or ? parse_run(parser, &right, false) : parse_not(parser, &right)) ||
            !check_types(parser, word, TYPE_BOOL, &right) ||
            !emit(parser, (struct op){ .code = is_or ? OP_OR : OP_AND }, 2, 1))
            return false;
        *out = (struct operand){ TYPE_BOOL | TYPE_NULL, out->at, right.end };
    }
    for (size_t i = 0; i < count; i++)
        land(parser, jumps[i]);
    return true;
}

static bool parse_or(struct parser *parser, struct operand *out)
{
    return parse_run(parser, out, true);
}

/* ---- whole expressions ---- */

static const struct expr *finish(struct parser *parser, unsigned types)
{
    size_t ops_bytes = parser->op_count * sizeof(struct op),
           constants_bytes = parser->constant_count * sizeof(struct value),
           lookups_bytes = parser->lookup_count * sizeof(struct expr_lookup);
    struct expr *expr = arena_take(parser->arena, sizeof *expr);
    struct op *ops = arena_take(parser->arena, ops_bytes);
    struct value *constants = arena_take(parser->arena, constants_bytes ? constants_bytes : 1);
    struct expr_lookup *lookups = arena_take(parser->arena, lookups_bytes ? lookups_bytes : 1);
    if (!expr || !ops || !constants || !lookups) {
        parse_full(parser, 0, parser->last_end, "too much text in all expressions together");
        return NULL;
    }
    memcpy(ops, parser->ops, ops_bytes);
    if (constants_bytes)
        memcpy(constants, parser->constants, constants_bytes);
    if (lookups_bytes)
        memcpy(lookups, parser->lookups, lookups_bytes);
    *expr = (struct expr){ ops, constants, lookups, parser->op_count, parser->constant_count, types };
    assert(parser->stack == 1);
    return expr;
}

static enum status parse(struct parser *parser, struct slice text, bool argument, const struct expr **out)
{
    struct operand result = { 0 };
    if (text.n > EXPR_TEXT_MAX) {
        parse_fail(parser, 0, 1, "an expression has at most %d bytes", EXPR_TEXT_MAX);
        return parser->status;
    }
    advance(parser);
    if (!parse_or(parser, &result))
        return parser->status;
    bool ends = parser->token.kind == TOKEN_END ||
                (argument && (token_is(&parser->token, ",") || token_is(&parser->token, ")")));
    if (!ends) {
        fail_here(parser, argument ? ", or )" : "an operator or the end");
        return parser->status;
    }
    const struct expr *expr = finish(parser, result.types);
    if (expr)
        *out = expr;
    return parser->status;
}

enum status expr_parse(struct slice text, struct field_plan *plan, struct arena *arena, const struct expr **out,
                       struct expr_problem *problem)
{
    struct parser parser;
    parser = (struct parser){ .lexer = { .text = text }, .plan = plan, .arena = arena, .problem = problem };
    return parse(&parser, text, false, out);
}

enum status expr_parse_argument(struct slice text, size_t *io_at, struct field_plan *plan, struct arena *arena,
                                const struct expr **out, struct expr_problem *problem)
{
    struct parser parser;
    assert(*io_at <= text.n);
    parser =
        (struct parser){ .lexer = { .text = text, .at = *io_at }, .plan = plan, .arena = arena, .problem = problem };
    enum status s = parse(&parser, text, true, out);
    if (s == OK)
        *io_at = parser.token.at;
    return s;
}

unsigned expr_types(const struct expr *expr)
{
    return expr->types;
}

int expr_field(const struct expr *expr)
{
    return expr->op_count == 1 && expr->ops[0].code == OP_FIELD ? expr->ops[0].at : -1;
}
