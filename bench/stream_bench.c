/* The stream engine at work, from events in a file journal to results in it, exactly once: what one process with one
 * partition takes a second and a CPU-second (of all its threads, the kernel's part included), memory, and whether
 * every result is what plain counting gives.
 *
 * usage: stream_bench [--json] [--events N] [--keys N] [--memory MIB] [--checkpoint MIB] [--dir DIR] [CASE…]
 *
 * Each case writes its events with a seeded generator in a process of its own, then a new process opens the journal
 * and runs the task that `weir up` runs; a third one reads the results and compares. Files are under DIR (default: a
 * new folder in /tmp; some 400 bytes an event) and are removed, unless a part of it failed. Exit 1 when a result is
 * wrong. */
#include <ftw.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "bench/stream_events.h"
#include "bench/stream_oracle.h"
#include "bench/stream_run.h"
#include "bench/stream_visible.h"

/* What the peers count, and nothing beside it. */
#define ALONE "sessions: {enabled: false}\n"
#define VISITOR_WINDOW                                                                                                 \
    "windows:\n- {name: per_visitor, kind: tumbling, size: 1d, by: [visitor_id], where: "                              \
    "event_type == 'bid', "                                                                                            \
    "measures: {n: count()}, emit: close}\n"
#define VISITOR_CASE .make = make_uniform, .size_ms = DAY_MS, .slide_ms = DAY_MS, .by_visitor = true

#define CAMPAIGN_WINDOW CAMPAIGN_WINDOW_BY("properties.item")
#define CAMPAIGN_WINDOW_BY(item)                                                                                       \
    "windows:\n- {name: per_campaign, kind: tumbling, size: 10s, by: [{item: \"" item "\"}], where: event_type == "    \
    "'bid', measures: {n: count()}, emit: close}\n"
#define CAMPAIGN_CASE                                                                                                  \
    .events = 10000000, .keys = 1000, .events_per_ms = 20, .make = make_uniform, .size_ms = 10000, .slide_ms = 10000,  \
    .by_item = true
#define ITEMS_TABLE                                                                                                    \
    "dimension_tables:\n- {name: items, from: {csv: items.csv}, key: item, columns: {item: text, name: text}}\n"
#define CHECKED_TYPE(price)                                                                                            \
    "event_types:\n- name: bid\n  attributes: [{name: item, required: true, max: 20, pattern: 'i*'}]\n"                \
    "  metrics: [{name: price, required: true, min: 0, " price "}]\n"                                                  \
    "  rules: [{name: named, expect: properties.item != 'i'}]\n"

