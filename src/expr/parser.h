/* What the parser's files share: parse.c reads the grammar, parse_name.c fields and functions, parse_lookup.c the names
 * of dimension tables; parse_emit.c builds the program and checks types. Nobody outside of expr/ includes this. */
#pragma once
#include "base/status.h"
#include "expr/expr_inside.h"
#include "expr/lexer.h"

/* What a part of the text gives, and where it stands. */
struct operand {
    unsigned types;
    size_t at, end;
};

struct parser {
    struct lexer lexer;
    struct token token; /* the next one, not yet taken */
    size_t last_end;    /* of the token taken last */
    struct field_plan *plan;
    struct arena *arena;
    struct expr_problem *problem;
    enum status status; /* OK until the first problem */
    unsigned depth, stack;
    uint16_t op_count, constant_count, lookup_count;
    uint16_t landed; /* the operation that the latest jump leads to */
    struct op ops[EXPR_NODES_MAX];
    struct value constants[EXPR_NODES_MAX];
    struct expr_lookup lookups[EXPR_LOOKUPS_MAX];
};

/* Keeps the first problem; always false. */
PRINTF_LIKE(4, 5) bool parse_fail(struct parser *parser, size_t at, size_t end, const char *format, ...);
bool parse_full(struct parser *parser, size_t at, size_t end, const char *text);

/* parse.c */
void next_token(struct parser *parser);
/* True: the next token was the word, and is taken. */
bool take_word(struct parser *parser, const char *word);
/* The same; else a problem "expected …". */
MUST_CHECK bool expect_word(struct parser *parser, const char *word, const char *wanted);
bool fail_here(struct parser *parser, const char *wanted); /* the next token is not what is wanted; always false */
/* The operand ends with the token taken last. */
void end_operand(const struct parser *parser, struct operand *operand, unsigned types);
/* A whole expression: what binds loosest. */
MUST_CHECK bool parse_or(struct parser *parser, struct operand *out);

/* parse_name.c: the name is taken; what follows it is read. */
MUST_CHECK bool parse_field(struct parser *parser, const struct token *name, struct operand *out);
MUST_CHECK bool parse_call(struct parser *parser, const struct token *name, struct operand *out); /* its ( is taken */

/* Adds an operation that takes `takes` values from the stack and leaves `gives`. */
MUST_CHECK bool emit(struct parser *parser, struct op op, unsigned takes, unsigned gives);
MUST_CHECK bool emit_constant(struct parser *parser, struct value value);
/* The text of a string token as a constant's value, copied. */
MUST_CHECK bool unquoted(struct parser *parser, const struct token *token, struct value *out);
/* A jump whose target is set by land. */
MUST_CHECK bool emit_jump(struct parser *parser, enum op_code code, unsigned takes, uint16_t *out_at);
void land(struct parser *parser, uint16_t jump);
/* The value has one of the kinds: else a problem "who takes … , this is …". */
MUST_CHECK bool check_types(struct parser *parser, const char *who, unsigned wanted, const struct operand *operand);
/* parse_lookup.c: the table and the column that a string token names; else a problem. */
MUST_CHECK bool lookup_table_named(struct parser *parser, const struct token *token, const struct lookup_table **out);
MUST_CHECK bool lookup_column_named(struct parser *parser, const struct token *token, const struct lookup_table *table,
                                    size_t *out);
/* The value of keys[at], as the operand is: else a problem. */
MUST_CHECK bool lookup_takes(struct parser *parser, const struct lookup_table *table, size_t at,
                             const struct operand *operand);
/* How one writes it; always false. */
bool lookup_usage(struct parser *parser, const struct lookup_table *table, const struct token *at);
/* Whose rows are asked, if rows are somebody's: before the key. */
MUST_CHECK bool emit_tenant(struct parser *parser, const struct lookup_table *table);
/* For the key on the stack, at the event's time. */
MUST_CHECK bool emit_lookup(struct parser *parser, const struct lookup_table *table, size_t column);
MUST_CHECK bool emit_comparison(struct parser *parser, enum op_code code, const struct operand *left,
                                const struct operand *right);
