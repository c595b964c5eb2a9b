/* One group: as many pending commits as one write and one flush take, laid out as frames.
 *
 * Heads and small chunks are copied into a staging buffer, larger chunks stay where they lie; recent.c puts the parts
 * together in the memory that readers of the log's end copy from, and writes them from there. The first group of a
 * segment carries the segment's header and snapshot with it: one flush makes all of it durable or none. Nothing that
 * others see changes before the flush has succeeded, except the next offsets, which file_group_undo takes back. */
#include "journal/file.h"

#define COPY_BYTES_MAX 2048 /* below this a copy is cheaper than one more part for the kernel */

static void add_staged(struct file_writer *w, size_t from)
{
    struct file_part *last = w->part_count ? &w->parts[w->part_count - 1] : NULL;
    size_t n = w->staging.n - from;
    if (n == 0)
        return;
    if (last && !last->p && last->at + last->n == from) {
        last->n += n;
        return;
    }
    assert(w->part_count < GROUP_PARTS_MAX);
    w->parts[w->part_count++] = (struct file_part){ NULL, from, n };
}

static void add_borrowed(struct file_writer *w, struct slice bytes)
{
    assert(w->part_count < GROUP_PARTS_MAX);
    w->parts[w->part_count++] = (struct file_part){ bytes.p, 0, bytes.n };
}

/* The frame whose heads begin at head_at in the staging buffer is complete: the chain and the place move on. */
static void finish_frame(struct journal_file *j, size_t head_at, enum frame_kind kind, size_t frame_bytes,
                         uint32_t chunk_count, uint32_t mark_count)
{
    struct file_writer *w = &j->writer;
    struct frame_head head = {
        .frame_bytes = (uint32_t)frame_bytes,
        .position = w->group_at,
        .session = w->session,
        .durable_before = w->at,
        .written_us = w->wall_us,
        .prev_crc = w->group_chain,
        .kind = (uint16_t)kind,
        .flags = w->group_new_session ? FRAME_STARTS_SESSION : 0,
        .chunk_count = chunk_count,
        .mark_count = mark_count,
    };
    frame_finish(&w->staging, head_at, &head, j->seed);
    w->group_new_session = false;
    w->group_chain = head.crc;
    w->group_at += head.frame_bytes;
}

static void stage_snapshot(struct journal_file *j)
{
    struct file_writer *w = &j->writer;
    size_t head_at = frame_begin(&w->staging);
    uint32_t chunk_count = 0, mark_count = 0;
    for (uint16_t topic = 1; topic < JOURNAL_TOPICS; topic++) {
        for (uint16_t partition = 0; partition < j->journal.partitions; partition++) {
            struct journal_chunk chunk = { .topic = topic, .partition = partition, .bytes = SLICE("") };
            if (*file_offset(j, topic, partition) == 0)
                continue;
            frame_add_chunk(&w->staging, &chunk, *file_offset(j, topic, partition), j->seed);
            chunk_count++;
        }
    }
    struct journal_mark mark;
    char note[JOURNAL_NOTE_MAX];
    for (size_t i = 0; i < marks_count(j->marks); i++) {
        if (!marks_at(j->marks, i, &mark, note))
            continue;
        frame_add_mark(&w->staging, &mark);
        mark_count++;
    }
    assert(!w->staging.full);
    finish_frame(j, head_at, FRAME_SNAPSHOT, 0, chunk_count, mark_count);
}

static void stage_segment_head(struct journal_file *j)
{
    struct file_writer *w = &j->writer;
    struct segment_head head = {
        .first = w->first,
        .bytes = w->bytes,
        .partitions = j->journal.partitions,
        .prev_crc = w->chain,
        .prev_end = w->at,
        .session = w->session,
        .created_us = w->wall_us,
    };
    memcpy(head.directory, j->directory, sizeof head.directory);
    char *to = buf_reserve(&w->staging, SEGMENT_HEADER_BYTES);
    assert(to);
    segment_head_write(&head, to);
    w->staging.n += SEGMENT_HEADER_BYTES;
    w->group_at = w->first + SEGMENT_HEADER_BYTES;
    stage_snapshot(j);
    add_staged(w, 0);
}

void file_group_begin(struct journal_file *j)
{
    struct file_writer *w = &j->writer;
    assert(w->file);
    buf_reset(&w->staging);
    w->part_count = 0;
    w->group_last = NULL;
    w->group_chain = w->chain;
    w->group_new_session = w->new_session;
    w->ring_next = atomic_load(&j->ring->published);
    w->wall_us = world_wall_us(j->world);
    w->group_at = w->write_from = w->fresh ? w->first : w->at;
    if (w->fresh)
        stage_segment_head(j);
}

static void put_into_ring(struct journal_file *j, const struct journal_chunk *chunk, uint64_t offset, uint32_t crc,
                          uint64_t frame_end, uint64_t bytes_at)
{
    struct file_writer *w = &j->writer;
    struct ring_chunk entry = {
        .position = w->group_at,
        .frame_end = frame_end,
        .bytes_at = bytes_at,
        .offset = offset,
        .written_us = w->wall_us,
        .topic = chunk->topic,
        .partition = chunk->partition,
        .records = chunk->records,
        .bytes = (uint32_t)chunk->bytes.n,
        .crc = crc,
    };
    ring_put(j->ring, w->ring_next++, &entry);
    w->touched[chunk->partition] |= TOPIC_BIT(chunk->topic);
    w->touched_all |= TOPIC_BIT(chunk->topic);
}

