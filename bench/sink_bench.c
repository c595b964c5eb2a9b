/* The sink alone between a real journal and a real engine: records are committed at a steady rate, as processing would,
 * and the sink's own metrics say how long they took to become visible.
 * usage: sink_bench --url http://127.0.0.1:8123 --user writer --password P --dir D [--rate N] [--seconds N] [--json]
 * D is made, used for the journal, and left behind: a second run goes on where the first was cut off. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/metrics.h"
#include "event/event.h"
#include "journal/journal.h"
#include "store/sink.h"
#include "world/world.h"

#define TICK_US 5000
#define COMMITS 64

static struct {
    const char *url, *user, *password, *dir;
    double rate, seconds;
    bool json;
} options = { .user = "writer", .password = "", .rate = 1000, .seconds = 10 };

static _Atomic uint64_t failed;

struct slot {
    struct journal_commit commit;
    struct journal_chunk chunk;
    struct buf bytes;
    _Atomic bool busy;
};

static void done(struct journal_commit *commit, enum status status, const char *reason)
{
    struct slot *slot = commit->context;
    if (status != OK)
        atomic_fetch_add(&failed, slot->chunk.records);
    atomic_store(&slot->busy, false);
}

static void die(const struct error *err)
{
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static void add_event(struct buf *bytes, uint64_t number, int64_t now_us)
{
    char visitor[24], id[40], properties[96];
    snprintf(visitor, sizeof visitor, "v_%06lu", number * 2654435761u % 20000);
    snprintf(id, sizeof id, "%016lx-%016lx", (uint64_t)now_us, number);
    snprintf(properties, sizeof properties, "{\"page\":\"/p/%lu\",\"title\":\"Page %lu\"}", number % 997, number % 991);
    struct event event = { .customer_id = SLICE("bench"),
                           .visitor_id = slice_from(visitor),
                           .session_id = slice_from(visitor),
                           .event_id = slice_from(id),
                           .event_type = SLICE("page_view"),
                           .event_name = SLICE("Page"),
                           .properties = slice_from(properties),
                           .context = SLICE("{\"library\":\"bench\"}"),
                           .timestamp_ms = now_us / 1000,
                           .received_ms = now_us / 1000,
                           .ingested_us = now_us };
    uint32_t n = (uint32_t)event_encoded_size(&event);
    buf_add(bytes, &n, sizeof n);
    event_encode(&event, buf_reserve(bytes, n));
    bytes->n += n;
}

/* Commits what is due by now; a slot still under way, or a full journal, makes it wait. */
static uint64_t produce(struct journal *journal, struct world *world)
{
    static struct slot slots[COMMITS];
    uint64_t sent = 0;
    int64_t begin_us = world_mono_us(world), end_us = begin_us + (int64_t)(options.seconds * 1e6);
    for (size_t i = 0; i < COMMITS; i++)
        buf_init(&slots[i].bytes, 8 << 20);
    for (size_t turn = 0; world_mono_us(world) < end_us; turn++) {
        struct slot *slot = &slots[turn % COMMITS];
        uint64_t due = (uint64_t)((double)(world_mono_us(world) - begin_us) / 1e6 * options.rate);
        if (due == sent || atomic_load(&slot->busy)) {
            usleep(TICK_US);
            turn--;
            continue;
        }
        uint64_t count = due - sent < 20000 ? due - sent : 20000;
        buf_reset(&slot->bytes);
        for (uint64_t i = 0; i < count; i++)
            add_event(&slot->bytes, sent + i, world_wall_us(world));
        slot->chunk = (struct journal_chunk){ .topic = TOPIC_ENRICHED,
                                              .partition = (uint16_t)(turn % journal->partitions),
                                              .records = (uint32_t)count,
                                              .bytes = buf_slice(&slot->bytes) };
        slot->commit =
            (struct journal_commit){ .chunks = &slot->chunk, .chunk_count = 1, .done = done, .context = slot };
        atomic_store(&slot->busy, true);
        struct error err;
        if (journal_submit(journal, &slot->commit, &err) == OK)
            sent += count;
        else
            atomic_store(&slot->busy, false);
        usleep(TICK_US);
    }
    for (size_t i = 0; i < COMMITS; i++) {
        while (atomic_load(&slots[i].busy))
            usleep(1000);
        buf_done(&slots[i].bytes);
    }
    return sent;
}

