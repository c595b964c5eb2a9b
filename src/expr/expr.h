/* Expressions on the fields of an event: parsed and checked once at start, evaluated per event.
 *
 *     event_type == 'purchase' and cents(properties.amount) >= 1000 and properties.country in ('DE', 'AT')
 *
 * The language, for people, is in docs/domains.md; the functions are a table (expr_function_at). Null is unknown, as in
 * SQL: what is computed from it is null, `and` and `or` know when the other side decides, a filter wants true. `/`
 * gives a number, `%` has the sign of its left side; whole numbers are 64 bits, and what does not fit is null.
 *
 * An expression is immutable and lives in the arena it was parsed into; any thread may evaluate it. Evaluation is
 * total: it never fails, takes at most one step per operation (jumps only go forward) and needs no memory but the
 * arena's for text that functions build; when that is full the text is null. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "base/status.h"
#include "expr/field_plan.h"
#include "expr/value.h"

#define EXPR_TEXT_MAX 4096 /* bytes of one expression */
#define EXPR_DEPTH_MAX 32  /* brackets and functions within one another */
#define EXPR_NODES_MAX 512 /* operations, constants included */
#define EXPR_STACK_MAX 64  /* values waiting at a time: also what bounds a list behind `in` */

struct expr;

/* What is wrong with a text: where, in bytes from its start, how much of it, and what would be right. */
struct expr_problem {
    size_t at, width;
    char text[256];
};

/* The whole text is one expression; its fields are added to the plan. ERR_INVALID: problem. ERR_FULL: the plan or the
 * arena is, problem says which. */
MUST_CHECK enum status expr_parse(struct slice text, struct field_plan *plan, struct arena *arena,
                                  const struct expr **out, struct expr_problem *problem);
/* As above for an argument inside of a text: from *io_at to the ',' or ')' that is not its own, where *io_at is left.
 */
MUST_CHECK enum status expr_parse_argument(struct slice text, size_t *io_at, struct field_plan *plan,
                                           struct arena *arena, const struct expr **out, struct expr_problem *problem);
/* What it can give: TYPE_… of value.h. */
unsigned expr_types(const struct expr *expr);
/* A single field and nothing else: its place in the plan, else -1. */
int expr_field(const struct expr *expr);

/* fields: as field_plan_fill left them. Text in the result lives as long as the fields, the expression and the arena.
 */
struct value expr_eval(const struct expr *expr, const struct value *fields, struct arena *arena);

/* Appends what the expression means, independent of blanks, of other expressions and of this version's numbering: equal
 * texts here give equal results. For fingerprints. */
void expr_add_canonical(const struct expr *expr, const struct field_plan *plan, struct buf *out);

struct expr_function_help {
    const char *usage, *help; /* "lower(text)", "A to Z in lower case" */
    bool callable;            /* expr_function_call takes it: it needs no jumps */
};
/* The functions in the order of the documentation; false behind the last. */
bool expr_function_at(size_t index, struct expr_function_help *out);
/* A callable function on values of any kind: null in, or of a wrong kind or number, null out. */
struct value expr_function_call(size_t index, const struct value *arguments, size_t count, struct arena *arena);
/* What `matches` does. Takes time of the order of text.n × pattern.n at most. */
bool expr_glob(struct slice pattern, struct slice text);
/* What `cents` does: the decimal digits of a number or a text, shifted exactly; half cents away from zero. Null: it is
 * no amount, or does not fit 64 bits. */
struct value expr_cents(struct value v);
