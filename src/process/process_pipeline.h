/* From records to outputs: decodes a batch, runs the stages over it, writes what came out. Which stages there are, and
 * in which order, is decided in process_pipeline_new and nowhere else. Owner: one task; one thread. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "process/live.h"
#include "process/process_metrics.h"
#include "process/process_stage.h"

struct process_pipeline;
struct dedup;
struct domain_set;
struct keyed;
struct session_state;
struct watermarks;
struct window_defs;

struct process_pipeline_options {
    uint16_t partition, partitions;
    uint64_t seed; /* of the partition's hashes */
    int64_t future_skew_ms, late_after_ms;
    size_t results_max;                /* as in stage_window_options */
    const struct domain_set *domains;  /* outlives the pipeline; NULL: none */
    int64_t session_gap_ms;            /* 0: as the domains say for each tenant */
    struct slice pii_key;              /* as in process_options */
    const struct window_defs *windows; /* outlives it */
    bool results_only, ids_unique;     /* as in process_options */
};

/* What the stages remember; the caller's. */
struct process_memory {
    struct dedup *dedup;
    struct session_state *sessions;
    struct keyed *rows;
    struct watermarks *watermarks;
};

/* Aborts when out of memory (start-up only). metrics stay the caller's. */
struct process_pipeline *process_pipeline_new(const struct process_pipeline_options *options,
                                              const struct process_memory *memory, struct process_metrics *metrics);
void process_pipeline_free(struct process_pipeline *pipeline);

/* Adds a record to the batch; it must stay where it is until the run. False: the batch is full, run first. */
bool process_pipeline_add(struct process_pipeline *pipeline, struct slice record);
size_t process_pipeline_count(const struct process_pipeline *pipeline);
/* Works the batch into outputs and live and empties it. *io_oldest_us: the smallest ingested_us so far. Any error ends
 * the task: its state is no longer what the journal says. The states must have been prepared for the batch. */
MUST_CHECK enum status process_pipeline_run(struct process_pipeline *pipeline, int64_t now_ms,
                                            struct process_outputs *outputs, struct live_gather *live,
                                            int64_t *io_oldest_us, struct error *err);
/* Writes what the batches of this commit have changed and what goes out once a commit. */
MUST_CHECK enum status process_pipeline_flush(struct process_pipeline *pipeline, struct process_outputs *outputs,
                                              struct error *err);
/* A record of TOPIC_REKEYED. The states must have been prepared. Errors as process_pipeline_run. */
MUST_CHECK enum status process_pipeline_partial(struct process_pipeline *pipeline, struct slice record, int64_t now_ms,
                                                struct process_outputs *outputs, struct error *err);
/* The commit takes no more events, though it may be small. */
bool process_pipeline_is_full(const struct process_pipeline *pipeline);
/* No event and no partial may be given to it until a flush has changed that. */
bool process_pipeline_is_closing(const struct process_pipeline *pipeline);
/* Lets time pass. True: a commit is wanted although no event has come. *out_wake_ms: the wall clock at which to call
 * again; INT64_MAX: never by itself. */
bool process_pipeline_tick(struct process_pipeline *pipeline, int64_t now_ms, int64_t *out_wake_ms);
/* The task stops: what waits for company goes with the next commits. */
void process_pipeline_hurry(struct process_pipeline *pipeline);
