/* As in process_rig.c, journal and states share one simulated disk: a power cut hits both. Metrics begin anew with each
 * life, as those of a process do. */
#include "trial/machine.h"

#include <stdio.h>
#include <stdlib.h>

#include "process/process_standby.h"
#include "process/state/kv.h"
#include "world/disk.h"

void machine_init(struct machine *machine, uint64_t seed, uint16_t partitions)
{
    assert(partitions <= MACHINE_PARTITIONS_MAX);
    *machine = (struct machine){ .seed = seed };
    machine->disk = disk_sim_new(seed, &machine->time);
    world_sim_init(&machine->time, seed, disk_sim_disk(machine->disk));
    machine->journal_options = (struct journal_options){
        .path = "/data/journal", .partitions = partitions, .segment_bytes = 1u << 20, .queue_bytes_max = 64u << 20
    };
    machine->options = (struct process_options){ .state_path = "/data/state",
                                                 .batch_bytes_max = 128u << 10,
                                                 .read_bytes = 64u << 10,
                                                 .dedup_memory_bytes_max = 1u << 20,
                                                 .kv = &kv_disk };
}

static void make_standby(struct machine *machine)
{
    struct process_options options = machine->options;
    options.state_path = machine->standby_path;
    machine->standby = process_standby_new(&options, machine->journal, machine->metrics);
    for (uint16_t p = 0; p < machine->journal_options.partitions; p++)
        process_standby_follow(machine->standby, p, true);
}

enum status machine_up(struct machine *machine, struct error *err)
{
    struct world *world = &machine->time.world;
    enum status s = disk_make_dirs(world->disk, "/data", err);
    metrics_free(machine->metrics);
    machine->metrics = metrics_new(4000);
    if (s == OK)
        s = journal_file.open(&machine->journal_options, world, machine->metrics, &machine->journal, err);
    if (s != OK)
        return s;
    machine->journal_role_count = journal_file.roles(machine->journal, machine->journal_roles);
    for (uint16_t p = 0; p < machine->journal_options.partitions; p++)
        machine->tasks[p] = process_task_new(&machine->options, machine->journal, p, machine->metrics, NULL, world);
    if (machine->standby_path)
        make_standby(machine);
    return OK;
}

/* A role may say when it wants to wake without a look at what others have said. */
static bool step_role(struct machine *machine, struct role role, int64_t *io_wake_us)
{
    int64_t wake_us = WAKE_NEVER;
    bool worked = role.step(role.self, &machine->time.world, &wake_us);
    *io_wake_us = wake_us < *io_wake_us ? wake_us : *io_wake_us;
    return worked;
}

static bool step_journal(struct machine *machine, int64_t *wake_us)
{
    bool worked = false;
    for (size_t i = 0; i < machine->journal_role_count; i++)
        worked |= step_role(machine, machine->journal_roles[i], wake_us);
    return worked;
}

/* The journal is one of the partitions + 1 whose turn it is, from a seeded first one on. */
static bool step(struct machine *machine, int64_t *wake_us)
{
    const uint64_t count = (uint64_t)machine->journal_options.partitions + 1;
    uint64_t first = dice_below(machine->time.dice, count);
    bool worked = false;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t turn = (first + i) % count;
        if (turn == count - 1)
            worked |= step_journal(machine, wake_us);
        else
            worked |= step_role(machine, process_task_role(machine->tasks[turn]), wake_us);
    }
    if (machine->standby)
        worked |= step_role(machine, process_standby_role(machine->standby), wake_us);
    return worked;
}

bool machine_step(struct machine *machine)
{
    int64_t wake_us = WAKE_NEVER;
    return step(machine, &wake_us);
}

/* Until nobody has anything to do; returns when somebody will. */
static int64_t run_until_idle(struct machine *machine)
{
    int64_t wake_us = WAKE_NEVER;
    int steps = 0;
    for (int idle = 0; idle < 3;) { /* one role's last step may ring another's bell */
        wake_us = WAKE_NEVER;
        idle = step(machine, &wake_us) ? 0 : idle + 1;
        if (++steps > 300000)
            return (void)error_set(&machine->error, ERR_IO, "the roles never come to rest"), WAKE_NEVER;
    }
    return wake_us;
}

void machine_run(struct machine *machine, int64_t for_ms)
{
    int64_t end_us = machine->time.now_us + for_ms * 1000;
    for (;;) {
        int64_t wake_us = run_until_idle(machine);
        if (disk_sim_is_off(machine->disk) || wake_us > end_us)
            break;
        world_sim_advance(&machine->time, wake_us > machine->time.now_us ? wake_us - machine->time.now_us : 1);
    }
    if (machine->time.now_us < end_us && !disk_sim_is_off(machine->disk))
        world_sim_advance(&machine->time, end_us - machine->time.now_us);
}

