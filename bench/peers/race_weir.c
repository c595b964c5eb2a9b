/* weir's side of the race: the tasks that `weir up` runs, over the Kafka journal, with a topic of JSON in the place of
 * accepted events. One process reads, parses, joins, counts and commits exactly once; prints what it cost.
 *
 * usage: race_weir --workload W --brokers B --topic T --prefix P --dir DIR [--seed S] [--partitions N] [--results N]
 *                  [--memory MIB] [--disorder MS] [--ids] [--enriched] [--live]
 *        race_weir --workload W --brokers B --topic T --only fetch|parse
 *
 * --only: one thread reads the messages and lets them go, or makes records of them too: what the client and the parser
 * leave for the rest.
 * --results: how many results of windows are awaited before the end; --ids: repeats are looked for, --enriched:
 * accepted events are handed on too, both as `weir up` does; --live: the topic has no end, works until it is ended.
 * From the first event read until all events are committed and all results written: wall and CPU time of the process,
 * all threads. BROKER_PID in the environment: the broker's CPU time beside it. */
#include <getopt.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/role.h"
#include "bench/bench_domain.h"
#include "bench/peers/race_journal.h"
#include "process/process_task.h"
#include "process/state/kv.h"
#include "world/disk.h"

#define LOOK_US 2000
#define LIMIT_S 600
#define CLOCK_WINDOW_S 10
#define ADS_FILE "ads.csv"
/* A transaction costs the broker the same for one event as for thousands. */
#define COMMIT_EVENTS_MAX 65536
#define COMMIT_BYTES_MAX (6u << 20)

struct race_options {
    const struct race_workload *workload;
    const char *brokers, *topic, *prefix, *dir, *only;
    uint64_t seed, partitions, results, memory_mib, disorder_ms;
    bool with_enriched, with_ids, live;
};

struct race_instant {
    double wall_s, cpu_s, broker_s;
};

struct race_tasks {
    struct race_journal journal;
    struct metrics *metrics;
    struct domain_set *domains;
    struct kv_pool *pool;
    struct role roles[2], task_roles[PARTITIONS_MAX];
    struct role_thread *threads[2], *task_threads[PARTITIONS_MAX];
    struct process_task *tasks[PARTITIONS_MAX];
    size_t role_count, task_count;
};

static struct race_instant first_instant;

static void must(enum status s, const struct error *err, const char *what)
{
    if (s != OK)
        fail(what, err->text);
}

/* ---- what it costs ---- */

/* User and system time of another process, in seconds; 0 when nobody asked. */
static double broker_s(void)
{
    char path[64], text[1024];
    const char *pid = getenv("BROKER_PID");
    unsigned long long user = 0, kernel = 0;
    if (!pid)
        return 0;
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    const char *fields = strrchr(text, ')');
    if (fields)
        (void)sscanf(fields + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &kernel);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static struct race_instant now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    return (struct race_instant){ (double)world_mono_us(world_real()) / 1e6, cpu_s, broker_s() };
}

static void on_first(void)
{
    first_instant = now();
}

static void report(const struct race_instant *half, uint64_t half_events, uint64_t events,
                   const struct race_instant *last, uint64_t commits)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf(
        "{\"events\":%llu,\"wall_s\":%.3f,\"cpu_s\":%.3f,\"warm_events\":%llu,\"warm_wall_s\":%.3f,\"warm_cpu_s\":%.3f,"
        "\"broker_cpu_s\":%.2f,\"memory_mib\":%ld,\"commits\":%llu}\n",
        (unsigned long long)events, last->wall_s - first_instant.wall_s, last->cpu_s - first_instant.cpu_s,
        (unsigned long long)(events - half_events), last->wall_s - half->wall_s, last->cpu_s - half->cpu_s,
        last->broker_s - first_instant.broker_s, usage.ru_maxrss / 1024, (unsigned long long)commits);
}

/* ---- tasks ---- */

