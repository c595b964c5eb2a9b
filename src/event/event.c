#include "event/event.h"

#include <xxhash.h>

/* Lies over the first EVENT_HEADER_BYTES of a record. */
struct __attribute__((packed)) header {
    uint8_t version, flags;
    uint16_t placement;
    int64_t timestamp_ms, received_ms, ingested_us;
    uint16_t shorts[7];
    uint16_t reserved;
    uint32_t properties, context;
};
_Static_assert(sizeof(struct header) == EVENT_HEADER_BYTES, "the format is drawn in event.h");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are little-endian");

size_t event_encoded_size(const struct event *event)
{
    return EVENT_HEADER_BYTES + event->placement.n + event->customer_id.n + event->visitor_id.n + event->user_id.n +
           event->session_id.n + event->event_id.n + event->event_type.n + event->event_name.n + event->properties.n +
           event->context.n;
}

static char *put(char *to, struct slice s)
{
    if (s.n)
        memcpy(to, s.p, s.n);
    return to + s.n;
}

void event_encode(const struct event *event, char *to)
{
    const struct slice shorts[7] = { event->customer_id, event->visitor_id, event->user_id,   event->session_id,
                                     event->event_id,    event->event_type, event->event_name };
    struct header header = {
        .version = EVENT_VERSION,
        .flags = event->flags,
        .placement = (uint16_t)event->placement.n,
        .timestamp_ms = event->timestamp_ms,
        .received_ms = event->received_ms,
        .ingested_us = event->ingested_us,
        .properties = (uint32_t)event->properties.n,
        .context = (uint32_t)event->context.n,
    };
    assert(event->placement.n <= UINT16_MAX && event->properties.n <= UINT32_MAX && event->context.n <= UINT32_MAX);
    char *at = put(to + sizeof header, event->placement);
    for (size_t i = 0; i < 7; i++) {
        assert(shorts[i].n <= UINT16_MAX);
        header.shorts[i] = (uint16_t)shorts[i].n;
        at = put(at, shorts[i]);
    }
    memcpy(to, &header, sizeof header);
    at = put(at, event->properties);
    at = put(at, event->context);
    assert((size_t)(at - to) == event_encoded_size(event));
}

static struct slice take(const char **at, size_t n)
{
    struct slice s = { *at, n };
    *at += n;
    return s;
}

enum status event_decode(struct slice record, struct event *out_event, struct error *err)
{
    struct header header;
    if (record.n < sizeof header)
        return error_set(err, ERR_CORRUPT, "event record of %zu bytes is shorter than its header", record.n);
    memcpy(&header, record.p, sizeof header);
    if (header.version != EVENT_VERSION)
        return error_set(err, ERR_CORRUPT, "event record has version %u, this weir reads version %u", header.version,
                         EVENT_VERSION);
    uint64_t sum = sizeof header + header.placement + (uint64_t)header.properties + header.context;
    for (size_t i = 0; i < 7; i++)
        sum += header.shorts[i];
    if (sum != record.n)
        return error_set(err, ERR_CORRUPT, "event record of %zu bytes has fields of %lu", record.n, sum);
    if (header.shorts[0] == 0 || header.shorts[0] > EVENT_CUSTOMER_ID_MAX)
        return error_set(err, ERR_CORRUPT, "event record has a customer_id of %u bytes", header.shorts[0]);
    const char *at = record.p + sizeof header;
    *out_event = (struct event){
        .flags = header.flags,
        .timestamp_ms = header.timestamp_ms,
        .received_ms = header.received_ms,
        .ingested_us = header.ingested_us,
        .placement = take(&at, header.placement),
    };
    struct slice *const shorts[7] = { &out_event->customer_id, &out_event->visitor_id, &out_event->user_id,
                                      &out_event->session_id,  &out_event->event_id,   &out_event->event_type,
                                      &out_event->event_name };
    for (size_t i = 0; i < 7; i++)
        *shorts[i] = take(&at, header.shorts[i]);
    out_event->properties = take(&at, header.properties);
    out_event->context = take(&at, header.context);
    return OK;
}

uint16_t event_partition(struct slice customer_id, struct slice visitor_id, uint16_t partitions)
{
    /* Two hashes chained give the same as hashing "customer:visitor" would need a copy for. */
    assert(partitions > 0);
    uint64_t seed = XXH3_64bits(customer_id.p, customer_id.n);
    return (uint16_t)(XXH3_64bits_withSeed(visitor_id.p, visitor_id.n, seed) % partitions);
}
