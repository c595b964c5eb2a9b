/* The journal in memory: the file backend's promises while the process lives, for tests and simulations, and the
 * smallest example of a backend. A commit is one allocation, kept in a ring ordered by position; positions count bytes
 * as a file would. One mutex guards everything: simple beats fast here.
 *
 * Retention and bounds work on "segments" of segment_bytes, like the file's: what lies before the smallest mark goes by
 * size and age. A reader copies what it reads, so that what it borrowed outlives retention. */
#include <pthread.h>
#include <stdlib.h>

#include "base/metrics.h"
#include "base/role.h"
#include "journal/commit.h"
#include "journal/marks.h"
#include "journal/wakers.h"
#include "world/world.h"

struct kept { /* one commit */
    uint64_t position, end;
    int64_t written_us;
    size_t chunk_count;
    struct journal_chunk chunks[]; /* their bytes stand behind them */
};

struct memory {
    struct journal journal;
    struct journal_options options;
    struct world *world;
    struct bell *bell;
    struct commit_list submitted;
    struct journal_commit *pending; /* taken, oldest first */
    _Atomic size_t queued_bytes;
    _Atomic bool draining;
    struct marks *marks;
    struct wakers wakers;
    uint32_t *touched; /* topics with new records, by partition */

    pthread_mutex_t mutex; /* guards what follows */
    struct kept **kept;    /* a ring */
    size_t kept_first, kept_count, kept_capacity;
    uint64_t begin, end, bytes;
    uint64_t *offsets; /* next of [topic][partition] */
    bool full;         /* the last commit with records was refused for want of room */
};

struct memory_reader {
    struct journal_reader reader;
    struct journal_read_options options;
    size_t slot;
    uint64_t position;
    struct journal_chunk *chunks;
    char *bytes;
    size_t chunk_capacity, byte_capacity;
};

static struct memory *memory_of(struct journal *journal)
{
    return (struct memory *)journal;
}

static bool memory_step(void *self, struct world *world, int64_t *wake_us);

static enum status memory_open(const struct journal_options *options, struct world *world, struct metrics *metrics,
                               struct journal **out, struct error *err)
{
    (void)metrics;
    if (options->partitions == 0 || options->partitions == JOURNAL_ALL_PARTITIONS)
        return error_set(err, ERR_INVALID, "open journal: partitions must be 1 to 65534");
    struct memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        return error_set(err, ERR_FULL, "open journal: out of memory");
    memory->journal = (struct journal){ &journal_memory, options->partitions, 1 };
    memory->options = *options;
    memory->world = world;
    memory->bell = bell_new();
    memory->marks = marks_new();
    memory->touched = calloc(options->partitions, sizeof *memory->touched);
    memory->offsets = calloc((size_t)options->partitions * JOURNAL_TOPICS, sizeof *memory->offsets);
    memory->begin = memory->end = 64;
    pthread_mutex_init(&memory->mutex, NULL);
    if (!memory->touched || !memory->offsets)
        abort();
    *out = &memory->journal;
    return OK;
}

/* By the same rule as the file's (journal.h, total_bytes_max). */
static bool has_room(const struct memory *memory, const struct journal_commit *commit, uint64_t bytes)
{
    uint64_t max = memory->options.total_bytes_max;
    if (max == 0 || commit->chunk_count == 0)
        return true;
    return bytes + commit_bytes(commit) <= (commit->mark_count ? max : max / 2);
}

static enum status memory_submit(struct journal *journal, struct journal_commit *commit, struct error *err)
{
    struct memory *memory = memory_of(journal);
    enum status s = commit_check(commit, journal->partitions, JOURNAL_COMMIT_BYTES_MAX, err);
    if (s != OK)
        return s;
    if (atomic_load(&memory->draining))
        return error_set(err, ERR_CLOSED, "commit: the journal is shutting down");
    size_t n = commit_bytes(commit), before = atomic_fetch_add(&memory->queued_bytes, n);
    if (before && before + n > memory->options.queue_bytes_max) {
        atomic_fetch_sub(&memory->queued_bytes, n);
        return error_set(err, ERR_FULL, "commit: %zu bytes are waiting already, at most %llu may", before,
                         (unsigned long long)memory->options.queue_bytes_max);
    }
    commit->submitted_us = world_mono_us(memory->world);
    bool was_empty;
    commit_list_push(&memory->submitted, commit, &was_empty);
    if (was_empty)
        bell_ring(memory->bell);
    return OK;
}