static void stage_heads(struct journal_file *j, const struct journal_commit *commit, size_t head_bytes,
                        size_t frame_bytes)
{
    struct file_writer *w = &j->writer;
    uint64_t bytes_at = w->group_at + head_bytes;
    for (size_t i = 0; i < commit->chunk_count; i++) {
        const struct journal_chunk *chunk = &commit->chunks[i];
        uint64_t *offset = file_offset(j, chunk->topic, chunk->partition);
        struct frame_chunk head;
        frame_add_chunk(&w->staging, chunk, *offset, j->seed);
        memcpy(&head, w->staging.p + w->staging.n - sizeof head, sizeof head);
        put_into_ring(j, chunk, *offset, head.crc, w->group_at + frame_bytes, bytes_at);
        *offset += chunk->records;
        bytes_at += chunk->bytes.n;
    }
    for (size_t i = 0; i < commit->mark_count; i++)
        frame_add_mark(&w->staging, &commit->marks[i]);
}

static void stage_bytes(struct file_writer *w, const struct journal_commit *commit, bool copy_all)
{
    static const char ZEROS[FRAME_ALIGN];
    size_t total = 0;
    for (size_t i = 0; i < commit->chunk_count; i++) {
        struct slice bytes = commit->chunks[i].bytes;
        total += bytes.n;
        if (copy_all || bytes.n <= COPY_BYTES_MAX) {
            size_t from = w->staging.n;
            buf_add_slice(&w->staging, bytes);
            add_staged(w, from);
        } else {
            add_borrowed(w, bytes);
        }
    }
    size_t from = w->staging.n;
    buf_add(&w->staging, ZEROS, (FRAME_ALIGN - total % FRAME_ALIGN) % FRAME_ALIGN);
    /* The next heads must begin aligned in the staging buffer too; what fills it up there is not written. */
    add_staged(w, from);
    buf_add(&w->staging, ZEROS, (FRAME_ALIGN - w->staging.n % FRAME_ALIGN) % FRAME_ALIGN);
}

bool file_group_add(struct journal_file *j, struct journal_commit *commit)
{
    struct file_writer *w = &j->writer;
    size_t head_bytes = frame_head_bytes(commit), bytes = frame_bytes(commit);
    size_t limit = j->options.commit_bytes_max ? j->options.commit_bytes_max : GROUP_BYTES_DEFAULT;
    bool too_many_parts = w->part_count + 2 * commit->chunk_count + 2 > GROUP_PARTS_MAX;
    if (w->group_last && (too_many_parts || w->group_at - w->write_from + bytes > limit ||
                          w->ring_next - atomic_load(&j->ring->published) + commit->chunk_count > RING_CHUNKS / 2))
        return false;
    size_t head_at = frame_begin(&w->staging);
    stage_heads(j, commit, head_bytes, bytes);
    assert(w->staging.n - head_at == head_bytes);
    finish_frame(j, head_at, FRAME_COMMIT, bytes, (uint32_t)commit->chunk_count, (uint32_t)commit->mark_count);
    add_staged(w, head_at);
    stage_bytes(w, commit, too_many_parts);
    w->group_last = commit;
    assert(w->group_at <= w->first + w->bytes && !w->staging.full);
    return true;
}

void file_group_add_tide(struct journal_file *j)
{
    struct file_writer *w = &j->writer;
    size_t head_at = frame_begin(&w->staging);
    finish_frame(j, head_at, FRAME_TIDE, 0, 0, 0);
    add_staged(w, head_at);
}

void file_group_undo(struct journal_file *j)
{
    struct file_writer *w = &j->writer;
    memset(w->touched, 0, j->journal.partitions * sizeof *w->touched);
    w->touched_all = 0;
    if (!w->group_last)
        return;
    for (struct journal_commit *commit = w->pending;; commit = commit->next) {
        for (size_t i = 0; i < commit->chunk_count; i++)
            *file_offset(j, commit->chunks[i].topic, commit->chunks[i].partition) -= commit->chunks[i].records;
        if (commit == w->group_last)
            return;
    }
}

enum status file_group_write(struct journal_file *j, bool *out_written, struct error *err)
{
    struct file_writer *w = &j->writer;
    uint64_t total = 0;
    for (int i = 0; i < w->part_count; i++) {
        const struct file_part *part = &w->parts[i];
        const char *p = part->p ? part->p : w->staging.p + part->at;
        w->iovecs[i] = (struct iovec){ (void *)(uintptr_t)p, part->n };
        total += part->n;
    }
    assert(total == w->group_at - w->write_from);
    *out_written = false;
    enum status s = recent_write(j->recent, w->file, w->first, w->write_from, w->iovecs, w->part_count, err);
    if (s != OK)
        return s;
    *out_written = true;
    int64_t before_us = world_mono_us(j->world);
    s = w->file->ops->sync(w->file, err);
    histogram_observe_us(j->metrics.sync_time, world_mono_us(j->world) - before_us, 1);
    counter_add(s == OK ? j->metrics.syncs : j->metrics.sync_errors, 1);
    return s;
}
