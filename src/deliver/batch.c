#include "deliver/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "deliver/render.h"
#include "journal/journal.h"

struct place {
    size_t at;
    struct render_sizes sizes;
};

void delivery_batch_init(struct delivery_batch *batch)
{
    *batch = (struct delivery_batch){ .oldest_written_us = INT64_MAX };
    buf_init(&batch->text, BATCH_BYTES_MAX);
}

void delivery_batch_shrink(struct delivery_batch *batch)
{
    assert(batch->count == 0);
    free(batch->places);
    free(batch->records);
    batch->places = NULL;
    batch->records = NULL;
    batch->capacity = 0;
    buf_done(&batch->text);
    buf_init(&batch->text, BATCH_BYTES_MAX);
}

void delivery_batch_done(struct delivery_batch *batch)
{
    batch->count = 0;
    delivery_batch_shrink(batch);
}

void delivery_batch_reset(struct delivery_batch *batch, uint64_t position)
{
    buf_reset(&batch->text);
    batch->count = 0;
    batch->from = batch->to = position;
    batch->oldest_written_us = INT64_MAX;
    batch->unreadable = batch->too_large = 0;
    batch->first_refused[0] = '\0';
}

bool delivery_batch_is_full(const struct delivery_batch *batch)
{
    return batch->count >= DELIVERY_RECORDS_MAX || batch->text.n >= DELIVERY_BYTES;
}

static void refuse(struct delivery_batch *batch, size_t *counter, const struct render_source *source)
{
    if (!batch->first_refused[0])
        snprintf(batch->first_refused, sizeof batch->first_refused, "%s/%u/%lu",
                 journal_topic_name((enum journal_topic)source->topic), source->partition, source->offset);
    ++*counter;
}

static void note_place(struct delivery_batch *batch, size_t at, const struct render_sizes *sizes)
{
    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity ? 2 * batch->capacity : 1024;
        batch->places = realloc(batch->places, batch->capacity * sizeof *batch->places);
        batch->records = realloc(batch->records, batch->capacity * sizeof *batch->records);
        if (!batch->places || !batch->records)
            abort();
    }
    batch->places[batch->count++] = (struct place){ at, *sizes };
}

static void add_record(struct delivery_batch *batch, const struct selection *selection,
                       const struct render_source *source, struct slice record, size_t record_bytes_max)
{
    struct render_sizes sizes;
    bool wanted;
    const size_t at = batch->text.n;
    enum status s = render_record(selection, source, record, &batch->text, &sizes, &wanted, NULL);
    if (s != OK && s != ERR_FULL) {
        refuse(batch, &batch->unreadable, source);
    } else if (s == ERR_FULL || (wanted && sizes.key_n + sizes.value_n > record_bytes_max)) {
        batch->text.n = at;
        refuse(batch, &batch->too_large, source);
    } else if (wanted) {
        note_place(batch, at, &sizes);
    }
}

void delivery_batch_add(struct delivery_batch *batch, const struct selection *selection,
                        const struct journal_batch *read, size_t record_bytes_max)
{
    for (size_t i = 0; i < read->chunk_count; i++) {
        const struct journal_chunk *chunk = &read->chunks[i];
        struct render_source source = { chunk->topic, chunk->partition, chunk->offset };
        struct slice rest = chunk->bytes, record;
        const size_t before = batch->count;
        for (; journal_next_record(&rest, &record); source.offset++)
            add_record(batch, selection, &source, record, record_bytes_max);
        if (rest.n)
            refuse(batch, &batch->unreadable, &source);
        if (batch->count > before && chunk->written_us < batch->oldest_written_us)
            batch->oldest_written_us = chunk->written_us;
    }
    batch->to = read->next_position;
}

struct target_batch delivery_batch_for_target(struct delivery_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct place *place = &batch->places[i];
        const char *p = batch->text.p + place->at;
        batch->records[i] = (struct target_record){
            .id = { p, place->sizes.id_n },
            .key = { p + place->sizes.id_n, place->sizes.key_n },
            .value = { p + place->sizes.id_n + place->sizes.key_n, place->sizes.value_n },
        };
    }
    return (struct target_batch){ batch->records, batch->count, batch->from, batch->to };
}
