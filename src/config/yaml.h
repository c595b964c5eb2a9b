/* A YAML file as a tree that remembers where everything stands, and the one printer of mistakes: file:line:column, the
 * line, a caret. Used at start, by one thread. Positions are bytes from the start of the text; columns that people see
 * count characters. */
#pragma once
#include <libfyaml.h>

#include "base/compiler.h"
#include "config/problems.h"

struct yaml_file {
    const char *name;
    struct slice text;
    struct problems *problems;
    size_t count;                     /* of this file's problems */
    bool hidden;                      /* lines are not shown: a secret stands there */
    bool (*hides)(struct slice line); /* true: this one is not shown; NULL: all are */
};

/* at: where; width: bytes that the caret underlines. */
PRINTF_LIKE(4, 5) void yaml_problem(struct yaml_file *file, size_t at, size_t width, const char *format, ...);
/* At a scalar, as wide as it is; at a list or group at its first scalar. */
PRINTF_LIKE(3, 4)
void yaml_problem_at(struct yaml_file *file, struct fy_node *node, const char *format, ...);
/* At a part of a scalar's value, when the value stands in the file as it is; else at the scalar. */
void yaml_problem_inside(struct yaml_file *file, struct fy_node *scalar, size_t at, size_t width, const char *message);

/* NULL: there is nothing in it, or it is not YAML (then problems were told). Freed by fy_document_destroy. */
struct fy_document *yaml_parse(struct yaml_file *file);

/* Where the node begins; 0 when unknown. */
size_t yaml_position(struct fy_node *node);
/* The first byte of a line, counted from 1, that is not a blank. */
size_t yaml_offset(const struct yaml_file *file, int line);
/* From 0. */
int yaml_line(const struct yaml_file *file, size_t at);
/* The node, or what it is an alias of; NULL stays NULL. */
struct fy_node *yaml_follow(struct fy_node *node);
/* The value of a group's key, aliases followed, or NULL. */
struct fy_node *yaml_member(struct fy_node *group, const char *name);
/* The value of a scalar; false for anything else. */
MUST_CHECK bool yaml_scalar(struct fy_node *node, struct slice *out);
