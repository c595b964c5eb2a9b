/* One state machine, one step at a time:
 *
 *   GATHER ──full, or due by pace──► BOUND ──durable──► INSERT ──all tables──► FINISH ──► GATHER …
 *                                                        │  ▲
 *                                                        ▼  │ durable
 *                                                      PROGRESS
 * BOUND, PROGRESS and FINISH are commits to the journal that the machine waits for: the mark "store" at the batch's
 * begin with its end in the note; the same with how far the batch is, and dead letters; the mark at the batch's end
 * with the rest of the dead letters. A finish without letters is not waited for: the next BOUND says the same.
 *
 * A restart finds a note and gathers exactly [position, to) again: same records, same rows, same tokens. Dead letters
 * of refused rows are in the commit that settles their rows, so they too are written once.
 *
 * A batch goes as a whole unless it would touch too many partitions or was refused; then as halves of halves (split.h),
 * which is safe since a refusal (ERR_INVALID) means that nothing was written. The insert blocks this role's thread.
 * That is wanted: while it runs the journal gathers the next batch, and a builder beside it would only compete with
 * the engine for the same cores (decision 0050). */
#include "store/sink.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/retry.h"
#include "journal/journal.h"
#include "store/sink_mark.h"
#include "store/split.h"
#include "world/world.h"

enum phase { GATHER, BOUND, INSERT, PROGRESS, FINISH };

/* A mark that lags so far behind what was read is moved even though nothing was stored: it holds the journal back. */
#define MARK_LAG_MAX (16u << 20)
#define IDLE_SHRINK_US 10000000
#define LOG_INTERVAL_US 10000000

struct sink_metrics {
    struct counter *rows[SINK_TABLE_COUNT], *refused[SINK_TABLE_COUNT], *batches, *inserts, *retries;
    struct histogram *insert_s, *queryable_s;
    struct gauge *lag_s, *pending;
};

/* Owner: the store role. */
struct sink {
    struct sink_options options;
    struct journal *journal;
    struct store *store;
    struct bell *bell;
    struct journal_reader *reader;
    struct sink_metrics metrics;
    enum phase phase;
    struct pace pace;
    int64_t first_us;         /* when the batch got its first row; monotonic */
    int64_t idle_since_us;    /* INT64_MAX: not idle, or shrunk already */
    uint64_t marked;          /* position of the last mark that was submitted */
    bool replaying;           /* the batch ends at note.to */
    struct sink_note note;    /* the batch under way, and how far it is */
    struct split split;       /* of table note.table */
    bool splitting;           /* split is valid */
    uint64_t unmarked_blocks; /* blocks that a crash now would repeat */
    struct sink_mark awaited, unawaited;
    struct retry retry;
    int64_t not_before_us; /* a pause after a failure */
    struct log_limit log_retry, log_refused;
    _Atomic bool draining, drained;
    struct sink_batch batch;
};

void sink_options_default(struct sink_options *out)
{
    *out = (struct sink_options){
        .batch = { .rows_max = 100000, .bytes_max = 64u << 20 },
        .pace = { .linger_ms = 3, .interval_min_ms = 40, .interval_max_ms = 400, .rows_per_s_max = 100000 },
        .retry_first_ms = 50,
        .retry_most_ms = 5000,
    };
}

static void metrics_init(struct sink_metrics *out, struct metrics *metrics)
{
    for (size_t i = 0; i < SINK_TABLE_COUNT; i++) {
        char label[80];
        snprintf(label, sizeof label, "table=\"%s\"", SINK_TABLES[i].table);
        out->rows[i] = metrics_counter(metrics, "store_rows_total", "Rows stored.", label);
        out->refused[i] = metrics_counter(metrics, "store_rows_refused_total",
                                          "Rows that the store refused for good: dead letters.", label);
    }
    out->batches = metrics_counter(metrics, "store_batches_total", "Batches stored.", "");
    out->inserts = metrics_counter(metrics, "store_inserts_total", "Inserts that succeeded.", "");
    out->retries =
        metrics_counter(metrics, "store_retries_total", "Steps of the sink that failed, to be repeated.", "");
    out->insert_s = metrics_histogram(metrics, "clickhouse_write_latency_seconds", "One insert, success or not.", "");
    out->queryable_s = metrics_histogram(metrics, "accepted_to_queryable_seconds",
                                         "From an event's acknowledgement to its being visible to queries.", "");
    out->lag_s = metrics_gauge(metrics, "store_lag_seconds", "Age of the oldest record that is not stored.", "");
    out->pending = metrics_gauge(metrics, "store_pending_rows", "Rows in the sink's hands, not stored yet.", "");
}

