/* The results of one write: gathered from whole reads of the journal, so that its end is a place where reading can go
 * on. One owner. Bounds: DELIVERY_RECORDS_MAX, DELIVERY_BYTES and what one read of DELIVERY_READ_BYTES (or one commit)
 * makes beyond them; BATCH_BYTES_MAX in all, what is beyond that is counted as refused. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "deliver/selection.h"
#include "deliver/target.h"

struct journal_batch;

#define DELIVERY_RECORDS_MAX 10000
#define DELIVERY_BYTES (4u << 20)
#define DELIVERY_READ_BYTES (256u << 10)
#define BATCH_BYTES_MAX (128u << 20)

struct delivery_batch {
    struct buf text;
    struct place *places; /* of records in the text, which moves as it grows */
    struct target_record *records;
    size_t count, capacity;
    uint64_t from, to;
    int64_t oldest_written_us; /* INT64_MAX: empty */
    size_t unreadable, too_large;
    char first_refused[64]; /* the id of one that was left out, or "" */
};

void delivery_batch_init(struct delivery_batch *batch);
void delivery_batch_done(struct delivery_batch *batch);
void delivery_batch_reset(struct delivery_batch *batch, uint64_t position);
void delivery_batch_shrink(struct delivery_batch *batch); /* of an empty one: gives its memory back */
/* Adds what the selection wants of a read. A record whose result is larger than record_bytes_max, or that cannot be
 * read, is counted and left out. */
void delivery_batch_add(struct delivery_batch *batch, const struct selection *selection,
                        const struct journal_batch *read, size_t record_bytes_max);
bool delivery_batch_is_full(const struct delivery_batch *batch);
/* Borrowed until the batch changes. */
struct target_batch delivery_batch_for_target(struct delivery_batch *batch);
