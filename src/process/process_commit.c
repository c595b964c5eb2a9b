/* The journal's thread writes status and reason, then the answer, then rings; the task looks at the answer first, and
 * may have used the commit again before the ring: so ringing counts, and a task is finished when both are at 0. The
 * bytes of outputs and note stay untouched from submit to answer, as the journal's contract asks. */
#include "process/process_commit.h"

#include <stdio.h>
#include <string.h>

#include "process/process_task.h"
#include "world/world.h"

void process_commit_init(struct process_commit *commit, uint16_t partition, struct bell *bell)
{
    memset(commit, 0, sizeof *commit);
    commit->bell = bell;
    /* Made first, so that the order of chunks in a commit is always the same. */
    process_outputs_stream(&commit->outputs, TOPIC_ENRICHED, partition);
    process_outputs_stream(&commit->outputs, TOPIC_DEAD_LETTERS, partition);
    process_outputs_stream(&commit->outputs, TOPIC_CHANGELOG, partition);
    process_commit_reset(commit);
}

void process_commit_reset(struct process_commit *commit)
{
    process_outputs_reset(&commit->outputs);
    live_gather_reset(&commit->live);
    commit->events = commit->records = commit->changes = 0;
    commit->oldest_us = INT64_MAX;
    commit->reason[0] = 0;
    atomic_store(&commit->answer, ANSWER_NONE);
}

void process_commit_done(struct process_commit *commit)
{
    process_outputs_done(&commit->outputs);
}

static void on_done(struct journal_commit *done, enum status status, const char *reason)
{
    struct process_commit *commit = done->context;
    struct bell *bell = commit->bell;
    commit->status = status;
    snprintf(commit->reason, sizeof commit->reason, "%s", reason ? reason : "");
    atomic_store(&commit->answer, ANSWER_HERE); /* from here on the commit is the task's again */
    bell_ring(bell);
    atomic_fetch_sub(&commit->ringing, 1);
}

static struct journal_mark mark_of(const char *group, enum journal_topic topic, uint16_t partition, uint64_t position,
                                   struct slice note)
{
    struct journal_mark mark = { .partition = partition, .position = position, .note = note, .topic = topic };
    snprintf(mark.group, sizeof mark.group, "%s", group);
    return mark;
}

void process_commit_seal(struct process_commit *commit, uint16_t partition, const uint64_t *keep)
{
    size_t marks = 0;
    process_note_encode(&commit->note, commit->note_bytes);
    commit->marks[marks++] = mark_of(PROCESS_GROUP, TOPIC_EVENTS, partition, commit->position,
                                     slice_of(commit->note_bytes, PROCESS_NOTE_BYTES));
    if (keep)
        commit->marks[marks++] =
            mark_of(PROCESS_CHECKPOINT_GROUP, TOPIC_CHANGELOG, partition, *keep, (struct slice){ "", 0 });
    commit->commit = (struct journal_commit){ .chunks = commit->chunks,
                                              .chunk_count = process_outputs_chunks(&commit->outputs, commit->chunks),
                                              .marks = commit->marks,
                                              .mark_count = marks,
                                              .done = on_done,
                                              .context = commit };
}

enum status process_commit_submit(struct process_commit *commit, struct journal *journal, struct error *err)
{
    atomic_store(&commit->answer, ANSWER_NONE);
    atomic_fetch_add(&commit->ringing, 1);
    enum status s = journal_submit(journal, &commit->commit, err);
    if (s != OK)
        atomic_fetch_sub(&commit->ringing, 1);
    return s;
}

void process_commit_changes(const struct process_commit *commit, uint16_t partition,
                            void (*visit)(void *self, struct slice record, uint64_t offset), void *self)
{
    uint64_t offset = commit->note.changelog_next - commit->changes;
    for (size_t i = 0; i < commit->commit.chunk_count; i++) {
        const struct journal_chunk *chunk = &commit->chunks[i];
        struct slice rest = chunk->bytes, record;
        if (chunk->topic != TOPIC_CHANGELOG || chunk->partition != partition)
            continue;
        while (journal_next_record(&rest, &record))
            visit(self, record, offset++);
    }
}
