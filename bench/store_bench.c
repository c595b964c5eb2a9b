/* How fast the store's blocks are built, and how fast the engine takes them.
 * usage: store_bench [--json] [--url http://127.0.0.1:8123 --user writer --password P] [--seconds N] [--rows N]
 * [--table T] Without --url only building is measured: encoded records of the journal → Native columns, one core. With
 * it, the same rows go into weir.events_raw of that engine, rollups and tokens included, in blocks of 1, 1,000, 10,000
 * and 100,000 rows, and once 70,000 rows over 330 months. Rows: 15 columns, 150 to 200 bytes; seeded. */
#include <stdio.h>
#include <stdlib.h>

#include "event/event.h"
#include "store/sink_batch.h"
#include "store/store.h"
#include "world/world.h"

#define RECORDS 100000
#define MONTH_MS (30LL * 86400000)

static bool json, any_row;
static const char *table = "events_raw";
static uint64_t seed = 42;

static uint32_t dice(uint32_t sides)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % sides;
}

static void print_row(const char *what, double value, const char *unit, const char *beside)
{
    if (json)
        printf("%s{\"what\":\"%s\",\"value\":%.2f,\"unit\":\"%s\",\"beside\":\"%s\",\"ratio\":\"\"}",
               any_row ? ",\n" : "[", what, value, unit, beside);
    else
        printf("%-52s %14.0f %-8s %s\n", what, value, unit, beside);
    any_row = true;
}

static double now_s(void)
{
    return (double)world_mono_us(world_real()) / 1e6;
}

/* Records as processing writes them, spread over so many months. */
static void make_records(struct buf *out, uint32_t count, uint32_t months)
{
    static const char *const TYPES[] = { "page_view", "click", "purchase", "login" };
    int64_t now_ms = world_wall_ms(world_real());
    buf_reset(out);
    for (uint32_t i = 0; i < count; i++) {
        char visitor[24], session[24], id[40], name[24], properties[96];
        snprintf(visitor, sizeof visitor, "v_%06x", dice(20000));
        snprintf(session, sizeof session, "s_%08x", dice(1u << 30));
        snprintf(id, sizeof id, "%08x-%04x-7%03x-8%03x-%08x%04x", dice(1u << 30), dice(65536), dice(4096), dice(4096),
                 dice(1u << 30), dice(65536));
        snprintf(name, sizeof name, "Page %u", dice(30));
        snprintf(properties, sizeof properties, "{\"page\":\"/p/%u\",\"title\":\"Page %u\",\"value\":%u}", dice(1000),
                 dice(1000), dice(100000));
        struct event event = { .customer_id = SLICE("bench"),
                               .visitor_id = slice_from(visitor),
                               .session_id = slice_from(session),
                               .event_id = slice_from(id),
                               .event_type = slice_from(TYPES[dice(4)]),
                               .event_name = slice_from(name),
                               .properties = slice_from(properties),
                               .context = SLICE("{\"library\":\"bench\"}"),
                               .timestamp_ms = now_ms - (int64_t)dice(3600000) - (int64_t)(i % months) * MONTH_MS,
                               .received_ms = now_ms,
                               .ingested_us = now_ms * 1000 };
        uint32_t n = (uint32_t)event_encoded_size(&event);
        buf_add(out, &n, sizeof n);
        event_encode(&event, buf_reserve(out, n));
        out->n += n;
    }
}

