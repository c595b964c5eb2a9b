/* The file journal's reader, between file_reader.c (what a read is), file_walk.c (frame by frame through the files) and
 * file_tail.c (by the ring of recent chunks). One thread at a time. Bounds: its buffer grows to the largest frame that
 * it met, at least READ_BYTES. */
#pragma once
#include "journal/file.h"

#define READ_BYTES (256u << 10)

struct file_reader {
    struct journal_reader reader;
    struct journal_read_options options;
    size_t slot;
    uint64_t position;

    struct segment segment; /* of `file` */
    struct disk_file *file;
    char *
        buffer; /* aligned for the disk: bytes of the log from `from`, or, after a read of the tail, chunks' (n is 0) */
    size_t buffer_capacity, n;
    uint64_t from; /* the start of a block */

    struct journal_chunk *chunks;
    struct tail_place {
        uint64_t bytes_at;
        uint32_t crc;
    } * places; /* beside chunks */
    size_t chunk_count, chunk_capacity;
    size_t records, bytes;

    uint64_t ring_number, ring_position; /* where the last read of the tail ended, if it was one */
};

static inline bool reader_wants(const struct file_reader *reader, uint16_t topic, uint16_t partition)
{
    return (reader->options.topics & TOPIC_BIT(topic)) &&
           (reader->options.partition == JOURNAL_ALL_PARTITIONS || reader->options.partition == partition);
}

/* Room for one more chunk; NULL: out of memory. */
struct journal_chunk *reader_next_chunk(struct file_reader *reader);
MUST_CHECK bool reader_grow(struct file_reader *reader, size_t bytes);
/* Reads bytes of the reader's segment into its buffer: from memory when they were written lately, else from the file.
 * Position and `to` are multiples of DISK_ALIGN; behind `to` is room for whole blocks. *out_n < n: the file ends. */
MUST_CHECK enum status reader_bytes(struct file_reader *reader, char *to, size_t n, uint64_t position, size_t *out_n,
                                    struct error *err);
/* Makes `file` the segment of the position, which may move on to the next segment's first frame.
 * ERR_NOT_FOUND: retention took it. */
MUST_CHECK enum status reader_find_segment(struct file_reader *reader, struct error *err);
/* Bytes at the reader's segment are wrong: ERR_NOT_FOUND when it was recycled under the reader, else ERR_CORRUPT. */
MUST_CHECK enum status reader_bad_bytes(struct file_reader *reader, uint64_t position, struct error *err);

/* Each adds what matches to chunks and moves the position on, not beyond `durable`. */
MUST_CHECK enum status reader_walk(struct file_reader *reader, size_t bytes_max, uint64_t durable, struct error *err);
/* *out_done false: the ring does not reach back to the position, or no more: walk. */
MUST_CHECK enum status reader_tail(struct file_reader *reader, size_t bytes_max, uint64_t durable, bool *out_done,
                                   struct error *err);
