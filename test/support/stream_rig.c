/* As in process_rig.c, journal and states share one simulated disk: a power cut hits both. Metrics begin anew with each
 * life, as those of a process do. */
#include "test/support/stream_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "config/problems.h"
#include "process/state/kv.h"
#include "world/disk.h"

void stream_rig_init(struct stream_rig *rig, uint64_t seed, uint16_t partitions)
{
    assert(partitions <= STREAM_PARTITIONS_MAX);
    *rig = (struct stream_rig){ .seed = seed };
    rig->disk = disk_sim_new(seed, &rig->time);
    world_sim_init(&rig->time, seed, disk_sim_disk(rig->disk));
    rig->journal_options = (struct journal_options){
        .path = "/data/journal", .partitions = partitions, .segment_bytes = 1u << 20, .queue_bytes_max = 64u << 20
    };
    rig->options = (struct process_options){ .state_path = "/data/state",
                                             .batch_bytes_max = 128u << 10,
                                             .read_bytes = 64u << 10,
                                             .dedup_memory_bytes_max = 1u << 20,
                                             .kv = &kv_disk };
}

void stream_rig_domain(struct stream_rig *rig, const char *name, const char *yaml)
{
    struct disk *disk = rig->time.world.disk;
    struct error err = { 0 };
    struct problems problems;
    char path[DISK_PATH_MAX];
    assert(!rig->journal);
    problems_init(&problems, false);
    snprintf(path, sizeof path, "/config/domains/%s.yaml", name);
    assert_int_equal(disk_make_dirs(disk, "/config/domains", &err), OK);
    assert_int_equal(disk_replace(disk, path, yaml, strlen(yaml), &err), OK);
    domain_set_free(rig->domains);
    rig->domains = NULL;
    if (domain_set_load("/config", &rig->time.world, &rig->domains, &problems, &err) != OK)
        fail_msg("%s%s\n%s", problems_text(&problems), err.text, yaml);
    problems_done(&problems);
    rig->options.domains = rig->domains;
    rig->options.session_gap_ms = rig->domains->session_gap_ms;
    rig->options.disorder_ms = rig->domains->out_of_orderness_ms;
}

enum status stream_rig_up(struct stream_rig *rig, struct error *err)
{
    struct world *world = &rig->time.world;
    enum status s = disk_make_dirs(world->disk, "/data", err);
    metrics_free(rig->metrics);
    rig->metrics = metrics_new(4000);
    if (s == OK)
        s = journal_file.open(&rig->journal_options, world, rig->metrics, &rig->journal, err);
    if (s != OK)
        return s;
    rig->journal_role_count = journal_file.roles(rig->journal, rig->journal_roles);
    for (uint16_t p = 0; p < rig->journal_options.partitions; p++)
        rig->tasks[p] = process_task_new(&rig->options, rig->journal, p, rig->metrics, NULL, world);
    return OK;
}

/* A role may say when it wants to wake without a look at what others have said. */
static bool step_role(struct stream_rig *rig, struct role role, int64_t *io_wake_us)
{
    int64_t wake_us = WAKE_NEVER;
    bool worked = role.step(role.self, &rig->time.world, &wake_us);
    *io_wake_us = wake_us < *io_wake_us ? wake_us : *io_wake_us;
    return worked;
}

static bool step_journal(struct stream_rig *rig, int64_t *wake_us)
{
    bool worked = false;
    for (size_t i = 0; i < rig->journal_role_count; i++)
        worked |= step_role(rig, rig->journal_roles[i], wake_us);
    return worked;
}

/* The journal is one of the partitions + 1 whose turn it is, from a seeded first one on. */
static bool step(struct stream_rig *rig, int64_t *wake_us)
{
    const uint64_t count = (uint64_t)rig->journal_options.partitions + 1;
    uint64_t first = dice_below(rig->time.dice, count);
    bool worked = false;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t turn = (first + i) % count;
        if (turn == count - 1)
            worked |= step_journal(rig, wake_us);
        else
            worked |= step_role(rig, process_task_role(rig->tasks[turn]), wake_us);
    }
    return worked;
}