static struct kept *copy_commit(struct memory *memory, const struct journal_commit *commit)
{
    size_t bytes = 0;
    for (size_t i = 0; i < commit->chunk_count; i++)
        bytes += commit->chunks[i].bytes.n;
    struct kept *kept = malloc(sizeof *kept + commit->chunk_count * sizeof *kept->chunks + bytes);
    if (!kept)
        return NULL;
    char *p = (char *)(kept->chunks + commit->chunk_count);
    kept->position = memory->end;
    kept->end = memory->end + 64 + (commit_bytes(commit) + 7) / 8 * 8;
    kept->written_us = world_wall_us(memory->world);
    kept->chunk_count = commit->chunk_count;
    for (size_t i = 0; i < commit->chunk_count; i++) {
        struct journal_chunk *chunk = &kept->chunks[i];
        *chunk = commit->chunks[i];
        chunk->bytes.p = memcpy(p, chunk->bytes.p, chunk->bytes.n);
        p += chunk->bytes.n;
        uint64_t *offset = &memory->offsets[chunk->topic * memory->journal.partitions + chunk->partition];
        chunk->offset = *offset;
        *offset += chunk->records;
        chunk->position = kept->position;
        chunk->written_us = kept->written_us;
        memory->touched[chunk->partition] |= TOPIC_BIT(chunk->topic);
    }
    return kept;
}

static bool keep(struct memory *memory, const struct journal_commit *commit)
{
    if (memory->kept_count == memory->kept_capacity) {
        size_t capacity = memory->kept_capacity ? memory->kept_capacity * 2 : 64;
        struct kept **ring = malloc(capacity * sizeof(struct kept *));
        if (!ring)
            return false;
        for (size_t i = 0; i < memory->kept_count; i++)
            ring[i] = memory->kept[(memory->kept_first + i) % memory->kept_capacity];
        free(memory->kept);
        memory->kept = ring;
        memory->kept_first = 0;
        memory->kept_capacity = capacity;
    }
    struct kept *kept = copy_commit(memory, commit);
    if (!kept)
        return false;
    memory->kept[(memory->kept_first + memory->kept_count++) % memory->kept_capacity] = kept;
    memory->bytes += kept->end - kept->position;
    memory->end = kept->end;
    return true;
}

static void forget_old(struct memory *memory)
{
    uint64_t needed = marks_smallest(memory->marks);
    while (memory->kept_count) {
        struct kept *oldest = memory->kept[memory->kept_first];
        int64_t age_ms = (world_wall_us(memory->world) - oldest->written_us) / 1000;
        bool too_much = memory->options.retention_bytes && memory->bytes > memory->options.retention_bytes;
        bool too_old = memory->options.retention_ms && age_ms > memory->options.retention_ms;
        bool crowded = memory->options.total_bytes_max &&
                       memory->bytes + memory->options.segment_bytes > memory->options.total_bytes_max / 2;
        if (oldest->end > needed || !(too_much || too_old || crowded))
            return;
        memory->begin = oldest->end;
        memory->bytes -= oldest->end - oldest->position;
        memory->kept_first = (memory->kept_first + 1) % memory->kept_capacity;
        memory->kept_count--;
        free(oldest);
    }
}

static enum status apply(struct memory *memory, const struct journal_commit *commit)
{
    bool room = has_room(memory, commit, memory->bytes);
    if (commit->chunk_count)
        memory->full = !room;
    if (!room || !marks_room(memory->marks, commit->marks, commit->mark_count) || !keep(memory, commit))
        return ERR_FULL;
    for (size_t i = 0; i < commit->mark_count; i++)
        if (!marks_set(memory->marks, &commit->marks[i]))
            abort(); /* out of memory for a kilobyte */
    return OK;
}

