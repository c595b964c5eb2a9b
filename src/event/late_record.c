#include "event/late_record.h"

#include <string.h>

struct __attribute__((packed)) header {
    uint8_t version, zero;
    uint16_t window;
    int64_t start_ms, end_ms, watermark_ms;
    uint32_t events, key;
};
_Static_assert(sizeof(struct header) == LATE_RECORD_HEADER_BYTES, "the format is drawn in late_record.h");

size_t late_record_size(const struct late_record *record)
{
    return sizeof(struct header) + record->window.n + record->key.n + event_encoded_size(&record->event);
}

void late_record_encode(const struct late_record *record, char *to)
{
    assert(record->window.n && record->window.n <= UINT16_MAX);
    const struct header header = { .version = 2,
                                   .window = (uint16_t)record->window.n,
                                   .start_ms = record->start_ms,
                                   .end_ms = record->end_ms,
                                   .watermark_ms = record->watermark_ms,
                                   .events = record->events,
                                   .key = (uint32_t)record->key.n };
    memcpy(to, &header, sizeof header);
    to += sizeof header;
    memcpy(to, record->window.p, record->window.n);
    to += record->window.n;
    if (record->key.n)
        memcpy(to, record->key.p, record->key.n);
    event_encode(&record->event, to + record->key.n);
}

enum status late_record_decode(struct slice bytes, struct late_record *out, struct error *err)
{
    struct header header;
    struct event event;
    if (bytes.n < sizeof header)
        return error_set(err, ERR_CORRUPT, "a late event of %zu bytes is shorter than its header", bytes.n);
    memcpy(&header, bytes.p, sizeof header);
    if (header.version != 1 && header.version != 2)
        return error_set(err, ERR_CORRUPT, "a late event has version %u, this weir reads versions 1 and 2",
                         header.version);
    if (!header.window)
        return error_set(err, ERR_CORRUPT, "a late event does not say which window it missed");
    struct slice rest = slice_after(bytes, sizeof header);
    if ((uint64_t)header.window + header.key > rest.n)
        return error_set(err, ERR_CORRUPT, "a late event of %zu bytes is shorter than what it says of itself", bytes.n);
    const struct slice key = slice_of(rest.p + header.window, header.key); /* of version 1: none */
    enum status s = event_decode(slice_after(rest, header.window + header.key), &event, err);
    if (s != OK)
        return error_wrap(err, s, "a late event");
    *out = (struct late_record){ .window = slice_of(rest.p, header.window),
                                 .key = key,
                                 .start_ms = header.start_ms,
                                 .end_ms = header.end_ms,
                                 .watermark_ms = header.watermark_ms,
                                 .events = header.events,
                                 .event = event };
    return OK;
}
