#include "event/quality_record.h"

#include "event/record_texts.h"

struct __attribute__((packed)) header {
    uint8_t version, zero;
    uint16_t texts[3];
    int64_t hour_ms;
    uint64_t counts[QUALITY_COUNTS];
};
_Static_assert(sizeof(struct header) == QUALITY_RECORD_HEADER_BYTES, "the format is drawn in quality_record.h");

int64_t quality_hour_ms(int64_t ms)
{
    int64_t rest = ms % QUALITY_HOUR_MS;
    return ms - (rest < 0 ? rest + QUALITY_HOUR_MS : rest);
}

size_t quality_record_size(const struct quality_record *record)
{
    return sizeof(struct header) + record->customer_id.n + record->placement.n + record->event_type.n;
}

void quality_record_encode(const struct quality_record *record, char *to)
{
    const struct slice texts[3] = { record->customer_id, record->placement, record->event_type };
    struct header header = { .version = 1, .hour_ms = record->hour_ms };
    memcpy(header.counts, record->counts, sizeof header.counts);
    record_texts_put(to + sizeof header, texts, COUNT_OF(texts), header.texts);
    memcpy(to, &header, sizeof header);
}

enum status quality_record_decode(struct slice bytes, struct quality_record *out, struct error *err)
{
    struct header header;
    if (bytes.n < sizeof header)
        return error_set(err, ERR_CORRUPT, "a count of quality of %zu bytes is shorter than its header", bytes.n);
    memcpy(&header, bytes.p, sizeof header);
    if (header.version != 1)
        return error_set(err, ERR_CORRUPT, "a count of quality has version %u, this weir reads version 1",
                         header.version);
    size_t sum = sizeof header + record_texts_size(header.texts, COUNT_OF(header.texts));
    if (sum != bytes.n)
        return error_set(err, ERR_CORRUPT, "a count of quality of %zu bytes has texts that end at %zu", bytes.n, sum);
    *out = (struct quality_record){ .hour_ms = header.hour_ms };
    memcpy(out->counts, header.counts, sizeof out->counts);
    struct slice *const texts[3] = { &out->customer_id, &out->placement, &out->event_type };
    record_texts_get(bytes.p + sizeof header, texts, COUNT_OF(texts), header.texts);
    return OK;
}
