/* The note is text, "to=123 table=0 row=0 lettered=0", so that a person who looks into a journal can read it. */
#include "store/sink_mark.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/sink.h"

static void committed(struct journal_commit *commit, enum status status, const char *reason)
{
    struct sink_mark *mark = commit->context;
    mark->status = status;
    snprintf(mark->reason, sizeof mark->reason, "%s", reason ? reason : "");
    /* The role may take the mark at once after this line: the bell is read before. */
    struct bell *bell = mark->bell;
    atomic_store_explicit(&mark->state, MARK_DONE, memory_order_release);
    bell_ring(bell);
}

enum status sink_mark_submit(struct sink_mark *mark, struct journal *journal, uint64_t position,
                             const struct sink_note *note, const struct journal_chunk *chunks, size_t chunk_count,
                             struct error *err)
{
    assert(sink_mark_state(mark) == MARK_IDLE && mark->bell);
    int n = 0;
    if (note)
        n = snprintf(mark->note, sizeof mark->note, "to=%" PRIu64 " table=%u row=%u lettered=%d", note->to, note->table,
                     note->row, note->lettered);
    assert(n >= 0 && (size_t)n < sizeof mark->note);
    mark->mark = (struct journal_mark){ .group = SINK_GROUP,
                                        .topic = TOPIC_ENRICHED,
                                        .partition = mark->partition,
                                        .position = position,
                                        .note = { mark->note, (size_t)n } };
    mark->commit = (struct journal_commit){ .chunks = chunks,
                                            .chunk_count = chunk_count,
                                            .marks = &mark->mark,
                                            .mark_count = 1,
                                            .done = committed,
                                            .context = mark };
    atomic_store_explicit(&mark->state, MARK_PENDING, memory_order_relaxed);
    enum status s = journal_submit(journal, &mark->commit, err);
    if (s != OK)
        atomic_store_explicit(&mark->state, MARK_IDLE, memory_order_relaxed);
    return s;
}

enum sink_mark_state sink_mark_state(const struct sink_mark *mark)
{
    return (enum sink_mark_state)atomic_load_explicit(&mark->state, memory_order_acquire);
}

enum status sink_mark_take(struct sink_mark *mark, struct error *err)
{
    assert(sink_mark_state(mark) == MARK_DONE);
    atomic_store_explicit(&mark->state, MARK_IDLE, memory_order_relaxed);
    return mark->status == OK ? OK : error_set(err, mark->status, "commit the store's mark: %s", mark->reason);
}

enum status sink_mark_read(struct journal *journal, uint16_t partition, uint64_t *out_position,
                           struct sink_note *out_note, bool *out_has_note, struct error *err)
{
    char bytes[JOURNAL_NOTE_MAX + 1];
    struct journal_mark mark;
    *out_has_note = false;
    enum status s = journal->backend->own(journal, SINK_GROUP, partition, err);
    if (s != OK)
        return s;
    s = journal->backend->mark(journal, SINK_GROUP, partition, &mark, bytes);
    if (s != OK)
        return s == ERR_NOT_FOUND ? s : error_set(err, s, "read the store's mark in the journal");
    *out_position = mark.position;
    if (mark.note.n == 0)
        return OK;
    assert(mark.note.n <= JOURNAL_NOTE_MAX);
    bytes[mark.note.n] = '\0';
    int lettered = 0;
    int fields = sscanf(bytes, "to=%" SCNu64 " table=%u row=%u lettered=%d", &out_note->to, &out_note->table,
                        &out_note->row, &lettered);
    if (fields != 4 || out_note->to <= mark.position || out_note->table > SINK_TABLE_COUNT)
        return error_set(err, ERR_CORRUPT, "the store's mark has a note that is not ours: '%s'", bytes);
    out_note->lettered = lettered != 0;
    *out_has_note = true;
    return OK;
}
