/* A read: by the ring of recent chunks when that reaches back to the reader's position, else frame by frame through the
 * files, until something matches or the durable end is reached. Both read into the reader's own buffer: from memory
 * what was written lately (recent.h), else from the file, which each reader opens by itself, past the kernel's cache:
 * the writer writes past it, and a page of the cache in its way would be its trouble (decision 0021). */
#include <stdlib.h>

#include "journal/reader.h"

enum status file_reader_open(struct journal *journal, const struct journal_read_options *options,
                             struct journal_reader **out, struct error *err)
{
    if (options->partition >= journal->partitions && options->partition != JOURNAL_ALL_PARTITIONS)
        return error_set(err, ERR_INVALID, "open a reader: there is no partition %u, the journal has %u",
                         options->partition, journal->partitions);
    struct file_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return error_set(err, ERR_FULL, "open a reader: out of memory");
    reader->reader.journal = journal;
    reader->options = *options;
    reader->position = options->position;
    enum status s = wakers_add(&file_of(journal)->wakers, options, &reader->slot, err);
    if (s != OK)
        free(reader);
    else
        *out = &reader->reader;
    return s;
}

void file_reader_close(struct journal_reader *self)
{
    struct file_reader *reader = (struct file_reader *)self;
    if (!reader)
        return;
    wakers_remove(&file_of(self->journal)->wakers, reader->slot);
    if (reader->file)
        reader->file->ops->close(reader->file);
    free(reader->buffer);
    free(reader->chunks);
    free(reader->places);
    free(reader);
}

struct journal_chunk *reader_next_chunk(struct file_reader *reader)
{
    if (reader->chunk_count == reader->chunk_capacity) {
        size_t capacity = reader->chunk_capacity ? reader->chunk_capacity * 2 : 64;
        struct journal_chunk *chunks = realloc(reader->chunks, capacity * sizeof *chunks);
        if (chunks)
            reader->chunks = chunks;
        struct tail_place *places = realloc(reader->places, capacity * sizeof *places);
        if (places)
            reader->places = places;
        if (!chunks || !places)
            return NULL;
        reader->chunk_capacity = capacity;
    }
    return &reader->chunks[reader->chunk_count++];
}

bool reader_grow(struct file_reader *reader, size_t bytes)
{
    if (bytes < READ_BYTES)
        bytes = READ_BYTES;
    if (bytes <= reader->buffer_capacity)
        return true;
    bytes = (bytes + DISK_ALIGN - 1) / DISK_ALIGN * DISK_ALIGN;
    char *buffer = aligned_alloc(DISK_ALIGN, bytes);
    if (!buffer)
        return false;
    if (reader->n)
        memcpy(buffer, reader->buffer, reader->n);
    free(reader->buffer);
    reader->buffer = buffer;
    reader->buffer_capacity = bytes;
    return true;
}

enum status reader_bytes(struct file_reader *reader, char *to, size_t n, uint64_t position, size_t *out_n,
                         struct error *err)
{
    *out_n = n;
    if (recent_copy(file_of(reader->reader.journal)->recent, reader->slot, position, to, n))
        return OK;
    size_t got, whole = (n + DISK_ALIGN - 1) / DISK_ALIGN * DISK_ALIGN;
    assert(to >= reader->buffer && to + whole <= reader->buffer + reader->buffer_capacity);
    enum status s = reader->file->ops->read(reader->file, to, whole, position - reader->segment.first, &got, err);
    *out_n = s == OK && got < n ? got : n;
    return s;
}

static enum status gone(const struct file_reader *reader, struct error *err)
{
    return error_set(err, ERR_NOT_FOUND, "read the journal: position %llu was deleted by retention",
                     (unsigned long long)reader->position);
}

static enum status open_segment(struct file_reader *reader, const struct segment *segment, struct error *err)
{
    struct journal_file *j = file_of(reader->reader.journal);
    char path[DISK_PATH_MAX];
    struct disk_file *file;
    file_segment_path(j, segment->first, path);
    enum status s = j->world->disk->ops->open(j->world->disk, path, DISK_READ, &file, err);
    if (s == ERR_NOT_FOUND && segments_oldest(&j->segments) <= segment->number)
        return error_wrap(err, ERR_CORRUPT, "a file of the journal is missing, restore it from a backup");
    if (s != OK)
        return s;
    if (reader->file)
        reader->file->ops->close(reader->file);
    reader->file = file;
    reader->file->ops->past_cache(file);
    reader->segment = *segment;
    reader->n = 0;
    return OK;
}

enum status reader_find_segment(struct file_reader *reader, struct error *err)
{
    struct journal_file *j = file_of(reader->reader.journal);
    struct segment segment;
    if (!reader->file || !segments_get(&j->segments, reader->segment.number, &segment) ||
        reader->position < segment.first || reader->position >= segment.end) {
        if (!segments_find(&j->segments, reader->position, &segment))
            return gone(reader, err);
        /* The dead rest of a segment, or its very end, means the next one. */
        if (reader->position >= segment.end && !segments_get(&j->segments, segment.number + 1, &segment))
            return gone(reader, err);
    }
    if (reader->position < segment.first + SEGMENT_HEADER_BYTES)
        reader->position = segment.first + SEGMENT_HEADER_BYTES;
    if (!reader->file || reader->segment.number != segment.number)
        return open_segment(reader, &segment, err);
    reader->segment = segment;
    return OK;
}

enum status reader_bad_bytes(struct file_reader *reader, uint64_t position, struct error *err)
{
    struct journal_file *j = file_of(reader->reader.journal);
    if (segments_oldest(&j->segments) > reader->segment.number)
        return gone(reader, err);
    char path[DISK_PATH_MAX];
    file_segment_path(j, reader->segment.first, path);
    return error_set(err, ERR_CORRUPT,
                     "read the journal: %s is damaged at offset %llu: restore it from a backup, or let readers go on "
                     "behind it by moving their marks to position %llu",
                     path, (unsigned long long)(position - reader->segment.first),
                     (unsigned long long)(reader->segment.first + reader->segment.bytes));
}

/* JOURNAL_BEGIN means the oldest that there is. */
static enum status begin(struct file_reader *reader, struct error *err)
{
    struct journal_file *j = file_of(reader->reader.journal);
    struct segment oldest;
    if (!segments_get(&j->segments, segments_oldest(&j->segments), &oldest))
        return OK;
    if (reader->position == JOURNAL_BEGIN)
        reader->position = oldest.first + SEGMENT_HEADER_BYTES;
    return reader->position < oldest.first ? gone(reader, err) : OK;
}

enum status file_read(struct journal_reader *self, size_t bytes_max, struct journal_batch *out, struct error *err)
{
    struct file_reader *reader = (struct file_reader *)self;
    uint64_t durable = atomic_load_explicit(&file_of(self->journal)->durable, memory_order_acquire);
    reader->chunk_count = reader->records = reader->bytes = 0;
    enum status s = reader->position < durable ? begin(reader, err) : OK;
    while (s == OK && reader->chunk_count == 0 && reader->position < durable) {
        bool done;
        s = reader_tail(reader, bytes_max, durable, &done, err);
        if (s == OK && !done)
            s = reader_walk(reader, bytes_max, durable, err);
    }
    if (s != OK) {
        reader->chunk_count = 0;
        return s;
    }
    *out = (struct journal_batch){ .chunks = reader->chunks,
                                   .chunk_count = reader->chunk_count,
                                   .records = reader->records,
                                   .bytes = reader->bytes,
                                   .next_position = reader->position };
    return OK;
}
