#include "event/window_record.h"

#include <string.h>

enum { REMOVED = 1, FINAL = 2 };

struct __attribute__((packed)) header {
    uint8_t version, flags, kind, zero;
    uint32_t revision;
    int64_t start_ms, end_ms;
    uint64_t definition, events;
    uint16_t shorts[3], zero_too;
    uint32_t longs[2];
};
_Static_assert(sizeof(struct header) == WINDOW_RECORD_HEADER_BYTES, "the format is drawn in window_record.h");

const char *window_record_kind_name(uint8_t kind)
{
    static const char *const NAMES[] = {
        [WINDOW_RECORD_TUMBLING] = "tumbling", [WINDOW_RECORD_SLIDING] = "sliding", [WINDOW_RECORD_SESSION] = "session"
    };
    return kind < COUNT_OF(NAMES) && NAMES[kind] ? NAMES[kind] : "unknown";
}

size_t window_record_size(const struct window_record *record)
{
    return sizeof(struct header) + record->customer_id.n + record->placement.n + record->window.n + record->key.n +
           record->measures.n;
}

static char *put(char *to, struct slice s)
{
    if (s.n)
        memcpy(to, s.p, s.n);
    return to + s.n;
}

void window_record_encode(const struct window_record *record, char *to)
{
    assert(record->customer_id.n <= UINT16_MAX && record->placement.n <= UINT16_MAX && record->window.n <= UINT16_MAX);
    assert(record->key.n <= UINT32_MAX && record->measures.n <= UINT32_MAX);
    struct header header = {
        .version = 1,
        .flags = (uint8_t)((record->removed ? REMOVED : 0) | (record->final ? FINAL : 0)),
        .kind = record->kind,
        .revision = record->revision,
        .start_ms = record->start_ms,
        .end_ms = record->end_ms,
        .definition = record->definition,
        .events = record->events,
        .shorts = { (uint16_t)record->customer_id.n, (uint16_t)record->placement.n, (uint16_t)record->window.n },
        .longs = { (uint32_t)record->key.n, (uint32_t)record->measures.n },
    };
    memcpy(to, &header, sizeof header);
    char *at = put(to + sizeof header, record->customer_id);
    at = put(at, record->placement);
    at = put(at, record->window);
    at = put(at, record->key);
    put(at, record->measures);
}

enum status window_record_decode(struct slice bytes, struct window_record *out, struct error *err)
{
    struct header header;
    if (bytes.n < sizeof header)
        return error_set(err, ERR_CORRUPT, "a window's result of %zu bytes is shorter than its header", bytes.n);
    memcpy(&header, bytes.p, sizeof header);
    if (header.version != 1)
        return error_set(err, ERR_CORRUPT, "a window's result has version %u, this weir reads version 1",
                         header.version);
    uint64_t sum = sizeof header + (uint64_t)header.longs[0] + header.longs[1];
    for (size_t i = 0; i < COUNT_OF(header.shorts); i++)
        sum += header.shorts[i];
    if (sum != bytes.n)
        return error_set(err, ERR_CORRUPT, "a window's result of %zu bytes has fields of %llu", bytes.n,
                         (unsigned long long)sum);
    const char *at = bytes.p + sizeof header;
    *out = (struct window_record){ .customer_id = slice_of(at, header.shorts[0]),
                                   .start_ms = header.start_ms,
                                   .end_ms = header.end_ms,
                                   .definition = header.definition,
                                   .events = header.events,
                                   .revision = header.revision,
                                   .kind = header.kind,
                                   .final = header.flags & FINAL,
                                   .removed = header.flags & REMOVED };
    out->placement = slice_of(at += header.shorts[0], header.shorts[1]);
    out->window = slice_of(at += header.shorts[1], header.shorts[2]);
    out->key = slice_of(at += header.shorts[2], header.longs[0]);
    out->measures = slice_of(at + header.longs[0], header.longs[1]);
    return OK;
}
