/* The processes of stream_bench: one that writes the events, one that runs the task, and what they share. Only
 * stream_bench.c includes this. */
#pragma once
#include <assert.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/role.h"
#include "bench/bench_domain.h"
#include "bench/stream_events.h"
#include "journal/journal.h"
#include "process/process_task.h"
#include "process/state/kv.h"
#include "world/disk.h"
#include "world/world.h"

#define WRITE_AT_ONCE 4000 /* events in a commit */
#define COMMITS_MAX 4      /* under way */

struct stream_options {
    const struct stream_case *of;
    const char *dir;
    uint64_t memory_mib;     /* of the state; 0: an eighth of the machine, as weir up has it */
    uint64_t checkpoint_mib; /* of changes before a checkpoint; 0: the default */
    int64_t base_ms;         /* of event time: the start of a day */
};

struct stream_report {
    uint64_t events, results;
    double start_s;                 /* from opening to running: restoring included */
    double wall_s, cpu_s;           /* from running until the last event was committed */
    double half_wall_s, half_cpu_s; /* of these, the second half of the events */
    double results_cpu_s;           /* from then until all results were written */
    double first_result_s;          /* from opening until a result that was not there
                                       before */
    double memory_mib;              /* resident, at most */
};

static void must(enum status s, const struct error *err, const char *what)
{
    if (s == OK)
        return;
    fprintf(stderr, "stream_bench: %s: %s\n", what, err->text);
    exit(1);
}

static double wall_s(void)
{
    return (double)world_mono_us(world_real()) / 1e6;
}

/* Of the whole process. */
static double cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Since the process began. */
static double memory_mib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

/* ---- a journal with its threads ---- */

struct stream_journal {
    struct journal *journal;
    struct metrics *metrics;
    struct role roles[2];
    struct role_thread *threads[2];
    size_t count;
};

static void stream_journal_open(struct stream_journal *of, const char *dir)
{
    struct error err;
    static char path[DISK_PATH_MAX];
    snprintf(path, sizeof path, "%s/journal", dir);
    const struct journal_options options = {
        .path = path, .partitions = 1, .segment_bytes = 64u << 20, .queue_bytes_max = 64u << 20
    };
    of->metrics = metrics_new(2000);
    must(journal_file.open(&options, world_real(), of->metrics, &of->journal, &err), &err, "open the journal");
    of->count = of->journal->backend->roles(of->journal, of->roles);
    for (size_t i = 0; i < of->count; i++)
        must(role_start(&of->roles[i], world_real(), &of->threads[i], &err), &err, "start the journal");
}

static void stream_journal_close(struct stream_journal *of)
{
    of->journal->backend->drain(of->journal);
    for (size_t i = 0; i < of->count; i++)
        role_stop(of->threads[i]);
    of->journal->backend->close(of->journal);
    metrics_free(of->metrics);
}

/* ---- writing events ---- */

struct stream_commit {
    struct journal_commit commit;
    struct journal_chunk chunk;
    char *bytes;
    _Atomic bool busy;
};

struct stream_writer {
    struct journal *journal;
    struct stream_template template;
    struct stream_commit commits[COMMITS_MAX];
    size_t next;
};

static void on_written(struct journal_commit *commit, enum status status, const char *reason)
{
    struct stream_commit *of = commit->context;
    if (status != OK) {
        fprintf(stderr, "stream_bench: writing events: %s\n", reason);
        exit(1);
    }
    atomic_store(&of->busy, false);
}

static void writer_init(struct stream_writer *writer, struct journal *journal, int64_t base_ms)
{
    writer->journal = journal;
    template_make(&writer->template, base_ms, world_wall_us(world_real()));
    for (size_t i = 0; i < COMMITS_MAX; i++) {
        writer->commits[i].bytes = malloc(WRITE_AT_ONCE * (writer->template.n + 4));
        if (!writer->commits[i].bytes)
            abort();
    }
}

/* A commit whose bytes may be filled. */
static struct stream_commit *writer_next(struct stream_writer *writer)
{
    struct stream_commit *commit = &writer->commits[writer->next++ % COMMITS_MAX];
    while (atomic_load(&commit->busy))
        usleep(50);
    return commit;
}