static void report(struct metrics *metrics, uint64_t sent, double seconds, double drained_s)
{
    struct histogram *visible = metrics_histogram(metrics, "accepted_to_queryable_seconds", "", "");
    struct histogram *write = metrics_histogram(metrics, "clickhouse_write_latency_seconds", "", "");
    double rows = (double)counter_value(metrics_counter(metrics, "store_rows_total", "", "table=\"events_raw\""));
    double inserts = (double)counter_value(metrics_counter(metrics, "store_inserts_total", "", ""));
    const char *format = options.json
                             ? "{\"sent\":%lu,\"failed\":%lu,\"rows\":%.0f,\"inserts_per_s\":%.1f,\"rows_per_insert\":"
                               "%.0f,\"visible_p50_ms\":%.0f,\"visible_p99_ms\":%.0f,\"insert_p50_ms\":%.1f,"
                               "\"drained_s\":%.2f}\n"
                             : "sent %lu failed %lu stored %.0f, %.1f inserts/s of %.0f rows, visible p50 %.0f ms p99 "
                               "%.0f ms, insert p50 %.1f ms, drained after %.2f s\n";
    printf(format, sent, atomic_load(&failed), rows, inserts / seconds, rows / (inserts > 0 ? inserts : 1),
           histogram_quantile(visible, 0.5) * 1e3, histogram_quantile(visible, 0.99) * 1e3,
           histogram_quantile(write, 0.5) * 1e3, drained_s);
}

static void read_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        options.json |= strcmp(argv[i], "--json") == 0;
        if (strcmp(argv[i], "--url") == 0)
            options.url = value;
        if (strcmp(argv[i], "--user") == 0)
            options.user = value;
        if (strcmp(argv[i], "--password") == 0)
            options.password = value;
        if (strcmp(argv[i], "--dir") == 0)
            options.dir = value;
        if (strcmp(argv[i], "--rate") == 0)
            options.rate = atof(value);
        if (strcmp(argv[i], "--seconds") == 0)
            options.seconds = atof(value);
    }
    if (!options.url || !options.dir) {
        fprintf(stderr, "usage: sink_bench --url URL --dir D [--user U] [--password P] [--rate N] [--seconds N]\n");
        exit(64);
    }
}

int main(int argc, char **argv)
{
    struct world *world = world_real();
    struct metrics *metrics = metrics_new(1000);
    struct journal *journal;
    struct store *store;
    struct sink *sink;
    struct error err;
    struct role roles[2];
    struct role_thread *threads[2], *sink_thread;
    struct sink_options sink_options;
    read_arguments(argc, argv);
    const struct journal_options journal_options = { .path = options.dir,
                                                     .partitions = 4,
                                                     .segment_bytes = 64 << 20,
                                                     .retention_bytes = 512 << 20,
                                                     .total_bytes_max = 4ull << 30,
                                                     .queue_bytes_max = 64 << 20 };
    const struct store_options store_options = { .url = options.url,
                                                 .database = "weir",
                                                 .user = options.user,
                                                 .password = options.password,
                                                 .connect_wait_ms = 2000,
                                                 .insert_wait_ms = 60000 };
    sink_options_default(&sink_options);
    if (journal_file.open(&journal_options, world, metrics, &journal, &err) != OK ||
        store_clickhouse.open(&store_options, world, &store, &err) != OK ||
        sink_open(&sink_options, journal, store, metrics, world, &sink, &err) != OK)
        die(&err);
    size_t count = journal->backend->roles(journal, roles);
    for (size_t i = 0; i < count; i++)
        if (role_start(&roles[i], world, &threads[i], &err) != OK)
            die(&err);
    struct role role = sink_role(sink);
    if (role_start(&role, world, &sink_thread, &err) != OK)
        die(&err);
    uint64_t sent = produce(journal, world);
    int64_t end_us = world_mono_us(world);
    sink_drain(sink);
    while (!sink_is_drained(sink) && world_mono_us(world) < end_us + 60000000)
        usleep(1000);
    report(metrics, sent, options.seconds, (double)(world_mono_us(world) - end_us) / 1e6);
    role_stop(sink_thread);
    journal->backend->drain(journal);
    for (size_t i = 0; i < count; i++)
        role_stop(threads[i]);
    sink_close(sink);
    journal->backend->close(journal);
    store_close(store);
    metrics_free(metrics);
    return 0;
}
