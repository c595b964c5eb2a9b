/* Records are turned into columns while they are read: the journal's bytes are borrowed until the next read only, and
 * columns are half of what is needed anyway, so nothing is copied twice. */
#include "store/sink_batch.h"

#include <stdio.h>
#include <xxhash.h>

/* A column holds at most one commit more than the bound, and varints: 1 MB. */
#define COLUMN_SPARE (JOURNAL_COMMIT_BYTES_MAX + SINK_READ_BYTES + (4u << 20))
/* Memory that an idle sink may keep. */
#define KEEP_BYTES (1u << 20)

void sink_batch_init(struct sink_batch *batch, const struct sink_batch_options *options)
{
    assert(options->rows_max > 0 && options->bytes_max > 0);
    batch->options = *options;
    letter_box_init(&batch->letters);
    for (size_t i = 0; i < SINK_TABLE_COUNT; i++) {
        native_init(&batch->tables[i].block, SINK_TABLES[i]->columns, SINK_TABLES[i]->column_count,
                    (size_t)options->bytes_max + COLUMN_SPARE);
        memset(&batch->tables[i].partitions, 0, sizeof batch->tables[i].partitions);
    }
    sink_batch_reset(batch, 0);
}

void sink_batch_done(struct sink_batch *batch)
{
    for (size_t i = 0; i < SINK_TABLE_COUNT; i++)
        native_done(&batch->tables[i].block);
    letter_box_done(&batch->letters);
}

void sink_batch_reset(struct sink_batch *batch, uint64_t from)
{
    batch->from = batch->to = from;
    batch->rows = batch->bytes = 0;
    batch->run_count = 0;
    batch->oldest_written_us = INT64_MAX;
    letter_box_reset(&batch->letters);
    for (size_t i = 0; i < SINK_TABLE_COUNT; i++) {
        native_reset(&batch->tables[i].block);
        partition_set_reset(&batch->tables[i].partitions);
        batch->tables[i].hash = 0;
    }
}

void sink_batch_shrink(struct sink_batch *batch)
{
    assert(sink_batch_is_empty(batch));
    size_t kept = batch->letters.bytes.capacity + batch->letters.scratch.capacity;
    for (size_t i = 0; i < SINK_TABLE_COUNT; i++)
        for (size_t j = 0; j < batch->tables[i].block.column_count; j++)
            kept += batch->tables[i].block.data[j].capacity;
    if (kept <= KEEP_BYTES)
        return;
    sink_batch_done(batch);
}

static void note_latency(struct sink_batch *batch, int64_t ingested_us)
{
    struct sink_run *last = batch->run_count ? &batch->runs[batch->run_count - 1] : NULL;
    /* When the runs are used up, the last one takes the rest: a metric may be coarse. */
    if (last && (last->ingested_us == ingested_us || batch->run_count == SINK_RUNS_MAX))
        last->rows++;
    else
        batch->runs[batch->run_count++] = (struct sink_run){ ingested_us, 1 };
}

enum status sink_batch_add(struct sink_batch *batch, const struct journal_chunk *chunk, struct error *err)
{
    size_t index = sink_table_of(chunk->topic);
    assert(index < SINK_TABLE_COUNT);
    const struct sink_table *table = SINK_TABLES[index];
    struct sink_source source = { chunk->partition, chunk->offset };
    struct slice rest = chunk->bytes, record;
    while (journal_next_record(&rest, &record)) {
        struct error why;
        int64_t ingested_us = 0;
        enum status s = table->add(&batch->tables[index].block, &batch->tables[index].partitions, record, &source,
                                   &ingested_us, &why);
        source.offset++;
        if (s == OK) {
            batch->rows++;
            if (ingested_us)
                note_latency(batch, ingested_us);
        } else if (!letter_box_add_record(&batch->letters, chunk->partition, record, why.text)) {
            return error_wrap(err, ERR_CORRUPT,
                              "more than %zu records of one batch cannot be read (were they written by a newer weir? "
                              "then upgrade this one): %s",
                              batch->letters.count, why.text);
        }
    }
    if (rest.n || source.offset != chunk->offset + chunk->records)
        return error_set(err, ERR_CORRUPT, "a chunk of %s/%u at %lu is not the %u records that it says",
                         journal_topic_name(chunk->topic), chunk->partition, chunk->position, chunk->records);
    if (native_full(&batch->tables[index].block))
        return error_set(err, ERR_CORRUPT, "one commit of %zu bytes does not fit into a block", chunk->bytes.n);
    batch->bytes += chunk->bytes.n;
    batch->tables[index].hash = XXH3_64bits_withSeed(chunk->bytes.p, chunk->bytes.n,
                                                     batch->tables[index].hash ^ chunk->offset ^ chunk->partition);
    if (chunk->written_us < batch->oldest_written_us)
        batch->oldest_written_us = chunk->written_us;
    return OK;
}

bool sink_batch_is_full(const struct sink_batch *batch)
{
    return batch->rows >= batch->options.rows_max || batch->bytes >= batch->options.bytes_max ||
           batch->letters.count * 2 > LETTER_BOX_MAX;
}

bool sink_batch_is_empty(const struct sink_batch *batch)
{
    return batch->rows == 0 && batch->letters.count == 0;
}

void sink_batch_token(const struct sink_batch *batch, size_t table, uint32_t first, uint32_t end, char *out,
                      size_t out_size)
{
    bool whole = first == 0 && end == batch->tables[table].block.rows;
    int n = snprintf(out, out_size, "%s/%lu-%lu/%016lx", SINK_TABLES[table]->table, batch->from, batch->to,
                     batch->tables[table].hash);
    assert(n > 0 && (size_t)n < out_size);
    if (!whole) {
        n += snprintf(out + n, out_size - (size_t)n, "/%u-%u", first, end);
        assert((size_t)n < out_size);
    }
}
