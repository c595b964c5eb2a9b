/* Inserting: table by table, as a whole or in halves; what was refused; what was measured. One insert a step. */
#include "store/sink_parts.h"

static void finish(struct sink *sink, struct world *world)
{
    struct error err;
    int64_t wall_us = world_wall_us(world), longest_us = 0;
    for (size_t i = 0; i < sink->batch.run_count; i++) {
        int64_t waited_us = wall_us - sink->batch.runs[i].ingested_us;
        histogram_observe_us(sink->metrics.queryable_s, waited_us, sink->batch.runs[i].rows);
        longest_us = waited_us > longest_us ? waited_us : longest_us;
    }
    if (sink->batch.run_count)
        gauge_set(sink->metrics.newest_queryable_s, (double)longest_us / 1e6);
    counter_add(sink->metrics.batches, 1);
    pace_finished(&sink->pace, world_mono_us(world));
    sink->idle_since_us = world_mono_us(world);
    atomic_store(&sink->pending_rows, 0);
    if (sink->batch.letters.count) {
        sink->phase = FINISH;
        return;
    }
    if (sink_mark_state(&sink->unawaited) == MARK_IDLE &&
        sink_mark_submit(&sink->unawaited, sink->journal, sink->batch.to, NULL, NULL, 0, &err) == OK)
        sink->marked = sink->batch.to;
    sink_gather_from(sink, sink->batch.to);
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
    const struct sink_table *table = SINK_TABLES[sink->note.table];
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
    const struct store_insert insert = { .table = SINK_TABLES[table]->table,
                                         .token = token,
                                         .block = &sink->batch.tables[table].block,
                                         .first = range->first,
                                         .end = range->end };
    int64_t begin_us = world_mono_us(world);
    enum status s = store_insert(sink->store, &insert, &err);
    histogram_observe_us(sink->metrics.insert_s, world_mono_us(world) - begin_us, 1);
    if (s == OK) {
        sink_healed(sink);
        counter_add(sink->metrics.inserts, 1);
        counter_add(sink->metrics.rows[table], rows);
        sink->unmarked_blocks += blocks;
        settle(sink, range);
    } else if (s != ERR_INVALID) {
        sink_note_lag(sink);
        return sink_pause(sink, world, &err, wake_us);
    } else if (rows > 1) {
        split_halve(&sink->split);
    } else {
        refuse_row(sink, world, range, &err);
    }
    return true;
}

bool sink_insert(struct sink *sink, struct world *world, int64_t *wake_us)
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