static void writer_submit(struct stream_writer *writer, struct stream_commit *commit, size_t bytes, uint32_t records)
{
    struct error err;
    commit->chunk = (struct journal_chunk){ .topic = TOPIC_EVENTS, .records = records };
    commit->chunk.bytes = slice_of(commit->bytes, bytes);
    commit->commit = (struct journal_commit){ .chunks = &commit->chunk, .chunk_count = 1 };
    commit->commit.done = on_written;
    commit->commit.context = commit;
    atomic_store(&commit->busy, true);
    must(journal_submit(writer->journal, &commit->commit, &err), &err, "write events");
}

static void writer_done(struct stream_writer *writer)
{
    for (size_t i = 0; i < COMMITS_MAX; i++) {
        while (atomic_load(&writer->commits[i].busy))
            usleep(50);
        free(writer->commits[i].bytes);
    }
}

/* Events [from, to) of the case. */
static void write_events(struct stream_writer *writer, const struct stream_case *of, uint64_t from, uint64_t to)
{
    struct stream_event event;
    while (from < to) {
        struct stream_commit *commit = writer_next(writer);
        uint32_t records = 0;
        size_t bytes = 0;
        for (; records < WRITE_AT_ONCE && from < to; records++, from++) {
            of->make(of, from, &event);
            bytes += template_put(&writer->template, &event, from, commit->bytes + bytes);
        }
        writer_submit(writer, commit, bytes, records);
    }
}

/* An event behind all windows, so that the watermark passes them. */
static void write_closing(struct stream_writer *writer, uint64_t number)
{
    const struct stream_event event = { .offset_ms = DAY_MS + DAY_MS / 2 };
    struct stream_commit *commit = writer_next(writer);
    writer_submit(writer, commit, template_put(&writer->template, &event, number, commit->bytes), 1);
}

static void generate(const struct stream_options *options)
{
    static struct stream_journal journal;
    static struct stream_writer writer;
    stream_journal_open(&journal, options->dir);
    writer_init(&writer, journal.journal, options->base_ms);
    write_events(&writer, options->of, 0, options->of->events);
    write_closing(&writer, options->of->events);
    writer_done(&writer);
    stream_journal_close(&journal);
}

/* ---- running the task ---- */

struct stream_task {
    struct stream_journal journal;
    struct domain_set *domains;
    struct kv_pool *pool;
    struct process_task *task;
    struct role role;
    struct role_thread *thread;
};

/* The table that `lookup` asks: each item is its own name, so that results are the same as without. */
static void write_items(const struct stream_options *options)
{
    struct error err;
    static char path[DISK_PATH_MAX];
    snprintf(path, sizeof path, "%s/config/domains", options->dir);
    must(disk_make_dirs(world_real()->disk, path, &err), &err, "make the domain's folder");
    snprintf(path, sizeof path, "%s/config/domains/items.csv", options->dir);
    FILE *to = fopen(path, "w");
    bool fine = to && fputs("item,name\n", to) >= 0;
    for (uint64_t i = 0; fine && i < options->of->keys; i++)
        fine = fprintf(to, "i%0*d,i%0*d\n", DIGITS, (int)i, DIGITS, (int)i) > 0;
    if ((to && fclose(to) != 0) || !fine) {
        perror(path);
        exit(1);
    }
}

