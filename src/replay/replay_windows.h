/* The live window stage over a range of the past: events in the order of their times go in, results of windows that lie
 * wholly within the range come out, as rows for windows_replayed. Nothing can be late, since time is in order, so rows
 * are kept only while their window is open; what does not fit into memory lies in a map of its own (RocksDB).
 *
 * Owner: the replayer's role. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "event/event.h"
#include "process/process_stage.h"

#define REPLAY_ROWS_BYTES_MAX (32u << 20)

struct domain_set;
struct kv_pool;
struct replay_windows;
struct world;

struct replay_windows_options {
    const struct domain_set *domains;
    const uint16_t *windows; /* indexes into domains->windows */
    size_t window_count;
    int64_t from_ms, to_ms;
    uint64_t generation;
    const char *path; /* a directory for the map; what is in it is thrown away */
    struct kv_pool *pool;
    uint64_t memory_bytes_max;
};

/* Whether history says what the window would have counted: not where the clock decides, and not yet for sessions. */
struct window;
bool replay_windows_can(const struct window *window);

/* Aborts when out of memory for what is small. */
MUST_CHECK enum status replay_windows_new(const struct replay_windows_options *options, struct world *world,
                                          struct replay_windows **out, struct error *err);
void replay_windows_free(struct replay_windows *windows); /* NULL is fine */
/* Rows that left memory for the map so far. */
uint64_t replay_windows_evictions(const struct replay_windows *windows);

/* Room for the next events of one tenant, PROCESS_BATCH_MAX of them; their slices must last until the next add. */
struct event *replay_windows_events(struct replay_windows *windows);
/* Counts the first `count` of them, and appends rows of windows that are over (RowBinary, see replay_store.h) to rows:
 * REPLAY_ROWS_BYTES_MAX is its bound, and half of it must be free. *out_more: more are over, call with 0 again before
 * anything else. ERR_RETRY: the map takes nothing just now; again with the same. */
MUST_CHECK enum status replay_windows_add(struct replay_windows *windows, size_t count, struct buf *rows,
                                          uint64_t *io_results, bool *out_more, struct error *err);
/* There are no more events: closes all, in as many calls as *out_more asks for. */
MUST_CHECK enum status replay_windows_end(struct replay_windows *windows, struct buf *rows, uint64_t *io_results,
                                          bool *out_more, struct error *err);
