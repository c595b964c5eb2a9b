/* Dimension tables whose rows a query gives: asked of the engine at start and every so often, or, in a process without
 * an engine, read from the journal, where one that has it tells them (decision 0102); checked as a file would be, kept
 * in DATA/dimensions for the next start, and handed to the main thread, which puts them in place between two commits.
 * What fails leaves the rows of before in use, is told once, and tried again with growing pauses.
 *
 * One role asks or reads; everything else here is of the main thread. */
#pragma once
#include "base/compiler.h"
#include "base/role.h"
#include "config/domain.h"
#include "store/store_http.h"

struct dimensions;
struct metrics;
struct world;

struct dimensions_options {
    struct store_http_options engine;    /* as the writer; copied; without a url the rows come from the journal */
    struct journal *journal;             /* NULL: nobody else needs the rows */
    const char *data_path;               /* copied */
    bool (*engine_is_ready)(void *self); /* any thread */
    void *hook_self;
};

/* The rows that the last query of each table gave, before the domains are in use. There may be none, or some that do
 * not fit what is declared now: then the table is empty until its query is answered. */
void dimensions_restore(const struct domain_set *domains, const char *data_path, struct world *world);

/* The domains outlive it. Aborts when out of memory (start-up only). */
struct dimensions *dimensions_new(const struct dimensions_options *options, const struct domain_set *domains,
                                  struct metrics *metrics, struct world *world);
struct role dimensions_role(struct dimensions *dimensions);
/* From now on those of these domains, which are restored. */
void dimensions_use(struct dimensions *dimensions, const struct domain_set *domains);
/* Of rows from the journal: all that was there has been read. */
bool dimensions_are_current(const struct dimensions *dimensions);
/* New rows are there. */
bool dimensions_are_waiting(const struct dimensions *dimensions);
/* Puts them in place: nobody looks anything up meanwhile. */
void dimensions_take(struct dimensions *dimensions);
/* The query under way is given up, and no further one is asked. */
void dimensions_stop(struct dimensions *dimensions);
void dimensions_free(struct dimensions *dimensions); /* after its role ended; NULL is fine */
