/* What the journal makes durable per second, beside what the disk itself does in the same run.
 * usage: journal_bench [--json] [DIR [SECONDS]]   --json: 4 alone, for bench/run. DIR: on the disk to measure (default:
 * build/journal-bench); SECONDS per line. 1  ceiling: pwrite + fdatasync of the same bytes into a zero-filled file, one
 * thread, nothing else. 2  one producer, one commit under way: 1, 10, 100, 1000 records of 300 bytes in each. 3  group
 * commit: N producers, one commit of one record each under way. 4  8 producers: one record a commit and one commit a
 * flush (no batching); one record a commit, flushed together; 32 KB a commit, or what 10 ms bring, flushed together. 5
 * six readers following while commits of 30 KB are appended, by topic (4 of 6 want nothing of it). Rates are of records
 * made durable; the ratio is to the ceiling with the same bytes per flush. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/role.h"
#include "journal/journal.h"
#include "world/disk.h"
#include "world/world.h"

#define RECORD 300
#define PRODUCERS_MAX 64

static const char *dir = "build/journal-bench";
static double seconds = 1.0;
static struct world *world;

static double now_s(void)
{
    return (double)world_mono_us(world) / 1e6;
}

static void must(enum status s, const struct error *err)
{
    if (s == OK)
        return;
    fprintf(stderr, "journal_bench: %s\n", err->text);
    exit(1);
}

static char *make_records(uint32_t records)
{
    char *bytes = malloc((size_t)records * (4 + RECORD));
    uint32_t n = RECORD;
    if (!bytes)
        abort();
    for (uint32_t i = 0; i < records; i++) {
        memcpy(bytes + (size_t)i * (4 + RECORD), &n, 4);
        for (uint32_t at = 0; at < RECORD; at++)
            bytes[(size_t)i * (4 + RECORD) + 4 + at] = (char)('a' + (i + at) % 26);
    }
    return bytes;
}

/* The disk alone: flushes of `bytes` each into a file that is zero-filled once, for a slice of time. */
#define CEILING_BYTES (64u << 20)
static struct disk_file *ceiling_file;
static char *ceiling_bytes;

static void ceiling_open(void)
{
    struct error err;
    char path[DISK_PATH_MAX];
    ceiling_bytes = calloc(1, CEILING_BYTES);
    snprintf(path, sizeof path, "%s/ceiling", dir);
    must(world->disk->ops->open(world->disk, path, DISK_CREATE, &ceiling_file, &err), &err);
    must(ceiling_file->ops->write(ceiling_file, &(struct iovec){ ceiling_bytes, CEILING_BYTES }, 1, 0, &err), &err);
    must(ceiling_file->ops->sync(ceiling_file, &err), &err);
    must(world->disk->ops->remove(world->disk, path, &err), &err);
    memset(ceiling_bytes, 'x', CEILING_BYTES);
}

static double ceiling(size_t bytes, double slice_s)
{
    static uint64_t at;
    struct error err;
    double begin = now_s(), end = begin + slice_s;
    uint64_t flushes = 0;
    for (; now_s() < end; flushes++, at += bytes) {
        at = at + bytes > CEILING_BYTES ? 0 : at;
        must(ceiling_file->ops->write(ceiling_file, &(struct iovec){ ceiling_bytes, bytes }, 1, at, &err), &err);
        must(ceiling_file->ops->sync(ceiling_file, &err), &err);
    }
    return (double)flushes / (now_s() - begin);
}

struct running {
    struct journal *journal;
    struct role_thread *threads[2];
    size_t roles;
};

static void start(struct running *running, uint32_t commit_bytes_max)
{
    char path[DISK_PATH_MAX];
    struct error err;
    struct role roles[2];
    struct journal_options options = { .path = path,
                                       .partitions = 16,
                                       .segment_bytes = 64u << 20,
                                       .retention_bytes = 256u << 20,
                                       .queue_bytes_max = 256u << 20,
                                       .commit_bytes_max = commit_bytes_max };
    snprintf(path, sizeof path, "%s/journal", dir);
    must(journal_file.open(&options, world, NULL, &running->journal, &err), &err);
    running->roles = journal_file.roles(running->journal, roles);
    for (size_t i = 0; i < running->roles; i++)
        must(role_start(&roles[i], world, &running->threads[i], &err), &err);
}

