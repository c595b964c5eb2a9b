/* Reading by the ring of recent chunks: for readers that follow the log's end. The descriptors say where the wanted
 * bytes are, so that a reader of one topic does not read the others'. Chunks that lie close together are read at once.
 */
#include "journal/reader.h"

#define GAP_BYTES 4096 /* reading over a gap of this size is cheaper than another call */

struct tail {
    uint64_t number;     /* the first descriptor that was not taken */
    uint64_t stopped_at; /* position of its frame, when the reader stopped before it for being full; else 0 */
    bool lost;           /* descriptors were overwritten meanwhile */
};

/* Takes descriptors until enough is found; whole frames, of one segment. */
static enum status take(struct file_reader *reader, size_t bytes_max, uint64_t durable, uint64_t end, struct tail *tail,
                        struct error *err)
{
    struct ring *ring = file_of(reader->reader.journal)->ring;
    struct ring_chunk found;
    uint64_t frame = 0; /* whose chunks the loop is in */
    for (; tail->number < end; tail->number++) {
        if (!ring_get(ring, tail->number, &found)) {
            tail->lost = true;
            return OK;
        }
        if (found.position >= durable)
            return OK;
        if (found.position != frame) {
            bool enough = reader->chunk_count && reader->bytes >= bytes_max;
            if (enough || (reader->chunk_count && found.position >= reader->segment.first + reader->segment.bytes)) {
                tail->stopped_at = found.position;
                return OK;
            }
            frame = found.position;
        }
        if (!reader_wants(reader, found.topic, found.partition))
            continue;
        if (reader->chunk_count == 0) {
            reader->position = found.position; /* nothing before it is wanted */
            enum status s = reader_find_segment(reader, err);
            if (s != OK)
                return s;
        }
        struct journal_chunk *chunk = reader_next_chunk(reader);
        if (!chunk)
            return error_set(err, ERR_FULL, "read the journal: out of memory");
        reader->places[reader->chunk_count - 1] = (struct tail_place){ found.bytes_at, found.crc };
        *chunk = (struct journal_chunk){ .topic = found.topic,
                                         .partition = found.partition,
                                         .records = found.records,
                                         .bytes = { NULL, found.bytes },
                                         .offset = found.offset,
                                         .position = found.position,
                                         .written_us = found.written_us };
        reader->records += found.records;
        reader->bytes += found.bytes;
    }
    return OK;
}

/* The run of chunks from i whose bytes lie close together; sets its bytes' place. */
static size_t run_end(const struct file_reader *reader, size_t i, uint64_t *out_from, uint64_t *out_to)
{
    *out_from = reader->places[i].bytes_at;
    *out_to = *out_from + reader->chunks[i].bytes.n;
    while (++i < reader->chunk_count && reader->places[i].bytes_at - *out_to <= GAP_BYTES)
        *out_to = reader->places[i].bytes_at + reader->chunks[i].bytes.n;
    return i;
}

/* Whole blocks of the file for each run. */
static enum status read_runs(struct file_reader *reader, struct error *err)
{
    uint64_t from, to, total = 0;
    for (size_t i = 0; i < reader->chunk_count;) {
        i = run_end(reader, i, &from, &to);
        total += to - from + 2 * DISK_ALIGN;
    }
    reader->n = 0; /* the buffer holds no block of the log any more */
    if (!reader_grow(reader, total))
        return error_set(err, ERR_FULL, "read the journal: out of memory for %llu bytes", (unsigned long long)total);
    char *p = reader->buffer;
    for (size_t i = 0; i < reader->chunk_count;) {
        size_t got, end = run_end(reader, i, &from, &to), skip = from % DISK_ALIGN;
        enum status s = reader_bytes(reader, p, skip + (to - from), from - skip, &got, err);
        if (s != OK)
            return s;
        if (got < skip + (to - from))
            return reader_bad_bytes(reader, from, err);
        for (; i < end; i++)
            reader->chunks[i].bytes.p = p + skip + (reader->places[i].bytes_at - from);
        p += (skip + (to - from) + DISK_ALIGN - 1) / DISK_ALIGN * DISK_ALIGN;
    }
    return OK;
}

static enum status read_bytes(struct file_reader *reader, struct error *err)
{
    enum status s = read_runs(reader, err);
    if (s != OK)
        return s;
    uint32_t seed = file_of(reader->reader.journal)->seed;
    for (size_t i = 0; i < reader->chunk_count; i++) {
        struct frame_chunk head = { .bytes = (uint32_t)reader->chunks[i].bytes.n, .crc = reader->places[i].crc };
        if (!frame_check_bytes(&head, reader->chunks[i].bytes.p, seed))
            return reader_bad_bytes(reader, reader->places[i].bytes_at, err);
    }
    return OK;
}

enum status reader_tail(struct file_reader *reader, size_t bytes_max, uint64_t durable, bool *out_done,
                        struct error *err)
{
    struct ring *ring = file_of(reader->reader.journal)->ring;
    uint64_t end = atomic_load_explicit(&ring->published, memory_order_acquire), before = reader->position;
    struct tail tail = { .number = reader->ring_number };
    *out_done = false;
    if (reader->ring_position != before && !ring_find(ring, before, end, &tail.number))
        return OK;
    enum status s = take(reader, bytes_max, durable, end, &tail, err);
    if (s == OK && !tail.lost)
        s = read_bytes(reader, err);
    if (s != OK || tail.lost) {
        reader->chunk_count = reader->records = reader->bytes = 0;
        reader->position = before;
        reader->ring_position = 0;
        return s;
    }
    reader->position = tail.stopped_at ? tail.stopped_at : durable;
    reader->ring_number = tail.number;
    reader->ring_position = reader->position;
    *out_done = true;
    return OK;
}
