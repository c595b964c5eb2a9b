/* Building the program. The depth of the stack is followed while operations are added, so that evaluation needs no
 * check. */
#include <stdarg.h>
#include <stdio.h>

#include "expr/parser.h"

bool parse_fail(struct parser *parser, size_t at, size_t end, const char *format, ...)
{
    if (parser->status != OK)
        return false;
    va_list arguments;
    parser->status = ERR_INVALID;
    parser->problem->at = at;
    parser->problem->width = end > at ? end - at : 1;
    va_start(arguments, format);
    vsnprintf(parser->problem->text, sizeof parser->problem->text, format, arguments);
    va_end(arguments);
    return false;
}

bool parse_full(struct parser *parser, size_t at, size_t end, const char *text)
{
    if (parser->status == OK) {
        parse_fail(parser, at, end, "%s", text);
        parser->status = ERR_FULL;
    }
    return false;
}

bool emit(struct parser *parser, struct op op, unsigned takes, unsigned gives)
{
    if (parser->op_count == EXPR_NODES_MAX)
        return parse_fail(parser, 0, parser->last_end, "this expression is too long: at most %d operations",
                          EXPR_NODES_MAX);
    assert(parser->stack >= takes);
    parser->stack = parser->stack - takes + gives;
    if (parser->stack > EXPR_STACK_MAX)
        return parse_fail(parser, 0, parser->last_end, "too many values wait for one another here: at most %d",
                          EXPR_STACK_MAX);
    parser->ops[parser->op_count++] = op;
    return true;
}

bool emit_constant(struct parser *parser, struct value value)
{
    if (parser->constant_count == EXPR_NODES_MAX)
        return parse_fail(parser, 0, parser->last_end, "this expression is too long: at most %d values",
                          EXPR_NODES_MAX);
    uint16_t at = parser->constant_count++;
    parser->constants[at] = value;
    return emit(parser, (struct op){ .code = OP_CONSTANT, .at = at }, 0, 1);
}

bool unquoted(struct parser *parser, const struct token *token, struct value *out)
{
    size_t n;
    char *room = arena_take(parser->arena, token->text.n);
    if (!room)
        return parse_full(parser, token->at, token->at + token->text.n, "too much text in all expressions together");
    if (!token_unquote(token, room, &n))
        return parse_fail(parser, token->at, token->at + token->text.n,
                          "a backslash stands before \\ ' \" n t (and * ? in patterns); write it twice to mean itself");
    *out = value_text(slice_of(room, n));
    return true;
}

bool emit_jump(struct parser *parser, enum op_code code, unsigned takes, uint16_t *out_at)
{
    *out_at = parser->op_count;
    return emit(parser, (struct op){ .code = (uint8_t)code }, takes, 0);
}

void land(struct parser *parser, uint16_t jump)
{
    assert(jump < parser->op_count);
    parser->ops[jump].at = parser->landed = parser->op_count;
}

bool check_types(struct parser *parser, const char *who, unsigned wanted, const struct operand *operand)
{
    if (operand->types & wanted || operand->types == TYPE_NULL)
        return true;
    return parse_fail(parser, operand->at, operand->end, "%s takes %s; this is %s", who, value_types_text(wanted),
                      value_types_text(operand->types));
}

/* field == constant: one operation instead of three, unless a jump leads between them (the field is then but one branch
 * of what is compared). */
static bool fuse(struct parser *parser)
{
    if (parser->op_count < 2 || parser->landed > parser->op_count - 2)
        return false;
    const struct op *field = &parser->ops[parser->op_count - 2], *constant = field + 1;
    if (field->code != OP_FIELD || constant->code != OP_CONSTANT)
        return false;
    parser->op_count--;
    parser->ops[parser->op_count - 1] = (struct op){ OP_FIELD_IS, constant->at, field->at };
    parser->stack--;
    return true;
}

bool emit_comparison(struct parser *parser, enum op_code code, const struct operand *left, const struct operand *right)
{
    unsigned a = left->types, b = right->types;
    bool orders = code != OP_EQUAL && code != OP_NOT_EQUAL;
    if (orders && (!check_types(parser, "< and >", TYPE_NUMERIC | TYPE_TEXT, left) ||
                   !check_types(parser, "< and >", TYPE_NUMERIC | TYPE_TEXT, right)))
        return false;
    if (a == TYPE_NULL || b == TYPE_NULL)
        return parse_fail(parser, left->at, right->end, "nothing equals null; write `is null` or `is not null`");
    a |= a & TYPE_NUMERIC ? TYPE_NUMERIC : 0;
    if (!(a & b & ~(unsigned)TYPE_NULL))
        return parse_fail(parser, left->at, right->end, "%s and %s cannot be compared; text(), number() convert",
                          value_types_text(left->types), value_types_text(right->types));
    if (code == OP_EQUAL && fuse(parser))
        return true;
    return emit(parser, (struct op){ .code = (uint8_t)code }, 2, 1);
}