static void stop(struct running *running)
{
    journal_file.drain(running->journal);
    for (size_t i = 0; i < running->roles; i++)
        role_stop(running->threads[i]);
    journal_file.close(running->journal);
}

struct producer {
    struct running *running;
    pthread_t thread;
    uint32_t records;
    uint16_t partition;
    double end, pause_s;
    _Atomic uint64_t sent;
    struct bell *bell;
    char *bytes;
};

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    struct producer *producer = commit->context;
    if (status != OK) {
        fprintf(stderr, "journal_bench: %s\n", reason);
        exit(1);
    }
    bell_ring(producer->bell);
}

static void *produce(void *argument)
{
    struct producer *producer = argument;
    struct journal_chunk chunk = { .topic = TOPIC_EVENTS,
                                   .partition = producer->partition,
                                   .records = producer->records,
                                   .bytes = { producer->bytes, (size_t)producer->records * (4 + RECORD) } };
    struct journal_commit commit = { .chunks = &chunk, .chunk_count = 1, .done = on_done, .context = producer };
    struct error err;
    double next = now_s();
    while (now_s() < producer->end) {
        must(journal_submit(producer->running->journal, &commit, &err), &err);
        while (!bell_wait(producer->bell, -1))
            ;
        atomic_fetch_add(&producer->sent, producer->records);
        next += producer->pause_s;
        while (producer->pause_s > 0 && now_s() < next && now_s() < producer->end)
            bell_wait(producer->bell, 200);
    }
    return NULL;
}

/* Records per second. */
static double produced_for(struct running *running, double slice_s, int producers, uint32_t records, double rate_max)
{
    static struct producer all[PRODUCERS_MAX];
    char *bytes = make_records(records);
    double begin = now_s();
    for (int i = 0; i < producers; i++) {
        all[i] = (struct producer){ .running = running,
                                    .records = records,
                                    .partition = (uint16_t)(i % 16),
                                    .end = begin + slice_s,
                                    .pause_s = rate_max > 0 ? records * producers / rate_max : 0,
                                    .bell = bell_new(),
                                    .bytes = bytes };
        if (pthread_create(&all[i].thread, NULL, produce, &all[i]) != 0)
            abort();
    }
    uint64_t sent = 0;
    for (int i = 0; i < producers; i++) {
        pthread_join(all[i].thread, NULL);
        sent += all[i].sent;
        bell_free(all[i].bell);
    }
    free(bytes);
    return (double)sent / (now_s() - begin);
}

static double produced(struct running *running, int producers, uint32_t records, double rate_max)
{
    return produced_for(running, seconds, producers, records, rate_max);
}

static void print_row(const char *what, double records, double ceiling_records)
{
    printf("%-52s %10.0f records/s %8.1f MB/s", what, records, records * RECORD / 1e6);
    if (ceiling_records > 0)
        printf("   ceiling %10.0f, ratio %.2f", ceiling_records, records / ceiling_records);
    printf("\n");
    fflush(stdout);
}

static void bench_sizes(void)
{
    static const uint32_t SIZES[] = { 1, 10, 100, 1000 };
    struct running running;
    char what[64];
    start(&running, 0);
    produced(&running, 1, 1000, 0); /* the first segments, filled with zeros, are made here */
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        /* In slices by turns, so that a disk shared with others is equally unkind to both. */
        double most = 0, rate = 0;
        for (int slice = 0; slice < 10; slice++) {
            most += ceiling(SIZES[i] * (4 + RECORD) + 88, seconds / 10) * SIZES[i] / 10;
            rate += produced_for(&running, seconds / 10, 1, SIZES[i], 0) / 10;
        }
        snprintf(what, sizeof what, "one producer, %u records a commit", SIZES[i]);
        print_row(what, rate, most);
    }
    for (int producers = 4; producers <= PRODUCERS_MAX; producers *= 4) {
        snprintf(what, sizeof what, "%d producers, 1 record a commit", producers);
        print_row(what, produced(&running, producers, 1, 0), 0);
    }
    for (int producers = 2; producers <= 8; producers *= 2) {
        snprintf(what, sizeof what, "%d producers, 1000 records a commit", producers);
        print_row(what, produced(&running, producers, 1000, 0), 0);
    }
    stop(&running);
}

