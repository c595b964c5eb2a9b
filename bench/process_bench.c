/* How many events a second one processing task takes on one core: decode, validate, deduplicate, write, commit, over
 * the memory journal, so that the disk counts for nothing but the task's own files. Time is the processor's
 * time of the task's steps, the kernel's part included; filling the journal and the journal's own step are not in it.
 * --json prints what bench/run reads.
 *
 * usage: process_bench [--json | --] [MILLIONS [CONFIG]]   CONFIG: a directory with domains/; none: no domains */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/metrics.h"
#include "config/domain.h"
#include "config/problems.h"
#include "event/event.h"
#include "process/process_task.h"
#include "process/state/kv.h"
#include "world/disk.h"
#include "world/world.h"

#define EVENTS_AT_A_TIME 100000
#define EVENTS_A_COMMIT 1000
#define FRAME_BYTES 4

struct bench {
    struct world *world;
    struct journal *journal;
    struct role journal_role, task_role;
    struct process_task *task;
    char *bytes;
    int64_t busy_us;
    uint64_t next_id;
};

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    if (status != OK) {
        fprintf(stderr, "process_bench: %s\n", reason);
        exit(1);
    }
    *(bool *)commit->context = true;
}

/* 300 bytes of record each. */
static size_t make_events(struct bench *bench, bool repeat)
{
    static char properties[256];
    char id[40], visitor[24];
    char *at = bench->bytes;
    int64_t now_us = world_wall_us(bench->world);
    memset(properties, ' ', sizeof properties);
    for (size_t i = 0; i < EVENTS_A_COMMIT; i++) {
        uint64_t number = repeat ? i : bench->next_id++;
        snprintf(id, sizeof id, "0190a5c0-7b3e-7c4d-%016llx", (unsigned long long)number);
        snprintf(visitor, sizeof visitor, "visitor-%llu", (unsigned long long)(number % 10007));
        struct event event = { .customer_id = SLICE("demo_tenant"),
                               .visitor_id = slice_from(visitor),
                               .event_id = slice_from(id),
                               .event_type = SLICE("page_view"),
                               .event_name = SLICE("Home"),
                               .properties = SLICE("{\"page\":\"/\"}"),
                               .context = SLICE("{}"),
                               .timestamp_ms = now_us / 1000,
                               .received_ms = now_us / 1000,
                               .ingested_us = now_us };
        event.properties = slice_of(properties, 300 - (event_encoded_size(&event) - event.properties.n));
        uint32_t n = (uint32_t)event_encoded_size(&event);
        memcpy(at, &n, FRAME_BYTES);
        event_encode(&event, at + FRAME_BYTES);
        at += FRAME_BYTES + n;
    }
    return (size_t)(at - bench->bytes);
}

static void fill(struct bench *bench)
{
    int64_t wake_us;
    for (size_t i = 0; i < EVENTS_AT_A_TIME; i += EVENTS_A_COMMIT) {
        bool done = false;
        struct journal_chunk chunk = { .topic = TOPIC_EVENTS,
                                       .records = EVENTS_A_COMMIT,
                                       .bytes = slice_of(bench->bytes, make_events(bench, false)) };
        struct journal_commit commit = { .chunks = &chunk, .chunk_count = 1, .done = on_done, .context = &done };
        if (journal_submit(bench->journal, &commit, NULL) != OK)
            abort();
        while (!done)
            bench->journal_role.step(bench->journal_role.self, bench->world, &wake_us);
    }
}

static int64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Until the task has nothing to do; only its own steps are timed. */
static void work_off(struct bench *bench)
{
    int64_t wake_us;
    for (int idle = 0; idle < 3;) {
        int64_t start_us = cpu_us();
        bool worked = bench->task_role.step(bench->task_role.self, bench->world, &wake_us);
        bench->busy_us += cpu_us() - start_us;
        bench->journal_role.step(bench->journal_role.self, bench->world, &wake_us);
        idle = worked ? 0 : idle + 1;
    }
    if (process_task_state(bench->task) == PROCESS_FAILED) {
        fprintf(stderr, "process_bench: %s\n", process_task_error(bench->task));
        exit(1);
    }
}