static const struct stream_case CASES[] = {
    { .name = "visitor",
      .what = "tumbling count per visitor",
      VISITOR_CASE,
      .domain = ALONE VISITOR_WINDOW,
      .events = 20000000,
      .keys = 10000000,
      .events_per_ms = 1000,
      .aim = 1e6,
      .peers = "Flink 1.20, 1 M keys: 88k (95k) heap, 27k RocksDB; Kafka "
               "Streams 32k" },
    { .name = "visitor-sessions",
      .what = "the same, and all visitors' sessions",
      VISITOR_CASE,
      .domain = VISITOR_WINDOW,
      .events = 20000000,
      .keys = 10000000,
      .events_per_ms = 1000 },
    { .name = "campaign",
      .what = "count per one of 1,000 campaigns per 10 s",
      CAMPAIGN_CASE,
      .domain = ALONE CAMPAIGN_WINDOW,
      .aim = 3e6,
      .peers = "Flink 1.20, YSB 100 campaigns: 208k (285k)" },
    { .name = "checked",
      .what = "the same, the event type declared: text, whole number, a rule",
      CAMPAIGN_CASE,
      .domain = ALONE CAMPAIGN_WINDOW CHECKED_TYPE("type: integer, max: 1000000000"),
      .costs = "the declared type" },
    { .name = "priced",
      .what = "the same, with money whose cents are put into each event",
      CAMPAIGN_CASE,
      .domain = ALONE CAMPAIGN_WINDOW CHECKED_TYPE("type: money, max: 1000000000.00"),
      .costs = "the declared type" },
    { .name = "lookup",
      .what = "the same by what a table has for the item",
      CAMPAIGN_CASE,
      .domain = ALONE ITEMS_TABLE CAMPAIGN_WINDOW_BY("lookup('items', properties.item, 'name')"),
      .has_table = true,
      .costs = "the table" },
    { .name = "q5",
      .what = "Nexmark q5, bids per auction, 10 s every 2 s",
      .domain = ALONE "windows:\n- {name: q5, kind: sliding, size: 10s, slide: 2s, by: [{item: "
                      "properties.item}], where: event_type == "
                      "'bid', measures: {n: count()}, emit: close}\n",
      .events = 5000000,
      .events_per_ms = 100,
      .make = make_nexmark,
      .size_ms = 10000,
      .slide_ms = 2000,
      .by_item = true,
      .aim = 1e6,
      .peers = "Flink 2.3: 214k (168k) heap, 81k RocksDB + 1 s" },
    { .name = "q11",
      .what = "Nexmark q11, sessions of bidders, gap 10 s",
      .domain = "sessions: {gap: 10s}\n",
      .sessions = true,
      .events = 5000000,
      .events_per_ms = 100,
      .make = make_nexmark,
      .gap_ms = 10000,
      .by_visitor = true,
      .aim = 1e6,
      .peers = "Flink 2.3: 207k (282k) heap, 76k RocksDB + 1 s" },
    { .name = "q11-window",
      .what = "the same as a session window",
      .domain = "windows:\n- {name: q11, kind: session, gap: 10s, by: [visitor_id], where: event_type == 'bid', "
                "measures: {n: count()}, emit: close}\n",
      .events = 5000000,
      .events_per_ms = 100,
      .make = make_nexmark,
      .gap_ms = 10000,
      .by_visitor = true,
      .aim = 1e6,
      .peers = "as q11" },
    { .name = "q12",
      .what = "Nexmark q12, bids per bidder, 10 s of processing time",
      .domain = ALONE "windows:\n- {name: q12, kind: tumbling, size: 10s, time: processing, "
                      "by: [visitor_id], where: event_type == "
                      "'bid', measures: {n: count()}, emit: close}\n",
      .events = 5000000,
      .events_per_ms = 100,
      .make = make_nexmark,
      .by_visitor = true,
      .quiet_s = 12,
      .aim = 1e6,
      .peers = "Flink 2.3: 260k (459k) heap" },
    { .name = "q18",
      .what = "Nexmark q18, last bid per bidder and auction",
      .domain = ALONE "windows:\n- {name: q18, kind: tumbling, size: 1d, by: [visitor_id, {item: "
                      "properties.item}], where: event_type == "
                      "'bid', measures: {price: last(properties.price)}, emit: close}\n",
      .events = 5000000,
      .events_per_ms = 1, /* no two at the same time */
      .make = make_nexmark,
      .by_visitor = true,
      .by_item = true,
      .last = true,
      .aim = 1e6,
      .peers = "Flink 2.3: 176k (216k) heap, 64k RocksDB + 1 s" },
    { .name = "keys-10k",
      .what = "cost curve, count per visitor",
      VISITOR_CASE,
      .domain = ALONE VISITOR_WINDOW,
      .events = 5000000,
      .keys = 10000,
      .events_per_ms = 1000 },
    { .name = "keys-100k",
      .what = "cost curve, count per visitor",
      VISITOR_CASE,
      .domain = ALONE VISITOR_WINDOW,
      .events = 5000000,
      .keys = 100000,
      .events_per_ms = 1000 },
    { .name = "keys-1m",
      .what = "cost curve, count per visitor",
      VISITOR_CASE,
      .domain = ALONE VISITOR_WINDOW,
      .events = 5000000,
      .keys = 1000000,
      .events_per_ms = 1000 },
    { .name = "keys-10m",
      .what = "cost curve, count per visitor",
      VISITOR_CASE,
      .domain = ALONE VISITOR_WINDOW,
      .events = 20000000,
      .keys = 10000000,
      .events_per_ms = 1000 },
    { .name = "keys-100m",
      .what = "cost curve, count per visitor",
      VISITOR_CASE,
      .domain = ALONE VISITOR_WINDOW,
      .events = 100000000,
      .keys = 100000000,
      .events_per_ms = 2000 },
};

