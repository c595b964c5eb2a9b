/* Makes the engine's memory of inserts true again after a kill -9 (olap_repair.c says why). Before the engine loads. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"

/* Looks through every table under engine_dir/store. *out_records: how many inserts the engine believed in that did not
 * happen; they are forgotten, so that their repeat is taken. */
MUST_CHECK enum status olap_repair(const char *engine_dir, uint32_t *out_records, struct error *err);

/* One table. For tests. */
MUST_CHECK enum status olap_repair_table(const char *table_dir, uint32_t *out_records, struct error *err);
