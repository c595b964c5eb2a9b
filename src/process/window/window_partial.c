#include "process/window/window_partial.h"

#include "event/event.h"
#include "event/record_texts.h"

struct __attribute__((packed)) header {
    uint8_t version, zero;
    uint16_t from;
    uint64_t definition;
    int64_t start_ms, end_ms, watermark_ms;
    uint64_t events;
    uint16_t shorts[3], zero_too;
    uint32_t row;
};
_Static_assert(sizeof(struct header) == WINDOW_PARTIAL_HEADER_BYTES, "the format is drawn in window_partial.h");

size_t window_partial_head_size(const struct window_partial *partial)
{
    return sizeof(struct header) + partial->customer_id.n + partial->placement.n + partial->key.n;
}

void window_partial_encode_head(const struct window_partial *partial, char *to)
{
    const struct slice shorts[3] = { partial->customer_id, partial->placement, partial->key };
    struct header header = { .version = 1,
                             .from = partial->from,
                             .definition = partial->definition,
                             .start_ms = partial->start_ms,
                             .end_ms = partial->end_ms,
                             .watermark_ms = partial->watermark_ms,
                             .events = partial->events,
                             .row = (uint32_t)partial->row.n };
    assert(partial->row.n <= UINT32_MAX);
    record_texts_put(to + sizeof header, shorts, COUNT_OF(shorts), header.shorts);
    memcpy(to, &header, sizeof header);
}

enum status window_partial_decode(struct slice bytes, struct window_partial *out, struct error *err)
{
    struct header header;
    if (bytes.n < sizeof header)
        return error_set(err, ERR_CORRUPT, "a window's partial of %zu bytes is shorter than its header", bytes.n);
    memcpy(&header, bytes.p, sizeof header);
    if (header.version != 1)
        return error_set(err, ERR_CORRUPT, "a window's partial has version %u, this weir reads version 1",
                         header.version);
    uint64_t sum = sizeof header + record_texts_size(header.shorts, COUNT_OF(header.shorts)) + (uint64_t)header.row;
    if (sum != bytes.n)
        return error_set(err, ERR_CORRUPT, "a window's partial of %zu bytes has fields of %llu", bytes.n,
                         (unsigned long long)sum);
    if (header.shorts[0] == 0 || header.shorts[0] > EVENT_CUSTOMER_ID_MAX)
        return error_set(err, ERR_CORRUPT, "a window's partial has a customer_id of %u bytes", header.shorts[0]);
    *out = (struct window_partial){ .from = header.from,
                                    .definition = header.definition,
                                    .start_ms = header.start_ms,
                                    .end_ms = header.end_ms,
                                    .watermark_ms = header.watermark_ms,
                                    .events = header.events };
    struct slice *const shorts[3] = { &out->customer_id, &out->placement, &out->key };
    const char *row = record_texts_get(bytes.p + sizeof header, shorts, COUNT_OF(shorts), header.shorts);
    out->row = slice_of(row, header.row);
    return OK;
}
