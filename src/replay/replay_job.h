/* The inside of the replayer, shared by replay.c (who may, what waits) and replay_job.c (the steps of one job). */
#pragma once
#include <stdatomic.h>

#include "base/buf.h"
#include "base/retry.h"
#include "config/domain.h"
#include "replay/replay.h"
#include "replay/replay_store.h"
#include "replay/replay_windows.h"

/* A place for a job. The API's thread fills it in before it is pushed to the role, and reads what is atomic; the rest
 * is the role's until state says that the job is over. */
struct replay_job {
    _Atomic uint32_t state; /* enum replay_state */
    _Atomic int64_t to_ms;
    _Atomic uint64_t total, events, results, late, generation;
    uint64_t id;
    struct replay_request request;
    uint16_t windows[WINDOWS_MAX]; /* indexes into the domains' windows */
    size_t window_count;
    const struct slice *names[WINDOWS_MAX];
    struct error error;
};

enum replay_phase {
    REPLAY_BEGIN,
    REPLAY_READ,
    REPLAY_COUNT,
    REPLAY_INSERT,
    REPLAY_END,
    REPLAY_REACH, /* do sessions of the range go on behind what was read? */
    REPLAY_EDGES,
    REPLAY_VERIFY
};

/* The job in hand. */
struct replay_run {
    struct replay_job *job; /* NULL: none */
    const struct replayer_options *options;
    enum replay_phase phase, then; /* then: what comes after REPLAY_INSERT */
    struct replay_store *store;
    struct replay_windows *windows;
    struct replay_scope scope;
    struct replay_cursor cursor;
    struct replay_target targets[WINDOWS_MAX];
    struct replay_rows rows;
    struct stage_window_walk walk; /* of sessions that go on */
    bool any_open;                 /* one of them began in the range */
    int64_t gap_ms;                /* the longest of its sessions; 0: it has none */
    int64_t reach_ms;              /* so much further is read next, while sessions go on */
    int64_t read_max_ms;           /* live sessions may have events from here on */
    uint64_t total, events;
    size_t batch;      /* events that wait to be counted */
    bool page_counted; /* something of the page in hand */
    bool more;         /* windows are over that are not written yet */
    unsigned attempts;
    struct retry retry;
    int64_t at_us, give_up_us;
};

void replay_run_begin(struct replay_run *run, struct replay_job *job, struct world *world);
/* A bounded piece. True: at once again. False: at run->at_us, or the job is over (run->job is NULL). */
bool replay_run_step(struct replay_run *run, struct world *world);
/* The job in hand is given up. */
void replay_run_fail(struct replay_run *run, struct world *world, const char *why);
