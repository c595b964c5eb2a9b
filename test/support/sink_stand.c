#include "test/support/sink_stand.h"

#include "base/test.h"
#include "world/disk.h"

#define FAR_US 9000000 /* whoever sleeps longer waits for the release of memory, or for nothing at all */

struct sink_stand stand;

uint64_t stand_dice(void)
{
    stand.seed ^= stand.seed << 13;
    stand.seed ^= stand.seed >> 7;
    stand.seed ^= stand.seed << 17;
    return stand.seed;
}

static int64_t now(struct world *world)
{
    (void)world;
    return stand.now_us;
}

static void fill(struct world *world, void *out, size_t n)
{
    (void)world;
    for (size_t i = 0; i < n; i++)
        ((char *)out)[i] = (char)stand_dice();
}

static enum status hold(struct journal *journal, struct journal_commit *commit, struct error *err)
{
    (void)journal, (void)err;
    assert_true(stand.held_count < COUNT_OF(stand.held));
    stand.held[stand.held_count++] = commit;
    return OK;
}

void stand_begin(uint16_t partitions, uint32_t segment_bytes)
{
    stand = (struct sink_stand){
        .world = { .wall_us = now, .mono_us = now, .random = fill, .disk = disk_real() },
        .now_us = 1767225600000000,
        .seed = 0x9e3779b97f4a7c15,
        .metrics = metrics_new(1000),
        .backend = journal_memory,
    };
    struct journal_options options = { .partitions = partitions,
                                       .segment_bytes = segment_bytes,
                                       .queue_bytes_max = 1 << 28 };
    assert_int_equal(journal_memory.open(&options, &stand.world, stand.metrics, &stand.journal, NULL), OK);
    stand.backend.submit = hold;
    stand.journal->backend = &stand.backend;
    journal_memory.roles(stand.journal, &stand.writer);
}

void stand_end(void)
{
    stand.journal->backend = &journal_memory;
    journal_memory.close(stand.journal);
    metrics_free(stand.metrics);
}

static void write_all(void)
{
    int64_t wake_us = WAKE_NEVER;
    while (stand.writer.step(stand.writer.self, &stand.world, &wake_us))
        ;
}

static void emitted(struct journal_commit *commit, enum status status, const char *reason)
{
    (void)commit, (void)reason;
    assert_int_equal(status, OK);
}

void stand_submit(struct journal_commit *commit)
{
    commit->done = emitted;
    assert_int_equal(journal_memory.submit(stand.journal, commit, NULL), OK);
    write_all();
}

void stand_emit(const struct journal_chunk *chunk)
{
    struct journal_commit commit = { .chunks = chunk, .chunk_count = 1 };
    stand_submit(&commit);
}

void stand_pass_on(void)
{
    for (size_t i = 0; i < stand.held_count; i++)
        if (!stand.fails || !stand.fails(stand.held[i]))
            assert_int_equal(journal_memory.submit(stand.journal, stand.held[i], NULL), OK);
    stand.held_count = 0;
    write_all();
}

void stand_lose(void)
{
    for (size_t i = 0; i < stand.held_count; i++)
        stand.held[i]->done(stand.held[i], ERR_CLOSED, "the power was cut");
    stand.held_count = 0;
}

bool stand_step(void)
{
    int64_t wake_us = WAKE_NEVER;
    if (stand.role.step(stand.role.self, &stand.world, &wake_us)) {
        stand.now_us += 10;
        return true;
    }
    if (stand.held_count) {
        stand_pass_on();
        return true;
    }
    if (wake_us > stand.now_us + FAR_US)
        return false;
    stand.now_us = wake_us > stand.now_us ? wake_us : stand.now_us + 1;
    return true;
}

char *stand_add_record(struct buf *bytes, size_t n)
{
    uint32_t size = (uint32_t)n;
    buf_add(bytes, &size, sizeof size);
    char *to = buf_reserve(bytes, n);
    assert_non_null(to);
    bytes->n += n;
    return to;
}
