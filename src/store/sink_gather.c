/* Gathering: from the journal into the batch, until the batch is full, due, or, after a restart, what it was before.
 *
 * A replay must give the same rows, so it takes exactly the commits that stand before the noted end, whatever else has
 * come since, and then the reader is set to that end. */
#include "store/sink_parts.h"

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
    if (sink->options.seen && !sink->replaying && read->chunk_count)
        sink->options.seen(sink->options.seen_self, read->chunks, read->chunk_count);
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
    sink_gather_from(sink, from);
    sink->replaying = replaying;
    sink->note = note;
    if (sink_reader_reopen(sink, from, &err) != OK)
        log_error("store.reader_lost", "%s", err.text);
    return sink_pause(sink, world, why, wake_us);
}

/* The mark's place was deleted, though the mark should have kept it: say so loudly and go on with what there is. */
static bool positions_lost(struct sink *sink, struct world *world, const struct error *why, int64_t *wake_us)
{
    struct journal_status status;
    sink->journal->backend->status(sink->journal, &status);
    log_error("store.positions_lost", "from=%lu to=%lu these records were deleted before they were stored: %s",
              sink->batch.from, status.begin_position, why->text);
    sink_gather_from(sink, status.begin_position);
    struct error err;
    if (sink_reader_reopen(sink, status.begin_position, &err) != OK)
        return sink_pause(sink, world, &err, wake_us);
    return true;
}

/* The replayed batch is whole: its bounds are durable already, what comes behind it is read from its end. */
static bool replay_gathered(struct sink *sink, struct world *world, int64_t *wake_us)
{
    struct error err;
    if (sink_reader_reopen(sink, sink->note.to, &err) != OK)
        return sink_pause(sink, world, &err, wake_us);
    sink->batch.to = sink->note.to;
    if (sink->note.lettered)
        letter_box_reset(&sink->batch.letters);
    log_info("store.replay", "from=%lu to=%lu rows=%zu table=%u row=%u", sink->batch.from, sink->batch.to,
             sink->batch.rows, sink->note.table, sink->note.row);
    sink_begin_inserting(sink, world);
    return true;
}

static bool is_drained(struct sink *sink)
{
    return atomic_load(&sink->draining) &&
           drain_end_reached(&sink->end, sink->journal, TOPIC_ENRICHED, sink->options.partition, sink->batch.to);
}

/* Nothing to store was found, but the reader has come further. */
static void gather_nothing(struct sink *sink, struct world *world, int64_t *wake_us)
{
    struct error err;
    int64_t now_us = world_mono_us(world);
    atomic_store(&sink->drained, is_drained(sink));
    sink->batch.from = sink->batch.to;
    bool old = sink->batch.to - sink->marked >= MARK_LAG_MAX || now_us - sink->marked_us >= MARK_AGAIN_US;
    if ((old || !atomic_load(&sink->has_mark)) && sink_mark_state(&sink->unawaited) == MARK_IDLE &&
        sink_mark_submit(&sink->unawaited, sink->journal, sink->batch.to, NULL, NULL, 0, &err) == OK) {
        sink->marked = sink->batch.to;
        sink->marked_us = now_us;
    }
    if (sink->marked_us + MARK_AGAIN_US > now_us) /* else the answer of one that is under way rings */
        *wake_us = sink->marked_us + MARK_AGAIN_US;
    if (atomic_load(&sink->draining) && !atomic_load(&sink->drained))
        *wake_us = now_us + DRAIN_LOOK_US;
    if (sink->idle_since_us == INT64_MAX)
        return;
    if (now_us - sink->idle_since_us < IDLE_SHRINK_US) {
        if (*wake_us > sink->idle_since_us + IDLE_SHRINK_US)
            *wake_us = sink->idle_since_us + IDLE_SHRINK_US;
        return;
    }
    sink_batch_shrink(&sink->batch);
    sink->idle_since_us = INT64_MAX;
}

bool sink_gather(struct sink *sink, struct world *world, int64_t *wake_us)
{
    struct journal_batch read;
    struct error err;
    if (!sink->reader && sink_reader_reopen(sink, sink->batch.from, &err) != OK)
        return sink_pause(sink, world, &err, wake_us);
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
    sink_note_lag(sink);
    if (sink_batch_is_empty(&sink->batch)) {
        gather_nothing(sink, world, wake_us);
        return read.chunk_count > 0;
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
