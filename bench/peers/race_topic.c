/* The topic of the race, and the judge of its results.
 *
 * usage: race_topic COMMAND --workload W [--events N] [--seed S] [--brokers B] [--topic T | --prefix P] [--partitions
 * N]
 *
 *     load    makes the topic and writes the events
 *     print   the same events as lines
 *     ads     AD,CAMPAIGN lines: what is joined
 *     expect  {"events","windows","counted"}, by counting
 *     check   compares results: KEY,START,COUNT records of a topic, those of a weir with this prefix, or, with --lines,
 *             of stdin. Exit 1 when any count is missing, wrong or too many.
 *     watch   as check, while the events come: how long after a window's end its right count can be read
 *
 * load and watch with --start MS [--rate N]: the first event is of this time (a multiple of the window), and each is
 * written when its time has come. */
#include <getopt.h>

#include "bench/peers/race_nexmark_expect.h"
#include "bench/peers/race_results.h"

#define WARM_WINDOWS 3
#define WATCH_AFTER_MS 12000

struct race_options {
    struct race_workload workload;
    uint64_t events, seed, partitions;
    const char *brokers, *topic, *prefix;
    bool lines, paced;
};

static struct race_names names;

/* ---- events ---- */

struct line {
    char json[RACE_JSON_MAX];
    size_t n;
    struct slice key; /* within json */
    int32_t partition;
    int64_t time_ms;
};

static void line_make(struct line *line, const struct race_options *options, uint64_t number)
{
    const struct race_workload *of = &options->workload;
    if (of->query) {
        struct nexmark_event event = nexmark_event(of, options->seed, number);
        line->n = nexmark_json(options->seed, &event, line->json, &line->key);
        line->partition = (int32_t)(race_mix(event.person) % options->partitions);
        line->time_ms = event.time_ms;
        return;
    }
    struct race_event event = race_event(of, options->seed, number);
    const char *key;
    line->n = race_json(of, &names, &event, line->json, &key);
    line->key = slice_of(key, RACE_ID_BYTES);
    line->partition = race_partition(of, &event, (int)options->partitions);
    line->time_ms = event.time_ms;
}

/* ---- the topic ---- */

static void make_topic(rd_kafka_t *client, const struct race_options *options)
{
    char why[300] = "no answer";
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(options->topic, (int)options->partitions, 1, why, sizeof why);
    if (!topic)
        fail(options->topic, why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_CreateTopics(client, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, RACE_WAIT_MS);
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        event ? rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count) : NULL;
    if (!count || rd_kafka_topic_result_error(results[0]))
        fail(options->topic, count ? rd_kafka_topic_result_error_string(results[0]) : why);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
}

static uint64_t delivered;

static void on_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *self)
{
    (void)client;
    (void)self;
    if (message->err)
        fail("write an event", rd_kafka_err2str(message->err));
    delivered++;
}

/* Paced: not before its time. */
static void await(int64_t time_ms)
{
    int64_t early_ms = time_ms - world_wall_ms(world_real());
    if (early_ms > 0)
        usleep((useconds_t)early_ms * 1000);
}

