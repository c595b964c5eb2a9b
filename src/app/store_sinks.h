/* What brings the journal's outputs into the tables: a sink for each order of the journal's positions, each a thread
 * with a store of its own, in which it waits. Of the main thread. */
#pragma once
#include "app/marked.h"
#include "base/compiler.h"
#include "base/error.h"
#include "config/settings.h"

struct engine;
struct journal;
struct metrics;
struct queue;
struct store_sinks;
struct world;

struct store_sinks_options {
    const struct settings *settings;
    struct engine *engine; /* outlives it */
    struct marked *marked; /* whether there were marks; borrowed */
    struct queue *live;    /* of the live feed, where the sinks tell it; else NULL */
};

/* None runs yet. Aborts when out of memory (start-up only). */
struct store_sinks *store_sinks_new(const struct store_sinks_options *options, struct journal *journal,
                                    struct metrics *metrics, struct world *world);
/* Starts those that do not run, once the tables are there: before, an insert could only fail. OK also while the journal
 * does not answer: it is asked again at a later call. */
MUST_CHECK enum status store_sinks_start(struct store_sinks *sinks, struct error *err);
bool store_sinks_run(const struct store_sinks *sinks); /* all of them */
/* Notes marks, shows store_lag_seconds and store_pending_rows of all together; returns how far the worst is behind. */
int64_t store_sinks_look(struct store_sinks *sinks);
void store_sinks_stop(struct store_sinks *sinks);  /* gives them a few seconds to be through */
void store_sinks_close(struct store_sinks *sinks); /* after the journal's roles have ended */
void store_sinks_free(struct store_sinks *sinks);  /* after the live feed's end; NULL is fine */
