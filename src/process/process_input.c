/* The journal's positions lie between commits, and one commit of many small events may be more than one output commit
 * can hold. So a position here is a pair: a place between commits, and a count of events behind it. */
#include "process/process_input.h"

enum status process_input_open(struct process_input *input, struct journal *journal, uint16_t partition,
                               uint64_t position, uint64_t skip, struct waker waker, struct error *err)
{
    struct journal_read_options options = {
        .topics = TOPIC_BIT(TOPIC_EVENTS) | TOPIC_BIT(TOPIC_REKEYED),
        .partition = partition,
        .position = position,
        .waker = waker,
    };
    *input = (struct process_input){ .base = position, .to_skip = skip };
    return journal->backend->reader_open(journal, &options, &input->reader, err);
}

void process_input_close(struct process_input *input)
{
    if (input->reader)
        input->reader->journal->backend->reader_close(input->reader);
    *input = (struct process_input){ 0 };
}

/* Enters the chunk that the cursor stands at. */
static void enter(struct process_input *input)
{
    if (!process_input_has(input)) {
        input->written_us = 0;
        return;
    }
    const struct journal_chunk *chunk = &input->batch.chunks[input->chunk];
    input->rest = chunk->bytes;
    input->written_us = chunk->written_us;
    if (chunk->topic == TOPIC_EVENTS)
        input->next_event = chunk->offset;
}

/* Moves on past the ends of chunks; ERR_CORRUPT when what is left of one is not a record. */
static enum status settle(struct process_input *input, struct error *err)
{
    while (process_input_has(input) && input->rest.n == 0) {
        input->chunk++;
        enter(input);
    }
    uint32_t length;
    if (!process_input_has(input))
        return OK;
    if (input->rest.n >= sizeof length) {
        memcpy(&length, input->rest.p, sizeof length);
        if (length <= input->rest.n - sizeof length)
            return OK;
    }
    return error_set(err, ERR_CORRUPT, "what stands behind position %llu is not records",
                     (unsigned long long)input->batch.chunks[input->chunk].position);
}

static enum status skip_done(struct process_input *input, struct error *err)
{
    struct slice record;
    while (input->to_skip && process_input_has(input)) {
        enum status s = process_input_next(input, &record, err);
        if (s != OK)
            return s;
        input->to_skip--;
    }
    return OK;
}

size_t process_input_peek_bytes(const struct process_input *input)
{
    uint32_t length = 0;
    if (process_input_has(input))
        memcpy(&length, input->rest.p, sizeof length); /* settle has looked at it */
    return length;
}

enum status process_input_read(struct process_input *input, size_t bytes, struct error *err)
{
    assert(!process_input_has(input));
    struct journal_batch batch = { 0 };
    if (input->batch.next_position) {
        input->base = input->batch.next_position;
        input->consumed = 0;
    }
    enum status s = journal_read(input->reader, bytes, &batch, err);
    if (s != OK)
        return s;
    input->batch = batch;
    input->chunk = 0;
    enter(input);
    s = settle(input, err);
    return s == OK ? skip_done(input, err) : s;
}

enum status process_input_next(struct process_input *input, struct slice *out_record, struct error *err)
{
    if (!process_input_has(input))
        return ERR_NOT_FOUND;
    if (!journal_next_record(&input->rest, out_record))
        return error_set(err, ERR_CORRUPT, "the journal's input is not records");
    input->consumed++;
    if (process_input_topic(input) == TOPIC_EVENTS)
        input->next_event++;
    return input->rest.n ? OK : settle(input, err);
}

uint64_t process_input_position(const struct process_input *input, uint64_t *out_skip)
{
    bool whole = !process_input_has(input) && input->batch.next_position && input->to_skip == 0;
    *out_skip = whole ? 0 : input->consumed + input->to_skip;
    return whole ? input->batch.next_position : input->base;
}