/* What a workload counts, in weir's own language. */
static const char *domain_of(const struct race_workload *workload)
{
    switch (workload->query) {
    case RACE_NONE:
        return workload->by_campaign
                   ? "dimension_tables:\n- {name: ads, from: {csv: " ADS_FILE
                     "}, key: ad, columns: {ad: text, campaign: text}}\n"
                     "windows:\n- {name: race, size: 10s, emit: close, by: [{campaign: \"lookup('ads', "
                     "properties.ad_id, "
                     "'campaign')\"}], where: event_type == 'view', measures: {n: count()}}\n"
                   : "windows:\n- {name: race, size: 10s, emit: close, by: [visitor_id], where: event_type != "
                     "'closing', measures: {n: count()}}\n";
    case RACE_Q0:
        return "";
    case RACE_Q1:
        return "transforms:\n- {name: euros, where: event_type == 'bid', set: {properties.price_eur: "
               "int(properties.price * 0.908)}}\n";
    case RACE_Q5:
        return "windows:\n- {name: q5, kind: sliding, size: 10s, slide: 2s, emit: close, by: [{auction: "
               "properties.auction}], where: event_type == 'bid', measures: {n: count()}}\n";
    case RACE_Q7:
        return "windows:\n- {name: q7, size: 10s, emit: close, where: event_type == 'bid', measures: {n: "
               "max(properties.price)}}\n";
    case RACE_Q11:
        return "windows:\n- {name: q11, kind: session, gap: 10s, emit: close, by: [visitor_id], where: event_type == "
               "'bid', measures: {n: count()}}\n";
    case RACE_Q12:
        return "windows:\n- {name: q12, size: 10s, time: processing, emit: close, by: [visitor_id], where: event_type "
               "== 'bid', measures: {n: count()}}\n";
    case RACE_Q18:
        return "windows:\n- {name: q18, size: 1d, emit: close, by: [visitor_id, {auction: properties.auction}], "
               "where: event_type == 'bid', measures: {n: last(properties.price)}}\n";
    }
    return "";
}

/* Which campaign an ad is of, beside the domain's file. */
static void write_ads(const struct race_options *options)
{
    static struct race_names names;
    static char path[DISK_PATH_MAX], file[DISK_PATH_MAX + 16];
    struct error err;
    snprintf(path, sizeof path, "%s/config/domains", options->dir);
    must(disk_make_dirs(world_real()->disk, path, &err), &err, "write the ads");
    snprintf(file, sizeof file, "%s/" ADS_FILE, path);
    FILE *to = fopen(file, "w");
    if (!to)
        fail(file, "cannot be written");
    race_names_make(&names, options->seed);
    fputs("ad,campaign\n", to);
    for (unsigned i = 0; i < RACE_ADS; i++)
        fprintf(to, "%.*s,%.*s\n", RACE_ID_BYTES, names.ads[i], RACE_ID_BYTES, names.campaigns[race_campaign_of(i)]);
    if (fclose(to) != 0)
        fail(file, "cannot be written");
}

static struct domain_set *load_domain(const struct race_options *options)
{
    char text[1024];
    struct domain_set *domains = NULL;
    struct error err;
    write_ads(options);
    snprintf(text, sizeof text, "domain: race\ntime: {out_of_orderness: %llums}\nsessions: {enabled: false}\n%s",
             (unsigned long long)options->disorder_ms, domain_of(options->workload));
    must(bench_domain_load(options->dir, text, &domains, &err), &err, "load the window");
    return domains;
}

/* Results of these are the events themselves. */
static bool hands_events_on(const struct race_options *options)
{
    return options->with_enriched || options->workload->query == RACE_Q0 || options->workload->query == RACE_Q1;
}

static void open_journal(struct race_tasks *of, const struct race_options *options)
{
    struct error err;
    struct journal *inner;
    const struct journal_options open = { .partitions = (uint16_t)options->partitions,
                                          .queue_bytes_max = 64u << 20,
                                          .kafka = { .brokers = options->brokers,
                                                     .prefix = options->prefix,
                                                     .replication = 1,
                                                     .min_insync = 1,
                                                     .compression = "lz4",
                                                     .linger_ms = 10,
                                                     .batch_bytes = 32768 } };
    of->metrics = metrics_new(2000);
    must(journal_kafka.open(&open, world_real(), of->metrics, &inner, &err), &err, "open the journal");
    race_journal_init(&of->journal, inner);
    of->journal.brokers = options->brokers;
    of->journal.topic = options->topic;
    of->journal.workload = options->workload;
    of->journal.is_live = options->live;
    of->journal.on_first = on_first;
    of->role_count = inner->backend->roles(inner, of->roles);
    for (size_t i = 0; i < of->role_count; i++)
        must(role_start(&of->roles[i], world_real(), &of->threads[i], &err), &err, "start the journal");
}

