/* The file journal on a disk that loses, tears and reorders what was not synced, against a model of what it promised.
 *
 *   no acknowledged commit is lost, none is seen twice, none is seen in part, all in the order of their submission;
 *   what was refused (ERR_FULL) is never seen; what failed (ERR_IO) is not seen after a later success;
 *   what was unknown when the process died is there or not after the next open, and stays so for ever;
 *   offsets have no gaps, marks are those of the last commit that is there, retention keeps what marks need;
 *   damaged bytes are reported, never served, and never silently cut off.
 *
 * Three kinds of run: random lives (seeded), a fixed scenario with the power cut before and after every step that
 * changes the disk, and bit rot. `SEED=n` repeats one random run, `SEEDS=n` runs n of them; seeds that once failed are
 * in seeds.txt.
 *
 * That it finds bugs was tried by planting some in a copy of the journal, one at a time. Found within 450 seeds each:
 * done(OK) before the flush; a commit's marks in a frame before its records; recovery without the chain's two checks; a
 * failed flush tried again and trusted; recovery that does not write again what it can't prove durable; offsets not
 * taken back after a failure; ERR_FULL without scrubbing; a spare used before its name is durable; chunks' checksums
 * not looked at by recovery; retention that ignores marks; a group written without the front of its first block; memory
 * of the log's end used after it was overwritten. It also found real ones: see seeds.txt. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/role.h"
#include "base/test.h"
#include "journal/journal.h"
#include "test/support/seeds.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

#define DIR "data/journal"
#define SEGMENT (64u << 10)
#define PARTITIONS 3
#define COMMITS_MAX 1600
#define GROUPS 2

enum fate { NOT_SENT, QUEUED, ACKED, REFUSED, FAILED, DEAD };

struct planned { /* a commit as the model knows it */
    enum fate fate;
    uint32_t chunk_count, mark_count, note[3];
    struct {
        uint16_t topic, partition;
        uint32_t records, record_bytes;
    } chunks[4];
    struct {
        uint16_t group, partition;
        uint64_t position;
    } marks[2];
    struct run *run;
    struct journal_commit commit;
    struct journal_chunk journal_chunks[4];
    struct journal_mark journal_marks[2];
    char *bytes;
};

struct follower {
    struct journal_reader *reader;
    uint32_t topics, last_id;
    uint16_t partition;
    uint64_t offsets[32][PARTITIONS];
    bool known[32][PARTITIONS];
};

struct run {
    uint64_t seed;
    uint64_t dice[2];
    struct world_sim world;
    struct disk_sim *disk;
    struct journal_options options;
    struct journal *journal;
    struct role roles[2];
    struct follower followers[2];
    uint32_t retired; /* ids up to this may be gone by retention */
    bool uniform;     /* all commits have the same size */
    uint64_t lives, acked, unknown_lost, refused, failed;
    struct planned commits[COMMITS_MAX];
    uint32_t sent; /* ids are 1 … sent */
};

static struct run *run; /* the one at work, for messages */

PRINTF_LIKE(2, 3) static void check(bool good, const char *format, ...)
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

static uint64_t roll(uint64_t below)
{
    return dice_below(run->dice, below);
}

/* ---- commits ---- */

#define RECORD_BYTES_MAX (2 * DISK_ALIGN)
static char ramp[RECORD_BYTES_MAX + 256]; /* 0 1 2 … 255 0 1 … */

/* The filler of a record, which follows from its three numbers. */
static const char *filler(uint32_t id, uint32_t chunk, uint32_t record)
{
    return ramp + (id * 31 + chunk * 7 + record * 13) % 256;
}

