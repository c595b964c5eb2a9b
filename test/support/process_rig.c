/* The task's directory and the journal's are on the same simulated disk, as in production: a power cut hits both. */
#include "test/support/process_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"
#include "event/dead_letter.h"
#include "event/event.h"
#include "process/state/kv.h"

void rig_init(struct rig *rig, uint64_t seed, const struct journal_backend *backend)
{
    *rig = (struct rig){ .seed = seed, .backend = backend };
    rig->disk = disk_sim_new(seed, &rig->time);
    world_sim_init(&rig->time, seed, disk_sim_disk(rig->disk));
    rig->journal_options = (struct journal_options){
        .path = "/data/journal", .partitions = 1, .segment_bytes = 1u << 20, .queue_bytes_max = 64u << 20
    };
    rig->options = (struct process_options){ .state_path = "/data/state",
                                             .batch_bytes_max = 128u << 10,
                                             .read_bytes = 64u << 10,
                                             .dedup_memory_bytes_max = 1u << 20,
                                             .kv = &kv_disk };
    rig->metrics = metrics_new(1000);
    rig->live = queue_new("live", 64, (struct waker){ 0 });
}

enum status rig_up(struct rig *rig, struct error *err)
{
    struct world *world = &rig->time.world;
    enum status s = disk_make_dirs(world->disk, "/data", err);
    if (s == OK)
        s = rig->backend->open(&rig->journal_options, world, rig->metrics, &rig->journal, err);
    if (s != OK)
        return s;
    rig->journal_role_count = rig->backend->roles(rig->journal, rig->journal_roles);
    rig->task = process_task_new(&rig->options, rig->journal, 0, rig->metrics, rig->live, world);
    return OK;
}

static void drain_live(struct rig *rig)
{
    struct live_update *update;
    while ((update = queue_pop(rig->live))) {
        for (size_t i = 0; i < update->count_count; i++) {
            rig->accepted_live += update->counts[i].accepted;
            rig->duplicates_live += update->counts[i].duplicates;
            rig->dead_live += update->counts[i].dead;
        }
        live_update_free(update);
    }
}

static bool step_journal(struct rig *rig, int64_t *wake_us)
{
    bool worked = false;
    for (size_t i = 0; i < rig->journal_role_count; i++)
        worked |= rig->journal_roles[i].step(rig->journal_roles[i].self, &rig->time.world, wake_us);
    return worked;
}

static bool step_task(struct rig *rig, int64_t *wake_us)
{
    struct role role = process_task_role(rig->task);
    return role.step(role.self, &rig->time.world, wake_us);
}

static bool step(struct rig *rig, int64_t *wake_us)
{
    bool worked;
    if (dice_below(rig->time.dice, 2)) {
        worked = step_journal(rig, wake_us);
        worked |= step_task(rig, wake_us);
    } else {
        worked = step_task(rig, wake_us);
        worked |= step_journal(rig, wake_us);
    }
    drain_live(rig);
    return worked;
}

bool rig_step(struct rig *rig)
{
    int64_t wake_us = WAKE_NEVER;
    return step(rig, &wake_us);
}

void rig_run(struct rig *rig, int64_t for_ms)
{
    int64_t end_us = rig->time.now_us + for_ms * 1000;
    for (;;) {
        int64_t wake_us = WAKE_NEVER;
        int steps = 0;
        for (int idle = 0; idle < 3;) { /* one role's last step may ring another's bell */
            wake_us = WAKE_NEVER;
            idle = step(rig, &wake_us) ? 0 : idle + 1;
            assert_true(++steps < 1000000);
        }
        if (disk_sim_is_off(rig->disk) || wake_us > end_us)
            break;
        world_sim_advance(&rig->time, wake_us > rig->time.now_us ? wake_us - rig->time.now_us : 1);
    }
    if (rig->time.now_us < end_us && !disk_sim_is_off(rig->disk))
        world_sim_advance(&rig->time, end_us - rig->time.now_us);
}

static void close_all(struct rig *rig)
{
    process_task_free(rig->task);
    rig->task = NULL;
    rig->backend->close(rig->journal);
    rig->journal = NULL;
}

