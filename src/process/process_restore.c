/* The note beside a mark, little-endian: 0 u8 version 3  1 7 zeros  8 u64 skip  16 u64 seed  24 u64 changelog_next
 * 32 u64 replay_from  40 u64 position of the snapshot  48 u64 its first record  56 u64 its bytes  64 u64 bytes of
 * changes since it began  72 u64 settled. Version 2 ends before 72. Version 1 ends before 40: of such a changelog
 * nobody knows how long it is, so a snapshot is due.
 *
 * The mark, its note and the changelog records are written by one atomic commit, so changelog_next tells exactly where
 * the replay must end. Records are numbered without gaps; a base says how many it holds. Therefore a missing, doubled
 * or foreign piece is always noticed:
 *
 *     base holds records [0, point.changelog_offset)   + changelog   = [0, note.changelog_next)
 *     no base: the snapshot that the note names is read into files (process_snapshot_read.c), which are a base
 *     no snapshot: the changelog must still begin at or before note.replay_from (what is older has expired)
 *
 * An attempt that ends elsewhere is thrown away and the next older base is tried, then the snapshot, then neither. */
#include "process/process_restore.h"

#include <stdio.h>
#include <string.h>

#define READ_BYTES (4u << 20)

struct __attribute__((packed)) note {
    uint8_t version, zero[7];
    uint64_t skip, seed, changelog_next, replay_from;
    uint64_t snapshot_position, snapshot_record, snapshot_bytes, changes_bytes;
    uint64_t settled;
};
_Static_assert(sizeof(struct note) == PROCESS_NOTE_BYTES, "drawn above");
#define NOTE_1_BYTES 40
#define NOTE_2_BYTES 72

void process_note_encode(const struct process_note *note, char to[PROCESS_NOTE_BYTES])
{
    struct note out = { .version = 3,
                        .skip = note->skip,
                        .seed = note->seed,
                        .changelog_next = note->changelog_next,
                        .replay_from = note->replay_from,
                        .snapshot_position = note->snapshot.position,
                        .snapshot_record = note->snapshot.record,
                        .snapshot_bytes = note->snapshot.bytes,
                        .changes_bytes = note->snapshot.changes,
                        .settled = note->settled };
    memcpy(to, &out, sizeof out);
}

enum status process_note_decode(struct slice bytes, struct process_note *out, struct error *err)
{
    struct note in = { 0 };
    bool first = bytes.n == NOTE_1_BYTES && bytes.p[0] == 1;
    bool second = bytes.n == NOTE_2_BYTES && bytes.p[0] == 2;
    if (!first && !second && (bytes.n != sizeof in || bytes.p[0] != 3))
        return error_set(err, ERR_CORRUPT,
                         "the mark of group process carries %zu bytes that this version cannot read; was the data "
                         "directory written by a newer weir?",
                         bytes.n);
    memcpy(&in, bytes.p, bytes.n);
    *out = (struct process_note){
        .skip = in.skip,
        .seed = in.seed,
        .changelog_next = in.changelog_next,
        .replay_from = in.replay_from,
        .snapshot = { in.snapshot_position, in.snapshot_record, in.snapshot_bytes, in.changes_bytes },
        .settled = in.settled,
    };
    if (first)
        out->snapshot.changes = in.changelog_next ? UINT64_MAX / 2 : 0;
    return OK;
}

void process_restore_reset(struct process_restore *restore)
{
    if (restore->reader)
        restore->journal->backend->reader_close(restore->reader);
    restore->reader = NULL;
    snapshot_reader_reset(&restore->snapshot);
    restore->source = FROM_FILES;
    restore->gathering = false;
    restore->opened = false;
    restore->attempts = 0;
    restore->lost = false;
    restore->why[0] = 0;
}

/* The record at which the state is what it shall be. */
static uint64_t end_of(const struct process_restore *restore)
{
    return restore->is_copy ? restore->note.settled : restore->note.changelog_next;
}

struct state_point process_restore_reached(const struct process_restore *restore)
{
    return (struct state_point){ restore->position, restore->next_offset, true };
}

/* This base is of no use: remember why, the next step tries another. */
static void give_up_base(struct process_restore *restore, const char *why)
{
    snprintf(restore->why, sizeof restore->why, "%s", why);
    if (restore->reader)
        restore->journal->backend->reader_close(restore->reader);
    restore->reader = NULL;
}