static void load(const struct race_options *options)
{
    const struct race_setting settings[] = { { "enable.idempotence", "true" },
                                             { "acks", "all" },
                                             { "linger.ms", options->paced ? "2" : "20" },
                                             { "batch.size", "262144" },
                                             { "compression.codec", "none" },
                                             { "queue.buffering.max.messages", "500000" },
                                             { NULL, NULL } };
    rd_kafka_t *producer = race_client(options->brokers, RD_KAFKA_PRODUCER, settings, on_delivered);
    make_topic(producer, options);
    uint64_t bytes = 0;
    struct line line;
    for (uint64_t i = 0; i < options->events; i++) {
        rd_kafka_resp_err_t code;
        line_make(&line, options, i);
        if (options->paced)
            await(line.time_ms);
        while ((code = rd_kafka_producev(
                    producer, RD_KAFKA_V_TOPIC(options->topic), RD_KAFKA_V_PARTITION(line.partition),
                    RD_KAFKA_V_VALUE(line.json, line.n), RD_KAFKA_V_KEY(line.key.p, line.key.n),
                    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            rd_kafka_poll(producer, 50);
        if (code)
            fail("write an event", rd_kafka_err2str(code));
        if (i % 1024 == 0)
            rd_kafka_poll(producer, 0);
        bytes += line.n;
    }
    rd_kafka_flush(producer, 120000);
    if (delivered != options->events)
        fail(options->topic, "not all events were delivered");
    printf("{\"events\":%llu,\"bytes\":%llu}\n", (unsigned long long)delivered, (unsigned long long)bytes);
    rd_kafka_destroy(producer);
}

/* ---- results ---- */

static void read_lines(struct race_results *results)
{
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t n; (n = getline(&line, &capacity, stdin)) > 0;)
        read_line(results, slice_of(line, (size_t)n - (line[n - 1] == '\n')));
    free(line);
}

static void results_open(struct race_results *results, const struct race_options *options)
{
    if (options->prefix)
        results_open_weir(results, options->brokers, options->prefix, options->partitions, options->workload.query);
    else
        results_open_text(results, options->brokers, options->topic);
}

/* Everything that is there. */
static void read_all(struct race_results *results, const struct race_options *options)
{
    if (options->lines) {
        read_lines(results);
        return;
    }
    results_open(results, options);
    while (results_read(results) || !results_at_end(results))
        ;
    results_close(results);
}

static void expect(struct race_table *table, const struct race_options *options)
{
    race_table_init(table, options->workload.by_campaign ? 1u << 20 : options->events);
    table->events = options->events;
    if (options->workload.query)
        nexmark_expect(table, &options->workload, options->seed, options->events);
    else
        race_table_expect(table, &options->workload, &names, options->events);
}

static void table_done(struct race_table *table)
{
    if (table->parts)
        race_table_done(table->parts);
    free(table->parts);
    race_table_done(table);
}

static int check(const struct race_options *options, bool with_results)
{
    struct race_table table;
    static struct race_results results = { .visit = race_table_got };
    expect(&table, options);
    results.self = &table;
    if (with_results)
        read_all(&results, options);
    struct race_difference of = race_table_compare(&table);
    printf("{\"events\":%llu,\"windows\":%llu,\"counted\":%llu", (unsigned long long)table.events,
           (unsigned long long)of.expected_windows, (unsigned long long)table.counted);
    if (with_results)
        printf(",\"results\":%llu,\"unreadable\":%llu,\"got_windows\":%llu,\"got_counted\":%llu,\"different\":%llu",
               (unsigned long long)table.results, (unsigned long long)results.unreadable,
               (unsigned long long)of.windows, (unsigned long long)of.counted, (unsigned long long)of.different);
    printf("}\n");
    table_done(&table);
    return with_results && (of.different || results.unreadable);
}

/* ---- how soon a window's right count can be read ---- */

struct watch {
    struct race_table table;
    const struct race_options *options;
    int64_t from_ms, to_ms; /* windows that end within are asked for */
    int64_t *late_ms;
    size_t seen;
};

static void watch_result(void *self, struct slice key, int64_t start_ms, uint64_t count)
{
    struct watch *watch = self;
    int64_t end_ms = start_ms + watch->options->workload.window_ms;
    struct race_cell *cell = race_table_cell(&watch->table, key, start_ms);
    bool was_right = cell->got == cell->expected;
    cell->got = (uint32_t)count;
    if (!was_right && cell->got == cell->expected && end_ms > watch->from_ms && end_ms <= watch->to_ms)
        watch->late_ms[watch->seen++] = world_wall_ms(world_real()) - end_ms;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The first windows are for warming up, the last one is not whole. */
static int watch(const struct race_options *options)
{
    static struct race_results results = { .visit = watch_result };
    static struct watch of;
    const struct race_workload *workload = &options->workload;
    int64_t length_ms = (int64_t)(options->events * 1000 / workload->events_per_s);
    of.options = options;
    of.from_ms = workload->start_ms + WARM_WINDOWS * workload->window_ms;
    of.to_ms = workload->start_ms + (length_ms / workload->window_ms - 1) * workload->window_ms;
    expect(&of.table, options);
    of.late_ms = calloc(of.table.used + 1, sizeof *of.late_ms);
    if (!of.late_ms)
        abort();
    results.self = &of;
    results_open(&results, options);
    while (world_wall_ms(world_real()) < workload->start_ms + length_ms + WATCH_AFTER_MS)
        (void)results_read(&results);
    results_close(&results);
    qsort(of.late_ms, of.seen, sizeof *of.late_ms, by_value);
    size_t last = of.seen ? of.seen - 1 : 0;
    printf("{\"windows\":%zu,\"p50_ms\":%lld,\"p99_ms\":%lld,\"max_ms\":%lld}\n", of.seen,
           (long long)of.late_ms[last / 2], (long long)of.late_ms[last * 99 / 100], (long long)of.late_ms[last]);
    free(of.late_ms);
    table_done(&of.table);
    return of.seen == 0;
}

/* ---- commands ---- */

static void print(const struct race_options *options)
{
    struct line line;
    for (uint64_t i = 0; i < options->events; i++) {
        line_make(&line, options, i);
        printf("%.*s\n", (int)line.n, line.json);
    }
}

static void ads(void)
{
    for (unsigned i = 0; i < RACE_ADS; i++)
        printf("%.*s,%.*s\n", RACE_ID_BYTES, names.ads[i], RACE_ID_BYTES, names.campaigns[race_campaign_of(i)]);
}

NORETURN static void usage(void)
{
    fprintf(stderr,
            "usage: race_topic load|print|ads|expect|check|watch --workload W [--events N] [--seed S] [--brokers B] "
            "[--topic T] [--partitions P] [--prefix P] [--lines] [--start MS --rate N]\n");
    exit(64);
}

static struct race_options read_options(int argc, char **argv)
{
    static const struct option known[] = {
        { "workload", 1, NULL, 'w' }, { "events", 1, NULL, 'e' }, { "seed", 1, NULL, 's' },
        { "brokers", 1, NULL, 'b' },  { "topic", 1, NULL, 't' },  { "partitions", 1, NULL, 'p' },
        { "prefix", 1, NULL, 'x' },   { "lines", 0, NULL, 'l' },  { "start", 1, NULL, 'a' },
        { "rate", 1, NULL, 'r' },     { NULL, 0, NULL, 0 },
    };
    struct race_options of = { .workload = RACE_WORKLOADS[0], .seed = 1, .partitions = 2 };
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == 'w')
            of.workload = *race_workload(optarg);
        else if (c == 'e')
            of.events = strtoull(optarg, NULL, 10);
        else if (c == 's')
            of.seed = strtoull(optarg, NULL, 10);
        else if (c == 'p')
            of.partitions = strtoull(optarg, NULL, 10);
        else if (c == 'b')
            of.brokers = optarg;
        else if (c == 't')
            of.topic = optarg;
        else if (c == 'x')
            of.prefix = optarg;
        else if (c == 'l')
            of.lines = true;
        else if (c == 'a')
            of.workload.start_ms = strtoll(optarg, NULL, 10), of.paced = true;
        else if (c == 'r')
            of.workload.events_per_s = strtoull(optarg, NULL, 10);
        else
            usage();
    }
    of.events = of.events ? of.events : of.workload.events;
    return of;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (argc < 2)
        usage();
    struct race_options options = read_options(argc - 1, argv + 1);
    race_names_make(&names, options.seed);
    bool remote = strcmp(command, "load") == 0 || strcmp(command, "watch") == 0 ||
                  (strcmp(command, "check") == 0 && !options.lines);
    if (remote && (!options.brokers || (!options.topic && !options.prefix)))
        usage();
    if (strcmp(command, "load") == 0)
        load(&options);
    else if (strcmp(command, "print") == 0)
        print(&options);
    else if (strcmp(command, "ads") == 0)
        ads();
    else if (strcmp(command, "expect") == 0)
        return check(&options, false);
    else if (strcmp(command, "check") == 0)
        return check(&options, true);
    else if (strcmp(command, "watch") == 0)
        return watch(&options);
    else
        usage();
    return 0;
}
