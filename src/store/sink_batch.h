/* One batch of the sink: the rows of the journal's positions [from, to) as a block for each table, with what the tokens
 * and the metrics need. Owner: the sink role. Bounds: rows_max and bytes_max, exceeded by at most one read of the
 * journal (SINK_READ_BYTES or one commit, whichever is larger). */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "store/letter_box.h"
#include "store/sink_table.h"

#define SINK_READ_BYTES (4u << 20)
#define SINK_RUNS_MAX 8192

struct sink_batch_options {
    uint32_t rows_max;  /* 100000 */
    uint32_t bytes_max; /* of records; 64 MiB */
};

/* Rows side by side that were acknowledged at the same moment. */
struct sink_run {
    int64_t ingested_us;
    uint32_t rows;
};

struct sink_batch {
    struct sink_batch_options options;
    uint64_t from, to; /* positions in the journal */
    size_t rows, bytes;
    struct {
        struct native_block block;
        struct partition_set partitions;
        uint64_t hash; /* of the records, in their order */
    } tables[SINK_TABLE_COUNT];
    struct letter_box letters; /* rows that will not be stored */
    int64_t oldest_written_us; /* when the oldest record was committed; INT64_MAX: empty */
    size_t run_count;
    struct sink_run runs[SINK_RUNS_MAX];
};

void sink_batch_init(struct sink_batch *batch, const struct sink_batch_options *options);
void sink_batch_done(struct sink_batch *batch);
/* Empty, to be filled from the position on. */
void sink_batch_reset(struct sink_batch *batch, uint64_t from);
/* Gives memory back that large batches have left behind. Only when empty. */
void sink_batch_shrink(struct sink_batch *batch);

/* Adds the rows of one chunk. A record that cannot be read goes to the letters.
 * ERR_CORRUPT: too many of those, or a chunk that is not a list of records: something is wrong with the software, not
 * with an event; the batch is not to be used. */
MUST_CHECK enum status sink_batch_add(struct sink_batch *batch, const struct journal_chunk *chunk, struct error *err);
bool sink_batch_is_full(const struct sink_batch *batch);
/* No rows and no letters. */
bool sink_batch_is_empty(const struct sink_batch *batch);

/* "events_raw/FROM-TO/HASH", with "/FIRST-END" behind it for a part of the rows: the same again after a restart. The
 * hash is of the journal's records, not of the block: it tells batches of two journals apart, and does not change with
 * the columns of a newer version. */
void sink_batch_token(const struct sink_batch *batch, size_t table, uint32_t first, uint32_t end, char *out,
                      size_t out_size);