bool stream_rig_step(struct stream_rig *rig)
{
    int64_t wake_us = WAKE_NEVER;
    return step(rig, &wake_us);
}

/* Until nobody has anything to do; returns when somebody will. */
static int64_t run_until_idle(struct stream_rig *rig)
{
    int64_t wake_us = WAKE_NEVER;
    int steps = 0;
    for (int idle = 0; idle < 3;) { /* one role's last step may ring another's bell */
        wake_us = WAKE_NEVER;
        idle = step(rig, &wake_us) ? 0 : idle + 1;
        if (++steps > 300000)
            fail_msg("the roles never come to rest");
    }
    return wake_us;
}

void stream_rig_run(struct stream_rig *rig, int64_t for_ms)
{
    int64_t end_us = rig->time.now_us + for_ms * 1000;
    for (;;) {
        int64_t wake_us = run_until_idle(rig);
        if (disk_sim_is_off(rig->disk) || wake_us > end_us)
            break;
        world_sim_advance(&rig->time, wake_us > rig->time.now_us ? wake_us - rig->time.now_us : 1);
    }
    if (rig->time.now_us < end_us && !disk_sim_is_off(rig->disk))
        world_sim_advance(&rig->time, end_us - rig->time.now_us);
}

const char *stream_rig_failure(const struct stream_rig *rig)
{
    for (uint16_t p = 0; p < rig->journal_options.partitions; p++)
        if (rig->tasks[p] && process_task_state(rig->tasks[p]) == PROCESS_FAILED)
            return process_task_error(rig->tasks[p]);
    return NULL;
}

bool stream_rig_settle(struct stream_rig *rig, int64_t for_ms)
{
    for (int64_t waited_ms = 0; waited_ms < for_ms && !disk_sim_is_off(rig->disk); waited_ms += 200) {
        uint64_t before = disk_sim_steps(rig->disk);
        stream_rig_run(rig, 200); /* several times what updates wait */
        bool running = true;
        for (uint16_t p = 0; p < rig->journal_options.partitions; p++)
            running &= process_task_state(rig->tasks[p]) == PROCESS_RUNNING;
        if (running && disk_sim_steps(rig->disk) == before)
            return true;
    }
    return false;
}

static void close_all(struct stream_rig *rig)
{
    for (uint16_t p = 0; p < rig->journal_options.partitions; p++) {
        process_task_free(rig->tasks[p]);
        rig->tasks[p] = NULL;
    }
    journal_file.close(rig->journal);
    rig->journal = NULL;
}

static bool all_finished(const struct stream_rig *rig)
{
    for (uint16_t p = 0; p < rig->journal_options.partitions; p++)
        if (!process_task_is_finished(rig->tasks[p]))
            return false;
    return true;
}

void stream_rig_down(struct stream_rig *rig)
{
    for (uint16_t p = 0; p < rig->journal_options.partitions; p++)
        process_task_stop(rig->tasks[p]);
    for (int i = 0; i < 100000 && !all_finished(rig); i++) {
        (void)stream_rig_step(rig);
        world_sim_advance(&rig->time, 1000);
    }
    assert_true(all_finished(rig));
    journal_file.drain(rig->journal);
    int64_t wake_us = WAKE_NEVER;
    while (step_journal(rig, &wake_us))
        ;
    close_all(rig);
}

void stream_rig_crash(struct stream_rig *rig)
{
    journal_file.drain(rig->journal);
    for (int i = 0; i < 300; i++) {
        (void)stream_rig_step(rig);
        world_sim_advance(&rig->time, 10000);
    }
    close_all(rig);
}

void stream_rig_done(struct stream_rig *rig)
{
    if (rig->journal)
        stream_rig_down(rig);
    metrics_free(rig->metrics);
    domain_set_free(rig->domains);
    disk_sim_free(rig->disk);
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
    *answer = (struct answer){ true, status };
}