static enum status reader_reopen(struct sink *sink, uint64_t position, struct error *err)
{
    struct journal_read_options options = { .topics = sink_topics(),
                                            .partition = JOURNAL_ALL_PARTITIONS,
                                            .position = position,
                                            .waker = bell_waker(sink->bell) };
    if (sink->reader)
        sink->journal->backend->reader_close(sink->reader);
    sink->reader = NULL;
    return sink->journal->backend->reader_open(sink->journal, &options, &sink->reader, err);
}

enum status sink_open(const struct sink_options *options, struct journal *journal, struct store *store,
                      struct metrics *metrics, struct world *world, struct sink **out, struct error *err)
{
    struct sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return error_set(err, ERR_FULL, "open the sink: out of memory");
    sink->options = *options;
    sink->journal = journal;
    sink->store = store;
    sink->bell = sink->awaited.bell = sink->unawaited.bell = bell_new();
    sink->retry = (struct retry){ .first_ms = options->retry_first_ms, .most_ms = options->retry_most_ms };
    sink->idle_since_us = world_mono_us(world);
    metrics_init(&sink->metrics, metrics);
    pace_init(&sink->pace, &options->pace);
    sink_batch_init(&sink->batch, &options->batch);
    enum status s = sink_mark_read(journal, &sink->marked, &sink->note, &sink->replaying, err);
    if (s == OK)
        s = reader_reopen(sink, sink->marked, err);
    if (s != OK) {
        sink_close(sink);
        return error_wrap(err, s, "open the sink");
    }
    sink_batch_reset(&sink->batch, sink->marked);
    *out = sink;
    return OK;
}

/* A failure that time may heal: a pause, and a word in the log now and then. Returns what the step returns. */
static bool pause_after(struct sink *sink, struct world *world, const struct error *why, int64_t *wake_us)
{
    uint64_t skipped;
    counter_add(sink->metrics.retries, 1);
    sink->not_before_us = *wake_us = retry_next_us(&sink->retry, world);
    if (why->status == ERR_CLOSED)
        return false;
    bool grave = why->status == ERR_NOT_FOUND || why->status == ERR_CORRUPT || why->status == ERR_IO;
    if (log_limit_pass(&sink->log_retry, world_mono_us(world), LOG_INTERVAL_US, &skipped))
        log_line(grave ? LOG_ERROR : LOG_WARN, "store.waiting", "attempt=%u skipped=%lu the journal waits: %s",
                 sink->retry.attempts, skipped, why->text);
    return false;
}

static void healed(struct sink *sink)
{
    if (sink->retry.attempts > 3)
        log_info("store.back", "after attempts=%u", sink->retry.attempts);
    retry_reset(&sink->retry);
    sink->log_retry.next_us = 0;
}

static void note_lag(struct sink *sink, struct world *world)
{
    int64_t lag_us = 0;
    if (sink->batch.oldest_written_us != INT64_MAX)
        lag_us = world_wall_us(world) - sink->batch.oldest_written_us;
    gauge_set(sink->metrics.lag_s, lag_us > 0 ? (double)lag_us / 1e6 : 0);
    gauge_set(sink->metrics.pending, (double)sink->batch.rows);
}

static void gather_from(struct sink *sink, uint64_t position)
{
    sink_batch_reset(&sink->batch, position);
    sink->replaying = false;
    sink->note = (struct sink_note){ 0 };
    sink->splitting = false;
    sink->phase = GATHER;
}

/* ---- gathering ---- */

/* Takes what one read gave, up to the batch's end when it is a replay. */
static enum status gather_chunks(struct sink *sink, const struct journal_batch *read, struct error *err)
{
    for (size_t i = 0; i < read->chunk_count; i++) {
        if (sink->replaying && read->chunks[i].position >= sink->note.to)
            break;
        enum status s = sink_batch_add(&sink->batch, &read->chunks[i], err);
        if (s != OK)
            return s;
    }
    sink->batch.to = read->next_position;
    return OK;
}