static double rate(struct bench *bench, uint64_t events)
{
    bench->busy_us = 0;
    for (uint64_t i = 0; i < events; i += EVENTS_AT_A_TIME) {
        fill(bench);
        work_off(bench);
    }
    return (double)events * 1e6 / (double)bench->busy_us;
}

static void stop(struct bench *bench)
{
    int64_t wake_us;
    process_task_stop(bench->task);
    while (!process_task_is_finished(bench->task)) {
        bench->task_role.step(bench->task_role.self, bench->world, &wake_us);
        bench->journal_role.step(bench->journal_role.self, bench->world, &wake_us);
    }
    process_task_free(bench->task);
    bench->journal->backend->close(bench->journal);
    free(bench->bytes);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

static bool load_domains(const char *config, struct domain_set **out)
{
    AUTO(problems) struct problems problems;
    struct error err;
    problems_init(&problems, false);
    if (domain_set_load(config, world_real(), out, &problems, &err) == OK)
        return true;
    fprintf(stderr, "%sprocess_bench: %s\n", problems_text(&problems), err.text);
    return false;
}

int main(int argc, char **argv)
{
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    uint64_t millions = argc > 2 ? strtoull(argv[2], NULL, 10) : 20;
    char dir[] = "/tmp/weir-process-bench-XXXXXX";
    if (!mkdtemp(dir))
        return 1;
    struct bench bench = { .world = world_real(), .bytes = malloc(EVENTS_A_COMMIT * 512) };
    struct metrics *metrics = metrics_new(1000);
    struct journal_options journal_options = { .path = dir,
                                               .partitions = 1,
                                               .segment_bytes = 16u << 20,
                                               .retention_bytes = 64u << 20,
                                               .queue_bytes_max = 64u << 20 };
    struct kv_pool *pool = kv_pool_new(&(struct kv_pool_options){ .maps = 1 });
    struct process_options options = {
        .state_path = dir, .checkpoint_interval_ms = 1000, .kv = &kv_rocksdb, .kv_pool = pool
    };
    struct domain_set *domains = NULL;
    if (argc > 3 && !load_domains(argv[3], &domains))
        return 1;
    options.domains = domains;
    log_set_level(LOG_WARN);
    if (!bench.bytes || journal_memory.open(&journal_options, bench.world, metrics, &bench.journal, NULL) != OK)
        return 1;
    bench.journal->backend->roles(bench.journal, &bench.journal_role);
    bench.task = process_task_new(&options, bench.journal, 0, metrics, NULL, bench.world);
    bench.task_role = process_task_role(bench.task);
    work_off(&bench);
    (void)rate(&bench, 900000);
    double at_1m = rate(&bench, 200000);
    (void)rate(&bench, (millions - 1) * 1000000 - 200000);
    double at_20m = rate(&bench, 500000);
    stop(&bench);
    domain_set_free(domains);
    kv_pool_free(pool);
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    metrics_free(metrics);
    if (json) {
        printf("[{\"what\":\"process, 300 B, 1 M ids seen\",\"value\":%.0f,\"unit\":\"events/s per "
               "core\",\"beside\":\"aim "
               "1,000,000\",\"ratio\":%.2f},{\"what\":\"process, 300 B, %llu M ids seen\",\"value\":%.0f,\"unit\":"
               "\"events/s per core\",\"beside\":\"aim 1,000,000\",\"ratio\":%.2f}]\n",
               at_1m, at_1m / 1e6, (unsigned long long)millions, at_20m, at_20m / 1e6);
    } else {
        printf("events/s per core, 300 B: %.0f with 1 M ids seen, %.0f with %llu M\n", at_1m, at_20m,
               (unsigned long long)millions);
    }
    return 0;
}
