#include "deliver/place.h"

#include <stdio.h>

void place_group(const char *sink, char to[JOURNAL_GROUP_MAX + 1])
{
    snprintf(to, JOURNAL_GROUP_MAX + 1, "sink.%s", sink);
}

static void committed(struct journal_commit *commit, enum status status, const char *reason)
{
    struct place_mark *place = commit->context;
    place->status = status;
    snprintf(place->reason, sizeof place->reason, "%s", reason ? reason : "");
    /* The role may take it at once after this line: the bell is read before. */
    struct bell *bell = place->bell;
    atomic_store_explicit(&place->state, PLACE_DONE, memory_order_release);
    bell_ring(bell);
}

enum status place_submit(struct place_mark *place, struct journal *journal, const char *sink, uint16_t partition,
                         uint64_t position, const char *note, struct error *err)
{
    assert(place_state(place) == PLACE_IDLE && place->bell);
    snprintf(place->note, sizeof place->note, "%s", note);
    place->mark = (struct journal_mark){ .topic = TOPIC_WINDOWS, /* any of the outputs */
                                         .partition = partition,
                                         .position = position,
                                         .note = slice_from(place->note) };
    place_group(sink, place->mark.group);
    place->commit =
        (struct journal_commit){ .marks = &place->mark, .mark_count = 1, .done = committed, .context = place };
    atomic_store_explicit(&place->state, PLACE_PENDING, memory_order_relaxed);
    enum status s = journal_submit(journal, &place->commit, err);
    if (s != OK)
        atomic_store_explicit(&place->state, PLACE_IDLE, memory_order_relaxed);
    return s;
}

enum place_state place_state(const struct place_mark *place)
{
    return (enum place_state)atomic_load_explicit(&place->state, memory_order_acquire);
}

enum status place_take(struct place_mark *place, struct error *err)
{
    assert(place_state(place) == PLACE_DONE);
    atomic_store_explicit(&place->state, PLACE_IDLE, memory_order_relaxed);
    return place->status == OK ? OK : error_set(err, place->status, "commit the sink's mark: %s", place->reason);
}

enum status place_read(struct journal *journal, const char *sink, uint16_t partition, uint64_t *out_position,
                       char out_note[TARGET_NOTE_MAX], struct error *err)
{
    char group[JOURNAL_GROUP_MAX + 1], bytes[JOURNAL_NOTE_MAX];
    struct journal_mark mark;
    place_group(sink, group);
    enum status s = journal->backend->own(journal, group, partition, err);
    if (s != OK)
        return s;
    s = journal->backend->mark(journal, group, partition, &mark, bytes);
    if (s != OK)
        return s == ERR_NOT_FOUND ? s : error_set(err, s, "read the sink's mark in the journal");
    *out_position = mark.position;
    snprintf(out_note, TARGET_NOTE_MAX, "%.*s", SLICE_ARG(mark.note));
    return OK;
}
