/* Records go straight from the parsed event into the buffer of their partition: one copy, no allocation once the
 * buffers have grown. The buffers are the chunks of the commit; they are used again when the journal is done. A batch
 * that grew large returns its buffers, so that a burst does not hold memory for ever. */
#include "ingest/batch.h"

#include <stdlib.h>

#include "ingest/ticket.h"

#define KEPT_BYTES_MAX (4u << 20)

static void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    for (size_t i = 0; batch->events && i < batch->pool->partitions; i++)
        buf_done(&batch->events[i].bytes);
    for (size_t i = 0; batch->letters && i < batch->pool->partitions; i++)
        buf_done(&batch->letters[i].bytes);
    free(batch->events);
    free(batch->letters);
    free(batch->touched);
    free(batch->chunks);
    free(batch);
}

static struct batch *batch_new(struct batch_pool *pool)
{
    size_t partitions = pool->partitions;
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        return NULL;
    batch->pool = pool;
    batch->events = calloc(partitions, sizeof *batch->events);
    batch->letters = calloc(partitions, sizeof *batch->letters);
    batch->touched = calloc(2 * partitions, sizeof *batch->touched);
    batch->chunks = calloc(2 * partitions, sizeof *batch->chunks);
    if (!batch->events || !batch->letters || !batch->touched || !batch->chunks) {
        batch_free(batch);
        return NULL;
    }
    for (size_t i = 0; i < partitions; i++) {
        buf_init(&batch->events[i].bytes, BATCH_BYTES_MAX);
        buf_init(&batch->letters[i].bytes, BATCH_BYTES_MAX);
    }
    return batch;
}

struct batch *batch_take(struct batch_pool *pool)
{
    assert(pool->partitions > 0 && pool->partitions <= UINT16_MAX / 2);
    struct batch *batch = pool->free;
    if (batch) {
        pool->free = batch->next_free;
        return batch;
    }
    if (pool->made >= pool->batches_max || !(batch = batch_new(pool)))
        return NULL;
    pool->made++;
    return batch;
}

static struct batch_part *part_of(struct batch *batch, size_t index)
{
    uint16_t partitions = batch->pool->partitions;
    return index < partitions ? &batch->events[index] : &batch->letters[index - partitions];
}

void batch_give_back(struct batch *batch)
{
    size_t capacity = 0;
    for (size_t i = 0; i < 2u * batch->pool->partitions; i++) {
        struct batch_part *part = part_of(batch, i);
        capacity += part->bytes.capacity;
        part->records = 0;
        buf_reset(&part->bytes);
    }
    for (size_t i = 0; capacity > KEPT_BYTES_MAX && i < 2u * batch->pool->partitions; i++) {
        buf_done(&part_of(batch, i)->bytes);
        buf_init(&part_of(batch, i)->bytes, BATCH_BYTES_MAX);
    }
    batch->touched_count = batch->bytes = batch->tickets = 0;
    batch->event_count = 0;
    batch->broken = false;
    batch->first = batch->last = NULL;
    batch->next_free = batch->pool->free;
    batch->pool->free = batch;
}

void batch_pool_done(struct batch_pool *pool)
{
    while (pool->free) {
        struct batch *next = pool->free->next_free;
        batch_free(pool->free);
        pool->free = next;
        pool->made--;
    }
    assert(pool->made == 0);
}

/* Room for a record of n bytes, its length written in front; NULL when out of memory. */
static char *part_reserve(struct batch *batch, size_t index, size_t n)
{
    struct batch_part *part = part_of(batch, index);
    uint32_t length = (uint32_t)n;
    char *at = buf_reserve(&part->bytes, sizeof length + n);
    if (!at) {
        batch->broken = true;
        return NULL;
    }
    memcpy(at, &length, sizeof length);
    part->bytes.n += sizeof length + n;
    if (part->records++ == 0)
        batch->touched[batch->touched_count++] = (uint16_t)index;
    batch->bytes += sizeof length + n;
    return at + sizeof length;
}

void batch_add_event(struct batch *batch, const struct event *event)
{
    uint16_t partition = event_partition(event->customer_id, event->visitor_id, batch->pool->partitions);
    char *to = part_reserve(batch, partition, event_encoded_size(event));
    if (!to)
        return;
    event_encode(event, to);
    batch->event_count++;
}

void batch_add_letter(struct batch *batch, const struct dead_letter *letter)
{
    uint16_t partition = event_partition(letter->customer_id, (struct slice){ 0 }, batch->pool->partitions);
    char *to = part_reserve(batch, (size_t)batch->pool->partitions + partition, dead_letter_encoded_size(letter));
    if (to)
        dead_letter_encode(letter, to);
}

void batch_add_ticket(struct batch *batch, struct ticket *ticket)
{
    ticket->next = NULL;
    if (batch->last)
        batch->last->next = ticket;
    else
        batch->first = ticket;
    batch->last = ticket;
    batch->tickets++;
}

void batch_seal(struct batch *batch)
{
    uint16_t partitions = batch->pool->partitions;
    for (size_t i = 0; i < batch->touched_count; i++) {
        uint16_t index = batch->touched[i];
        const struct batch_part *part = part_of(batch, index);
        batch->chunks[i] = (struct journal_chunk){
            .topic = index < partitions ? TOPIC_EVENTS : TOPIC_DEAD_LETTERS,
            .partition = index < partitions ? index : (uint16_t)(index - partitions),
            .records = part->records,
            .bytes = buf_slice(&part->bytes),
        };
    }
    batch->commit = (struct journal_commit){ .chunks = batch->chunks, .chunk_count = batch->touched_count };
}