/* A producer that is never short of records fills 32 KB long before 10 ms are over, so those bound nothing here. */
static void bench_batching(bool json)
{
    static const char *const WHAT[] = { "8 producers, no batching (a record a flush)",
                                        "8 producers, a record a commit, flushed together",
                                        "8 producers, batches of 32 KB / 10 ms" };
    static const uint32_t RECORDS[] = { 1, 1, (32u << 10) / RECORD }, FLUSH_BYTES[] = { 1, 0, 0 };
    double rates[3];
    for (size_t i = 0; i < COUNT_OF(rates); i++) {
        struct running running;
        start(&running, FLUSH_BYTES[i]);
        rates[i] = produced(&running, 8, RECORDS[i], 0);
        stop(&running);
        if (!json)
            print_row(WHAT[i], rates[i], 0);
        else
            printf("%s{\"what\":\"%s\",\"value\":%.0f,\"unit\":\"records/s\",\"beside\":\"%s\",\"ratio\":\"%.1f "
                   "times\"}%s\n",
                   i ? "," : "[", WHAT[i], rates[i], i ? "the sources claim 9.5 times" : "", rates[i] / rates[0],
                   i == 2 ? "]" : "");
    }
    if (!json)
        printf("%-52s %10.1f times (the sources claim 9.5)\n", "batching on against none", rates[2] / rates[0]);
}

struct tail {
    struct running *running;
    pthread_t thread;
    uint32_t topics;
    _Atomic bool stopping;
    struct bell *bell;
    uint64_t records;
    double cpu_s;
};

static void *follow(void *argument)
{
    struct tail *tail = argument;
    struct journal_status status;
    struct journal_reader *reader;
    struct error err;
    tail->running->journal->backend->status(tail->running->journal, &status);
    struct journal_read_options options = { tail->topics, JOURNAL_ALL_PARTITIONS, status.end_position,
                                            bell_waker(tail->bell) };
    must(journal_file.reader_open(tail->running->journal, &options, &reader, &err), &err);
    while (!atomic_load(&tail->stopping)) {
        struct journal_batch batch;
        must(journal_read(reader, 1 << 20, &batch, &err), &err);
        tail->records += batch.records;
        if (batch.chunk_count == 0)
            bell_wait(tail->bell, 10000);
    }
    journal_file.reader_close(reader);
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    tail->cpu_s = (double)used.tv_sec + (double)used.tv_nsec / 1e9;
    return NULL;
}

static void bench_tails(uint32_t topics_of_first_two, const char *what)
{
    struct running running;
    struct tail tails[6];
    double cpu = 0;
    uint64_t read = 0;
    start(&running, 0);
    produced(&running, 1, 100, 0);
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        tails[i] = (struct tail){ .running = &running,
                                  .topics = i < 2 ? topics_of_first_two : TOPIC_BIT(TOPIC_WEBHOOKS),
                                  .bell = bell_new() };
        if (pthread_create(&tails[i].thread, NULL, follow, &tails[i]) != 0)
            abort();
    }
    double rate = produced(&running, 4, 100, 1e6);
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        atomic_store(&tails[i].stopping, true);
        bell_ring(tails[i].bell);
        pthread_join(tails[i].thread, NULL);
        bell_free(tails[i].bell);
        cpu += tails[i].cpu_s;
        read += tails[i].records;
    }
    stop(&running);
    printf("%-52s %10.0f records/s %8.1f MB/s   six readers: %.0f %% of a core, %.0f MB/s read\n", what, rate,
           rate * RECORD / 1e6, cpu / seconds * 100, (double)read * RECORD / seconds / 1e6);
}

int main(int argc, char **argv)
{
    struct error err;
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    argc -= json, argv += json;
    dir = argc > 1 ? argv[1] : dir;
    seconds = argc > 2 ? atof(argv[2]) : seconds;
    world = world_real();
    must(disk_make_dirs(world->disk, dir, &err), &err);
    ceiling_open();
    if (json) {
        bench_batching(true);
        return 0;
    }
    bench_sizes();
    bench_batching(false);
    bench_tails(TOPIC_BIT(TOPIC_EVENTS), "appends with six readers, two of all, four of nothing");
    bench_tails(TOPIC_BIT(TOPIC_WEBHOOKS), "appends with six readers, all of nothing");
    return 0;
}