const char *machine_failure(const struct machine *machine)
{
    if (machine->error.text[0])
        return machine->error.text;
    for (uint16_t p = 0; p < machine->journal_options.partitions; p++)
        if (machine->tasks[p] && process_task_state(machine->tasks[p]) == PROCESS_FAILED)
            return process_task_error(machine->tasks[p]);
    return NULL;
}

bool machine_settle(struct machine *machine, int64_t for_ms)
{
    for (int64_t waited_ms = 0; waited_ms < for_ms && !disk_sim_is_off(machine->disk); waited_ms += 200) {
        uint64_t before = disk_sim_steps(machine->disk);
        machine_run(machine, 200); /* several times what updates wait */
        bool running = true;
        for (uint16_t p = 0; p < machine->journal_options.partitions; p++)
            running &= process_task_state(machine->tasks[p]) == PROCESS_RUNNING;
        if (running && disk_sim_steps(machine->disk) == before)
            return true;
    }
    return false;
}

static void close_all(struct machine *machine)
{
    process_standby_free(machine->standby);
    machine->standby = NULL;
    for (uint16_t p = 0; p < machine->journal_options.partitions; p++) {
        process_task_free(machine->tasks[p]);
        machine->tasks[p] = NULL;
    }
    journal_file.close(machine->journal);
    machine->journal = NULL;
}

static bool all_finished(const struct machine *machine)
{
    for (uint16_t p = 0; p < machine->journal_options.partitions; p++)
        if (!process_task_is_finished(machine->tasks[p]))
            return false;
    return true;
}

void machine_down(struct machine *machine)
{
    for (uint16_t p = 0; p < machine->journal_options.partitions; p++)
        process_task_stop(machine->tasks[p]);
    for (int i = 0; i < 100000 && !all_finished(machine); i++) {
        (void)machine_step(machine);
        world_sim_advance(&machine->time, 1000);
    }
    assert(all_finished(machine));
    journal_file.drain(machine->journal);
    int64_t wake_us = WAKE_NEVER;
    while (step_journal(machine, &wake_us))
        ;
    close_all(machine);
}

void machine_crash(struct machine *machine)
{
    journal_file.drain(machine->journal);
    for (int i = 0; i < 300; i++) {
        (void)machine_step(machine);
        world_sim_advance(&machine->time, 10000);
    }
    close_all(machine);
}

void machine_done(struct machine *machine)
{
    if (machine->journal)
        machine_down(machine);
    metrics_free(machine->metrics);
    disk_sim_free(machine->disk);
}

/* ---- events ---- */

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    struct machine *machine = commit->context;
    (void)reason;
    machine->answer = (struct machine_answer){ true, status };
}

static enum status commit_and_wait(struct machine *machine, struct journal_commit *commit)
{
    machine->answer = (struct machine_answer){ 0 };
    commit->done = on_done;
    commit->context = machine;
    enum status s = journal_submit(machine->journal, commit, NULL);
    for (int i = 0; s == OK && i < 100000 && !machine->answer.here; i++) {
        int64_t wake_us = WAKE_NEVER;
        if (!step_journal(machine, &wake_us) && wake_us != WAKE_NEVER && wake_us > machine->time.now_us)
            world_sim_advance(&machine->time, wake_us - machine->time.now_us);
    }
    assert(s != OK || machine->answer.here);
    return s == OK ? machine->answer.status : s;
}

uint16_t machine_partition(const struct machine *machine, const struct event *event)
{
    return event_partition(event->customer_id, event->visitor_id, machine->journal_options.partitions);
}

enum status machine_send(struct machine *machine, const struct event *events, size_t count)
{
    struct buf bytes[MACHINE_PARTITIONS_MAX];
    struct journal_chunk chunks[MACHINE_PARTITIONS_MAX];
    struct journal_commit commit = { .chunks = chunks };
    for (uint16_t p = 0; p < machine->journal_options.partitions; p++) {
        uint32_t records = 0;
        buf_init(&bytes[p], 16u << 20);
        for (size_t i = 0; i < count; i++) {
            if (machine_partition(machine, &events[i]) != p)
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
    enum status s = commit_and_wait(machine, &commit);
    for (uint16_t p = 0; p < machine->journal_options.partitions; p++)
        buf_done(&bytes[p]);
    return s;
}

/* ---- what came out ---- */

uint64_t machine_read(struct machine *machine, uint32_t topics, uint64_t position, machine_visit *visit, void *self)
{
    struct journal_read_options options = { .topics = topics,
                                            .partition = JOURNAL_ALL_PARTITIONS,
                                            .position = position };
    struct journal_reader *reader;
    struct journal_batch batch;
    if (journal_file.reader_open(machine->journal, &options, &reader, &machine->error) != OK)
        return position;
    do {
        if (journal_read(reader, 1u << 20, &batch, &machine->error) != OK)
            break;
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

enum status machine_mark(struct machine *machine, uint64_t position)
{
    struct journal_mark mark = { "store", JOURNAL_ALL_PARTITIONS, position, { "", 0 } };
    struct journal_commit commit = { .marks = &mark, .mark_count = 1 };
    return commit_and_wait(machine, &commit);
}