/* A batch that cannot be used is read again after a pause: nothing of it was written down. */
static bool gather_failed(struct sink *sink, struct world *world, const struct error *why, int64_t *wake_us)
{
    struct error err;
    uint64_t from = sink->batch.from;
    bool replaying = sink->replaying;
    struct sink_note note = sink->note;
    gather_from(sink, from);
    sink->replaying = replaying;
    sink->note = note;
    if (reader_reopen(sink, from, &err) != OK)
        log_error("store.reader_lost", "%s", err.text);
    return pause_after(sink, world, why, wake_us);
}

/* The mark's place was deleted, though the mark should have kept it: say so loudly and go on with what there is. */
static bool positions_lost(struct sink *sink, struct world *world, const struct error *why, int64_t *wake_us)
{
    struct journal_status status;
    sink->journal->backend->status(sink->journal, &status);
    log_error("store.positions_lost", "from=%lu to=%lu these records were deleted before they were stored: %s",
              sink->batch.from, status.begin_position, why->text);
    gather_from(sink, status.begin_position);
    struct error err;
    if (reader_reopen(sink, status.begin_position, &err) != OK)
        return pause_after(sink, world, &err, wake_us);
    return true;
}

static void begin_inserting(struct sink *sink, struct world *world)
{
    pace_started(&sink->pace, sink->batch.rows, world_mono_us(world));
    sink->phase = INSERT;
    sink->splitting = false;
    sink->unmarked_blocks = 0;
}

/* The replayed batch is whole: its bounds are durable already, what comes behind it is read from its end. */
static bool replay_gathered(struct sink *sink, struct world *world, int64_t *wake_us)
{
    struct error err;
    if (reader_reopen(sink, sink->note.to, &err) != OK)
        return pause_after(sink, world, &err, wake_us);
    sink->batch.to = sink->note.to;
    if (sink->note.lettered)
        letter_box_reset(&sink->batch.letters);
    log_info("store.replay", "from=%lu to=%lu rows=%zu table=%u row=%u", sink->batch.from, sink->batch.to,
             sink->batch.rows, sink->note.table, sink->note.row);
    begin_inserting(sink, world);
    return true;
}

/* Nothing to store was found, but the reader has come further. */
static void gather_nothing(struct sink *sink, struct world *world, int64_t *wake_us)
{
    struct error err;
    int64_t now_us = world_mono_us(world);
    atomic_store(&sink->drained, atomic_load(&sink->draining));
    sink->batch.from = sink->batch.to;
    if (sink->batch.to - sink->marked >= MARK_LAG_MAX && sink_mark_state(&sink->unawaited) == MARK_IDLE &&
        sink_mark_submit(&sink->unawaited, sink->journal, sink->batch.to, NULL, NULL, 0, &err) == OK)
        sink->marked = sink->batch.to;
    if (sink->idle_since_us == INT64_MAX)
        return;
    if (now_us - sink->idle_since_us < IDLE_SHRINK_US) {
        *wake_us = sink->idle_since_us + IDLE_SHRINK_US;
        return;
    }
    sink_batch_shrink(&sink->batch);
    sink->idle_since_us = INT64_MAX;
}

static bool gather(struct sink *sink, struct world *world, int64_t *wake_us)
{
    struct journal_batch read;
    struct error err;
    if (!sink->reader && reader_reopen(sink, sink->batch.from, &err) != OK)
        return pause_after(sink, world, &err, wake_us);
    enum status s = journal_read(sink->reader, SINK_READ_BYTES, &read, &err);
    if (s == ERR_NOT_FOUND)
        return positions_lost(sink, world, &err, wake_us);
    bool was_empty = sink_batch_is_empty(&sink->batch);
    if (s == OK)
        s = gather_chunks(sink, &read, &err);
    if (s == OK && sink->replaying && read.chunk_count == 0 && sink->batch.to < sink->note.to)
        s = error_set(&err, ERR_CORRUPT, "the journal ends at %lu, before the batch in work (to %lu)", sink->batch.to,
                      sink->note.to);
    if (s != OK)
        return gather_failed(sink, world, &err, wake_us);
    if (sink->replaying)
        return sink->batch.to >= sink->note.to ? replay_gathered(sink, world, wake_us) : true;
    note_lag(sink, world);
    if (sink_batch_is_empty(&sink->batch)) {
        gather_nothing(sink, world, wake_us);
        return false;
    }
    int64_t now_us = world_mono_us(world);
    if (was_empty)
        sink->first_us = now_us;
    int64_t due_us = pace_due_us(&sink->pace, sink->first_us);
    /* While there is plenty to read, only size ends a batch: catching up wants large inserts. */
    bool behind = read.bytes >= SINK_READ_BYTES / 2;
    bool due = now_us >= due_us || (atomic_load(&sink->draining) && read.chunk_count == 0);
    if (sink_batch_is_full(&sink->batch) || (due && !behind)) {
        sink->note = (struct sink_note){ .to = sink->batch.to };
        sink->phase = BOUND;
        return true;
    }
    *wake_us = due_us;
    return read.chunk_count > 0;
}