static void start(struct race_tasks *of, const struct race_options *options)
{
    struct error err;
    static char path[DISK_PATH_MAX];
    snprintf(path, sizeof path, "%s/state", options->dir);
    of->domains = load_domain(options);
    open_journal(of, options);
    const struct kv_pool_options pool = { .maps = (uint16_t)options->partitions };
    of->pool = kv_pool_new(&pool);
    const uint64_t memory = options->memory_mib ? options->memory_mib << 20 : world_memory_bytes() / 8;
    const struct process_options process = { .state_path = path,
                                             .domains = of->domains,
                                             .kv = &kv_rocksdb,
                                             .kv_pool = of->pool,
                                             .state_memory_bytes_max = memory / options->partitions,
                                             .results_only = !hands_events_on(options),
                                             .ids_unique = !options->with_ids,
                                             .batch_records_max = COMMIT_EVENTS_MAX,
                                             .batch_bytes_max = COMMIT_BYTES_MAX };
    of->task_count = options->partitions;
    for (size_t i = 0; i < of->task_count; i++) {
        of->tasks[i] = process_task_new(&process, &of->journal.journal, (uint16_t)i, of->metrics, NULL, world_real());
        of->task_roles[i] = process_task_role(of->tasks[i]);
        must(role_start(&of->task_roles[i], world_real(), &of->task_threads[i], &err), &err, "start a task");
    }
}

static void look_at(const struct process_task *task)
{
    if (process_task_state(task) == PROCESS_FAILED)
        fail("a task", process_task_error(task));
}

static void look(const struct race_tasks *of)
{
    for (size_t i = 0; i < of->task_count; i++)
        look_at(of->tasks[i]);
}

static void stop(struct race_tasks *of)
{
    for (size_t i = 0; i < of->task_count; i++)
        process_task_stop(of->tasks[i]);
    for (size_t i = 0; i < of->task_count; i++) {
        while (!process_task_is_finished(of->tasks[i])) {
            look_at(of->tasks[i]);
            usleep(LOOK_US);
        }
        role_stop(of->task_threads[i]);
        process_task_free(of->tasks[i]);
    }
    kv_pool_free(of->pool);
    of->journal.inner->backend->drain(of->journal.inner);
    for (size_t i = 0; i < of->role_count; i++)
        role_stop(of->threads[i]);
    race_journal_done(&of->journal);
    of->journal.inner->backend->close(of->journal.inner);
    metrics_free(of->metrics);
    domain_set_free(of->domains);
}

/* How many events the topic holds. */
static uint64_t count_events(const struct race_options *options)
{
    uint64_t events = 0;
    rd_kafka_t *consumer = consumer_new(options->brokers);
    for (uint64_t i = 0; i < options->partitions; i++) {
        int64_t low, high;
        rd_kafka_resp_err_t code =
            rd_kafka_query_watermark_offsets(consumer, options->topic, (int32_t)i, &low, &high, RACE_WAIT_MS);
        if (code)
            fail(options->topic, rd_kafka_err2str(code));
        events += (uint64_t)high;
    }
    rd_kafka_destroy(consumer);
    return events;
}

/* Windows in processing time: how many results there will be is chance, so they are awaited until none has come for
 * as long as a window lasts and some more. The time of the last one is the end. */
static void await_clock(const struct race_tasks *of, struct race_instant *last)
{
    uint64_t seen = atomic_load(&of->journal.results);
    double quiet_s = world_mono_us(world_real()) / 1e6;
    *last = now();
    while (world_mono_us(world_real()) / 1e6 - quiet_s < CLOCK_WINDOW_S + 3) {
        usleep(LOOK_US);
        look(of);
        if (atomic_load(&of->journal.results) == seen)
            continue;
        seen = atomic_load(&of->journal.results);
        *last = now();
        quiet_s = last->wall_s;
    }
}

static void too_late(const struct race_tasks *of, const struct race_options *options, uint64_t events)
{
    fprintf(stderr, "race_weir: %llu of %llu events and %llu of %llu results after %d s\n",
            (unsigned long long)race_journal_read(&of->journal), (unsigned long long)events,
            (unsigned long long)atomic_load(&of->journal.results), (unsigned long long)options->results, LIMIT_S);
    exit(1);
}