/* Where to read from next: a base in files, after the last one the snapshot, and if that fails everything there is. */
static enum status choose(struct process_restore *restore, struct error *err)
{
    const struct process_note *note = &restore->note;
    bool tried = restore->source == FROM_SNAPSHOT;
    enum status s = OK;
    if (tried) {
        snapshot_reader_reset(&restore->snapshot);
        state_base_empty(restore->base);
        restore->point = (struct state_point){ 0 };
    } else {
        s = state_base_restore(restore->base, note->seed, note->changelog_next, &restore->point, err);
    }
    if (s != OK)
        return s;
    restore->source = restore->point.from_files            ? FROM_FILES
                      : note->snapshot.bytes == 0 || tried ? FROM_CHANGELOG
                                                           : FROM_SNAPSHOT;
    restore->gathering = restore->source == FROM_SNAPSHOT;
    return OK;
}

static enum status open_reader(struct process_restore *restore, struct error *err)
{
    restore->position = restore->gathering ? restore->note.snapshot.position : restore->point.position;
    struct journal_read_options options = { .topics = TOPIC_BIT(TOPIC_CHANGELOG),
                                            .partition = restore->partition,
                                            .position = restore->position };
    return restore->journal->backend->reader_open(restore->journal, &options, &restore->reader, err);
}

static enum status next_base(struct process_restore *restore, struct error *err)
{
    struct error why = { 0 };
    enum status s = choose(restore, &why);
    if (why.text[0])
        snprintf(restore->why, sizeof restore->why, "%s", why.text);
    if (s == ERR_NOT_FOUND)
        return error_set(
            err, ERR_CORRUPT,
            "the state of partition %u cannot be rebuilt: %.200s. Put its directory back from a backup, or "
            "set process.accept_lost_state: true (repeats of old events may then count twice)",
            restore->partition, restore->why);
    if (s != OK)
        return error_set(err, s, "%s", why.text);
    restore->attempts++;
    restore->records = 0;
    restore->offset_known = restore->source != FROM_CHANGELOG;
    restore->next_offset = restore->gathering ? restore->note.snapshot.record : restore->point.changelog_offset;
    return open_reader(restore, err);
}

static enum status apply_record(struct process_restore *restore, struct slice record, struct error *err)
{
    if (is_snapshot_record(record))
        return OK; /* what it says is in the states already */
    for (size_t i = 0; i < restore->state_count && record.n; i++) {
        struct state *state = restore->states[i];
        if ((uint8_t)record.p[0] == state->ops->id)
            return state->ops->apply(state, record, restore->next_offset, err);
    }
    return error_set(err, ERR_CORRUPT, "a changelog record is of no state that this version knows");
}

/* The first chunk of a replay without a base must reach back far enough. */
static enum status check_begin(struct process_restore *restore, uint64_t offset, struct error *err)
{
    /* What the owner needs no more by now, it may have needed where a copy ends. */
    const uint64_t needed = restore->is_copy ? 0 : restore->note.replay_from;
    restore->offset_known = true;
    restore->next_offset = offset;
    if (offset <= needed)
        return OK;
    if (restore->accept_lost) {
        restore->lost = true;
        return OK;
    }
    return error_set(err, ERR_CORRUPT, "the journal's changelog begins at record %llu, records from %llu on are needed",
                     (unsigned long long)offset, (unsigned long long)needed);
}

/* The records of the snapshot alone; what lies before its first one, or between them, is of the changes. */
static enum status gather_chunk(struct process_restore *restore, const struct journal_chunk *chunk, struct error *err)
{
    struct slice rest = chunk->bytes, record;
    enum status s = OK;
    if (chunk->offset > restore->next_offset)
        return error_set(err, ERR_CORRUPT, "the changelog goes on with record %llu where %llu of the snapshot was due",
                         (unsigned long long)chunk->offset, (unsigned long long)restore->next_offset);
    for (uint64_t offset = chunk->offset; s == OK && journal_next_record(&rest, &record); offset++) {
        if (offset < restore->next_offset || restore->snapshot.ended)
            continue;
        restore->next_offset++;
        if (is_snapshot_record(record))
            s = snapshot_reader_take(&restore->snapshot, record, err);
    }
    return s;
}