/* ---- commits that are waited for ---- */

static enum status submit_phase(struct sink *sink, struct error *err)
{
    const struct letter_box *box = &sink->batch.letters;
    const struct journal_chunk *chunks = NULL;
    size_t count = 0;
    if (sink->phase != BOUND && box->count) {
        chunks = letter_box_chunks(&sink->batch.letters);
        count = box->count;
    }
    if (sink->phase == FINISH)
        return sink_mark_submit(&sink->awaited, sink->journal, sink->batch.to, NULL, chunks, count, err);
    if (sink->phase == PROGRESS)
        sink->note.lettered = true;
    return sink_mark_submit(&sink->awaited, sink->journal, sink->batch.from, &sink->note, chunks, count, err);
}

static void phase_committed(struct sink *sink, struct world *world)
{
    sink->marked = sink->batch.from;
    if (sink->phase == BOUND) {
        begin_inserting(sink, world);
    } else if (sink->phase == PROGRESS) {
        letter_box_reset(&sink->batch.letters);
        sink->unmarked_blocks = 0;
        sink->phase = INSERT;
    } else {
        sink->marked = sink->batch.to;
        gather_from(sink, sink->batch.to);
    }
}

static bool commit_phase(struct sink *sink, struct world *world, int64_t *wake_us)
{
    struct error err;
    enum status s = OK;
    switch (sink_mark_state(&sink->awaited)) {
    case MARK_PENDING:
        return false;
    case MARK_IDLE:
        s = submit_phase(sink, &err);
        return s == OK ? false : pause_after(sink, world, &err, wake_us);
    case MARK_DONE:
        break;
    }
    s = sink_mark_take(&sink->awaited, &err);
    if (s != OK)
        return pause_after(sink, world, &err, wake_us);
    healed(sink);
    phase_committed(sink, world);
    return true;
}

/* ---- inserting ---- */

static void finish(struct sink *sink, struct world *world)
{
    struct error err;
    int64_t wall_us = world_wall_us(world);
    for (size_t i = 0; i < sink->batch.run_count; i++)
        histogram_observe_us(sink->metrics.queryable_s, wall_us - sink->batch.runs[i].ingested_us,
                             sink->batch.runs[i].rows);
    counter_add(sink->metrics.batches, 1);
    pace_finished(&sink->pace, world_mono_us(world));
    sink->idle_since_us = world_mono_us(world);
    gauge_set(sink->metrics.pending, 0);
    if (sink->batch.letters.count) {
        sink->phase = FINISH;
        return;
    }
    if (sink_mark_state(&sink->unawaited) == MARK_IDLE &&
        sink_mark_submit(&sink->unawaited, sink->journal, sink->batch.to, NULL, NULL, 0, &err) == OK)
        sink->marked = sink->batch.to;
    gather_from(sink, sink->batch.to);
}

static void settle(struct sink *sink, const struct split_range *range)
{
    split_settle(&sink->split);
    sink->note.row = range->end;
}

/* One row, refused for good. */
static void refuse_row(struct sink *sink, struct world *world, const struct split_range *range, const struct error *why)
{
    uint64_t skipped;
    const struct sink_table *table = &SINK_TABLES[sink->note.table];
    counter_add(sink->metrics.refused[sink->note.table], 1);
    if (log_limit_pass(&sink->log_refused, world_mono_us(world), LOG_INTERVAL_US, &skipped))
        log_error("store.row_refused", "table=%s skipped=%lu see dead_letters with stage 'store': %s", table->table,
                  skipped, why->text);
    /* A dead letter that the store refuses would become its own successor for ever: the log line is its end. */
    if (table->topic != TOPIC_DEAD_LETTERS) {
        bool added = letter_box_add_row(&sink->batch.letters, &sink->batch.tables[sink->note.table].block, range->first,
                                        why->text);
        assert(added);
    }
    settle(sink, range);
}