static enum status commit_and_wait(struct stream_rig *rig, struct journal_commit *commit)
{
    struct answer answer = { 0 };
    commit->done = on_done;
    commit->context = &answer;
    enum status s = journal_submit(rig->journal, commit, NULL);
    for (int i = 0; s == OK && i < 100000 && !answer.here; i++) {
        int64_t wake_us = WAKE_NEVER;
        if (!step_journal(rig, &wake_us) && wake_us != WAKE_NEVER && wake_us > rig->time.now_us)
            world_sim_advance(&rig->time, wake_us - rig->time.now_us);
    }
    assert_true(s != OK || answer.here);
    return s == OK ? answer.status : s;
}

uint16_t stream_rig_partition(const struct stream_rig *rig, const struct event *event)
{
    return event_partition(event->customer_id, event->visitor_id, rig->journal_options.partitions);
}

enum status stream_rig_send(struct stream_rig *rig, const struct event *events, size_t count)
{
    struct buf bytes[STREAM_PARTITIONS_MAX];
    struct journal_chunk chunks[STREAM_PARTITIONS_MAX];
    struct journal_commit commit = { .chunks = chunks };
    for (uint16_t p = 0; p < rig->journal_options.partitions; p++) {
        uint32_t records = 0;
        buf_init(&bytes[p], 16u << 20);
        for (size_t i = 0; i < count; i++) {
            if (stream_rig_partition(rig, &events[i]) != p)
                continue;
            uint32_t n = (uint32_t)event_encoded_size(&events[i]);
            buf_add(&bytes[p], &n, sizeof n);
            event_encode(&events[i], buf_reserve(&bytes[p], n));
            bytes[p].n += n;
            records++;
        }
        if (records)
            chunks[commit.chunk_count++] = (struct journal_chunk){
                .topic = TOPIC_EVENTS, .partition = p, .records = records, .bytes = buf_slice(&bytes[p])
            };
    }
    enum status s = commit_and_wait(rig, &commit);
    for (uint16_t p = 0; p < rig->journal_options.partitions; p++)
        buf_done(&bytes[p]);
    return s;
}

/* ---- what came out ---- */

uint64_t stream_rig_read(struct stream_rig *rig, uint32_t topics, uint64_t position, stream_rig_visit *visit,
                         void *self)
{
    struct journal_read_options options = { .topics = topics,
                                            .partition = JOURNAL_ALL_PARTITIONS,
                                            .position = position };
    struct journal_reader *reader;
    struct journal_batch batch;
    struct error err = { 0 };
    assert_int_equal(journal_file.reader_open(rig->journal, &options, &reader, NULL), OK);
    do {
        if (journal_read(reader, 1u << 20, &batch, &err) != OK)
            fail_msg("%s", err.text);
        for (size_t i = 0; i < batch.chunk_count; i++) {
            struct slice rest = batch.chunks[i].bytes, record;
            while (journal_next_record(&rest, &record))
                visit(self, batch.chunks[i].topic, batch.chunks[i].partition, record);
        }
        position = batch.next_position;
    } while (batch.chunk_count);
    journal_file.reader_close(reader);
    return position;
}

enum status stream_rig_mark(struct stream_rig *rig, uint64_t position)
{
    struct journal_mark mark = { "store", JOURNAL_ALL_PARTITIONS, position, { "", 0 } };
    struct journal_commit commit = { .marks = &mark, .mark_count = 1 };
    return commit_and_wait(rig, &commit);
}

double stream_rig_metric(struct stream_rig *rig, const char *line_start)
{
    struct buf text;
    double sum = 0;
    buf_init(&text, 16u << 20);
    metrics_render(rig->metrics, &text);
    for (const char *at = buf_text(&text); (at = strstr(at, line_start)); at++)
        if (at == text.p || at[-1] == '\n')
            sum += strtod(strchr(at, ' '), NULL);
    buf_done(&text);
    return sum;
}
