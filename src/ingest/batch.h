/* What one turn of the loop hands to the journal as ONE commit: the records of many requests, sorted by partition, and
 * the tickets that wait for it. Owner: the loop's thread; from submit until done the journal reads it. Pooled. Bounds:
 * BATCH_BYTES_MAX records' bytes, `batches_max` batches. */
#pragma once
#include "base/buf.h"
#include "event/dead_letter.h"
#include "event/event.h"
#include "ingest/produced.h"
#include "journal/journal.h"

struct core;
struct ticket;

/* Room is left for what the journal writes around the records. */
#define BATCH_BYTES_MAX (JOURNAL_COMMIT_BYTES_MAX - (64u << 10))

struct batch_part {
    struct buf bytes; /* uint32 length, record, … */
    uint32_t records;
};

struct batch {
    struct journal_commit commit;
    struct batch *next_free;
    struct batch_pool *pool;
    struct core *core;                   /* set at submit, for the journal's thread */
    struct batch_part *events, *letters; /* one per partition */
    uint16_t *touched;                   /* indexes of parts with records: events below `partitions`, letters above */
    size_t touched_count;
    struct journal_chunk *chunks;
    struct ticket *first, *last;
    size_t bytes, tickets;
    uint64_t event_count;
    uint64_t produced[PRODUCED_TYPES]; /* of these, by the number of their type */
    bool broken;                       /* a record is missing: may not be submitted */
    int64_t submitted_us;
    enum status outcome; /* set on the journal's thread before the batch is handed back */
    char reason[200];
};

struct batch_pool {
    uint16_t partitions;
    size_t made, batches_max;
    struct batch *free;
};

/* NULL: all batches are with the journal, or out of memory. */
struct batch *batch_take(struct batch_pool *pool);
void batch_give_back(struct batch *batch);
void batch_pool_done(struct batch_pool *pool); /* frees those that were given back */

/* Bytes that the record adds. */
static inline size_t batch_event_bytes(const struct event *event)
{
    return sizeof(uint32_t) + event_encoded_size(event);
}
static inline size_t batch_letter_bytes(const struct dead_letter *letter)
{
    return sizeof(uint32_t) + dead_letter_encoded_size(letter);
}
/* Out of memory sets batch->broken: the whole batch is then refused instead of submitted. */
void batch_add_event(struct batch *batch, const struct event *event);
/* A tenant's dead letters share one partition, so that they stay in order. */
void batch_add_letter(struct batch *batch, const struct dead_letter *letter);
void batch_add_ticket(struct batch *batch, struct ticket *ticket);

/* Fills commit.chunks from the parts. done and context are the caller's to set. */
void batch_seal(struct batch *batch);
