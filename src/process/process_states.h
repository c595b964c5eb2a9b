/* Everything that is remembered of one partition, with its directory: what a task works with, and what a standby copy
 * (process_standby.h) brings up to date. Owner: whoever made it; one thread, and one owner of a directory at a time. */
#pragma once
#include "process/process_task.h"
#include "process/state/dedup.h"
#include "process/state/keyed.h"
#include "process/state/session_state.h"
#include "process/state/state_base.h"
#include "process/state/state_kv.h"
#include "process/state/watermarks.h"
#include "process/window/window_def.h"

struct process_retention;

#define PROCESS_STATES 5

struct process_states {
    struct dedup *dedup;
    struct state_kv *kv;
    struct keyed *rows;
    struct session_state *sessions;
    struct process_retention *retention; /* NULL: everything is kept for ever */
    struct watermarks *watermarks;
    struct window_defs windows;
    struct state *all[PROCESS_STATES];
    struct state_base *base;
};

/* options: complete (process_options.h), and their domains were checked. Aborts when out of memory. */
void process_states_make(struct process_states *states, const struct process_options *options,
                         const struct journal *journal, uint16_t partition, struct metrics *metrics,
                         struct world *world);
/* All 0 is fine. */
void process_states_done(struct process_states *states);