struct bench {
    bool json, any_wrong, any_row;
    uint64_t events, keys, memory_mib;
    uint64_t checkpoint_mib;
    const char *dir;
    double table_rate;    /* updates a second of the bare table */
    double campaign_rate; /* events a second by the clock */
    double campaign_cpu_rate;
};

/* ---- one line of the result ---- */

static void print_row(struct bench *bench, const char *what, double value, const char *unit, const char *beside,
                      double ratio)
{
    if (bench->json) {
        printf("%s{\"what\":\"stream: "
               "%s\",\"value\":%.4g,\"unit\":\"%s\",\"beside\":\"%s\",\"ratio\":",
               bench->any_row ? "," : "[", what, value, unit, beside);
        printf(ratio > 0 ? "%.2f}" : "null}", ratio);
    } else {
        printf("  %-52s %12.4g %-16s %s", what, value, unit, beside);
        printf(ratio > 0 ? " (%.2f)\n" : "\n", ratio);
    }
    bench->any_row = true;
    fflush(stdout);
}

/* ---- processes ---- */

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void remove_all(const char *dir)
{
    (void)nftw(dir, remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

static void wait_for(pid_t child)
{
    int status;
    if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    fprintf(stderr, "stream_bench: a part of it failed: %s %d\n", WIFSIGNALED(status) ? "signal" : "exit",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    exit(1);
}

static pid_t fork_part(void)
{
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) {
        perror("stream_bench: fork");
        exit(1);
    }
    return child;
}

static void generate_apart(const struct stream_options *options)
{
    pid_t child = fork_part();
    if (child == 0) {
        generate(options);
        _exit(0);
    }
    wait_for(child);
}

/* kill_at > 0: it is killed once so many events were committed; *out is not set then. */
static void run_apart(const struct stream_options *options, uint64_t kill_at, struct stream_report *out)
{
    int report[2], progress[2];
    uint64_t done = 0;
    if (pipe(report) != 0 || pipe(progress) != 0)
        abort();
    pid_t child = fork_part();
    if (child == 0) {
        struct stream_report made = { 0 };
        run(options, &made, kill_at ? progress[1] : -1);
        _exit(write(report[1], &made, sizeof made) == sizeof made ? 0 : 1);
    }
    close(report[1]);
    close(progress[1]);
    while (kill_at && read(progress[0], &done, sizeof done) == sizeof done)
        if (done >= kill_at) {
            kill(child, SIGKILL);
            waitpid(child, NULL, 0);
            break;
        }
    if (!kill_at) {
        if (read(report[0], out, sizeof *out) != sizeof *out)
            memset(out, 0, sizeof *out);
        wait_for(child);
    }
    close(report[0]);
    close(progress[0]);
}

/* ---- are the results right? ---- */

static void read_results(struct oracle *oracle, const char *dir)
{
    struct stream_journal journal = { 0 };
    struct journal_reader *reader;
    struct journal_batch batch;
    struct error err;
    stream_journal_open(&journal, dir);
    const struct journal_read_options options = { .topics = TOPIC_BIT(result_topic(oracle->of)) };
    must(journal.journal->backend->reader_open(journal.journal, &options, &reader, &err), &err, "read results");
    do {
        must(journal_read(reader, 4u << 20, &batch, &err), &err, "read results");
        for (size_t i = 0; i < batch.chunk_count; i++) {
            struct slice rest = batch.chunks[i].bytes, bytes;
            while (journal_next_record(&rest, &bytes)) {
                must(oracle_read(oracle, bytes, &err), &err, "read results");
            }
        }
    } while (batch.chunk_count > 0);
    journal.journal->backend->reader_close(reader);
    stream_journal_close(&journal);
}

static bool check(const struct stream_options *options)
{
    const struct stream_case *of = options->of;
    struct oracle oracle;
    struct stream_event event;
    uint64_t windows, sum, counted = 0, keys = of->make == make_nexmark ? of->events : of->keys;
    oracle_init(&oracle, of, options->base_ms, of->make == make_nexmark ? of->events : keys * 11 / 10 + of->events / 5);
    struct oracle_session *sessions = calloc(keys, sizeof *sessions);
    for (uint64_t i = 0; i < of->events; i++) {
        of->make(of, i, &event);
        counted += event.counted;
        oracle_add(&oracle, &event, sessions);
    }
    free(sessions);
    read_results(&oracle, options->dir);
    uint64_t differ = oracle_differences(&oracle, &windows, &sum);
    bool only_sum = !of->size_ms && !of->gap_ms && !of->last;
    bool right = oracle.unreadable == 0 && (only_sum ? sum == counted : differ == 0 && windows > 0);
    if (!right)
        fprintf(stderr,
                "stream_bench: %s: WRONG: %llu of %llu windows differ, %llu of "
                "%llu events counted, %llu results, %llu "
                "unreadable\n",
                of->name, (unsigned long long)differ, (unsigned long long)windows, (unsigned long long)sum,
                (unsigned long long)counted, (unsigned long long)oracle.results, (unsigned long long)oracle.unreadable);
    oracle_done(&oracle);
    return right;
}

static bool check_apart(const struct stream_options *options)
{
    int status;
    pid_t child = fork_part();
    if (child == 0)
        _exit(check(options) ? 0 : 1);
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- the bare table: what is the most that there is ---- */

#define TABLE_KEYS 10000000u
#define TABLE_UPDATES 20000000u
#define TABLE_AHEAD 16

struct table_slot {
    uint64_t lo, hi, count;
};

/* Updates a second: hash of a visitor's name, slot fetched ahead, count; nothing else. */
static double bare_table(void)
{
    size_t slots = 1u << 24;
    struct table_slot *table = pages_new(slots * sizeof *table);
    XXH128_hash_t ahead[TABLE_AHEAD];
    char name[] = "v########";
    double begun_s = 0;
    if (!table)
        return 0;
    for (uint64_t i = 0; i < 2ull * TABLE_UPDATES + TABLE_AHEAD; i++) {
        XXH128_hash_t *hash = &ahead[i % TABLE_AHEAD];
        if (i >= TABLE_AHEAD) {
            size_t at = hash->low64 & (slots - 1);
            while (table[at].count && (table[at].lo != hash->low64 || table[at].hi != hash->high64))
                at = (at + 1) & (slots - 1);
            table[at].lo = hash->low64;
            table[at].hi = hash->high64;
            table[at].count++;
        }
        if (i == TABLE_UPDATES) /* the first half fills it */
            begun_s = wall_s();
        put_digits(name + 1, below(roll_of(i, 1), TABLE_KEYS), DIGITS);
        *hash = XXH3_128bits(name, sizeof name - 1);
        __builtin_prefetch(&table[hash->low64 & (slots - 1)], 1);
    }
    double rate = TABLE_UPDATES / (wall_s() - begun_s);
    pages_free(table, slots * sizeof *table);
    return rate;
}

/* ---- cases ---- */

static void make_dir(struct bench *bench, char *dir, size_t n)
{
    snprintf(dir, n, "%s/weir-stream-bench-XXXXXX", bench->dir);
    if (!mkdtemp(dir)) {
        perror(bench->dir);
        exit(1);
    }
}

static struct stream_case sized(const struct bench *bench, const struct stream_case *of)
{
    struct stream_case out = *of;
    out.events = bench->events ? bench->events : of->events;
    out.keys = bench->keys ? bench->keys : of->keys;
    out.quiet_s = of->quiet_s > 0 ? of->quiet_s : 0.5;
    return out;
}

static int64_t base_of_time(void)
{
    return (world_wall_us(world_real()) / 1000 / DAY_MS - 2) * DAY_MS;
}

static void print_report(struct bench *bench, const struct stream_case *of, const struct stream_report *report,
                         bool right)
{
    char what[128], beside[256];
    double events = (double)report->events, all_cpu_s = report->cpu_s + report->results_cpu_s;
    double warm = events / 2 / report->half_cpu_s;
    snprintf(beside, sizeof beside, "second half %.0fk, %s%s%s", warm / 1e3, right ? "results right" : "RESULTS WRONG",
             of->peers ? "; " : "", of->peers ? of->peers : "");
    snprintf(what, sizeof what, "%s, %.6g M events", of->what, events / 1e6);
    if (of->keys)
        snprintf(what, sizeof what, "%s, %.6g M keys, %.6g M events", of->what, (double)of->keys / 1e6, events / 1e6);
    print_row(bench, what, events / all_cpu_s, "events/CPU-s", beside, of->aim > 0 ? events / all_cpu_s / of->aim : 0);
    snprintf(what, sizeof what, "%s: by the clock", of->name);
    snprintf(beside, sizeof beside, "%.2f s, %llu results, %.0f MiB", report->wall_s,
             (unsigned long long)report->results, report->memory_mib);
    print_row(bench, what, events / report->wall_s, "events/s", beside, 0);
    if (bench->table_rate > 0 && of->by_visitor && of->size_ms == DAY_MS && !of->last) {
        snprintf(what, sizeof what, "%s: share of the bare table's rate", of->name);
        print_row(bench, what, events / all_cpu_s / bench->table_rate * 100, "%", "", 0);
    }
    if (strcmp(of->name, "campaign") == 0) {
        bench->campaign_rate = events / report->wall_s;
        bench->campaign_cpu_rate = events / all_cpu_s;
    } else if (bench->campaign_cpu_rate > 0 && of->costs) {
        snprintf(what, sizeof what, "%s: throughput that %s costs", of->name, of->costs);
        snprintf(beside, sizeof beside, "%.0f ns of CPU an event",
                 (all_cpu_s / events - 1 / bench->campaign_cpu_rate) * 1e9);
        print_row(bench, what, 100 - events / all_cpu_s / bench->campaign_cpu_rate * 100, "%", beside, 0);
    }
    bench->any_wrong |= !right;
}

static void bench_case(struct bench *bench, const struct stream_case *given)
{
    char dir[DISK_PATH_MAX / 2];
    struct stream_case of = sized(bench, given);
    struct stream_report report;
    make_dir(bench, dir, sizeof dir);
    const struct stream_options options = { &of, dir, bench->memory_mib, bench->checkpoint_mib, base_of_time() };
    generate_apart(&options);
    run_apart(&options, 0, &report);
    print_report(bench, &of, &report, check_apart(&options));
    remove_all(dir);
}

/* Killed with all keys in its state, and begun again: until the first result that was not there before. */
static void bench_recovery(struct bench *bench)
{
    char dir[DISK_PATH_MAX / 2], what[128], beside[128];
    struct stream_case of = sized(bench, &CASES[0]);
    struct stream_report report;
    of.domain = ALONE "windows:\n- {name: per_visitor, kind: tumbling, size: 1d, by: "
                      "[visitor_id], where: event_type == 'bid', "
                      "measures: {n: count()}, emit: update}\n";
    of.updates = true;
    make_dir(bench, dir, sizeof dir);
    const struct stream_options options = { &of, dir, bench->memory_mib, bench->checkpoint_mib, base_of_time() };
    generate_apart(&options);
    run_apart(&options, of.events / 10 * 9, NULL);
    run_apart(&options, 0, &report);
    bool right = check_apart(&options);
    snprintf(beside, sizeof beside, "aim ≤ 5 s; restored after %.2f s; %s", report.start_s,
             right ? "results right" : "RESULTS WRONG");
    snprintf(what, sizeof what, "kill -9 with %.6g M keys until the first new result", (double)of.keys / 1e6);
    print_row(bench, what, report.first_result_s, "s", beside, 5 / report.first_result_s);
    bench->any_wrong |= !right;
    remove_all(dir);
}

static const struct stream_case *case_named(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        if (strcmp(name, CASES[i].name) == 0)
            return &CASES[i];
    return NULL;
}

/* At half of the rate that the same windows take at full speed. */
static void bench_visible(struct bench *bench)
{
    char dir[DISK_PATH_MAX / 2], beside[128];
    struct stream_case of = *case_named("campaign");
    struct visible_report report = { 0 };
    int result[2];
    if (bench->campaign_rate <= 0)
        bench_case(bench, &of);
    of.domain = ALONE "windows:\n- {name: per_campaign, kind: tumbling, size: 10s, by: [{item: "
                      "properties.item}], where: event_type == "
                      "'bid', measures: {n: count()}, emit: update}\n";
    make_dir(bench, dir, sizeof dir);
    const struct stream_options options = { &of, dir, bench->memory_mib, bench->checkpoint_mib,
                                            base_of_time() + 2 * DAY_MS };
    if (pipe(result) != 0)
        abort();
    pid_t child = fork_part();
    if (child == 0) {
        run_visible(&options, bench->campaign_rate / 2, &report);
        _exit(write(result[1], &report, sizeof report) == sizeof report ? 0 : 1);
    }
    wait_for(child);
    if (read(result[0], &report, sizeof report) != sizeof report)
        exit(1);
    close(result[0]);
    close(result[1]);
    snprintf(beside, sizeof beside,
             "aim ≤ 100 ms; p50 %.1f ms, longest %.1f ms, %zu of %zu seen, at "
             "%.0f events/s",
             report.p50_ms, report.max_ms, report.seen, report.sent, report.rate);
    print_row(bench, "event → its result readable, half the rate, p99", report.p99_ms, "ms", beside,
              100 / report.p99_ms);
    bench->any_wrong |= report.seen < report.sent;
    remove_all(dir);
}

static void bench_table(struct bench *bench)
{
    bench->table_rate = bare_table();
    print_row(bench, "bare hash table, 10 M keys", bench->table_rate, "updates/s", "", 0);
}

static bool bench_named(struct bench *bench, const char *name)
{
    if (strcmp(name, "table") == 0) {
        bench_table(bench);
        return true;
    }
    if (strcmp(name, "visible") == 0) {
        bench_visible(bench);
        return true;
    }
    if (strcmp(name, "recovery") == 0) {
        bench_recovery(bench);
        return true;
    }
    const struct stream_case *of = case_named(name);
    if (of)
        bench_case(bench, of);
    return of != NULL;
}

static void usage(void)
{
    fprintf(stderr, "usage: stream_bench [--json] [--events N] [--keys N] "
                    "[--memory MIB] [--checkpoint MIB] [--dir DIR] [CASE…]\ncases: table "
                    "recovery visible");
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        fprintf(stderr, " %s", CASES[i].name);
    fprintf(stderr, "\n");
    exit(64);
}

static void read_options(struct bench *bench, int argc, char **argv)
{
    static const struct option names[] = { { "json", no_argument, NULL, 'j' },
                                           { "events", required_argument, NULL, 'e' },
                                           { "keys", required_argument, NULL, 'k' },
                                           { "memory", required_argument, NULL, 'm' },
                                           { "dir", required_argument, NULL, 'd' },
                                           { "checkpoint", required_argument, NULL, 'c' },
                                           { NULL, 0, NULL, 0 } };
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'j')
            bench->json = true;
        else if (c == 'e')
            bench->events = strtoull(optarg, NULL, 10);
        else if (c == 'k')
            bench->keys = strtoull(optarg, NULL, 10);
        else if (c == 'm')
            bench->memory_mib = strtoull(optarg, NULL, 10);
        else if (c == 'c')
            bench->checkpoint_mib = strtoull(optarg, NULL, 10);
        else if (c == 'd')
            bench->dir = optarg;
        else
            usage();
    }
}

int main(int argc, char **argv)
{
    static const char *const standard[] = { "table", "visitor", "campaign", "q5", "q11", "q12", "q18" };
    struct bench bench = { .dir = "/tmp" };
    log_set_level(LOG_WARN);
    read_options(&bench, argc, argv);
    for (size_t i = 0; optind == argc && i < COUNT_OF(standard); i++)
        (void)bench_named(&bench, standard[i]);
    for (int i = optind; i < argc; i++)
        if (!bench_named(&bench, argv[i]))
            usage();
    if (bench.json)
        printf("%s\n", bench.any_row ? "]" : "[]");
    return bench.any_wrong ? 1 : 0;
}
