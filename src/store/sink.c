/* One state machine, one step at a time:
 *
 *   BEGIN ──► GATHER ──full, or due by pace──► BOUND ──durable──► INSERT ──all tables──► FINISH ──► GATHER …
 *                                                        │  ▲
 *                                                        ▼  │ durable
 *                                                      PROGRESS
 * BOUND, PROGRESS and FINISH are commits to the journal that the machine waits for: the mark "store" at the batch's
 * begin with its end in the note; the same with how far the batch is, and dead letters; the mark at the batch's end
 * with the rest of the dead letters. A finish without letters is not waited for: the next BOUND says the same.
 *
 * BEGIN reads the mark. A restart finds a note and gathers exactly [position, to) again: same records, same rows, same
 * tokens. Dead letters of refused rows are in the commit that settles their rows, so they too are written once.
 *
 * A batch goes as a whole unless it would touch too many partitions or was refused; then as halves of halves (split.h),
 * which is safe since a refusal (ERR_INVALID) means that nothing was written. The insert blocks this role's thread.
 * That is wanted: while it runs the journal gathers the next batch, and a builder beside it would only compete with
 * the engine for the same cores (decision 0050). */
#include "store/sink.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/sink_parts.h"

void sink_options_default(struct sink_options *out)
{
    *out = (struct sink_options){
        .partition = JOURNAL_ALL_PARTITIONS,
        .batch = { .rows_max = 100000, .bytes_max = 64u << 20 },
        .pace = { .linger_ms = 3, .interval_min_ms = 40, .interval_max_ms = 400, .rows_per_s_max = 100000 },
        .retry_first_ms = 50,
        .retry_most_ms = 1000,
    };
}

