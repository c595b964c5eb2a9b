/* A stack machine. The parser has bounded the stack and made every jump go forward, so a program of n operations ends
 * after at most n steps. Nulls pass through: the result of an operation on null is that null, with its reason. */
#include <math.h>
#include <stdio.h>

#include "expr/expr_inside.h"

static bool is_numeric(struct value v)
{
    return v.kind == VALUE_INT || v.kind == VALUE_NUMBER;
}

static struct value arithmetic_whole(enum op_code code, int64_t a, int64_t b)
{
    int64_t result = 0;
    bool overflow = false;
    if (code == OP_ADD)
        overflow = __builtin_add_overflow(a, b, &result);
    else if (code == OP_SUBTRACT)
        overflow = __builtin_sub_overflow(a, b, &result);
    else if (code == OP_MULTIPLY)
        overflow = __builtin_mul_overflow(a, b, &result);
    else if (b == 0)
        return value_null(REASON_ZERO_DIVISION);
    else
        result = b == -1 ? 0 : a % b;
    return overflow ? value_null(REASON_OVERFLOW) : value_int(result);
}

static struct value arithmetic(enum op_code code, struct value a, struct value b)
{
    if (a.kind == VALUE_NULL)
        return a;
    if (b.kind == VALUE_NULL)
        return b;
    if (!is_numeric(a) || !is_numeric(b))
        return value_null(REASON_TYPE);
    if (a.kind == VALUE_INT && b.kind == VALUE_INT && code != OP_DIVIDE)
        return arithmetic_whole(code, a.i, b.i);
    double x = value_as_double(a), y = value_as_double(b);
    if (code == OP_ADD)
        return value_number(x + y);
    if (code == OP_SUBTRACT)
        return value_number(x - y);
    if (code == OP_MULTIPLY)
        return value_number(x * y);
    if (y == 0)
        return value_null(REASON_ZERO_DIVISION);
    return value_number(code == OP_DIVIDE ? x / y : fmod(x, y));
}

static struct value negate(struct value v)
{
    if (v.kind == VALUE_NULL)
        return v;
    if (v.kind == VALUE_INT)
        return arithmetic_whole(OP_SUBTRACT, 0, v.i);
    return v.kind == VALUE_NUMBER ? value_number(-v.d) : value_null(REASON_TYPE);
}

static struct value equal(struct value a, struct value b)
{
    int order;
    if (a.kind == VALUE_NULL)
        return a;
    if (b.kind == VALUE_NULL)
        return b;
    if (a.kind == VALUE_TEXT && b.kind == VALUE_TEXT)
        return value_bool(slice_equal(value_slice(a), value_slice(b)));
    return value_compare(a, b, &order) ? value_bool(order == 0) : value_null(REASON_TYPE);
}

static struct value compare(enum op_code code, struct value a, struct value b)
{
    int order;
    if (a.kind == VALUE_NULL)
        return a;
    if (b.kind == VALUE_NULL)
        return b;
    if (a.kind == VALUE_BOOL || !value_compare(a, b, &order))
        return value_null(REASON_TYPE);
    if (code == OP_LESS)
        return value_bool(order < 0);
    if (code == OP_LESS_EQUAL)
        return value_bool(order <= 0);
    return value_bool(code == OP_GREATER ? order > 0 : order >= 0);
}

static struct value negated(struct value v)
{
    if (v.kind == VALUE_BOOL)
        return value_bool(!v.b);
    return v.kind == VALUE_NULL ? v : value_null(REASON_TYPE);
}

/* Three-valued; what is no truth counts as unknown. */
static struct value both(struct value a, struct value b, bool deciding)
{
    if ((a.kind == VALUE_BOOL && a.b == deciding) || (b.kind == VALUE_BOOL && b.b == deciding))
        return value_bool(deciding);
    if (a.kind == VALUE_NULL)
        return a;
    if (b.kind == VALUE_NULL)
        return b;
    return a.kind == VALUE_BOOL && b.kind == VALUE_BOOL ? b : value_null(REASON_TYPE);
}

static struct value is_in(struct value wanted, const struct value *list, size_t count)
{
    struct value result = value_bool(false);
    if (wanted.kind == VALUE_NULL)
        return wanted;
    for (size_t i = 0; i < count; i++) {
        struct value same = equal(wanted, list[i]);
        if (value_is_true(same))
            return same;
        if (list[i].kind == VALUE_NULL)
            result = same;
    }
    return result;
}

static struct value matches(struct value v, struct value pattern)
{
    if (v.kind == VALUE_NULL)
        return v;
    return v.kind == VALUE_TEXT ? value_bool(expr_glob(value_slice(pattern), value_slice(v))) : value_null(REASON_TYPE);
}

static struct value call(const struct function *function, const struct value *arguments, size_t count,
                         struct arena *arena)
{
    unsigned last = 0;
    for (size_t i = 0; i < count; i++) {
        if (i < COUNT_OF(function->takes) && function->takes[i])
            last = function->takes[i];
        if (arguments[i].kind == VALUE_NULL)
            return arguments[i];
        if (!(last & 1u << arguments[i].kind))
            return value_null(REASON_TYPE);
    }
    return function->call(arguments, count, arena);
}

struct value expr_function_call(size_t index, const struct value *arguments, size_t count, struct arena *arena)
{
    const struct function *function = &EXPR_FUNCTIONS[index];
    assert(index < EXPR_FUNCTION_COUNT && function->call);
    bool fits = count >= function->least && count <= function->most;
    return fits ? call(function, arguments, count, arena) : value_null(REASON_TYPE);
}

