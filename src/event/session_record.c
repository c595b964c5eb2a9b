#include "event/session_record.h"

#include <xxhash.h>

#include "base/uuid.h"
#include "event/record_texts.h"

#define REMOVED 1

struct __attribute__((packed)) header {
    uint8_t version, flags;
    uint16_t zero;
    int64_t start_ms, end_ms, user_ms;
    uint32_t events, views;
    uint16_t texts[4];
};
_Static_assert(sizeof(struct header) == SESSION_RECORD_HEADER_BYTES, "the format is drawn in session_record.h");

size_t session_record_size(const struct session_record *record)
{
    return sizeof(struct header) + record->customer_id.n + record->visitor_id.n + record->user_id.n +
           record->placement.n;
}

void session_record_encode(const struct session_record *record, char *to)
{
    const struct slice texts[4] = { record->customer_id, record->visitor_id, record->user_id, record->placement };
    struct header header = { .version = 1,
                             .flags = record->removed ? REMOVED : 0,
                             .start_ms = record->start_ms,
                             .end_ms = record->end_ms,
                             .user_ms = record->user_ms,
                             .events = record->events,
                             .views = record->views };
    record_texts_put(to + sizeof header, texts, COUNT_OF(texts), header.texts);
    memcpy(to, &header, sizeof header);
}

enum status session_record_decode(struct slice bytes, struct session_record *out, struct error *err)
{
    struct header header;
    if (bytes.n < sizeof header)
        return error_set(err, ERR_CORRUPT, "a session of %zu bytes is shorter than its header", bytes.n);
    memcpy(&header, bytes.p, sizeof header);
    if (header.version != 1)
        return error_set(err, ERR_CORRUPT, "a session has version %u, this weir reads version 1", header.version);
    size_t sum = sizeof header + record_texts_size(header.texts, COUNT_OF(header.texts));
    if (sum != bytes.n || header.end_ms < header.start_ms)
        return error_set(err, ERR_CORRUPT, "a session of %zu bytes does not hold together", bytes.n);
    *out = (struct session_record){ .start_ms = header.start_ms,
                                    .end_ms = header.end_ms,
                                    .user_ms = header.user_ms,
                                    .events = header.events,
                                    .views = header.views,
                                    .removed = header.flags & REMOVED };
    struct slice *const texts[4] = { &out->customer_id, &out->visitor_id, &out->user_id, &out->placement };
    record_texts_get(bytes.p + sizeof header, texts, COUNT_OF(texts), header.texts);
    return OK;
}

void session_record_id(const struct session_record *record, char to[SESSION_ID_TEXT_BYTES])
{
    uint8_t id[UUID_BYTES];
    uint64_t seed = XXH3_64bits(record->customer_id.p, record->customer_id.n);
    seed = XXH3_64bits_withSeed(record->visitor_id.p, record->visitor_id.n, seed);
    XXH128_hash_t hash = XXH3_128bits_withSeed(&record->start_ms, sizeof record->start_ms, seed);
    uint64_t ms = record->start_ms > 0 ? (uint64_t)record->start_ms : 0;
    memcpy(id, &hash, sizeof id);
    for (int i = 0; i < 6; i++)
        id[i] = (uint8_t)(ms >> (40 - 8 * i));
    id[6] = (uint8_t)(0x80 | (id[6] & 0x0f));
    id[8] = (uint8_t)(0x80 | (id[8] & 0x3f));
    uuid_format(id, to);
}
