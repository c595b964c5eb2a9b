#include "event/dead_letter.h"

struct __attribute__((packed)) header {
    uint8_t version, zero;
    uint16_t reserved;
    int64_t received_ms;
    uint16_t shorts[6];
    uint32_t original;
};
_Static_assert(sizeof(struct header) == DEAD_LETTER_HEADER_BYTES, "the format is drawn in dead_letter.h");

size_t dead_letter_encoded_size(const struct dead_letter *letter)
{
    return DEAD_LETTER_HEADER_BYTES + letter->customer_id.n + letter->stage.n + letter->reason.n + letter->field.n +
           letter->event_id.n + letter->message.n + letter->original.n;
}

void dead_letter_encode(const struct dead_letter *letter, char *to)
{
    const struct slice shorts[6] = { letter->customer_id, letter->stage,    letter->reason,
                                     letter->field,       letter->event_id, letter->message };
    struct header header = { .version = 1,
                             .received_ms = letter->received_ms,
                             .original = (uint32_t)letter->original.n };
    assert(letter->original.n <= UINT32_MAX);
    char *at = to + sizeof header;
    for (size_t i = 0; i < 6; i++) {
        assert(shorts[i].n <= UINT16_MAX);
        header.shorts[i] = (uint16_t)shorts[i].n;
        if (shorts[i].n)
            memcpy(at, shorts[i].p, shorts[i].n);
        at += shorts[i].n;
    }
    if (letter->original.n)
        memcpy(at, letter->original.p, letter->original.n);
    memcpy(to, &header, sizeof header);
}

enum status dead_letter_decode(struct slice record, struct dead_letter *out, struct error *err)
{
    struct header header;
    if (record.n < sizeof header)
        return error_set(err, ERR_CORRUPT, "dead letter of %zu bytes is shorter than its header", record.n);
    memcpy(&header, record.p, sizeof header);
    uint64_t sum = sizeof header + (uint64_t)header.original;
    for (size_t i = 0; i < 6; i++)
        sum += header.shorts[i];
    if (header.version != 1 || sum != record.n)
        return error_set(err, ERR_CORRUPT, "dead letter of %zu bytes, version %u, has fields of %lu", record.n,
                         header.version, sum);
    *out = (struct dead_letter){ .received_ms = header.received_ms };
    struct slice *const shorts[6] = { &out->customer_id, &out->stage,    &out->reason,
                                      &out->field,       &out->event_id, &out->message };
    const char *at = record.p + sizeof header;
    for (size_t i = 0; i < 6; i++) {
        *shorts[i] = slice_of(at, header.shorts[i]);
        at += header.shorts[i];
    }
    out->original = slice_of(at, header.original);
    return OK;
}