static void stream_task_start(struct stream_task *of, const struct stream_options *options)
{
    struct error err;
    static char path[DISK_PATH_MAX];
    char domain[2048];
    snprintf(path, sizeof path, "%s/state", options->dir);
    int n = snprintf(domain, sizeof domain, "domain: bench\ntime: {out_of_orderness: 1s}\n%s", options->of->domain);
    assert((size_t)n < sizeof domain);
    if (options->of->has_table)
        write_items(options);
    must(bench_domain_load(options->dir, domain, &of->domains, &err), &err, "load the windows");
    stream_journal_open(&of->journal, options->dir);
    const struct kv_pool_options pool = { .maps = 1 };
    of->pool = kv_pool_new(&pool);
    const struct process_options process = { .state_path = path,
                                             .domains = of->domains,
                                             .kv = &kv_rocksdb,
                                             .kv_pool = of->pool,
                                             .state_memory_bytes_max = options->memory_mib ? options->memory_mib << 20
                                                                                           : world_memory_bytes() / 8,
                                             .checkpoint_bytes = options->checkpoint_mib << 20 };
    of->task = process_task_new(&process, of->journal.journal, 0, of->journal.metrics, NULL, world_real());
    of->role = process_task_role(of->task);
    must(role_start(&of->role, world_real(), &of->thread, &err), &err, "start the task");
}

static void stream_task_look(const struct stream_task *of)
{
    if (process_task_state(of->task) != PROCESS_FAILED)
        return;
    fprintf(stderr, "stream_bench: %s\n", process_task_error(of->task));
    exit(1);
}

static void stream_task_stop(struct stream_task *of)
{
    process_task_stop(of->task);
    while (!process_task_is_finished(of->task)) {
        stream_task_look(of);
        usleep(1000);
    }
    role_stop(of->thread);
    process_task_free(of->task);
    kv_pool_free(of->pool);
    stream_journal_close(&of->journal);
    domain_set_free(of->domains);
}

static uint64_t durable_records(const struct stream_task *of, enum journal_topic topic)
{
    return of->journal.journal->backend->end_offset(of->journal.journal, topic, 0);
}

#define LOOK_US 5000

/* Until `events` have been committed in all; fills in what happened on the way. */
static void run_events(struct stream_task *of, uint64_t events, struct stream_report *report, int progress_fd)
{
    double begun_s = wall_s(), begun_cpu_s = cpu_s(), half_wall_s = 0, half_cpu_s = 0;
    uint64_t first = durable_records(of, TOPIC_ENRICHED), done = first;
    while (done < events) {
        usleep(LOOK_US);
        stream_task_look(of);
        done = durable_records(of, TOPIC_ENRICHED);
        if (!half_wall_s && done - first >= (events - first) / 2) {
            half_wall_s = wall_s();
            half_cpu_s = cpu_s();
        }
        if (progress_fd >= 0 && write(progress_fd, &done, sizeof done) != sizeof done)
            exit(1);
    }
    report->events = events - first;
    report->wall_s = wall_s() - begun_s;
    report->cpu_s = cpu_s() - begun_cpu_s;
    report->half_wall_s = wall_s() - half_wall_s;
    report->half_cpu_s = cpu_s() - half_cpu_s;
}

/* Until nothing more comes out for so long. */
static void run_results(struct stream_task *of, enum journal_topic topic, double quiet_s)
{
    uint64_t results = durable_records(of, topic);
    for (double since_s = wall_s(); wall_s() - since_s < quiet_s;) {
        usleep(LOOK_US);
        stream_task_look(of);
        if (durable_records(of, topic) == results)
            continue;
        results = durable_records(of, topic);
        since_s = wall_s();
    }
}

static void run(const struct stream_options *options, struct stream_report *report, int progress_fd)
{
    static struct stream_task task;
    double opened_s = wall_s();
    stream_task_start(&task, options);
    uint64_t results = durable_records(&task, result_topic(options->of));
    while (!process_task_is_ready(task.task)) {
        stream_task_look(&task);
        usleep(1000);
    }
    report->start_s = wall_s() - opened_s;
    while (options->of->updates && durable_records(&task, result_topic(options->of)) == results) {
        stream_task_look(&task);
        usleep(1000);
    }
    report->first_result_s = wall_s() - opened_s;
    run_events(&task, options->of->events + 1, report, progress_fd);
    double end_cpu_s = cpu_s();
    run_results(&task, result_topic(options->of), options->of->quiet_s);
    report->results_cpu_s = cpu_s() - end_cpu_s;
    report->results = durable_records(&task, result_topic(options->of));
    report->memory_mib = memory_mib();
    stream_task_stop(&task);
}