void rig_down(struct rig *rig)
{
    process_task_stop(rig->task);
    for (int i = 0; i < 100000 && !process_task_is_finished(rig->task); i++) {
        (void)rig_step(rig);
        world_sim_advance(&rig->time, 1000);
    }
    assert_true(process_task_is_finished(rig->task));
    rig->backend->drain(rig->journal);
    int64_t wake_us = WAKE_NEVER;
    while (step_journal(rig, &wake_us))
        ;
    drain_live(rig);
    close_all(rig);
}

void rig_crash(struct rig *rig)
{
    /* With the disk gone the journal answers every commit with an error, and the task fails. */
    rig->backend->drain(rig->journal);
    for (int i = 0; i < 1000; i++) {
        (void)rig_step(rig);
        world_sim_advance(&rig->time, 10000);
    }
    drain_live(rig);
    close_all(rig);
}

void rig_done(struct rig *rig)
{
    if (rig->journal)
        rig_down(rig);
    drain_live(rig);
    queue_free(rig->live);
    metrics_free(rig->metrics);
    disk_sim_free(rig->disk);
}

int rig_test_begin(void **rig)
{
    rig_init(*rig, 7, &journal_memory);
    return rig_up(*rig, NULL);
}

int rig_test_end(void **rig)
{
    rig_done(*rig);
    return 0;
}

/* ---- events ---- */

struct answer {
    bool here;
    enum status status;
};

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    struct answer *answer = commit->context;
    (void)reason;
    answer->status = status;
    __atomic_store_n(&answer->here, true, __ATOMIC_RELEASE);
}

static enum status commit_and_wait(struct rig *rig, struct journal_commit *commit)
{
    struct answer answer = { 0 };
    commit->done = on_done;
    commit->context = &answer;
    enum status s = journal_submit(rig->journal, commit, NULL);
    if (s != OK)
        return s;
    if (rig->journal_role_count == 0) /* a thread steps it */
        while (!__atomic_load_n(&answer.here, __ATOMIC_ACQUIRE))
            usleep(50);
    for (int i = 0; i < 100000 && !answer.here; i++) {
        int64_t wake_us = WAKE_NEVER;
        if (!step_journal(rig, &wake_us) && wake_us != WAKE_NEVER && wake_us > rig->time.now_us)
            world_sim_advance(&rig->time, wake_us - rig->time.now_us);
    }
    assert_true(answer.here);
    return answer.status;
}

enum status rig_send_records(struct rig *rig, struct slice framed, uint32_t records)
{
    struct journal_chunk chunk = { .topic = TOPIC_EVENTS, .records = records, .bytes = framed };
    struct journal_commit commit = { .chunks = &chunk, .chunk_count = 1 };
    return commit_and_wait(rig, &commit);
}

enum status rig_mark_all_read(struct rig *rig)
{
    struct journal_status status;
    rig->backend->status(rig->journal, &status);
    struct journal_mark mark = { "store", JOURNAL_ALL_PARTITIONS, status.end_position, { "", 0 }, 0 };
    struct journal_commit commit = { .marks = &mark, .mark_count = 1 };
    return commit_and_wait(rig, &commit);
}

static void add_event(struct rig *rig, struct buf *bytes, const char *tenant, char kind, unsigned number)
{
    int64_t now_us = rig->time.world.wall_us(&rig->time.world);
    char id[24], visitor[24];
    snprintf(id, sizeof id, "%c%u", kind, number);
    snprintf(visitor, sizeof visitor, "v%u", number % 100);
    struct event event = { .customer_id = slice_from(tenant),
                           .visitor_id = slice_from(kind == 'b' ? "" : visitor),
                           .event_id = slice_from(id),
                           .event_type = SLICE("page_view"),
                           .properties = SLICE("{\"page\":\"/\"}"),
                           .context = SLICE("{}"),
                           .timestamp_ms = now_us / 1000,
                           .received_ms = now_us / 1000,
                           .ingested_us = now_us };
    uint32_t n = (uint32_t)event_encoded_size(&event);
    buf_add(bytes, &n, sizeof n);
    event_encode(&event, buf_reserve(bytes, n));
    bytes->n += n;
}

