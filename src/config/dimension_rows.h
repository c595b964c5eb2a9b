/* The rows of a dimension table out of its file. Nobody outside of config/ includes this. */
#pragma once
#include "config/dimension_table.h"
#include "config/domain_reader.h"

/* TYPE_… of what a cell of this kind is for expressions; null, since any cell may be empty. */
unsigned dimension_types(enum event_kind kind);
/* The rows of the text, which the arena keeps beside them, into lookup, whose columns and keys are set; *out_digest is
 * of what is declared and of the text. file->count says how much is wrong; then lookup has no rows. */
void dimension_rows_parse(struct yaml_file *file, struct arena *arena, const struct dimension_table *table,
                          struct lookup_table *lookup, uint64_t *out_digest);
/* Of what is declared and the text: another one, another table. */
uint64_t dimension_rows_digest(const struct dimension_table *table, const struct lookup_table *lookup,
                               struct slice text);
/* The digest, and who may see the table: of one for the others that is known when all domains have been read. */
uint64_t dimension_tenants_digest(const struct dimension_table *table, uint64_t digest);
/* Reads the file that csv names into table->file, table->digest and the rows of lookup. What is wrong is told at its
 * place in that file, or at csv when it cannot be read. */
void dimension_rows_read(struct domain_reader *reader, struct fy_node *csv, struct dimension_table *table,
                         struct lookup_table *lookup);
