#include "base/test.h"
#include "test/support/journal_run.h"

static void run_check_chunk(const struct journal_chunk *chunk, uint32_t *out_id, uint32_t *out_number)
{
    struct slice rest = chunk->bytes, record;
    uint32_t records = 0, head[3] = { 0 };
    while (journal_next_record(&rest, &record)) {
        run_check(record.n >= sizeof head, "a record of %zu bytes", record.n);
        memcpy(head, record.p, sizeof head);
        run_check(head[0] >= 1 && head[0] <= run->sent && head[1] < 4 && head[2] == records,
                  "a record that nobody sent");
        run_check(record.n <= RUN_RECORD_BYTES_MAX &&
                      memcmp(record.p + sizeof head, run_filler(head[0], head[1], head[2]), record.n - sizeof head) ==
                          0,
                  "wrong bytes in a record of %u", head[0]);
        records++;
    }
    const struct planned *planned = &run->commits[head[0]];
    run_check(rest.n == 0 && records == chunk->records, "a chunk that does not hold its records");
    run_check(head[1] < planned->chunk_count && planned->chunks[head[1]].topic == chunk->topic &&
                  planned->chunks[head[1]].partition == chunk->partition &&
                  planned->chunks[head[1]].records == records &&
                  chunk->bytes.n == (size_t)records * (4 + planned->chunks[head[1]].record_bytes),
              "a chunk of %u that is not as it was sent", head[0]);
    *out_id = head[0];
    *out_number = head[1];
}

static bool follower_wants(const struct follower *follower, const struct planned *planned, uint32_t chunk)
{
    return (follower->topics & TOPIC_BIT(planned->chunks[chunk].topic)) &&
           (follower->partition == JOURNAL_ALL_PARTITIONS || follower->partition == planned->chunks[chunk].partition);
}

/* The first chunk of `planned` at or behind `from` that the follower wants; chunk_count when there is none. */
static uint32_t next_wanted(const struct follower *follower, const struct planned *planned, uint32_t from)
{
    while (from < planned->chunk_count && !follower_wants(follower, planned, from))
        from++;
    return from;
}

void run_follower_check_skipped(const struct follower *follower, uint32_t from, uint32_t to)
{
    for (uint32_t id = from; id < to; id++)
        run_check(run->commits[id].fate != ACKED || id <= run->retired ||
                      next_wanted(follower, &run->commits[id], 0) == run->commits[id].chunk_count,
                  "acknowledged commit %u is lost", id);
}

void run_follower_check_batch(struct follower *follower, const struct journal_batch *batch)
{
    uint64_t position = 0;
    for (size_t i = 0; i < batch->chunk_count;) {
        uint32_t id, number;
        run_check_chunk(&batch->chunks[i], &id, &number);
        struct planned *planned = &run->commits[id];
        run_check(id > follower->last_id, "commit %u after %u", id, follower->last_id);
        run_check(planned->fate == ACKED || planned->fate == FAILED, "commit %u is seen, but its fate is %d", id,
                  (int)planned->fate);
        run_follower_check_skipped(follower, follower->last_id + 1, id);
        run_check(batch->chunks[i].position > position, "positions don't grow");
        position = batch->chunks[i].position;
        for (uint32_t c = next_wanted(follower, planned, 0); c < planned->chunk_count;
             c = next_wanted(follower, planned, c + 1), i++) {
            run_check(i < batch->chunk_count, "commit %u is seen in part", id);
            const struct journal_chunk *chunk = &batch->chunks[i];
            uint32_t same_id, same_number;
            run_check_chunk(chunk, &same_id, &same_number);
            run_check(same_id == id && same_number == c && chunk->position == position, "commit %u is seen in part",
                      id);
            uint64_t *offset = &follower->offsets[chunk->topic][chunk->partition];
            run_check(!follower->known[chunk->topic][chunk->partition] || chunk->offset == *offset,
                      "commit %u: offset %llu where %llu is next", id, (unsigned long long)chunk->offset,
                      (unsigned long long)*offset);
            follower->known[chunk->topic][chunk->partition] = true;
            *offset = chunk->offset + chunk->records;
        }
        planned->fate = ACKED; /* of unknown fate before: seen once, it stays */
        follower->last_id = id;
    }
}

void run_follower_open(struct follower *follower, uint32_t topics, uint16_t partition)
{
    *follower = (struct follower){ .topics = topics, .partition = partition };
    struct journal_read_options options = { topics, partition, JOURNAL_BEGIN, { 0 } };
    struct error err = { OK, "" };
    enum status s = run->journal->backend->reader_open(run->journal, &options, &follower->reader, &err);
    run_check(s == OK, "open a reader: %s", err.text);
}

void run_follower_close(struct follower *follower)
{
    if (follower->reader)
        run->journal->backend->reader_close(follower->reader);
    follower->reader = NULL;
}

void run_note_retired(void)
{
    /* The first commit that a reader of everything finds now is the oldest that must be there. */
    struct follower all;
    struct journal_batch batch;
    struct journal_status status;
    run->journal->backend->status(run->journal, &status);
    if (status.begin_position == 0)
        return;
    run_follower_open(&all, UINT32_MAX, JOURNAL_ALL_PARTITIONS);
    enum status s = journal_read(all.reader, 1, &batch, NULL);
    if (s == OK && batch.chunk_count) {
        uint32_t id, number;
        run_check_chunk(&batch.chunks[0], &id, &number);
        if (id > run->retired + 1)
            run->retired = id - 1;
    } else if (s == OK) {
        run->retired = run->sent;
    }
    run_follower_close(&all);
}

bool run_follower_read(struct follower *follower, size_t bytes_max)
{
    struct journal_batch batch;
    struct error err = { OK, "" };
    enum status s = journal_read(follower->reader, bytes_max, &batch, &err);
    if (disk_sim_is_off(run->disk))
        return false;
    if (s == ERR_NOT_FOUND) { /* retention overtook it */
        uint32_t topics = follower->topics;
        uint16_t partition = follower->partition;
        run_note_retired();
        run_follower_close(follower);
        run_follower_open(follower, topics, partition);
        return true;
    }
    run_check(s == OK, "read: %s", err.text);
    if (run->options.retention_bytes || run->options.total_bytes_max)
        run_note_retired();
    run_follower_check_batch(follower, &batch);
    return batch.chunk_count > 0;
}
