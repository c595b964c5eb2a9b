/* The live window stage over a range of the past: events in the order of their times go in, results of windows that lie
 * wholly within the range come out, and of sessions that begin in it, as rows for windows_replayed.
 *
 * Sessions know nothing of the range: whoever feeds begins a gap before it, so that it is seen which sessions began
 * earlier, and goes on behind it until those that began in it are over (replay_windows_open). Where a session reaches
 * across an edge of the range, an edge says until where older results of the key are replaced, or not (replay_edges).
 *
 * Nothing can be late, since time is in order, so rows are kept only while their window is open; what does not fit into
 * memory lies in a map of its own (RocksDB).
 *
 * Owner: the replayer's role. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "event/event.h"
#include "process/process_stage.h"
#include "process/stage_window.h"

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

/* What came out, for the tables of these names (RowBinary, replay_store.h). */
struct replay_rows {
    struct buf windows_replayed, replay_edges;
    uint64_t results;
};

/* Whether history says what the window would have counted: not where the clock decides. */
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
/* Counts the first `count` of them, and appends rows of windows that are over:
 * REPLAY_ROWS_BYTES_MAX is its bound, and half of it must be free; the same holds for edges. *out_more: more are over,
 * call with 0 again before anything else. ERR_RETRY: the map takes nothing just now; again with the same. */
MUST_CHECK enum status replay_windows_add(struct replay_windows *windows, size_t count, struct replay_rows *out,
                                          bool *out_more, struct error *err);
/* Every event before until_ms was given: closes windows that end before it, and sessions that no event from then on can
 * be part of, in as many calls as *out_more asks for. Later events may follow. */
MUST_CHECK enum status replay_windows_until(struct replay_windows *windows, int64_t until_ms, struct replay_rows *out,
                                            bool *out_more, struct error *err);
/* Behind replay_windows_until: a piece of a walk over sessions that go on, until *out_done (walk is zeroed at first).
 * *io_open becomes true when one of them began in the range. With out, their edges are written: the range is left to
 * those sessions from where they begin. */
MUST_CHECK enum status replay_windows_open(struct replay_windows *windows, struct stage_window_walk *walk,
                                           struct replay_rows *out, bool *io_open, bool *out_done, struct error *err);
