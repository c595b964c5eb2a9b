/* The bytes of the file journal: segment headers, frames, chunk heads, marks. Pure functions over memory; the layout
 * and the rule that makes a frame valid are drawn in frame.c. All integers are little-endian and as wide as their
 * fields. */
#pragma once
#include "base/buf.h"
#include "journal/journal.h"

#define SEGMENT_HEADER_BYTES 4096
#define FRAME_ALIGN 8
#define SEGMENT_BYTES_MIN (64u << 10)
#define SEGMENT_BYTES_MAX (1u << 30)

struct segment_head {
    uint64_t magic;
    uint32_t version, crc; /* of everything behind this field, seeded with nothing */
    uint64_t first;        /* position of the segment's first byte: its name */
    uint64_t bytes;
    uint8_t directory[16]; /* random, the same in all segments of a journal */
    uint16_t partitions, unused;
    uint32_t prev_crc; /* of the last frame before this segment */
    uint64_t prev_end; /* where that frame ends; the rest of its segment is dead */
    uint64_t session;  /* of the snapshot frame that belongs to this header */
    int64_t created_us;
};

enum frame_kind {
    FRAME_COMMIT = 1,
    FRAME_SNAPSHOT = 2, /* the first of a segment: next offsets as empty chunks, all marks */
    FRAME_TIDE = 3,     /* empty: says how far the log is durable, when nothing else comes along to say so */
};
#define FRAME_STARTS_SESSION 1 /* flag: its session differs from the one of the frame before */

struct frame_head {
    uint32_t magic;
    uint32_t crc; /* of bytes 8 … head_bytes, seeded with the directory's number */
    uint32_t frame_bytes, head_bytes;
    uint64_t position; /* its own */
    uint64_t session;  /* random, new at each opening and after each failed write */
    uint64_t durable_before;
    int64_t written_us;
    uint32_t prev_crc; /* the crc field of the frame before */
    uint16_t kind, flags;
    uint32_t chunk_count, mark_count;
};

struct frame_chunk {
    uint16_t topic, partition;
    uint32_t records;
    uint32_t bytes;
    uint32_t crc; /* of the bytes, seeded with the directory's number */
    uint64_t offset;
};

struct frame_mark {
    uint64_t position;
    uint16_t partition, note_bytes; /* the note follows, filled up to 8 */
    uint32_t unused;
    char group[JOURNAL_GROUP_MAX + 1];
};

_Static_assert(sizeof(struct frame_head) == 64, "the layout in frame.c");
_Static_assert(sizeof(struct frame_chunk) == 24, "the layout in frame.c");
_Static_assert(sizeof(struct frame_mark) == 64, "the layout in frame.c");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a big-endian machine needs conversions here");

/* Writes the whole header block of SEGMENT_HEADER_BYTES; fills in magic, version and crc. */
void segment_head_write(struct segment_head *head, char *to);
/* False when it is not a header (zeros, torn, of another program). *out_version: what it says, 0 when it says nothing.
 */
MUST_CHECK bool segment_head_read(const char *from, struct segment_head *out, uint32_t *out_version);
#define SEGMENT_VERSION 1
uint32_t directory_seed(const uint8_t directory[16]);

/* Bytes of a commit's head, and of the whole frame, filled up to FRAME_ALIGN. */
size_t frame_head_bytes(const struct journal_commit *commit);
size_t frame_bytes(const struct journal_commit *commit);

/* Appends to `to` (which must have room: check to->full) the chunk heads and marks behind a place for the frame's head;
 * frame_finish fills that place. head_at: where in `to` it stands. offset: of the chunk's first record. */
size_t frame_begin(struct buf *to);
void frame_add_chunk(struct buf *to, const struct journal_chunk *chunk, uint64_t offset, uint32_t seed);
void frame_add_mark(struct buf *to, const struct journal_mark *mark);
/* head: everything but magic, crc and head_bytes, which it sets. frame_bytes 0: there are no bytes behind the heads. */
void frame_finish(struct buf *to, size_t head_at, struct frame_head *head, uint32_t seed);

/* True when `from` (n bytes are there) begins with the complete, valid head of a frame that belongs at `position`.
 * *out_needed: without enough bytes, how many to show (at least n + 1); 0: more would not help. */
MUST_CHECK bool frame_check_head(const char *from, size_t n, uint64_t position, uint32_t seed, struct frame_head *out,
                                 size_t *out_needed);
/* Does it look like a frame's head, for whoever cannot check its crc? */
bool frame_plausible(const struct frame_head *head);
/* After frame_check_head: the i-th chunk's head, and where its bytes start within the frame. */
void frame_chunk_at(const char *frame, uint32_t i, struct frame_chunk *out);
/* After frame_check_head: calls visit for each mark, until it returns false. */
bool frame_each_mark(const char *frame, const struct frame_head *head,
                     bool (*visit)(void *self, const struct journal_mark *mark), void *self);
bool frame_check_bytes(const struct frame_chunk *chunk, const char *bytes, uint32_t seed);
/* The whole frame is in memory: are all of its chunks' bytes valid? */
MUST_CHECK bool frame_check_all(const char *frame, const struct frame_head *head, uint32_t seed);