static void metrics_init(struct sink_metrics *out, struct metrics *metrics)
{
    for (size_t i = 0; i < SINK_TABLE_COUNT; i++) {
        char label[80];
        snprintf(label, sizeof label, "table=\"%s\"", SINK_TABLES[i]->table);
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
    out->newest_queryable_s = metrics_gauge(
        metrics, "store_queryable_seconds",
        "From acknowledgement to visible to queries, of the event in the newest batch that waited longest.", "");
}

enum status sink_reader_reopen(struct sink *sink, uint64_t position, struct error *err)
{
    struct journal_read_options options = { .topics = sink_topics(),
                                            .partition = sink->options.partition,
                                            .position = position,
                                            .waker = bell_waker(sink->bell) };
    if (sink->reader)
        sink->journal->backend->reader_close(sink->reader);
    sink->reader = NULL;
    return sink->journal->backend->reader_open(sink->journal, &options, &sink->reader, err);
}

/* A new sink begins with the oldest record. */
static enum status begin_without_mark(struct sink *sink, uint64_t *out_position, struct error *err)
{
    const struct lost_mark_group group = { SINK_GROUP, "store.lost_mark", sink->options.partition, TOPIC_ENRICHED };
    *out_position = JOURNAL_BEGIN;
    if (!sink->options.had_mark && !atomic_load(&sink->has_mark))
        return OK;
    return lost_mark_settle(sink->journal, &group, sink->options.lost_mark, out_position, err);
}

enum status sink_begin(struct sink *sink, struct error *err)
{
    bool replaying;
    uint64_t position;
    struct sink_note note = { 0 };
    enum status s = sink_mark_read(sink->journal, sink->options.partition, &position, &note, &replaying, err);
    const bool has_mark = s == OK;
    if (s == ERR_NOT_FOUND)
        s = begin_without_mark(sink, &position, err);
    if (s == OK)
        s = sink_reader_reopen(sink, position, err);
    if (s != OK)
        return s;
    sink_gather_from(sink, position);
    sink->marked = position;
    sink->note = note;
    sink->replaying = replaying;
    atomic_store(&sink->has_mark, has_mark);
    return OK;
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
    sink->awaited.partition = sink->unawaited.partition = options->partition;
    sink->retry = (struct retry){ .first_ms = options->retry_first_ms, .most_ms = options->retry_most_ms };
    sink->idle_since_us = sink->marked_us = world_mono_us(world);
    atomic_store(&sink->oldest_written_us, INT64_MAX);
    metrics_init(&sink->metrics, metrics);
    pace_init(&sink->pace, &options->pace);
    sink_batch_init(&sink->batch, &options->batch);
    enum status s = sink_begin(sink, err);
    if (s != OK) {
        sink_close(sink);
        return error_wrap(err, s, "open the sink");
    }
    *out = sink;
    return OK;
}

bool sink_pause(struct sink *sink, struct world *world, const struct error *why, int64_t *wake_us)
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

void sink_healed(struct sink *sink)
{
    if (sink->retry.attempts > 3)
        log_info("store.back", "after attempts=%u", sink->retry.attempts);
    retry_reset(&sink->retry);
    sink->log_retry.next_us = 0;
}

int64_t sink_lag_us(const struct sink *sink, int64_t wall_us)
{
    const int64_t oldest_us = atomic_load(&sink->oldest_written_us);
    return oldest_us < wall_us ? wall_us - oldest_us : 0;
}

uint64_t sink_pending_rows(const struct sink *sink)
{
    return atomic_load(&sink->pending_rows);
}

void sink_note_lag(struct sink *sink)
{
    atomic_store(&sink->oldest_written_us, sink->batch.oldest_written_us);
    atomic_store(&sink->pending_rows, sink->batch.rows);
}

void sink_gather_from(struct sink *sink, uint64_t position)
{
    sink_batch_reset(&sink->batch, position);
    sink->replaying = false;
    sink->note = (struct sink_note){ 0 };
    sink->splitting = false;
    sink->phase = GATHER;
}

void sink_begin_inserting(struct sink *sink, struct world *world)
{
    pace_started(&sink->pace, sink->batch.rows, world_mono_us(world));
    sink->phase = INSERT;
    sink->splitting = false;
    sink->unmarked_blocks = 0;
}

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
        sink_begin_inserting(sink, world);
    } else if (sink->phase == PROGRESS) {
        letter_box_reset(&sink->batch.letters);
        sink->unmarked_blocks = 0;
        sink->phase = INSERT;
    } else {
        sink->marked = sink->batch.to;
        sink_gather_from(sink, sink->batch.to);
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
        return s == OK ? false : sink_pause(sink, world, &err, wake_us);
    case MARK_DONE:
        break;
    }
    s = sink_mark_take(&sink->awaited, &err);
    if (s == ERR_IO)
        sink->phase = BEGIN; /* whether it is there or not: the mark says */
    if (s != OK)
        return sink_pause(sink, world, &err, wake_us);
    sink_healed(sink);
    atomic_store(&sink->has_mark, true);
    phase_committed(sink, world);
    return true;
}

static bool begin_again(struct sink *sink, struct world *world, int64_t *wake_us)
{
    struct error err;
    if (sink_mark_state(&sink->unawaited) == MARK_PENDING)
        return false; /* its answer rings */
    if (sink_begin(sink, &err) != OK)
        return sink_pause(sink, world, &err, wake_us);
    log_info("store.began_again", "from=%lu replaying=%d", sink->batch.from, sink->replaying);
    return true;
}

/* The mark that nobody waits for: when it was refused, the next one says the same; when its end is in doubt, the
 * journal takes no next one before the mark was read again. */
static void look_at_late_mark(struct sink *sink)
{
    struct error err;
    enum status s = sink_mark_take(&sink->unawaited, &err);
    if (s != OK)
        log_warn("store.mark_late", "%s", err.text);
    else
        atomic_store(&sink->has_mark, true);
    if (s == ERR_IO && sink->phase == GATHER)
        sink->phase = BEGIN;
}

static bool sink_step(void *self, struct world *world, int64_t *wake_us)
{
    struct sink *sink = self;
    if (world_mono_us(world) < sink->not_before_us) {
        *wake_us = sink->not_before_us;
        return false;
    }
    if (sink_mark_state(&sink->unawaited) == MARK_DONE)
        look_at_late_mark(sink);
    switch (sink->phase) {
    case BEGIN:
        return begin_again(sink, world, wake_us);
    case GATHER:
        return sink_gather(sink, world, wake_us);
    case INSERT:
        return sink_insert(sink, world, wake_us);
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

bool sink_has_mark(struct sink *sink)
{
    return atomic_load(&sink->has_mark);
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
