/* What all backends share: the names of topics, and the judgement whether a commit is well formed. Backends judge
 * before they queue, so that what is queued can only fail for the disk's sake. */
#include "journal/commit.h"

const char *journal_topic_name(enum journal_topic topic)
{
    static const char *const NAMES[JOURNAL_TOPICS] = {
        [TOPIC_EVENTS] = "events",
        [TOPIC_ENRICHED] = "enriched",
        [TOPIC_DEAD_LETTERS] = "dead_letters",
        [TOPIC_CHANGELOG] = "changelog",
        [TOPIC_WINDOWS] = "windows",
        [TOPIC_SESSIONS] = "sessions",
        [TOPIC_LATE] = "late",
        [TOPIC_ALERTS] = "alerts",
        [TOPIC_REKEYED] = "rekeyed",
        [TOPIC_IDENTITIES] = "identities",
        [TOPIC_SEGMENTS] = "segments",
        [TOPIC_WEBHOOKS] = "webhooks",
        [TOPIC_CATALOG] = "catalog",
        [TOPIC_QUALITY] = "quality",
        [TOPIC_TASKS] = "tasks",
        [TOPIC_DIMENSIONS] = "dimensions",
    };
    const char *name = (unsigned)topic < JOURNAL_TOPICS ? NAMES[topic] : NULL;
    return name ? name : "unknown";
}

static enum status check_chunk(const struct journal_chunk *chunk, uint16_t partitions, struct error *err)
{
    if (chunk->topic == 0 || chunk->topic >= JOURNAL_TOPICS || chunk->partition >= partitions)
        return error_set(err, ERR_INVALID, "commit: there is no topic %u partition %u (the journal has %u partitions)",
                         chunk->topic, chunk->partition, partitions);
    struct slice rest = chunk->bytes, record;
    uint32_t records = 0;
    if (chunk->topic == TOPIC_DIMENSIONS && chunk->records == 1 && chunk->bytes.n == 0)
        return OK; /* its key is to be forgotten */
    while (journal_next_record(&rest, &record))
        records++;
    if (rest.n || records == 0 || records != chunk->records)
        return error_set(err, ERR_INVALID,
                         "commit: the chunk of topic %s says %u records, its bytes hold %u and %zu bytes more",
                         journal_topic_name(chunk->topic), chunk->records, records, rest.n);
    return OK;
}

static enum status check_mark(const struct journal_mark *mark, uint16_t partitions, struct error *err)
{
    size_t n = strnlen(mark->group, sizeof mark->group);
    if (n == 0 || n > JOURNAL_GROUP_MAX)
        return error_set(err, ERR_INVALID, "commit: a mark's group needs a name of 1 to %d bytes", JOURNAL_GROUP_MAX);
    if (mark->partition >= partitions && mark->partition != JOURNAL_ALL_PARTITIONS)
        return error_set(err, ERR_INVALID, "commit: the mark of %s is for partition %u of %u", mark->group,
                         mark->partition, partitions);
    if (mark->note.n > JOURNAL_NOTE_MAX)
        return error_set(err, ERR_INVALID, "commit: the mark of %s has a note of %zu bytes, at most %d are kept",
                         mark->group, mark->note.n, JOURNAL_NOTE_MAX);
    return OK;
}

enum status commit_check(const struct journal_commit *commit, uint16_t partitions, size_t bytes_max, struct error *err)
{
    assert(commit->done);
    if (commit->chunk_count + commit->mark_count == 0)
        return error_set(err, ERR_INVALID, "commit: it holds no records and no marks");
    if (commit->chunk_count > JOURNAL_CHUNKS_MAX || commit->mark_count > JOURNAL_MARKS_MAX)
        return error_set(err, ERR_INVALID, "commit: %zu chunks and %zu marks, at most %d and %d go into one",
                         commit->chunk_count, commit->mark_count, JOURNAL_CHUNKS_MAX, JOURNAL_MARKS_MAX);
    enum status s = OK;
    for (size_t i = 0; i < commit->chunk_count && s == OK; i++)
        s = check_chunk(&commit->chunks[i], partitions, err);
    for (size_t i = 0; i < commit->mark_count && s == OK; i++)
        s = check_mark(&commit->marks[i], partitions, err);
    if (s == OK && commit_bytes(commit) > bytes_max)
        s = error_set(err, ERR_INVALID, "commit: %zu bytes, at most %zu go into one: split it", commit_bytes(commit),
                      bytes_max);
    return s;
}

size_t commit_bytes(const struct journal_commit *commit)
{
    size_t n = 0;
    for (size_t i = 0; i < commit->chunk_count; i++)
        n += commit->chunks[i].bytes.n;
    for (size_t i = 0; i < commit->mark_count; i++)
        n += sizeof(struct journal_mark) + commit->marks[i].note.n;
    return n;
}

void commit_list_push(struct commit_list *list, struct journal_commit *commit, bool *out_was_empty)
{
    struct journal_commit *head = atomic_load_explicit(&list->newest, memory_order_relaxed);
    do
        commit->next = head;
    while (!atomic_compare_exchange_weak_explicit(&list->newest, &head, commit, memory_order_release,
                                                  memory_order_relaxed));
    *out_was_empty = head == NULL;
}

struct journal_commit *commit_list_take(struct commit_list *list)
{
    struct journal_commit *newest = atomic_exchange_explicit(&list->newest, NULL, memory_order_acquire);
    struct journal_commit *oldest = NULL;
    while (newest) {
        struct journal_commit *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static enum share_place whole_place(struct journal_share *share, uint16_t partition)
{
    (void)share;
    (void)partition;
    return SHARE_HERE;
}

static void whole_left(struct journal_share *share, uint16_t partition)
{
    (void)share;
    (void)partition;
}

static enum status whole_state(struct journal_share *share, struct error *err)
{
    (void)share;
    (void)err;
    return OK;
}

static void whole_close(struct journal_share *share)
{
    (void)share;
}

enum status journal_share_whole(struct journal *journal, const struct journal_share_options *options,
                                struct journal_share **out, struct error *err)
{
    static const struct journal_share_ops OPS = { whole_place, whole_left, whole_state, whole_close };
    static struct journal_share whole = { &OPS, 1000000 };
    (void)journal;
    (void)options;
    (void)err;
    *out = &whole;
    return OK;
}
