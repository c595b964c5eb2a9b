/* Counting is a look at the row used last, and else one probe of a small hash table, as in live.c; other than there,
 * nothing may be folded, so a full table goes out and is begun anew: whoever reads the records adds them up anyway. */
#include "process/quality.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TENANT_BYTES_MAX 255 /* longer ones are refused (stage_validate.c), and belong to nobody */
#define TYPE_BYTES_MAX 1024

static bool is_row_of(const struct quality_record *row, const struct quality_record *name)
{
    return row->hour_ms == name->hour_ms && slice_equal(row->event_type, name->event_type) &&
           slice_equal(row->customer_id, name->customer_id) && slice_equal(row->placement, name->placement);
}

static uint64_t hash_of(const struct quality_record *name)
{
    uint64_t hash = XXH3_64bits_withSeed(name->customer_id.p, name->customer_id.n, (uint64_t)name->hour_ms);
    hash = XXH3_64bits_withSeed(name->placement.p, name->placement.n, hash);
    return XXH3_64bits_withSeed(name->event_type.p, name->event_type.n, hash);
}

static struct slice keep_text(struct quality *quality, struct slice text)
{
    char *to = quality->text + quality->text_bytes;
    if (text.n)
        memcpy(to, text.p, text.n);
    quality->text_bytes += text.n;
    return slice_of(to, text.n);
}

/* The place in the index that names the row, or an empty one. */
static uint16_t *find(struct quality *quality, const struct quality_record *name)
{
    size_t at = hash_of(name) % COUNT_OF(quality->index);
    while (quality->index[at] && !is_row_of(&quality->rows[quality->index[at] - 1], name))
        at = (at + 1) % COUNT_OF(quality->index);
    return &quality->index[at];
}

static struct quality_record *row_of(struct quality *quality, const struct quality_record *name,
                                     struct process_stream *stream)
{
    if (quality->row_count && is_row_of(&quality->rows[quality->last], name))
        return &quality->rows[quality->last];
    const size_t text_bytes = name->customer_id.n + name->placement.n + name->event_type.n;
    uint16_t *place = find(quality, name);
    if (*place == 0 &&
        (quality->row_count == QUALITY_ROWS_MAX || quality->text_bytes + text_bytes > QUALITY_TEXT_BYTES)) {
        quality_flush(quality, stream);
        place = find(quality, name);
    }
    if (*place == 0) {
        struct quality_record *row = &quality->rows[quality->row_count++];
        *row = (struct quality_record){ .customer_id = keep_text(quality, name->customer_id),
                                        .placement = keep_text(quality, name->placement),
                                        .event_type = keep_text(quality, name->event_type),
                                        .hour_ms = name->hour_ms };
        *place = (uint16_t)quality->row_count;
    }
    quality->last = *place - 1u;
    return &quality->rows[quality->last];
}

static void count(struct quality_record *row, const struct process_batch *batch, uint32_t i, int64_t late_after_ms)
{
    const struct event *event = &batch->events[i];
    const struct process_values *values = &batch->values[i];
    const enum process_verdict verdict = (enum process_verdict)batch->verdicts[i];
    const bool accepted = verdict == PROCESS_ACCEPTED, counts = verdict != PROCESS_DUPLICATE;
    row->counts[QUALITY_EVENTS]++;
    row->counts[QUALITY_INVALID] += verdict == PROCESS_DEAD;
    row->counts[QUALITY_DUPLICATES] += verdict == PROCESS_DUPLICATE;
    row->counts[QUALITY_TAGGED] += accepted && values->tagged;
    row->counts[QUALITY_LATE] += accepted && event->received_ms - event->timestamp_ms > late_after_ms;
    row->counts[QUALITY_REQUIRED] += counts ? values->required : 0;
    row->counts[QUALITY_REQUIRED_MISSING] += counts ? values->required_missing : 0;
    row->counts[QUALITY_OPTIONAL] += counts ? values->optional : 0;
    row->counts[QUALITY_OPTIONAL_MISSING] += counts ? values->optional_missing : 0;
}

void quality_count_batch(struct quality *quality, const struct process_batch *batch, struct process_stream *stream)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct event *event = &batch->events[i];
        const bool fits = event->event_type.n <= TYPE_BYTES_MAX && event->placement.n <= TENANT_BYTES_MAX;
        const struct quality_record name = { .customer_id = event->customer_id,
                                             .placement = fits ? event->placement : SLICE(""),
                                             .event_type = fits ? event->event_type : SLICE(""),
                                             .hour_ms = quality_hour_ms(event->received_ms) };
        if (name.customer_id.n - 1 < TENANT_BYTES_MAX)
            count(row_of(quality, &name, stream), batch, i, quality->late_after_ms);
    }
}

void quality_flush(struct quality *quality, struct process_stream *stream)
{
    for (size_t i = 0; i < quality->row_count; i++) {
        char *to = process_stream_record(stream, quality_record_size(&quality->rows[i]));
        if (to)
            quality_record_encode(&quality->rows[i], to);
        if (quality->metrics)
            process_metrics_quality(quality->metrics, quality->rows[i].customer_id, quality->rows[i].counts);
    }
    memset(quality->index, 0, sizeof quality->index);
    quality->row_count = quality->last = quality->text_bytes = 0;
}
