/* Reading frame by frame: for readers that start, or have fallen behind what the ring remembers. Blocks of the file go
 * through the reader's buffer in order; frames that hold nothing for this reader are stepped over by their length, and
 * what lies beyond the buffer of such a frame is not read at all. What a read hands out lies in the buffer, so the
 * buffer is refilled only while nothing was found yet. */
#include "journal/reader.h"

/* Drops the blocks before the one that byte `skip` of the buffer is in, and the last one if it is not whole. */
static void keep_blocks(struct file_reader *reader, size_t skip)
{
    size_t drop = skip / DISK_ALIGN * DISK_ALIGN;
    size_t keep = reader->n > drop ? (reader->n - drop) / DISK_ALIGN * DISK_ALIGN : 0;
    if (drop && keep)
        memmove(reader->buffer, reader->buffer + drop, keep);
    reader->from += drop;
    reader->n = keep;
}

/* Shows at least `needed` bytes of the log at the position, unless that would move what was found already: then false
 * in *out_shown. limit: the log's readable end in this segment. */
static enum status show(struct file_reader *reader, size_t needed, uint64_t limit, bool *out_shown, struct error *err)
{
    *out_shown = false;
    if (reader->position < reader->from || reader->position > reader->from + reader->n) {
        reader->from = reader->position / DISK_ALIGN * DISK_ALIGN;
        reader->n = 0;
    }
    size_t skip = (size_t)(reader->position - reader->from);
    if (reader->n >= skip + needed) {
        *out_shown = true;
        return OK;
    }
    if (reader->chunk_count)
        return OK;
    if (reader->position + needed > limit)
        return reader_bad_bytes(reader, reader->position, err);
    keep_blocks(reader, skip);
    skip %= DISK_ALIGN;
    if (!reader_grow(reader, skip + needed))
        return error_set(err, ERR_FULL, "read the journal: out of memory for a frame of %zu bytes", needed);
    uint64_t want = limit - reader->from;
    if (want > reader->buffer_capacity)
        want = reader->buffer_capacity;
    size_t got;
    enum status s =
        reader_bytes(reader, reader->buffer + reader->n, want - reader->n, reader->from + reader->n, &got, err);
    if (s != OK)
        return s;
    reader->n += got;
    if (reader->n < skip + needed)
        return reader_bad_bytes(reader, reader->position, err);
    *out_shown = true;
    return OK;
}

static bool any_wanted(const struct file_reader *reader, const char *frame, const struct frame_head *head)
{
    if (head->kind != FRAME_COMMIT)
        return false;
    for (uint32_t i = 0; i < head->chunk_count; i++) {
        struct frame_chunk chunk;
        frame_chunk_at(frame, i, &chunk);
        if (reader_wants(reader, chunk.topic, chunk.partition))
            return true;
    }
    return false;
}

static enum status add_frame(struct file_reader *reader, const char *frame, const struct frame_head *head,
                             struct error *err)
{
    struct journal_file *j = file_of(reader->reader.journal);
    const char *bytes = frame + head->head_bytes;
    for (uint32_t i = 0; i < head->chunk_count; i++) {
        struct frame_chunk stored;
        frame_chunk_at(frame, i, &stored);
        if (reader_wants(reader, stored.topic, stored.partition)) {
            if (!frame_check_bytes(&stored, bytes, j->seed))
                return reader_bad_bytes(reader, head->position, err);
            struct journal_chunk *chunk = reader_next_chunk(reader);
            if (!chunk)
                return error_set(err, ERR_FULL, "read the journal: out of memory");
            *chunk = (struct journal_chunk){ .topic = stored.topic,
                                             .partition = stored.partition,
                                             .records = stored.records,
                                             .bytes = slice_of(bytes, stored.bytes),
                                             .offset = stored.offset,
                                             .position = head->position,
                                             .written_us = head->written_us };
            reader->records += stored.records;
            reader->bytes += stored.bytes;
        }
        bytes += stored.bytes;
    }
    return OK;
}

/* Shows the frame at the position: its head, and its bytes if any of them are wanted. */
static enum status show_frame(struct file_reader *reader, uint64_t limit, struct frame_head *out_head,
                              const char **out_frame, bool *out_wanted, bool *out_shown, struct error *err)
{
    uint32_t seed = file_of(reader->reader.journal)->seed;
    size_t needed = sizeof(struct frame_head);
    do {
        enum status s = show(reader, needed, limit, out_shown, err);
        if (s != OK || !*out_shown)
            return s;
        size_t skip = (size_t)(reader->position - reader->from);
        *out_frame = reader->buffer + skip;
        if (frame_check_head(*out_frame, reader->n - skip, reader->position, seed, out_head, &needed)) {
            *out_wanted = any_wanted(reader, *out_frame, out_head);
            if (!*out_wanted)
                return OK;
            s = show(reader, out_head->frame_bytes, limit, out_shown, err);
            *out_frame = reader->buffer + (reader->position - reader->from);
            return s;
        }
    } while (needed);
    return reader_bad_bytes(reader, reader->position, err);
}

/* Walks until the segment's or the log's end, or until something was found and the buffer is used up. */
static enum status walk_segment(struct file_reader *reader, size_t bytes_max, uint64_t limit, struct error *err)
{
    while (reader->position < limit && !(reader->chunk_count && reader->bytes >= bytes_max)) {
        struct frame_head head;
        const char *frame;
        bool wanted = false, shown;
        enum status s = show_frame(reader, limit, &head, &frame, &wanted, &shown, err);
        if (s != OK || !shown)
            return s;
        if (wanted)
            s = add_frame(reader, frame, &head, err);
        if (s != OK)
            return s;
        reader->position += head.frame_bytes;
    }
    return OK;
}

enum status reader_walk(struct file_reader *reader, size_t bytes_max, uint64_t durable, struct error *err)
{
    enum status s = reader_find_segment(reader, err);
    if (s != OK)
        return s;
    uint64_t limit = reader->segment.end < durable ? reader->segment.end : durable;
    uint64_t before = reader->position;
    s = walk_segment(reader, bytes_max, limit, err);
    if (s == ERR_CORRUPT && reader->n) {
        /* What stands in the buffer may have been read before; look at the file itself once before giving up. */
        reader->n = 0;
        reader->chunk_count = reader->records = reader->bytes = 0;
        reader->position = before;
        s = walk_segment(reader, bytes_max, limit, err);
    }
    if (s != OK) {
        reader->n = 0;
        reader->position = before;
    }
    return s;
}
