#include "event/late_record.h"

#include <string.h>

struct __attribute__((packed)) header {
    uint8_t version, zero;
    uint16_t window;
    int64_t start_ms, end_ms, watermark_ms;
    uint32_t events, zero_too;
};
_Static_assert(sizeof(struct header) == LATE_RECORD_HEADER_BYTES, "the format is drawn in late_record.h");

size_t late_record_size(const struct late_record *record)
{
    return sizeof(struct header) + record->window.n + event_encoded_size(&record->event);
}

void late_record_encode(const struct late_record *record, char *to)
{
    assert(record->window.n && record->window.n <= UINT16_MAX);
    const struct header header = { .version = 1,
                                   .window = (uint16_t)record->window.n,
                                   .start_ms = record->start_ms,
                                   .end_ms = record->end_ms,
                                   .watermark_ms = record->watermark_ms,
                                   .events = record->events };
    memcpy(to, &header, sizeof header);
    memcpy(to + sizeof header, record->window.p, record->window.n);
    event_encode(&record->event, to + sizeof header + record->window.n);
}

enum status late_record_decode(struct slice bytes, struct late_record *out, struct error *err)
{
    struct header header;
    struct event event;
    if (bytes.n < sizeof header)
        return error_set(err, ERR_CORRUPT, "a late event of %zu bytes is shorter than its header", bytes.n);
    memcpy(&header, bytes.p, sizeof header);
    if (header.version != 1 || header.window > bytes.n - sizeof header)
        return error_set(err, ERR_CORRUPT, "a late event has version %u, this weir reads version 1", header.version);
    struct slice rest = slice_after(bytes, sizeof header);
    enum status s = event_decode(slice_after(rest, header.window), &event, err);
    if (s != OK)
        return error_wrap(err, s, "a late event");
    *out = (struct late_record){ .window = slice_of(rest.p, header.window),
                                 .start_ms = header.start_ms,
                                 .end_ms = header.end_ms,
                                 .watermark_ms = header.watermark_ms,
                                 .events = header.events,
                                 .event = event };
    return OK;
}
