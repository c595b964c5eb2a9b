#include "test/support/journal_run.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"

struct run *run;

void run_check(bool good, const char *format, ...)
{
    if (good)
        return;
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fail_msg("seed %llu: life %llu, disk step %llu: %s", (unsigned long long)run->seed, (unsigned long long)run->lives,
             (unsigned long long)disk_sim_steps(run->disk), text);
}

uint64_t run_roll(uint64_t below)
{
    return dice_below(run->dice, below);
}

/* ---- commits ---- */

static char ramp[RUN_RECORD_BYTES_MAX + 256]; /* 0 1 2 … 255 0 1 … */

const char *run_filler(uint32_t id, uint32_t chunk, uint32_t record)
{
    return ramp + (id * 31 + chunk * 7 + record * 13) % 256;
}

/* A record: id, number of the chunk in its commit, number in the chunk, then filler that follows from them. */
static char *write_record(char *p, uint32_t id, uint32_t chunk, uint32_t record, uint32_t n)
{
    uint32_t head[3] = { id, chunk, record };
    memcpy(p, &n, 4);
    memcpy(p + 4, head, sizeof head);
    memcpy(p + 4 + sizeof head, run_filler(id, chunk, record), n - sizeof head);
    return p + 4 + n;
}

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    struct planned *planned = commit->context;
    run_check(planned->fate == QUEUED, "done was called twice");
    run_check(status == OK || reason, "a failure without a reason");
    switch (status) {
    case OK:
        planned->fate = ACKED;
        run->acked++;
        /* What failed before in this life is dead now (journal.h, done). */
        for (uint32_t id = (uint32_t)(planned - run->commits); id > 0 && run->commits[id].fate != DEAD; id--)
            if (run->commits[id].fate == FAILED)
                run->commits[id].fate = DEAD;
        break;
    case ERR_FULL:
        planned->fate = REFUSED;
        run->refused++;
        break;
    case ERR_IO:
    case ERR_CLOSED:
        planned->fate = FAILED;
        run->failed++;
        break;
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_RETRY:
    case ERR_CORRUPT:
        run_check(false, "done with %s", status_name(status));
    }
    free(planned->bytes);
    planned->bytes = NULL;
}

/* Of a record whose commit of one chunk ends where a block of the disk ends: what is behind it in the block would be
 * zeros, and no stale frame could stand there. */
static uint32_t record_bytes_to_block_end(uint64_t position)
{
    uint32_t around = 64 + 24 + 4, left = DISK_ALIGN - (uint32_t)(position % DISK_ALIGN); /* frame and chunk heads */
    return left < around + 12 ? left + DISK_ALIGN - around : left - around;
}

static void plan_commit(struct planned *planned)
{
    static const uint16_t TOPICS[] = { TOPIC_EVENTS, TOPIC_ENRICHED, TOPIC_CHANGELOG };
    struct journal_status status;
    run->journal->backend->status(run->journal, &status);
    planned->chunk_count = (uint32_t)(run_roll(12) == 0 ? 0 : 1 + run_roll(run_roll(3) ? 2 : 4));
    planned->mark_count = (uint32_t)(planned->chunk_count == 0 ? 1 + run_roll(2) : run_roll(3));
    if (run->uniform) { /* so that a new frame fits exactly over a torn one, with a stale one behind it */
        planned->chunk_count = 1;
        planned->mark_count = 0;
    }
    for (uint32_t i = 0; i < planned->chunk_count; i++) {
        planned->chunks[i].topic = TOPICS[run_roll(COUNT_OF(TOPICS))];
        planned->chunks[i].partition = (uint16_t)run_roll(RUN_PARTITIONS);
        planned->chunks[i].records = 1 + (uint32_t)run_roll(4);
        planned->chunks[i].record_bytes = 12 + (uint32_t)run_roll(run_roll(8) ? 300 : 3000);
        if (run->uniform) {
            planned->chunks[i].records = 1;
            planned->chunks[i].record_bytes = record_bytes_to_block_end(status.end_position);
        }
    }
    for (uint32_t i = 0; i < planned->mark_count; i++) {
        planned->marks[i].group = (uint16_t)i; /* each group once in a commit */
        planned->marks[i].partition = (uint16_t)run_roll(RUN_PARTITIONS);
        planned->marks[i].position = status.end_position;
    }
}

static void build_commit(struct planned *planned, uint32_t id)
{
    size_t total = 1;
    for (uint32_t i = 0; i < planned->chunk_count; i++)
        total += planned->chunks[i].records * (4 + planned->chunks[i].record_bytes);
    char *p = planned->bytes = malloc(total);
    assert_non_null(p);
    for (uint32_t i = 0; i < planned->chunk_count; i++) {
        char *from = p;
        for (uint32_t r = 0; r < planned->chunks[i].records; r++)
            p = write_record(p, id, i, r, planned->chunks[i].record_bytes);
        planned->journal_chunks[i] = (struct journal_chunk){ .topic = planned->chunks[i].topic,
                                                             .partition = planned->chunks[i].partition,
                                                             .records = planned->chunks[i].records,
                                                             .bytes = { from, (size_t)(p - from) } };
    }
    for (uint32_t i = 0; i < planned->mark_count; i++) {
        struct journal_mark *mark = &planned->journal_marks[i];
        snprintf(mark->group, sizeof mark->group, "group-%u", planned->marks[i].group);
        mark->partition = planned->marks[i].partition;
        mark->position = planned->marks[i].position;
        /* The commit's number, repeated to shift what follows. */
        for (uint32_t n = 0; n < 3; n++)
            planned->note[n] = id;
        mark->note = slice_of(planned->note, 4 * (1 + id % 3));
    }
    planned->commit = (struct journal_commit){ .chunks = planned->journal_chunks,
                                               .chunk_count = planned->chunk_count,
                                               .marks = planned->journal_marks,
                                               .mark_count = planned->mark_count,
                                               .done = on_done,
                                               .context = planned };
}