/* Blocks that an insert of the range makes: exact for a whole batch, else at most this. */
static uint32_t blocks_of(struct sink *sink, const struct split_range *range)
{
    uint32_t all = sink->batch.tables[sink->note.table].partitions.count;
    uint32_t rows = range->end - range->first;
    if (all > SINK_PARTITIONS_MAX)
        return partition_count(&sink->batch.tables[sink->note.table].block, range->first, range->end);
    return rows < all ? rows : all;
}

static bool insert_range(struct sink *sink, struct world *world, const struct split_range *range, int64_t *wake_us)
{
    char token[STORE_TOKEN_MAX];
    struct error err;
    const uint32_t table = sink->note.table;
    uint32_t blocks = blocks_of(sink, range), rows = range->end - range->first;
    if (blocks > SINK_PARTITIONS_MAX) {
        split_halve(&sink->split);
        return true;
    }
    if ((sink->unmarked_blocks && sink->unmarked_blocks + blocks > SINK_BLOCKS_UNMARKED) ||
        letter_box_is_full(&sink->batch.letters)) {
        sink->phase = PROGRESS;
        return true;
    }
    sink_batch_token(&sink->batch, table, range->first, range->end, token, sizeof token);
    const struct store_insert insert = { .table = SINK_TABLES[table].table,
                                         .token = token,
                                         .block = &sink->batch.tables[table].block,
                                         .first = range->first,
                                         .end = range->end };
    int64_t begin_us = world_mono_us(world);
    enum status s = store_insert(sink->store, &insert, &err);
    histogram_observe_us(sink->metrics.insert_s, world_mono_us(world) - begin_us, 1);
    if (s == OK) {
        healed(sink);
        counter_add(sink->metrics.inserts, 1);
        counter_add(sink->metrics.rows[table], rows);
        sink->unmarked_blocks += blocks;
        settle(sink, range);
    } else if (s != ERR_INVALID) {
        note_lag(sink, world);
        return pause_after(sink, world, &err, wake_us);
    } else if (rows > 1) {
        split_halve(&sink->split);
    } else {
        refuse_row(sink, world, range, &err);
    }
    return true;
}

static bool insert(struct sink *sink, struct world *world, int64_t *wake_us)
{
    struct split_range range;
    if (!sink->splitting) {
        if (sink->note.table == SINK_TABLE_COUNT) {
            finish(sink, world);
            return true;
        }
        split_begin(&sink->split, sink->batch.tables[sink->note.table].block.rows, sink->note.row);
        sink->splitting = true;
    }
    if (split_next(&sink->split, &range))
        return insert_range(sink, world, &range, wake_us);
    sink->note.table++;
    sink->note.row = 0;
    sink->splitting = false;
    return true;
}

static bool sink_step(void *self, struct world *world, int64_t *wake_us)
{
    struct sink *sink = self;
    struct error err;
    if (world_mono_us(world) < sink->not_before_us) {
        *wake_us = sink->not_before_us;
        return false;
    }
    /* The mark that nobody waits for: when it failed, the next one says the same. */
    if (sink_mark_state(&sink->unawaited) == MARK_DONE && sink_mark_take(&sink->unawaited, &err) != OK)
        log_warn("store.mark_late", "%s", err.text);
    switch (sink->phase) {
    case GATHER:
        return gather(sink, world, wake_us);
    case INSERT:
        return insert(sink, world, wake_us);
    case BOUND:
    case PROGRESS:
    case FINISH:
        return commit_phase(sink, world, wake_us);
    }
    return false;
}

struct role sink_role(struct sink *sink)
{
    return (struct role){ "store", sink, sink_step, sink->bell };
}

void sink_drain(struct sink *sink)
{
    atomic_store(&sink->draining, true);
    bell_ring(sink->bell);
}

bool sink_is_drained(struct sink *sink)
{
    return atomic_load(&sink->drained);
}

void sink_close(struct sink *sink)
{
    if (!sink)
        return;
    assert(sink_mark_state(&sink->awaited) != MARK_PENDING && sink_mark_state(&sink->unawaited) != MARK_PENDING);
    if (sink->reader)
        sink->journal->backend->reader_close(sink->reader);
    sink_batch_done(&sink->batch);
    bell_free(sink->bell);
    free(sink);
}