static void run(const struct race_options *options)
{
    static struct race_tasks of;
    uint64_t events = count_events(options), half_events = 0;
    struct race_instant half = { 0 }, last;
    int64_t end_us = world_mono_us(world_real()) + LIMIT_S * 1000000ll;
    start(&of, options);
    while (options->live || race_journal_read(&of.journal) < events + options->partitions ||
           atomic_load(&of.journal.results) < options->results) {
        usleep(LOOK_US);
        look(&of);
        uint64_t done = race_journal_read(&of.journal);
        if (!half_events && done >= events / 2) {
            half_events = done < events ? done : events;
            half = now();
        }
        if (!options->live && world_mono_us(world_real()) > end_us)
            too_late(&of, options, events);
    }
    last = now();
    if (options->workload->query == RACE_Q12)
        await_clock(&of, &last);
    report(&half, half_events, events, &last, atomic_load(&of.journal.commits));
    stop(&of);
}

/* Reads the topic without counting anything. */
static void drain(const struct race_options *options, bool parse)
{
    struct race_source *sources[PARTITIONS_MAX];
    struct race_instant half = { 0 }, last;
    uint64_t events = count_events(options), done = 0, half_events = 0;
    struct slice records;
    for (size_t i = 0; i < options->partitions; i++) {
        sources[i] =
            source_open(options->brokers, options->topic, (uint16_t)i, 0, options->workload, (struct waker){ 0 });
        sources[i]->wait_ms = 100;
    }
    while (done < events) {
        for (size_t i = 0; i < options->partitions; i++)
            if (sources[i]->next < sources[i]->end)
                done += parse ? source_read(sources[i], &records) : source_fetch(sources[i]);
        if (done && !first_instant.wall_s)
            on_first();
        if (!half_events && done >= events / 2) {
            half_events = done;
            half = now();
        }
    }
    last = now();
    report(&half, half_events, events, &last, 0);
    for (size_t i = 0; i < options->partitions; i++)
        source_close(sources[i]);
}

static struct race_options read_options(int argc, char **argv)
{
    static const struct option known[] = {
        { "workload", 1, NULL, 'w' },   { "seed", 1, NULL, 's' },     { "brokers", 1, NULL, 'b' },
        { "topic", 1, NULL, 't' },      { "prefix", 1, NULL, 'x' },   { "dir", 1, NULL, 'd' },
        { "partitions", 1, NULL, 'p' }, { "results", 1, NULL, 'r' },  { "memory", 1, NULL, 'm' },
        { "enriched", 0, NULL, 'e' },   { "only", 1, NULL, 'o' },     { "live", 0, NULL, 'l' },
        { "ids", 0, NULL, 'u' },        { "disorder", 1, NULL, 'i' }, { NULL, 0, NULL, 0 },
    };
    struct race_options of = { .workload = &RACE_WORKLOADS[0], .seed = 1, .partitions = 2, .disorder_ms = 5000 };
    const char **texts[] = {
        ['b'] = &of.brokers, ['t'] = &of.topic, ['x'] = &of.prefix, ['d'] = &of.dir, ['o'] = &of.only
    };
    uint64_t *numbers[] = {
        ['s'] = &of.seed, ['p'] = &of.partitions, ['r'] = &of.results, ['m'] = &of.memory_mib, ['i'] = &of.disorder_ms
    };
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == '?')
            exit(64);
        if (c == 'w')
            of.workload = race_workload(optarg);
        else if (c == 'e')
            of.with_enriched = true;
        else if (c == 'u')
            of.with_ids = true;
        else if (c == 'l')
            of.live = true;
        else if ((size_t)c < COUNT_OF(texts) && texts[c])
            *texts[c] = optarg;
        else
            *numbers[c] = strtoull(optarg, NULL, 10);
    }
    if (!of.brokers || !of.topic || (!of.only && (!of.prefix || !of.dir)) || of.partitions == 0 ||
        of.partitions > PARTITIONS_MAX) {
        fprintf(
            stderr,
            "usage: race_weir --workload W --brokers B --topic T --prefix P --dir DIR [--seed S] "
            "[--partitions 1 to %d] [--results N] [--memory MIB] [--disorder MS] [--ids] [--enriched] [--live] [--only "
            "fetch|parse]\n",
            PARTITIONS_MAX);
        exit(64);
    }
    return of;
}

int main(int argc, char **argv)
{
    struct race_options options = read_options(argc, argv);
    log_set_level(LOG_WARN);
    if (options.only)
        drain(&options, strcmp(options.only, "parse") == 0);
    else
        run(&options);
    return 0;
}