static bool memory_step(void *self, struct world *world, int64_t *wake_us)
{
    struct memory *memory = self;
    struct journal_commit *commit = commit_list_take(&memory->submitted), *next;
    (void)world;
    (void)wake_us;
    uint32_t all = 0;
    for (; commit; commit = next) {
        next = commit->next;
        pthread_mutex_lock(&memory->mutex);
        enum status s = apply(memory, commit);
        forget_old(memory);
        pthread_mutex_unlock(&memory->mutex);
        atomic_fetch_sub(&memory->queued_bytes, commit_bytes(commit));
        commit->done(commit, s, s == OK ? NULL : "the journal is full: readers must go on, or allow it more");
    }
    for (uint16_t i = 0; i < memory->journal.partitions; i++)
        all |= memory->touched[i];
    if (all)
        wakers_wake(&memory->wakers, memory->touched, all);
    memset(memory->touched, 0, memory->journal.partitions * sizeof *memory->touched);
    return all != 0;
}

static enum status memory_reader_open(struct journal *journal, const struct journal_read_options *options,
                                      struct journal_reader **out, struct error *err)
{
    if (options->partition >= journal->partitions && options->partition != JOURNAL_ALL_PARTITIONS)
        return error_set(err, ERR_INVALID, "open a reader: there is no partition %u", options->partition);
    struct memory_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return error_set(err, ERR_FULL, "open a reader: out of memory");
    reader->reader.journal = journal;
    reader->options = *options;
    reader->position = options->position;
    enum status s = wakers_add(&memory_of(journal)->wakers, options, &reader->slot, err);
    if (s != OK)
        free(reader);
    else
        *out = &reader->reader;
    return s;
}

static void memory_reader_close(struct journal_reader *self)
{
    struct memory_reader *reader = (struct memory_reader *)self;
    if (!reader)
        return;
    wakers_remove(&memory_of(self->journal)->wakers, reader->slot);
    free(reader->chunks);
    free(reader->bytes);
    free(reader);
}

static void *grow(void *p, size_t *capacity, size_t needed, size_t item)
{
    if (needed <= *capacity)
        return p;
    *capacity = needed * 2;
    p = realloc(p, *capacity * item);
    if (!p)
        abort();
    return p;
}

static bool matches(const struct memory_reader *reader, const struct journal_chunk *chunk)
{
    return (reader->options.topics & TOPIC_BIT(chunk->topic)) &&
           (reader->options.partition == JOURNAL_ALL_PARTITIONS || reader->options.partition == chunk->partition);
}

/* bytes.p of a copied chunk is its place in the reader's buffer until read_copy is done, since the buffer may move. */
static void read_copy(struct memory_reader *reader, const struct kept *kept, struct journal_batch *out)
{
    for (size_t i = 0; i < kept->chunk_count; i++) {
        const struct journal_chunk *chunk = &kept->chunks[i];
        if (!matches(reader, chunk))
            continue;
        reader->chunks = grow(reader->chunks, &reader->chunk_capacity, out->chunk_count + 1, sizeof *reader->chunks);
        reader->bytes = grow(reader->bytes, &reader->byte_capacity, out->bytes + chunk->bytes.n, 1);
        reader->chunks[out->chunk_count++] = *chunk;
        memcpy(reader->bytes + out->bytes, chunk->bytes.p, chunk->bytes.n);
        out->bytes += chunk->bytes.n;
        out->records += chunk->records;
    }
}