void run_submit(void)
{
    if (run->sent + 1 >= RUN_COMMITS_MAX)
        return;
    uint32_t id = run->sent + 1;
    struct planned *planned = &run->commits[id];
    plan_commit(planned);
    build_commit(planned, id);
    struct error err = { OK, "" };
    planned->fate = QUEUED;
    run->sent = id;
    enum status s = journal_submit(run->journal, &planned->commit, &err);
    if (s == OK)
        return;
    run_check(s == ERR_FULL || (s == ERR_INVALID && strstr(err.text, "split it")), "submit: %s", err.text);
    planned->fate = REFUSED;
    run->refused++;
    free(planned->bytes);
    planned->bytes = NULL;
}

/* ---- lives ---- */

static void check_marks(void)
{
    for (uint16_t group = 0; group < RUN_GROUPS; group++) {
        for (uint16_t partition = 0; partition < RUN_PARTITIONS; partition++) {
            const struct journal_mark *expected = NULL;
            for (uint32_t id = run->sent; id > 0 && !expected; id--)
                for (uint32_t i = 0; i < run->commits[id].mark_count && !expected; i++)
                    if (run->commits[id].fate == ACKED && run->commits[id].marks[i].group == group &&
                        run->commits[id].marks[i].partition == partition)
                        expected = &run->commits[id].journal_marks[i];
            char name[32], note[JOURNAL_NOTE_MAX];
            struct journal_mark mark;
            snprintf(name, sizeof name, "group-%u", group);
            enum status s = run->journal->backend->mark(run->journal, name, partition, &mark, note);
            run_check((s == OK) == (expected != NULL), "mark %s of partition %u: %s", name, partition, status_name(s));
            run_check(!expected || (mark.position == expected->position && slice_equal(mark.note, expected->note)),
                      "mark %s of partition %u is not the last one", name, partition);
        }
    }
}

/* Commits of marks alone can't be read: whether one of unknown fate is there shows in its marks, if it was the last. */
static void settle_marks_only(void)
{
    for (uint32_t id = run->sent; id > 0; id--) {
        struct planned *planned = &run->commits[id];
        if (planned->fate != FAILED || planned->chunk_count)
            continue;
        for (uint32_t i = 0; i < planned->mark_count; i++) {
            struct journal_mark mark;
            char note[JOURNAL_NOTE_MAX];
            const struct journal_mark *sent = &planned->journal_marks[i];
            if (run->journal->backend->mark(run->journal, sent->group, sent->partition, &mark, note) == OK &&
                mark.position == sent->position && slice_equal(mark.note, sent->note))
                planned->fate = ACKED;
        }
    }
}

void run_settle(void)
{
    struct follower all;
    run_note_retired();
    run_follower_open(&all, UINT32_MAX, JOURNAL_ALL_PARTITIONS);
    while (run_follower_read(&all, 1 + run_roll(20000)))
        ;
    run_follower_check_skipped(&all, all.last_id + 1, run->sent + 1);
    run_follower_close(&all);
    settle_marks_only();
    for (uint32_t id = 1; id <= run->sent; id++) {
        struct planned *planned = &run->commits[id];
        if (planned->fate == FAILED)
            planned->fate = DEAD;
        run->unknown_lost += planned->fate == DEAD;
    }
    check_marks();
}

bool run_open(void)
{
    struct error err = { OK, "" };
    enum status s = journal_file.open(&run->options, &run->world.world, NULL, &run->journal, &err);
    if (s != OK) {
        run->journal = NULL;
        run_check(s == ERR_IO || s == ERR_FULL, "open: %s", err.text);
        return false;
    }
    journal_file.roles(run->journal, run->roles);
    return true;
}

void run_begin(struct run *r, uint64_t seed)
{
    run = r;
    for (size_t i = 0; i < sizeof ramp; i++)
        ramp[i] = (char)i;
    memset(r->commits, 0, (r->sent + 1) * sizeof *r->commits); /* of the run before: clearing all would cost the most */
    memset(r, 0, offsetof(struct run, commits));
    r->sent = 0;
    r->seed = seed;
    dice_init(r->dice, seed);
    world_sim_init(&r->world, seed + 1, NULL);
    r->disk = disk_sim_new(seed + 2, &r->world);
    r->world.world.disk = disk_sim_disk(r->disk);
    r->options = (struct journal_options){
        .path = RUN_DIR, .partitions = RUN_PARTITIONS, .segment_bytes = RUN_SEGMENT, .queue_bytes_max = 1 << 20
    };
}

void run_end(void)
{
    for (uint32_t id = 1; id <= run->sent; id++)
        free(run->commits[id].bytes);
    disk_sim_free(run->disk);
}
