/* The rows of a dimension table on their way to other processes: a version of the table is its text (CSV), cut into
 * chunks, and a record that closes it. Records of TOPIC_DIMENSIONS, each with a key, of which the newest record counts:
 * chunks have keys of their own, whose writer has them forgotten when a newer version is closed; what closes has one a
 * table. A version without its closing record, or without one of its chunks, is none.
 *
 * Encoded (little-endian), version 1:
 *   0 u8 1   1 u8 kind   2 u16 length of the table's name   4 u32 chunk: its number; close: how many there are
 *   8 u64 version   16 u64 chunk: at which byte of the text it begins; close: bytes of the text
 *  24 u64 close: XXH3 of the text; chunk: 0   32 i64 close: when it was asked for, Unix ms; chunk: 0
 *  40 the name, then of a chunk its bytes */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define DIMENSION_RECORD_HEADER_BYTES 40
#define DIMENSION_RECORD_NAME_MAX 64
#define DIMENSION_CHUNK_BYTES_MAX (512u << 10) /* half of what a broker takes unless told otherwise */
#define DIMENSION_VERSION_BYTES_MAX (16u << 20)
#define DIMENSION_CHUNKS_MAX (DIMENSION_VERSION_BYTES_MAX / DIMENSION_CHUNK_BYTES_MAX)

enum dimension_record_kind { DIMENSION_CHUNK = 1, DIMENSION_CLOSE = 2 };

struct dimension_record {
    enum dimension_record_kind kind;
    struct slice table;
    uint64_t version;  /* no other one of any writer has it */
    uint32_t number;   /* of the chunk; close: how many chunks */
    uint64_t bytes;    /* chunk: where it begins; close: how many */
    uint64_t digest;   /* close */
    int64_t asked_ms;  /* close */
    struct slice text; /* chunk */
};

uint64_t dimension_text_digest(struct slice text);
/* The key of a record: another one for each chunk of each version, the same for whatever closes one of the table. */
uint64_t dimension_record_key(const struct dimension_record *record);
void dimension_record_encode(const struct dimension_record *record, struct buf *out);
/* ERR_CORRUPT: not written by dimension_record_encode. The slices are views into bytes. */
MUST_CHECK enum status dimension_record_decode(struct slice bytes, struct dimension_record *out, struct error *err);

/* Puts a version together from records in their order. One at a time: who may write is one process, and a chunk 0
 * begins another version. One owner, one thread. */
struct dimension_gather {
    char table[DIMENSION_RECORD_NAME_MAX];
    size_t table_n;
    uint64_t version; /* 0: none */
    uint32_t next;    /* number of the chunk to come */
    struct buf text;
};

void dimension_gather_init(struct dimension_gather *gather);
void dimension_gather_done(struct dimension_gather *gather);
/* True: the record closes a version that is whole, whose text is gather->text until the next call. */
bool dimension_gather_take(struct dimension_gather *gather, const struct dimension_record *record);
