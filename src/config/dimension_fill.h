/* Rows of a dimension table that do not lie beside its domain, but are what a query gave (app/dimensions.c): read from
 * text by whoever has it, then put in the place of those before, in one step, while nobody looks anything up. */
#pragma once
#include "base/compiler.h"
#include "config/domain.h"
#include "config/problems.h"

struct dimension_fill;

/* The text is CSV, as of a file. NULL: problems say what is wrong, at line and column of `name`. Of the table only what
 * is declared is looked at, so any thread may, whatever rows it has meanwhile. */
struct dimension_fill *dimension_fill_read(const struct dimension_table *table, const char *name, struct slice text,
                                           struct problems *problems);
const struct dimension_table *dimension_fill_table(const struct dimension_fill *fill);
size_t dimension_fill_rows(const struct dimension_fill *fill);
/* Of what is declared and the text; dimension_table.digest once it is in use. */
uint64_t dimension_fill_digest(const struct dimension_fill *fill);
void dimension_fill_free(struct dimension_fill *fill); /* NULL is fine */
/* The table's rows are these from now on; it owns them, and those before are freed. */
void dimension_fill_use(struct dimension_fill *fill);
