/* The rows of a dimension table out of its file. Nobody outside of config/ includes this. */
#pragma once
#include "config/dimension_table.h"
#include "config/domain_reader.h"

/* What the file's columns are called, and what they are. */
struct dimension_source {
    struct slice names[DIMENSION_COLUMNS_MAX];
    enum event_kind kinds[DIMENSION_COLUMNS_MAX];
    size_t column_count;
    struct slice valid_from, valid_to; /* empty: none */
};

/* TYPE_… of what a cell of this kind is for expressions; null, since any cell may be empty. */
unsigned dimension_types(enum event_kind kind);
/* Reads the file that csv names into table->file, table->digest and the rows of lookup, whose keys are set. What is
 * wrong is told at its place in that file, or at csv when it cannot be read. */
void dimension_rows_read(struct domain_reader *reader, struct fy_node *csv, const struct dimension_source *source,
                         struct dimension_table *table, struct lookup_table *lookup);
