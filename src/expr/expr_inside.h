/* The program that an expression becomes, and what parser, evaluator and functions share. Nobody outside of expr/
 * includes this. */
#pragma once
#include "expr/expr.h"

enum op_code {
    OP_CONSTANT, /* push constants[at] */
    OP_FIELD,    /* push fields[at] */
    OP_NEGATE,
    OP_NOT,
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_REMAINDER,
    OP_EQUAL,
    OP_NOT_EQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_FIELD_IS, /* fields[at] == constants[count]: the filter of nearly every window */
    OP_AND,      /* of the two on top, neither of which decided */
    OP_OR,
    OP_JUMP_IF_FALSE, /* keeps the top */
    OP_JUMP_IF_TRUE,
    OP_JUMP_IF_VALUE, /* keeps the top and jumps when it is not null, else drops it */
    OP_JUMP_UNLESS,   /* drops the top and jumps when it was not true */
    OP_JUMP,
    OP_IN,      /* count values under which the wanted one lies */
    OP_MATCHES, /* constants[at] is the pattern */
    OP_IS_NULL,
    OP_CALL,   /* functions[at] with count arguments */
    OP_LOOKUP, /* lookups[at] for a key of count values, and a time above them */
    OP_COUNT
};

struct op {
    uint8_t code;
    uint16_t count;
    uint16_t at; /* jumps: the operation to go on with, always a later one */
};

#define EXPR_LOOKUPS_MAX 32 /* in one expression */

struct expr_lookup {
    const struct lookup_table *table;
    size_t column;
};

struct expr {
    const struct op *ops;
    const struct value *constants;
    const struct expr_lookup *lookups;
    uint16_t op_count, constant_count;
    unsigned types;
};

#define FUNCTION_ARGUMENTS_MAX 16

struct function {
    const char *name;
    uint8_t least, most; /* arguments */
    uint8_t takes[3];    /* TYPE_… of each; the last one is also that of those behind it */
    uint8_t gives;
    struct value (*call)(const struct value *arguments, size_t count, struct arena *arena);
    const char *usage, *help;
};
/* call == NULL: the parser makes jumps of it (if, coalesce) or an operation of its own (lookup). Arguments are never
 * null and always of the kinds above. */
extern const struct function EXPR_FUNCTIONS[];
extern const size_t EXPR_FUNCTION_COUNT;
/* -1: there is none. */
int expr_function_find(struct slice name);
