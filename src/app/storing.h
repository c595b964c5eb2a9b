/* From the journal's outputs to answers: the engine's process, a sink for each order of the journal, replays, and the
 * API with the dashboard. Of the main thread. */
#pragma once
#include "app/marked.h"
#include "base/compiler.h"
#include "base/error.h"
#include "catalog/catalog.h"
#include "config/domain.h"
#include "config/settings.h"

struct ingest;
struct journal;
struct kv_pool;
struct metrics;
struct queue;
struct storing;
struct task_board;
struct world;

struct storing_options {
    const char *data_path, *environment; /* borrowed */
    const struct settings *settings;
    const struct domain_set *domains;
    struct kv_pool *kv_pool;
    struct marked *marked;    /* whether the sinks had marks; borrowed */
    struct ingest *ingest;    /* of this process, or NULL */
    struct journal *told;     /* where the rows of dimension tables are told to other processes; NULL: there are none */
    bool has_tasks;           /* they tell the live feed; else the sinks do */
    struct task_board *tasks; /* of all processes; outlives the API; NULL: there are none but those here */
};

/* Starts the engine's child, the replayer, what removes old rows and what judges hours, and the API (which does not
 * take requests before storing_start). */
MUST_CHECK enum status storing_open(const struct storing_options *options, struct journal *journal,
                                    struct catalog *catalog, struct metrics *metrics, struct world *world,
                                    struct storing **out, int *out_exit_code, struct error *err);
MUST_CHECK enum status storing_start(struct storing *storing, struct error *err);
/* Looks after the child, starts the sinks once the tables are there. *out_ready: engine, tables and sinks are there. */
MUST_CHECK enum status storing_step(struct storing *storing, bool *out_ready, int64_t *out_wait_ms, int *out_exit_code,
                                    struct error *err);
/* What replays count into, and whose event types have views, from now on. ERR_RETRY: a replay is under way. */
MUST_CHECK enum status storing_use_domains(struct storing *storing, const struct domain_set *domains,
                                           struct error *err);
/* Dimension tables have new rows, and no replay is under way; none begins until storing_take_rows. */
MUST_CHECK bool storing_hold_rows(struct storing *storing);
/* Puts the rows in place, in SQL, too. No task runs meanwhile. Does nothing when they are not held. */
void storing_take_rows(struct storing *storing);
struct queue *storing_live_queue(struct storing *storing);
uint16_t storing_api_port(const struct storing *storing);
void storing_stop_sinks(struct storing *storing); /* gives them a few seconds to be through */
void storing_stop_api(struct storing *storing);
void storing_close_sinks(struct storing *storing); /* after the journal's roles have ended */
void storing_free(struct storing *storing);        /* after the journal's close; NULL is fine */
