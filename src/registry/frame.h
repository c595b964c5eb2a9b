/* Confluent's framing of an Avro record: a zero byte, the schema's id in four bytes (big end first), the value. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define FRAME_BYTES 5

static inline void frame_add(struct buf *out, uint32_t id)
{
    const unsigned char bytes[FRAME_BYTES] = { 0, (unsigned char)(id >> 24), (unsigned char)(id >> 16),
                                               (unsigned char)(id >> 8), (unsigned char)id };
    buf_add(out, bytes, sizeof bytes);
}

/* ERR_INVALID: it is none, err says why. */
MUST_CHECK static inline enum status frame_of(struct slice record, uint32_t *out_id, struct slice *out_value,
                                              struct error *err)
{
    const unsigned char *p = (const unsigned char *)record.p;
    if (record.n < FRAME_BYTES)
        return error_set(err, ERR_INVALID, "%zu bytes are no Avro record in Confluent's framing", record.n);
    if (p[0] != 0)
        return error_set(err, ERR_INVALID,
                         "this is no Avro record in Confluent's framing: it begins with %u, not with 0", p[0]);
    *out_id = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
    *out_value = slice_after(record, FRAME_BYTES);
    return OK;
}
