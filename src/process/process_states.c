/* The order counts: the map stands before those who keep things in it (state_base.c asks for sections first to last,
 * and settles last to first). */
#include "process/process_states.h"

#include <stdio.h>
#include <stdlib.h>

#include "process/process_retention.h"
#include "world/disk.h"
#include "world/world.h"

#define PARTITION_IDLE_MS 60000 /* a partition that is silent for so long holds nothing back */

static void make_sessions(struct process_states *states, const struct process_options *options)
{
    const struct domain_set *domains = options->domains;
    if (options->catalog)
        states->retention = process_retention_new(options->catalog, options->retention_days);
    const int64_t gap_ms = options->session_gap_ms ? options->session_gap_ms : domains->session_gap_max_ms;
    const struct session_state_options sessions = { .gap_ms = gap_ms,
                                                    .memory_bytes_max = options->state_memory_bytes_max / 3,
                                                    .kv = states->kv,
                                                    .kept_ms = states->retention ? process_retention_ms : NULL,
                                                    .kept_self = states->retention };
    states->sessions = session_state_new(&sessions);
}

static void make_stream_states(struct process_states *states, const struct process_options *options,
                               const struct journal *journal, uint16_t partition, struct world *world)
{
    const struct keyed_options rows = { .kinds = states->windows.kinds,
                                        .kind_count = states->windows.count,
                                        .memory_bytes_max = options->state_memory_bytes_max / 3 * 2 };
    states->rows = keyed_new(&rows, states->kv, world);
    make_sessions(states, options);
    const struct watermarks_options watermarks = {
        .disorder_ms = options->disorder_ms,
        .domains = options->disorder_ms ? NULL : options->domains,
        .idle_ms = PARTITION_IDLE_MS,
        .partition = partition,
        .partitions = journal->partitions,
        .has_others = window_defs_foreign(&states->windows),
        .kv = states->kv,
    };
    states->watermarks = watermarks_new(&watermarks);
}

void process_states_make(struct process_states *states, const struct process_options *options,
                         const struct journal *journal, uint16_t partition, struct metrics *metrics,
                         struct world *world)
{
    char path[DISK_PATH_MAX];
    struct error err;
    *states = (struct process_states){ 0 };
    int n = snprintf(path, sizeof path, "%s/partition-%05u", options->state_path, partition);
    assert(n < (int)sizeof path);
    if (window_defs_make(options->domains, journal->partitions == 1, metrics, &states->windows, &err) != OK)
        abort(); /* the configuration was checked before */
    const struct dedup_options dedup = { .path = path,
                                         .memory_bytes_max = options->dedup_memory_bytes_max,
                                         .disk_bytes_max = options->dedup_disk_bytes_max,
                                         .horizon_ms = options->dedup_horizon_ms };
    states->dedup = dedup_new(&dedup, world);
    const struct state_kv_options kv = { .path = path, .backend = options->kv, .pool = options->kv_pool };
    states->kv = state_kv_new(&kv, world);
    make_stream_states(states, options, journal, partition, world);
    states->all[0] = dedup_state(states->dedup);
    states->all[1] = state_kv_state(states->kv); /* before those who keep things in it */
    states->all[2] = keyed_state(states->rows);
    states->all[3] = session_state_state(states->sessions);
    states->all[4] = watermarks_state(states->watermarks);
    states->base = state_base_new(path, world->disk, partition, states->all, PROCESS_STATES);
}

void process_states_done(struct process_states *states)
{
    state_base_free(states->base);
    dedup_free(states->dedup);
    session_state_free(states->sessions);
    process_retention_free(states->retention);
    watermarks_free(states->watermarks);
    keyed_free(states->rows);
    state_kv_free(states->kv);
    window_defs_done(&states->windows);
    *states = (struct process_states){ 0 };
}