/* The index of the first kept commit that ends behind the position. */
static size_t kept_find(const struct memory *memory, uint64_t position)
{
    size_t low = 0, high = memory->kept_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (memory->kept[(memory->kept_first + middle) % memory->kept_capacity]->end > position)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static enum status memory_read(struct journal_reader *self, size_t bytes_max, struct journal_batch *out,
                               struct error *err)
{
    struct memory_reader *reader = (struct memory_reader *)self;
    struct memory *memory = memory_of(self->journal);
    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&memory->mutex);
    enum status s = OK;
    if (reader->position != JOURNAL_BEGIN && reader->position < memory->begin)
        s = error_set(err, ERR_NOT_FOUND, "read the journal: position %llu was deleted by retention",
                      (unsigned long long)reader->position);
    for (size_t i = kept_find(memory, reader->position); s == OK && i < memory->kept_count; i++) {
        struct kept *kept = memory->kept[(memory->kept_first + i) % memory->kept_capacity];
        if (out->chunk_count && out->bytes >= bytes_max)
            break;
        read_copy(reader, kept, out);
        reader->position = kept->end;
    }
    if (s == OK && memory->kept_count == 0 && reader->position < memory->end)
        reader->position = memory->end;
    pthread_mutex_unlock(&memory->mutex);
    size_t at = 0;
    for (size_t i = 0; i < out->chunk_count; at += reader->chunks[i++].bytes.n)
        reader->chunks[i].bytes.p = reader->bytes + at;
    out->chunks = reader->chunks;
    out->next_position = reader->position;
    return s;
}

static enum status memory_own(struct journal *journal, const char *group, uint16_t partition, struct error *err)
{
    (void)journal, (void)group, (void)partition, (void)err;
    return OK; /* there is no other process */
}

static enum status memory_end_position(struct journal *journal, enum journal_topic topic, uint16_t partition,
                                       uint64_t *out, struct error *err)
{
    struct memory *memory = memory_of(journal);
    (void)topic, (void)partition, (void)err;
    pthread_mutex_lock(&memory->mutex);
    *out = memory->end;
    pthread_mutex_unlock(&memory->mutex);
    return OK;
}

static enum status memory_mark(struct journal *journal, const char *group, uint16_t partition, struct journal_mark *out,
                               char *note_buffer)
{
    return marks_get(memory_of(journal)->marks, group, partition, out, note_buffer);
}

static void memory_status(struct journal *journal, struct journal_status *out)
{
    struct memory *memory = memory_of(journal);
    pthread_mutex_lock(&memory->mutex);
    *out = (struct journal_status){ memory->begin, memory->end, memory->bytes, memory->full };
    pthread_mutex_unlock(&memory->mutex);
}

static uint64_t memory_end_offset(struct journal *journal, enum journal_topic topic, uint16_t partition)
{
    struct memory *memory = memory_of(journal);
    assert(topic < JOURNAL_TOPICS && partition < journal->partitions);
    pthread_mutex_lock(&memory->mutex);
    uint64_t offset = memory->offsets[(size_t)topic * journal->partitions + partition];
    pthread_mutex_unlock(&memory->mutex);
    return offset;
}

static size_t memory_roles(struct journal *journal, struct role *out_roles)
{
    struct memory *memory = memory_of(journal);
    out_roles[0] = (struct role){ "journal", memory, memory_step, memory->bell };
    return 1;
}

static void memory_drain(struct journal *journal)
{
    struct memory *memory = memory_of(journal);
    atomic_store(&memory->draining, true);
    bell_ring(memory->bell);
}

static void memory_close(struct journal *journal)
{
    struct memory *memory = memory_of(journal);
    if (!memory)
        return;
    struct journal_commit *commit = commit_list_take(&memory->submitted), *next;
    for (; commit; commit = next) {
        next = commit->next;
        commit->done(commit, ERR_CLOSED, "the journal was closed");
    }
    for (size_t i = 0; i < memory->kept_count; i++)
        free(memory->kept[(memory->kept_first + i) % memory->kept_capacity]);
    free(memory->kept);
    free(memory->offsets);
    free(memory->touched);
    marks_free(memory->marks);
    bell_free(memory->bell);
    pthread_mutex_destroy(&memory->mutex);
    free(memory);
}

const struct journal_backend journal_memory = {
    .name = "memory",
    .open = memory_open,
    .submit = memory_submit,
    .read = memory_read,
    .reader_open = memory_reader_open,
    .reader_close = memory_reader_close,
    .own = memory_own,
    .mark = memory_mark,
    .status = memory_status,
    .end_position = memory_end_position,
    .end_offset = memory_end_offset,
    .roles = memory_roles,
    .drain = memory_drain,
    .share_open = journal_share_whole,
    .close = memory_close,
};