/* A record: id, number of the chunk in its commit, number in the chunk, then filler that follows from them. */
static char *write_record(char *p, uint32_t id, uint32_t chunk, uint32_t record, uint32_t n)
{
    uint32_t head[3] = { id, chunk, record };
    memcpy(p, &n, 4);
    memcpy(p + 4, head, sizeof head);
    memcpy(p + 4 + sizeof head, filler(id, chunk, record), n - sizeof head);
    return p + 4 + n;
}

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    struct planned *planned = commit->context;
    check(planned->fate == QUEUED, "done was called twice");
    check(status == OK || reason, "a failure without a reason");
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
        check(false, "done with %s", status_name(status));
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
    planned->chunk_count = (uint32_t)(roll(12) == 0 ? 0 : 1 + roll(roll(3) ? 2 : 4));
    planned->mark_count = (uint32_t)(planned->chunk_count == 0 ? 1 + roll(2) : roll(3));
    if (run->uniform) { /* so that a new frame fits exactly over a torn one, with a stale one behind it */
        planned->chunk_count = 1;
        planned->mark_count = 0;
    }
    for (uint32_t i = 0; i < planned->chunk_count; i++) {
        planned->chunks[i].topic = TOPICS[roll(COUNT_OF(TOPICS))];
        planned->chunks[i].partition = (uint16_t)roll(PARTITIONS);
        planned->chunks[i].records = 1 + (uint32_t)roll(4);
        planned->chunks[i].record_bytes = 12 + (uint32_t)roll(roll(8) ? 300 : 3000);
        if (run->uniform) {
            planned->chunks[i].records = 1;
            planned->chunks[i].record_bytes = record_bytes_to_block_end(status.end_position);
        }
    }
    for (uint32_t i = 0; i < planned->mark_count; i++) {
        planned->marks[i].group = (uint16_t)i; /* each group once in a commit */
        planned->marks[i].partition = (uint16_t)roll(PARTITIONS);
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

static void submit_one(void)
{
    if (run->sent + 1 >= COMMITS_MAX)
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
    check(s == ERR_FULL || (s == ERR_INVALID && strstr(err.text, "split it")), "submit: %s", err.text);
    planned->fate = REFUSED;
    run->refused++;
    free(planned->bytes);
    planned->bytes = NULL;
}

/* ---- reading ---- */

static void check_chunk(const struct journal_chunk *chunk, uint32_t *out_id, uint32_t *out_number)
{
    struct slice rest = chunk->bytes, record;
    uint32_t records = 0, head[3] = { 0 };
    while (journal_next_record(&rest, &record)) {
        check(record.n >= sizeof head, "a record of %zu bytes", record.n);
        memcpy(head, record.p, sizeof head);
        check(head[0] >= 1 && head[0] <= run->sent && head[1] < 4 && head[2] == records, "a record that nobody sent");
        check(record.n <= RECORD_BYTES_MAX &&
                  memcmp(record.p + sizeof head, filler(head[0], head[1], head[2]), record.n - sizeof head) == 0,
              "wrong bytes in a record of %u", head[0]);
        records++;
    }
    const struct planned *planned = &run->commits[head[0]];
    check(rest.n == 0 && records == chunk->records, "a chunk that does not hold its records");
    check(head[1] < planned->chunk_count && planned->chunks[head[1]].topic == chunk->topic &&
              planned->chunks[head[1]].partition == chunk->partition && planned->chunks[head[1]].records == records &&
              chunk->bytes.n == (size_t)records * (4 + planned->chunks[head[1]].record_bytes),
          "a chunk of %u that is not as it was sent", head[0]);
    *out_id = head[0];
    *out_number = head[1];
}

static bool follower_wants(const struct follower *follower, const struct planned *planned, uint32_t chunk)
{
    return (follower->topics & TOPIC_BIT(planned->chunks[chunk].topic)) &&
           (follower->partition == JOURNAL_ALL_PARTITIONS || follower->partition == planned->chunks[chunk].partition);
}

/* The first chunk of `planned` at or behind `from` that the follower wants; chunk_count when there is none. */
static uint32_t next_wanted(const struct follower *follower, const struct planned *planned, uint32_t from)
{
    while (from < planned->chunk_count && !follower_wants(follower, planned, from))
        from++;
    return from;
}

static void check_skipped(const struct follower *follower, uint32_t from, uint32_t to)
{
    for (uint32_t id = from; id < to; id++)
        check(run->commits[id].fate != ACKED || id <= run->retired ||
                  next_wanted(follower, &run->commits[id], 0) == run->commits[id].chunk_count,
              "acknowledged commit %u is lost", id);
}

/* A read's chunks: whole commits, of those that may be seen, in order. */
static void check_batch(struct follower *follower, const struct journal_batch *batch)
{
    uint64_t position = 0;
    for (size_t i = 0; i < batch->chunk_count;) {
        uint32_t id, number;
        check_chunk(&batch->chunks[i], &id, &number);
        struct planned *planned = &run->commits[id];
        check(id > follower->last_id, "commit %u after %u", id, follower->last_id);
        check(planned->fate == ACKED || planned->fate == FAILED, "commit %u is seen, but its fate is %d", id,
              (int)planned->fate);
        check_skipped(follower, follower->last_id + 1, id);
        check(batch->chunks[i].position > position, "positions don't grow");
        position = batch->chunks[i].position;
        for (uint32_t c = next_wanted(follower, planned, 0); c < planned->chunk_count;
             c = next_wanted(follower, planned, c + 1), i++) {
            check(i < batch->chunk_count, "commit %u is seen in part", id);
            const struct journal_chunk *chunk = &batch->chunks[i];
            uint32_t same_id, same_number;
            check_chunk(chunk, &same_id, &same_number);
            check(same_id == id && same_number == c && chunk->position == position, "commit %u is seen in part", id);
            uint64_t *offset = &follower->offsets[chunk->topic][chunk->partition];
            check(!follower->known[chunk->topic][chunk->partition] || chunk->offset == *offset,
                  "commit %u: offset %llu where %llu is next", id, (unsigned long long)chunk->offset,
                  (unsigned long long)*offset);
            follower->known[chunk->topic][chunk->partition] = true;
            *offset = chunk->offset + chunk->records;
        }
        planned->fate = ACKED; /* of unknown fate before: seen once, it stays */
        follower->last_id = id;
    }
}

static void follower_open(struct follower *follower, uint32_t topics, uint16_t partition)
{
    *follower = (struct follower){ .topics = topics, .partition = partition };
    struct journal_read_options options = { topics, partition, JOURNAL_BEGIN, { 0 } };
    struct error err = { OK, "" };
    enum status s = run->journal->backend->reader_open(run->journal, &options, &follower->reader, &err);
    check(s == OK, "open a reader: %s", err.text);
}

static void follower_close(struct follower *follower)
{
    if (follower->reader)
        run->journal->backend->reader_close(follower->reader);
    follower->reader = NULL;
}

static void note_retired(void)
{
    /* The first commit that a reader of everything finds now is the oldest that must be there. */
    struct follower all;
    struct journal_batch batch;
    struct journal_status status;
    run->journal->backend->status(run->journal, &status);
    if (status.begin_position == 0)
        return;
    follower_open(&all, UINT32_MAX, JOURNAL_ALL_PARTITIONS);
    enum status s = journal_read(all.reader, 1, &batch, NULL);
    if (s == OK && batch.chunk_count) {
        uint32_t id, number;
        check_chunk(&batch.chunks[0], &id, &number);
        if (id > run->retired + 1)
            run->retired = id - 1;
    } else if (s == OK) {
        run->retired = run->sent;
    }
    follower_close(&all);
}

/* True while there may be more. */
static bool follow(struct follower *follower, size_t bytes_max)
{
    struct journal_batch batch;
    struct error err = { OK, "" };
    enum status s = journal_read(follower->reader, bytes_max, &batch, &err);
    if (disk_sim_is_off(run->disk))
        return false;
    if (s == ERR_NOT_FOUND) { /* retention overtook it */
        uint32_t topics = follower->topics;
        uint16_t partition = follower->partition;
        note_retired();
        follower_close(follower);
        follower_open(follower, topics, partition);
        return true;
    }
    check(s == OK, "read: %s", err.text);
    if (run->options.retention_bytes || run->options.total_bytes_max)
        note_retired();
    check_batch(follower, &batch);
    return batch.chunk_count > 0;
}

/* ---- lives ---- */

static void check_marks(void)
{
    for (uint16_t group = 0; group < GROUPS; group++) {
        for (uint16_t partition = 0; partition < PARTITIONS; partition++) {
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
            check((s == OK) == (expected != NULL), "mark %s of partition %u: %s", name, partition, status_name(s));
            check(!expected || (mark.position == expected->position && slice_equal(mark.note, expected->note)),
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

/* After an open: everything is there; the fates of what was unknown are settled for ever. */
static void settle(void)
{
    struct follower all;
    note_retired();
    follower_open(&all, UINT32_MAX, JOURNAL_ALL_PARTITIONS);
    while (follow(&all, 1 + roll(20000)))
        ;
    check_skipped(&all, all.last_id + 1, run->sent + 1);
    follower_close(&all);
    settle_marks_only();
    for (uint32_t id = 1; id <= run->sent; id++) {
        struct planned *planned = &run->commits[id];
        if (planned->fate == FAILED)
            planned->fate = DEAD;
        run->unknown_lost += planned->fate == DEAD;
    }
    check_marks();
}

static bool open_journal(void)
{
    struct error err = { OK, "" };
    enum status s = journal_file.open(&run->options, &run->world.world, NULL, &run->journal, &err);
    if (s != OK) {
        run->journal = NULL;
        check(s == ERR_IO || s == ERR_FULL, "open: %s", err.text);
        return false;
    }
    journal_file.roles(run->journal, run->roles);
    return true;
}

/* Also when the power goes again while the journal recovers. */
static void begin_life(void)
{
    struct disk_sim_plan *plan = disk_sim_plan(run->disk), calm = { .sync_us = 100 };
    run->lives++;
    *plan = calm;
    for (int tries = 0;; tries++) {
        if (tries < 3 && roll(3) == 0) {
            plan->cut_at = disk_sim_steps(run->disk) + 1 + roll(6);
            plan->cut_after = roll(2);
        }
        if (tries < 3 && roll(6) == 0)
            plan->fail_sync_in = plan->fail_name_in = 2;
        if (open_journal())
            break;
        check(tries < 3, "can't be opened on a healthy disk");
        if (disk_sim_is_off(run->disk))
            disk_sim_restart(run->disk);
        *plan = calm;
    }
    *plan = calm;
    settle();
    follower_open(&run->followers[0], UINT32_MAX, JOURNAL_ALL_PARTITIONS);
    follower_open(&run->followers[1], TOPIC_BIT(TOPIC_ENRICHED), (uint16_t)roll(PARTITIONS));
}

static uint64_t smallest_mark(void)
{
    uint64_t smallest = UINT64_MAX;
    for (uint16_t group = 0; group < GROUPS; group++) {
        for (uint16_t partition = 0; partition < PARTITIONS; partition++) {
            struct journal_mark mark;
            char name[32], note[JOURNAL_NOTE_MAX];
            snprintf(name, sizeof name, "group-%u", group);
            if (run->journal->backend->mark(run->journal, name, partition, &mark, note) == OK)
                smallest = mark.position < smallest ? mark.position : smallest;
        }
    }
    return smallest;
}

static void step(size_t role)
{
    int64_t wake_us = WAKE_NEVER;
    struct journal_status before, after;
    run->journal->backend->status(run->journal, &before);
    (void)run->roles[role].step(run->roles[role].self, &run->world.world, &wake_us);
    run->journal->backend->status(run->journal, &after);
    check(after.begin_position == before.begin_position || after.begin_position <= smallest_mark(),
          "retention deleted what a mark needs");
}

static void end_life(bool clean)
{
    for (size_t i = 0; i < COUNT_OF(run->followers); i++)
        follower_close(&run->followers[i]);
    if (clean) {
        run->journal->backend->drain(run->journal);
        int64_t wake_us;
        while (run->roles[0].step(run->roles[0].self, &run->world.world, &wake_us))
            ;
    }
    run->journal->backend->close(run->journal);
    run->journal = NULL;
    if (disk_sim_is_off(run->disk))
        disk_sim_restart(run->disk);
}

static void make_trouble(void)
{
    struct disk_sim_plan *plan = disk_sim_plan(run->disk);
    uint64_t kind = roll(10);
    if (kind == 0)
        plan->fail_sync_in = 1 + roll(6);
    else if (kind == 1)
        plan->fail_write_in = 1 + roll(6);
    else if (kind == 2)
        plan->fail_name_in = 1 + roll(4);
    else if (kind == 3)
        plan->write_full = true;
    else if (kind == 4)
        plan->capacity_bytes = SEGMENT * (1 + roll(6));
    else if (kind == 5)
        world_sim_jump(&run->world, (int64_t)roll(1000000000) * 10000 - 5000000000000);
    else
        *plan = (struct disk_sim_plan){ .sync_us = 100, .cut_at = plan->cut_at, .cut_after = plan->cut_after };
}

static void live(uint64_t actions)
{
    for (uint64_t i = 0; i < actions && !disk_sim_is_off(run->disk); i++) {
        uint64_t kind = roll(20);
        if (kind < 8)
            submit_one();
        else if (kind < 14)
            step(0);
        else if (kind < 16)
            step(1);
        else if (kind < 18)
            follow(&run->followers[roll(2)], 1 + roll(6000));
        else if (kind < 19)
            world_sim_advance(&run->world, (int64_t)roll(600000));
        else if (roll(4) == 0)
            make_trouble();
    }
}

static void run_begin(struct run *r, uint64_t seed)
{
    run = r;
    memset(r->commits, 0, (r->sent + 1) * sizeof *r->commits); /* of the run before: clearing all would cost the most */
    memset(r, 0, offsetof(struct run, commits));
    r->sent = 0;
    r->seed = seed;
    dice_init(r->dice, seed);
    world_sim_init(&r->world, seed + 1, NULL);
    r->disk = disk_sim_new(seed + 2, &r->world);
    r->world.world.disk = disk_sim_disk(r->disk);
    r->options = (struct journal_options){
        .path = DIR, .partitions = PARTITIONS, .segment_bytes = SEGMENT, .queue_bytes_max = 1 << 20
    };
}

static void run_end(void)
{
    for (uint32_t id = 1; id <= run->sent; id++)
        free(run->commits[id].bytes);
    disk_sim_free(run->disk);
}

static struct run the_run;
static uint64_t total_lives, total_acked, total_lost, total_refused;

static void run_random(uint64_t seed)
{
    run_begin(&the_run, seed);
    run->options.commit_bytes_max = (uint32_t)(roll(3) ? 0 : 1 + roll(5000));
    run->options.retention_bytes = roll(3) ? 0 : SEGMENT * (2 + roll(4));
    run->options.total_bytes_max = roll(3) ? 0 : SEGMENT * (6 + roll(6));
    run->options.disk_reserve_bytes = roll(3) ? 0 : SEGMENT * roll(3);
    run->uniform = roll(4) == 0;
    uint64_t lives = 2 + roll(run->uniform ? 20 : 5);
    for (uint64_t i = 0; i < lives; i++) {
        begin_life();
        if (roll(2)) {
            disk_sim_plan(run->disk)->cut_at = disk_sim_steps(run->disk) + 1 + roll(run->uniform ? 12 : 120);
            disk_sim_plan(run->disk)->cut_after = roll(2);
        }
        /* Short ones too: few new frames over many stale ones. */
        live(run->uniform ? 5 + roll(30) : 20 + roll(250));
        uint64_t end = roll(4);
        if (end == 0)
            disk_sim_power_cut(run->disk);
        else if (end == 1 && !disk_sim_is_off(run->disk))
            disk_sim_kill(run->disk);
        end_life(end == 2 && !disk_sim_is_off(run->disk));
    }
    begin_life();
    end_life(true);
    total_lives += run->lives;
    total_acked += run->acked;
    total_lost += run->unknown_lost;
    total_refused += run->refused;
    run_end();
}

static void test_random_lives_keep_every_promise(void **state)
{
    (void)state;
    uint64_t count = seeds_run("journal", 1, 200, run_random);
    print_message("%llu runs, %llu lives, %llu acknowledged, %llu refused, %llu lost before they were acknowledged\n",
                  (unsigned long long)count, (unsigned long long)total_lives, (unsigned long long)total_acked,
                  (unsigned long long)total_refused, (unsigned long long)total_lost);
    assert_true(count < 100 || (total_acked > count * 20 && total_lost > count / 4));
}

/* Several segments, recycling, a clean stop and a second life; stops when the power goes. */
static void scenario(void)
{
    for (int lives = 0; lives < 2; lives++) {
        if (!open_journal())
            return;
        settle();
        for (int i = 0; i < 40 && !disk_sim_is_off(run->disk); i++) {
            submit_one();
            submit_one();
            submit_one();
            step(0);
            step(1);
        }
        for (int i = 0; i < 4; i++)
            step(1);
        if (disk_sim_is_off(run->disk))
            return;
        run->journal->backend->drain(run->journal);
        int64_t wake_us;
        while (run->roles[0].step(run->roles[0].self, &run->world.world, &wake_us))
            ;
        run->journal->backend->close(run->journal);
        run->journal = NULL;
    }
}

static void run_cut_at(uint64_t step_number, bool after, uint64_t dice)
{
    run_begin(&the_run, 1000000 + dice);
    dice_init(run->dice, 77); /* the scenario is the same each time, what survives is not */
    run->options.retention_bytes = 3 * SEGMENT;
    disk_sim_plan(run->disk)->cut_at = step_number;
    disk_sim_plan(run->disk)->cut_after = after;
    run->lives = step_number;
    scenario();
    if (run->journal)
        run->journal->backend->close(run->journal);
    run->journal = NULL;
    if (disk_sim_is_off(run->disk))
        disk_sim_restart(run->disk);
    *disk_sim_plan(run->disk) = (struct disk_sim_plan){ 0 };
    for (int i = 0; i < 2; i++) { /* what recovery found is there the next time too */
        check(open_journal(), "can't be opened after a power cut");
        settle();
        for (int c = 0; c < 5; c++)
            submit_one();
        step(0);
        disk_sim_power_cut(run->disk);
        run->journal->backend->close(run->journal);
        run->journal = NULL;
        disk_sim_restart(run->disk);
    }
    run_end();
}

static void test_power_may_go_at_every_step(void **state)
{
    (void)state;
    run_begin(&the_run, 1000000);
    dice_init(run->dice, 77);
    run->options.retention_bytes = 3 * SEGMENT;
    scenario();
    uint64_t steps = disk_sim_steps(run->disk);
    run_end();
    assert_true(steps > 100);
    for (uint64_t step_number = 1; step_number <= steps; step_number++) {
        run_cut_at(step_number, false, step_number);
        run_cut_at(step_number, true, step_number);
    }
    print_message("%llu steps, the power cut before and after each\n", (unsigned long long)steps);
}

static void pick_file(void *self, const char *name)
{
    char *out = self;
    if (strlen(name) == 24 && (out[0] == 0 || roll(2)))
        snprintf(out, DISK_PATH_MAX, DIR "/%s", name);
}

/* True when the damage was reported; everything that is served is checked on the way. */
static bool damage_is_reported(void)
{
    struct error err = { OK, "" };
    enum status s = journal_file.open(&run->options, &run->world.world, NULL, &run->journal, &err);
    if (s != OK) {
        check(s == ERR_CORRUPT && strstr(err.text, "restore"), "open after damage: %s", err.text);
        run->journal = NULL;
        return true;
    }
    journal_file.roles(run->journal, run->roles);
    struct follower all;
    follower_open(&all, UINT32_MAX, JOURNAL_ALL_PARTITIONS);
    struct journal_batch batch;
    do {
        s = journal_read(all.reader, 1 + roll(20000), &batch, &err);
        check(s == OK || s == ERR_CORRUPT, "read after damage: %s", err.text);
        if (s == OK)
            check_batch(&all, &batch);
    } while (s == OK && batch.chunk_count);
    if (s == OK)
        check_skipped(&all, all.last_id + 1, run->sent + 1);
    follower_close(&all);
    return s != OK;
}

static void test_damaged_bytes_are_reported_and_never_served(void **state)
{
    (void)state;
    uint64_t reported = 0, runs = 300;
    for (uint64_t seed = 1; seed <= runs; seed++) {
        run_begin(&the_run, 2000000 + seed);
        check(open_journal(), "open");
        for (uint64_t i = 0, n = 20 + roll(60); i < n; i++) {
            submit_one();
            if (roll(2))
                step(0);
        }
        end_life(true);
        char path[DISK_PATH_MAX] = "";
        struct disk *disk = disk_sim_disk(run->disk);
        check(disk->ops->list(disk, DIR, pick_file, path, NULL) == OK, "list");
        check(disk_sim_rot(run->disk, path, roll(SEGMENT), (unsigned)roll(8)), "rot in %s", path);
        reported += damage_is_reported();
        if (run->journal)
            end_life(false);
        run_end();
    }
    print_message("%llu flipped bits, %llu reported, the others in unused bytes\n", (unsigned long long)runs,
                  (unsigned long long)reported);
    assert_true(reported > runs / 4);
}

int main(void)
{
    log_set_level((enum log_level)(LOG_ERROR + 1));
    seeds_choose_tests();
    for (size_t i = 0; i < sizeof ramp; i++)
        ramp[i] = (char)i;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_may_go_at_every_step),
        cmocka_unit_test(test_random_lives_keep_every_promise),
        cmocka_unit_test(test_damaged_bytes_are_reported_and_never_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