static void fill(struct sink_batch *batch, const struct buf *records, uint32_t count)
{
    struct error err;
    struct journal_chunk chunk = { .topic = TOPIC_ENRICHED, .records = count, .bytes = buf_slice(records) };
    sink_batch_reset(batch, 1);
    if (sink_batch_add(batch, &chunk, &err) != OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
}

static void measure_building(struct sink_batch *batch, struct buf *records, double seconds)
{
    double best = 0, end = now_s() + seconds;
    make_records(records, RECORDS, 1);
    fill(batch, records, RECORDS); /* grows the columns */
    while (now_s() < end) {
        double begin = now_s();
        fill(batch, records, RECORDS);
        double rate = RECORDS / (now_s() - begin);
        if (rate > best)
            best = rate;
    }
    char beside[64];
    snprintf(beside, sizeof beside, "%.0f B a row", (double)native_bytes(&batch->tables[0].block) / RECORDS);
    print_row("journal records to Native columns, one core", best, "rows/s", beside);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Inserts until the time is over. Tokens differ, as they do between batches. */
static void measure_inserting(struct sink_batch *batch, struct buf *records, struct store *store, uint32_t rows,
                              uint32_t months, double seconds)
{
    static double took[20000];
    size_t count = 0;
    double begin = now_s();
    make_records(records, rows, months);
    fill(batch, records, rows);
    while (count < COUNT_OF(took) && (count == 0 || now_s() - begin < seconds)) {
        struct error err;
        char token[STORE_TOKEN_MAX], what[96], beside[96];
        snprintf(token, sizeof token, "bench/%ld/%zu", (long)world_mono_us(world_real()), count);
        const struct store_insert insert = { table, token, &batch->tables[0].block, 0, rows };
        double at = now_s();
        if (store_insert(store, &insert, &err) != OK) {
            fprintf(stderr, "%s\n", err.text);
            exit(1);
        }
        took[count++] = now_s() - at;
        if (now_s() - begin >= seconds) {
            double rate = (double)count * rows / (now_s() - begin);
            qsort(took, count, sizeof took[0], by_value);
            snprintf(what, sizeof what, "engine, blocks of %u rows%s, rollups on", rows,
                     months > 1 ? " over 330 months" : "");
            snprintf(beside, sizeof beside, "p50 %.1f ms, p99 %.1f ms, %zu inserts", took[count / 2] * 1e3,
                     took[count * 99 / 100] * 1e3, count);
            print_row(what, rate, "rows/s", beside);
        }
    }
}

int main(int argc, char **argv)
{
    const char *url = NULL, *user = "writer", *password = "";
    double seconds = 3;
    uint32_t only_rows = 0;
    for (int i = 1; i < argc; i++) {
        json |= strcmp(argv[i], "--json") == 0;
        if (i + 1 < argc && strcmp(argv[i], "--url") == 0)
            url = argv[i + 1];
        if (i + 1 < argc && strcmp(argv[i], "--user") == 0)
            user = argv[i + 1];
        if (i + 1 < argc && strcmp(argv[i], "--password") == 0)
            password = argv[i + 1];
        if (i + 1 < argc && strcmp(argv[i], "--seconds") == 0)
            seconds = atof(argv[i + 1]);
        if (i + 1 < argc && strcmp(argv[i], "--table") == 0)
            table = argv[i + 1];
        if (i + 1 < argc && strcmp(argv[i], "--rows") == 0)
            only_rows = (uint32_t)atoi(argv[i + 1]);
    }
    static struct sink_batch batch;
    struct buf records;
    const struct sink_batch_options options = { .rows_max = RECORDS, .bytes_max = 64u << 20 };
    buf_init(&records, 64u << 20);
    sink_batch_init(&batch, &options);
    measure_building(&batch, &records, seconds);
    if (url) {
        struct error err;
        struct store *store;
        const struct store_options store_options = { .url = url,
                                                     .database = "weir",
                                                     .user = user,
                                                     .password = password,
                                                     .connect_wait_ms = 2000,
                                                     .insert_wait_ms = 60000 };
        if (store_clickhouse.open(&store_options, world_real(), &store, &err) != OK) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
        const uint32_t sizes[] = { 1, 1000, 10000, 100000 };
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            if (!only_rows || only_rows == sizes[i])
                measure_inserting(&batch, &records, store, sizes[i], 1, seconds);
        if (!only_rows)
            measure_inserting(&batch, &records, store, 70000, 330, seconds);
        store_close(store);
    }
    if (json)
        printf("]\n");
    sink_batch_done(&batch);
    buf_done(&records);
    return 0;
}
