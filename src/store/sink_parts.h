/* What the sink's files share: sink.c (the machine and its commits), sink_gather.c, sink_insert.c. Nobody else includes
 * this. Each function that returns bool is a step or the end of one: true, call again at once; false, sleep until
 * *wake_us. */
#pragma once
#include <stdatomic.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/retry.h"
#include "journal/drain_end.h"
#include "journal/journal.h"
#include "store/sink.h"
#include "store/sink_mark.h"
#include "store/split.h"
#include "world/world.h"

enum sink_phase { BEGIN, GATHER, BOUND, INSERT, PROGRESS, FINISH };

/* A mark that lags so far behind what was read is moved even though nothing was stored: it holds the journal back. */
#define MARK_LAG_MAX (16u << 20)
#define MARK_AGAIN_US (3600 * INT64_C(1000000)) /* Kafka forgets what is not committed for days */
#define IDLE_SHRINK_US 10000000
#define DRAIN_LOOK_US 10000 /* between two looks whether what was durable has come */
#define LOG_INTERVAL_US 10000000

struct sink_metrics {
    struct counter *rows[SINK_TABLE_COUNT], *refused[SINK_TABLE_COUNT], *batches, *inserts, *retries;
    struct histogram *insert_s, *queryable_s;
    struct gauge *newest_queryable_s;
};

/* Owner: the store role. */
struct sink {
    struct sink_options options;
    struct journal *journal;
    struct store *store;
    struct bell *bell;
    struct journal_reader *reader;
    struct sink_metrics metrics;
    enum sink_phase phase;
    struct pace pace;
    int64_t first_us;         /* when the batch got its first row; monotonic */
    int64_t idle_since_us;    /* INT64_MAX: not idle, or shrunk already */
    uint64_t marked;          /* position of the last mark that was submitted */
    int64_t marked_us;        /* when an idle one was; monotonic */
    bool replaying;           /* the batch ends at note.to */
    struct sink_note note;    /* the batch under way, and how far it is */
    struct split split;       /* of table note.table */
    bool splitting;           /* split is valid */
    uint64_t unmarked_blocks; /* blocks that a crash now would repeat */
    struct sink_mark awaited, unawaited;
    struct retry retry;
    int64_t not_before_us; /* a pause after a failure */
    struct log_limit log_retry, log_refused;
    _Atomic int64_t oldest_written_us; /* of the batch, for whoever asks; INT64_MAX: empty */
    _Atomic uint64_t pending_rows;     /* the same */
    _Atomic bool has_mark, draining, drained;
    struct drain_end end;
    struct sink_batch batch;
};

enum status sink_reader_reopen(struct sink *sink, uint64_t position, struct error *err);
/* A failure that time may heal: a pause, and a word in the log now and then. */
bool sink_pause(struct sink *sink, struct world *world, const struct error *why, int64_t *wake_us);
void sink_healed(struct sink *sink);
void sink_note_lag(struct sink *sink);
/* A new, empty batch from the position on. */
void sink_gather_from(struct sink *sink, uint64_t position);
/* Where the mark is: at open, and when a commit's end is in doubt or the mark was another process's meanwhile. */
enum status sink_begin(struct sink *sink, struct error *err);
/* The batch's bounds are durable: on to its first insert. */
void sink_begin_inserting(struct sink *sink, struct world *world);

bool sink_gather(struct sink *sink, struct world *world, int64_t *wake_us);
bool sink_insert(struct sink *sink, struct world *world, int64_t *wake_us);