/* The snapshot's records into files; then these are the base, and the changes behind it are read. */
static enum status gather(struct process_restore *restore, struct error *err)
{
    struct journal_batch batch = { 0 };
    enum status s = journal_read(restore->reader, READ_BYTES, &batch, err);
    for (size_t i = 0; i < batch.chunk_count && s == OK && !restore->snapshot.ended; i++)
        s = gather_chunk(restore, &batch.chunks[i], err);
    if (s != OK)
        return s;
    if (!restore->snapshot.ended)
        return batch.chunk_count ? OK : error_set(err, ERR_CORRUPT, "the changelog ends within the snapshot");
    s = snapshot_reader_finish(&restore->snapshot, restore->note.seed, &restore->point, err);
    if (s != OK)
        return s;
    restore->gathering = false;
    restore->next_offset = restore->point.changelog_offset;
    restore->journal->backend->reader_close(restore->reader);
    restore->reader = NULL;
    return open_reader(restore, err);
}

static enum status apply_chunk(struct process_restore *restore, const struct journal_chunk *chunk, struct error *err)
{
    struct slice rest = chunk->bytes, record;
    enum status s = OK;
    if (!restore->offset_known)
        s = check_begin(restore, chunk->offset, err);
    if (s != OK)
        return s;
    restore->position = chunk->position;
    for (uint64_t offset = chunk->offset; journal_next_record(&rest, &record); offset++) {
        if (offset < restore->next_offset)
            continue;
        if (restore->is_copy && offset == restore->next_offset && offset >= end_of(restore))
            return OK; /* its owner goes on meanwhile */
        if (offset > restore->next_offset || offset >= restore->note.changelog_next)
            return error_set(err, ERR_CORRUPT, "the changelog goes on with record %llu where %llu of %llu was due",
                             (unsigned long long)offset, (unsigned long long)restore->next_offset,
                             (unsigned long long)restore->note.changelog_next);
        s = apply_record(restore, record, err);
        if (s != OK)
            return s;
        restore->next_offset++;
        restore->records++;
    }
    return rest.n ? error_set(err, ERR_CORRUPT, "a changelog chunk is malformed") : OK;
}

/* Nothing more to read: is it all? */
static enum status check_end(struct process_restore *restore, struct error *err)
{
    enum status s = OK;
    if (!restore->offset_known)
        s = check_begin(restore, restore->note.changelog_next, err);
    if (s == OK && restore->next_offset < end_of(restore))
        s = error_set(err, restore->is_copy ? ERR_RETRY : ERR_CORRUPT,
                      "the changelog ends at record %llu, the mark says %llu", (unsigned long long)restore->next_offset,
                      (unsigned long long)end_of(restore));
    return s;
}

static bool is_whole(const struct process_restore *restore)
{
    return restore->offset_known && restore->next_offset >= end_of(restore);
}

static enum status read_tail(struct process_restore *restore, bool *out_done, struct error *err)
{
    struct journal_batch batch = { 0 };
    enum status s = journal_read(restore->reader, READ_BYTES, &batch, err);
    for (size_t i = 0; i < batch.chunk_count && s == OK && !(restore->is_copy && is_whole(restore)); i++)
        s = apply_chunk(restore, &batch.chunks[i], err);
    bool whole = is_whole(restore);
    /* The mark was durable before this reader was opened, so what it tells of is not behind the reader's first end. Who
     * does not own the mark may see it a moment before the records that were committed with it. */
    if (s == OK && !whole && batch.chunk_count == 0) {
        s = check_end(restore, err);
        whole = s == OK;
    }
    *out_done = s == OK && whole;
    return s;
}

uint64_t process_restore_left(const struct process_restore *restore)
{
    const uint64_t end = restore->note.changelog_next;
    return restore->reader && end > restore->next_offset ? end - restore->next_offset : 0;
}

enum status process_restore_step(struct process_restore *restore, bool *out_done, struct error *err)
{
    enum status s = OK;
    struct error why = { 0 };
    *out_done = false;
    if (!restore->opened) {
        s = state_base_open(restore->base, err);
        restore->opened = s == OK;
        return s;
    }
    if (!restore->reader) {
        s = next_base(restore, err);
        if (s == OK && restore->note.changelog_next == 0)
            *out_done = true; /* nothing was ever changed */
        else if (s == OK && restore->source == FROM_FILES && restore->next_offset >= end_of(restore))
            *out_done = true; /* a clean stop: the base is all */
        return s;
    }
    s = restore->gathering ? gather(restore, &why) : read_tail(restore, out_done, &why);
    if (s == ERR_CORRUPT || s == ERR_NOT_FOUND || s == ERR_INVALID) {
        give_up_base(restore, why.text);
        return OK;
    }
    return s == OK ? OK : error_set(err, s, "%s", why.text);
}
