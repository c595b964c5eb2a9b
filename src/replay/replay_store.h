/* What a replay reads from the engine and writes there, as the writer. Every call blocks for a bounded time and may be
 * repeated after ERR_RETRY (the engine is away, or took too long). Queries take one thread of the engine each, so that
 * live traffic keeps the rest. Owner: the replayer's role. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "event/event.h"
#include "replay/replay.h"

#define REPLAY_PAGE_EVENTS 20000
#define REPLAY_PAGE_BYTES_MAX (64u << 20)

struct replay_store;

/* One window of the job, by what its rows are called. */
struct replay_target {
    struct slice name;
    uint64_t definition;
    bool session;
};

/* What is counted: every event of the tenant in the range that stood in events_raw when the job began. A later one is
 * not in `places`, so the same question has the same answer as long as the job runs. */
struct replay_scope {
    const struct replay_request *request;
    int64_t from_ms, to_ms;           /* whose results are replaced */
    int64_t read_from_ms, read_to_ms; /* whose events are counted: sessions reach beyond the range */
    uint64_t generation;
    int64_t began_ms;  /* wall clock */
    struct buf places; /* a condition in SQL */
};

struct replay_bounds {
    int64_t through_ms; /* each partition has seen an event of this time or a later one; INT64_MIN: no events at all */
    uint64_t newest_generation; /* 0: none yet */
};

/* Where the next page begins. The position is the journal's: no two events have the same. */
struct replay_cursor {
    bool begun;
    int64_t timestamp_ms;
    uint16_t partition;
    uint64_t position;
    char event_id[1024];
    size_t event_id_n;
};

MUST_CHECK enum status replay_store_open(const struct replayer_options *options, struct replay_store **out,
                                         struct error *err);
void replay_store_close(struct replay_store *store); /* NULL is fine */

/* Takes away what jobs left behind that were cut off, and generations that a newer one hides. */
MUST_CHECK enum status replay_store_tidy(struct replay_store *store, const char *tenant, struct error *err);
/* Fills scope->places. */
MUST_CHECK enum status replay_store_bounds(struct replay_store *store, struct replay_scope *scope,
                                           struct replay_bounds *out, struct error *err);
MUST_CHECK enum status replay_store_count(struct replay_store *store, const struct replay_scope *scope, uint64_t *out,
                                          struct error *err);
/* The next events in order; replay_store_event cuts them. False from there: the page is at its end; with an error when
 * it is not whole. The cursor moves with the events. */
MUST_CHECK enum status replay_store_page(struct replay_store *store, const struct replay_scope *scope,
                                         const struct replay_cursor *cursor, struct error *err);
bool replay_store_event(struct replay_store *store, const struct replay_scope *scope, struct replay_cursor *cursor,
                        struct event *out);
MUST_CHECK enum status replay_store_insert(struct replay_store *store, struct slice rows, struct error *err);
MUST_CHECK enum status replay_store_insert_edges(struct replay_store *store, struct slice rows, struct error *err);
/* Late events of the windows that are counted now, once all edges are there. */
MUST_CHECK enum status replay_store_tell_late(struct replay_store *store, const struct replay_scope *scope,
                                              const struct replay_target *targets, size_t count, uint64_t *out_events,
                                              struct error *err);
/* From now on the generation is what everybody sees of its windows in its range: one insert, of one block. */
MUST_CHECK enum status replay_store_close_generation(struct replay_store *store, const struct replay_scope *scope,
                                                     const struct replay_target *targets, size_t count, uint64_t events,
                                                     struct error *err);
