/* Recursive descent, the loosest binding first; operations are written as soon as their operands are, so the program is
 * in the order of evaluation. The recursion is bounded by EXPR_DEPTH_MAX, and happens at start only. */
#include "expr/parser.h"

#define EACH_OPERAND_AT_ONCE 64 /* operands of one run of the same operator cost no depth */

/* ---- tokens ---- */

void next_token(struct parser *parser)
{
    parser->last_end = parser->token.at + parser->token.text.n;
    parser->token = lexer_next(&parser->lexer);
}

bool take_word(struct parser *parser, const char *word)
{
    if (!token_is(&parser->token, word))
        return false;
    next_token(parser);
    return true;
}

bool fail_here(struct parser *parser, const char *wanted)
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

bool expect_word(struct parser *parser, const char *sign, const char *wanted)
{
    return take_word(parser, sign) || fail_here(parser, wanted);
}

void end_operand(const struct parser *parser, struct operand *operand, unsigned types)
{
    operand->types = types;
    operand->end = parser->last_end;
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
    if (take_word(parser, "("))
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
    if (take_word(parser, "(")) {
        if (!parse_or(parser, out) || !expect_word(parser, ")", ")"))
            return false;
        out->end = parser->last_end;
        return true;
    }
    switch (token.kind) {
    case TOKEN_NUMBER:
        next_token(parser);
        return parse_number(parser, &token, out);
    case TOKEN_STRING:
        next_token(parser);
        return parse_string(parser, &token, out);
    case TOKEN_NAME:
        next_token(parser);
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
    next_token(parser);
    token.text = slice_of(room, token.text.n + 1);
    return parse_number(parser, &token, out);
}

static bool parse_unary(struct parser *parser, struct operand *out)
{
    size_t at = parser->token.at;
    if (!take_word(parser, "-")) {
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
        if (!take_word(parser, SIGNS[i])) {
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
        bool add = take_word(parser, "+");
        if (!add && !take_word(parser, "-"))
            return true;
        if (!parse_product(parser, &right) ||
            !emit_arithmetic(parser, add ? OP_ADD : OP_SUBTRACT, out, &right, add ? "+" : "-"))
            return false;
    }
}

static bool parse_list(struct parser *parser, struct operand *left)
{
    uint16_t count = 0;
    if (!expect_word(parser, "(", "( and the values behind `in`"))
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
    } while (take_word(parser, ","));
    if (!expect_word(parser, ")", ", or )"))
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
    next_token(parser);
    uint16_t at = parser->constant_count;
    if (at == EXPR_NODES_MAX)
        return parse_fail(parser, token.at, token.at + 1, "this expression is too long");
    parser->constants[parser->constant_count++] = pattern;
    return emit(parser, (struct op){ .code = OP_MATCHES, .at = at }, 1, 1);
}

static bool parse_is(struct parser *parser)
{
    bool negated = take_word(parser, "not");
    if (!expect_word(parser, "null", "`is null` or `is not null`") ||
        !emit(parser, (struct op){ .code = OP_IS_NULL }, 1, 1))
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
        if (take_word(parser, SIGNS[i].sign)) {
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
    } else if (take_word(parser, "is")) {
        fine = parse_is(parser);
    } else {
        negated = take_word(parser, "not");
        if (take_word(parser, "in"))
            fine = parse_list(parser, out);
        else if (take_word(parser, "matches"))
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
    while (take_word(parser, "not") || take_word(parser, "!"))
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
    while (take_word(parser, word) || take_word(parser, sign)) {
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

bool parse_or(struct parser *parser, struct operand *out)
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
    next_token(parser);
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