static struct value look_up(const struct expr_lookup *lookup, const struct value *key, struct value at)
{
    return at.kind == VALUE_INT ? lookup_find(lookup->table, key, at.i, lookup->column) : value_null(REASON_MISSING);
}

static bool is_false(struct value v)
{
    return v.kind == VALUE_BOOL && !v.b;
}

struct value expr_eval(const struct expr *expr, const struct value *fields, struct arena *arena)
{
    struct value stack[EXPR_STACK_MAX + 1];
    struct value *top = stack; /* the newest value; the first place stays empty */
    const struct op *ops = expr->ops;
    const struct value *constants = expr->constants;
    for (uint32_t pc = 0; pc < expr->op_count;) {
        struct op op = ops[pc++];
        switch ((enum op_code)op.code) {
        case OP_CONSTANT:
            *++top = constants[op.at];
            break;
        case OP_FIELD:
            *++top = fields[op.at];
            break;
        case OP_FIELD_IS:
            *++top = equal(fields[op.at], constants[op.count]);
            break;
        case OP_NEGATE:
            *top = negate(*top);
            break;
        case OP_NOT:
            *top = negated(*top);
            break;
        case OP_ADD:
        case OP_SUBTRACT:
        case OP_MULTIPLY:
        case OP_DIVIDE:
        case OP_REMAINDER:
            top--;
            *top = arithmetic((enum op_code)op.code, top[0], top[1]);
            break;
        case OP_EQUAL:
            top--;
            *top = equal(top[0], top[1]);
            break;
        case OP_NOT_EQUAL:
            top--;
            *top = negated(equal(top[0], top[1]));
            break;
        case OP_LESS:
        case OP_LESS_EQUAL:
        case OP_GREATER:
        case OP_GREATER_EQUAL:
            top--;
            *top = compare((enum op_code)op.code, top[0], top[1]);
            break;
        case OP_AND:
        case OP_OR:
            top--;
            *top = both(top[0], top[1], op.code == OP_OR);
            break;
        case OP_JUMP_IF_FALSE:
            pc = is_false(*top) ? op.at : pc;
            break;
        case OP_JUMP_IF_TRUE:
            pc = value_is_true(*top) ? op.at : pc;
            break;
        case OP_JUMP_IF_VALUE:
            if (top->kind != VALUE_NULL)
                pc = op.at;
            else
                top--;
            break;
        case OP_JUMP_UNLESS:
            pc = value_is_true(*top--) ? pc : op.at;
            break;
        case OP_JUMP:
            pc = op.at;
            break;
        case OP_IN:
            top -= op.count;
            *top = is_in(top[0], top + 1, op.count);
            break;
        case OP_MATCHES:
            *top = matches(*top, constants[op.at]);
            break;
        case OP_IS_NULL:
            *top = value_bool(top->kind == VALUE_NULL);
            break;
        case OP_CALL:
            top -= op.count - 1;
            *top = call(&EXPR_FUNCTIONS[op.at], top, op.count, arena);
            break;
        case OP_LOOKUP:
            top -= op.count;
            *top = look_up(&expr->lookups[op.at], top, top[op.count]);
            break;
        case OP_COUNT:
            break;
        }
    }
    assert(top == stack + 1);
    return *top;
}

static void add_constant(struct value v, struct buf *out)
{
    char digits[VALUE_DIGITS_MAX];
    struct slice text = value_as_text(v, digits);
    buf_add_format(out, "%u:%zu:", v.kind, text.n);
    buf_add_slice(out, text);
}

/* The names and not the rows: another price is no other window. */
static void add_lookup(const struct expr_lookup *lookup, struct buf *out)
{
    struct slice column = lookup->table->columns[lookup->column].name;
    buf_add_format(out, "%.*s.%.*s", SLICE_ARG(lookup->table->name), SLICE_ARG(column));
}

void expr_add_canonical(const struct expr *expr, const struct field_plan *plan, struct buf *out)
{
    /* Never change a name: it would change every fingerprint. */
    static const char *const NAMES[OP_COUNT] = {
        "constant", "field",  "negate", "not", "add",     "subtract", "multiply", "divide", "mod",      "eq",
        "ne",       "lt",     "le",     "gt",  "ge",      "is",       "and",      "or",     "if_false", "if_true",
        "if_value", "unless", "jump",   "in",  "matches", "is_null",  "call",     "lookup",
    };
    for (size_t i = 0; i < expr->op_count; i++) {
        struct op op = expr->ops[i];
        buf_add_format(out, "%s ", NAMES[op.code]);
        if (op.code == OP_CONSTANT || op.code == OP_MATCHES)
            add_constant(expr->constants[op.at], out);
        else if (op.code == OP_FIELD || op.code == OP_FIELD_IS)
            buf_add_slice(out, plan->paths[op.at].text);
        else if (op.code == OP_CALL)
            buf_add_format(out, "%s/%u", EXPR_FUNCTIONS[op.at].name, op.count);
        else if (op.code == OP_LOOKUP)
            add_lookup(&expr->lookups[op.at], out);
        else
            buf_add_format(out, "%u %u", op.count, op.at);
        if (op.code == OP_FIELD_IS)
            add_constant(expr->constants[op.count], out);
        buf_add_char(out, ';');
    }
}