enum status rig_send(struct rig *rig, const char *tenant, unsigned first, unsigned count)
{
    struct buf bytes;
    buf_init(&bytes, 64u << 20);
    unsigned bad = rig->bad_next;
    for (unsigned i = first; i < first + count; i++) {
        add_event(rig, &bytes, tenant, 'e', i);
        if (rig->bad_every && i % rig->bad_every == 0 && rig->bad_next < RIG_BAD_MAX)
            add_event(rig, &bytes, tenant, 'b', rig->bad_next++);
    }
    enum status s = rig_send_records(rig, buf_slice(&bytes), count + rig->bad_next - bad);
    for (; bad < rig->bad_next; bad++)
        rig->bad_accepted[bad] = s == OK;
    buf_done(&bytes);
    return s;
}

/* The number in an id like "e17" of the record; UINT64_MAX when it has none. */
static uint64_t number_of(struct slice record, enum journal_topic topic)
{
    struct slice id = { 0 };
    uint64_t number;
    if (topic == TOPIC_DEAD_LETTERS) {
        struct dead_letter letter;
        assert_int_equal(dead_letter_decode(record, &letter, NULL), OK);
        id = letter.event_id;
    } else {
        struct event event;
        assert_int_equal(event_decode(record, &event, NULL), OK);
        id = event.event_id;
    }
    return id.n > 1 && slice_to_u64(slice_after(id, 1), &number) ? number : UINT64_MAX;
}

uint64_t rig_count(struct rig *rig, enum journal_topic topic, uint8_t *times, unsigned max)
{
    struct journal_read_options options = { .topics = TOPIC_BIT(topic), .position = JOURNAL_BEGIN };
    struct journal_reader *reader;
    struct journal_batch batch;
    uint64_t records = 0;
    if (times)
        memset(times, 0, max);
    assert_int_equal(rig->backend->reader_open(rig->journal, &options, &reader, NULL), OK);
    do {
        assert_int_equal(journal_read(reader, 1u << 20, &batch, NULL), OK);
        for (size_t i = 0; i < batch.chunk_count; i++) {
            struct slice rest = batch.chunks[i].bytes, record;
            while (journal_next_record(&rest, &record)) {
                records++;
                uint64_t number = number_of(record, topic);
                if (times && number < max)
                    times[number]++;
            }
        }
    } while (batch.chunk_count);
    rig->backend->reader_close(reader);
    return records;
}

uint64_t rig_numbers(struct rig *rig, enum journal_topic topic, uint32_t *numbers, uint64_t max)
{
    struct journal_read_options options = { .topics = TOPIC_BIT(topic), .position = JOURNAL_BEGIN };
    struct journal_reader *reader;
    struct journal_batch batch;
    uint64_t offset = 0;
    assert_int_equal(rig->backend->reader_open(rig->journal, &options, &reader, NULL), OK);
    do {
        assert_int_equal(journal_read(reader, 1u << 20, &batch, NULL), OK);
        for (size_t i = 0; i < batch.chunk_count; i++) {
            struct slice rest = batch.chunks[i].bytes, record;
            for (offset = batch.chunks[i].offset; journal_next_record(&rest, &record); offset++) {
                assert_true(offset < max);
                numbers[offset] = (uint32_t)number_of(record, topic);
            }
        }
    } while (batch.chunk_count);
    rig->backend->reader_close(reader);
    return offset;
}

double rig_metric(struct rig *rig, const char *line_start)
{
    struct buf text;
    buf_init(&text, 4u << 20);
    metrics_render(rig->metrics, &text);
    const char *at = strstr(buf_text(&text), line_start);
    double value = -1;
    while (at && at != text.p && at[-1] != '\n') /* not the comments */
        at = strstr(at + 1, line_start);
    if (at && (at = strchr(at, ' ')))
        value = strtod(at, NULL);
    buf_done(&text);
    return value;
}
