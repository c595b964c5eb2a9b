/* Keyed state alone: updates of a counter per key, collected and made durable every 8192 events, with RocksDB beneath
 * and a checkpoint under load; then the process begins anew on what the checkpoint left. build/keyed_bench [--keys
 * 10000000] [--updates 20000000] [--memory MIB] [--zipf] [--dir DIR] [--json] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/metrics.h"
#include "process/process_output.h"
#include "process/state/keyed.h"
#include "process/state/state_base.h"
#include "process/state/state_kv.h"
#include "world/disk.h"
#include "world/world.h"

#define VECTOR 512
#define COMMIT 8192
#define AHEAD 16
#define AHEAD_ROW 8

struct bench {
    uint64_t keys, updates, memory_mib;
    bool zipf, json;
    const char *dir;
    struct world *world;
    struct kv_pool *pool;
    struct state_kv *kv;
    struct keyed *keyed;
    struct state *states[2];
    struct state_base *base;
    struct process_outputs outputs;
    uint64_t changelog_next, changelog_bytes, rows_written;
    uint64_t dice;
    int64_t longest_us, checkpoint_us, checkpoint_began_us;
    bool checkpointing;
};

struct counter_row {
    uint64_t count;
};

static void encode(const struct keyed_kind *kind, const void *data, struct buf *to)
{
    char bytes[10];
    size_t n = 0;
    uint64_t value = ((const struct counter_row *)data)->count;
    (void)kind;
    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (char)(value | 0x80);
    bytes[n++] = (char)value;
    buf_add(to, bytes, n);
}

static enum status decode(const struct keyed_kind *kind, struct slice bytes, void *data, struct error *err)
{
    uint64_t value = 0;
    (void)kind;
    (void)err;
    for (size_t i = 0; i < bytes.n; i++)
        value |= (uint64_t)(bytes.p[i] & 0x7f) << (7 * i);
    ((struct counter_row *)data)->count = value;
    return OK;
}

static const struct keyed_kind KIND = { 1, sizeof(struct counter_row), encode, decode, NULL, NULL };

static int64_t now_us(struct bench *bench)
{
    return world_mono_us(bench->world);
}

static int64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void must(enum status s, const struct error *err)
{
    if (s == OK)
        return;
    fprintf(stderr, "keyed_bench: %s\n", err->text);
    exit(1);
}

static void up(struct bench *bench)
{
    static const struct keyed_kind *const kinds[] = { &KIND };
    struct keyed_options options = { kinds, 1, bench->memory_mib << 20 };
    bench->kv = state_kv_new(
        &(struct state_kv_options){ .path = bench->dir, .backend = &kv_rocksdb, .pool = bench->pool }, bench->world);
    bench->keyed = keyed_new(&options, bench->kv, bench->world);
    bench->states[0] = state_kv_state(bench->kv);
    bench->states[1] = keyed_state(bench->keyed);
    bench->base = state_base_new(bench->dir, bench->world->disk, 0, bench->states, 2);
}

static void down(struct bench *bench)
{
    state_base_free(bench->base);
    keyed_free(bench->keyed);
    state_kv_free(bench->kv);
}

static uint64_t next_key(struct bench *bench)
{
    bench->dice ^= bench->dice << 13;
    bench->dice ^= bench->dice >> 7;
    bench->dice ^= bench->dice << 17;
    if (!bench->zipf)
        return bench->dice % bench->keys;
    double u = (double)(bench->dice >> 11) / 9007199254740992.0;
    return (uint64_t)(pow((double)bench->keys, u) - 1); /* log-uniform: every decade as often as the next */
}

static void commit(struct bench *bench)
{
    struct error err = { 0 };
    struct state *state = bench->states[1];
    process_outputs_reset(&bench->outputs);
    struct process_stream *changelog = process_outputs_stream(&bench->outputs, TOPIC_CHANGELOG, 0);
    must(state->ops->collect(state, changelog, &err), &err);
    struct slice rest = buf_slice(&changelog->bytes), record;
    bench->changelog_bytes += rest.n;
    while (journal_next_record(&rest, &record))
        state->ops->durable(state, record, bench->changelog_next++);
}

static void upkeep(struct bench *bench, bool begin_checkpoint)
{
    struct error err = { 0 };
    bool more;
    must(bench->states[1]->ops->maintain(bench->states[1], &more, &err), &err);
    if (begin_checkpoint && !bench->checkpointing) {
        bench->checkpointing = true;
        bench->checkpoint_began_us = now_us(bench);
    }
    if (!bench->checkpointing)
        return;
    struct state_point point = { bench->changelog_next, bench->changelog_next, true };
    uint64_t keep;
    enum status s = state_base_checkpoint(bench->base, 1, &point, &keep, &err);
    if (s == ERR_RETRY)
        return;
    must(s, &err);
    bench->checkpointing = false;
    bench->checkpoint_us = now_us(bench) - bench->checkpoint_began_us;
}

static void update_vector(struct bench *bench, struct keyed_pane *pane, const struct id128 *ids, char (*keys)[16])
{
    struct error err = { 0 };
    must(keyed_load(bench->keyed, pane, ids, VECTOR, &err), &err);
    for (size_t i = 0; i < VECTOR; i++) {
        struct keyed_row *row;
        bool is_new;
        if (i + AHEAD < VECTOR)
            keyed_prefetch(pane, ids[i + AHEAD]);
        if (i + AHEAD_ROW < VECTOR)
            keyed_prefetch_row(pane, ids[i + AHEAD_ROW]);
        must(keyed_row_get(bench->keyed, pane, ids[i], slice_of(keys[i], 16), &row, &is_new, &err), &err);
        ((struct counter_row *)row->data)->count++;
        keyed_row_touch(bench->keyed, row);
    }
}

/* *out_table_us: of it, the time in the table. */
static int64_t run(struct bench *bench, uint64_t updates, bool each_once, bool checkpoint, int64_t *out_table_us)
{
    static struct id128 ids[VECTOR];
    static char keys[VECTOR][16];
    struct error err = { 0 };
    bool is_new;
    uint32_t tenant = keyed_tenant(bench->keyed, SLICE("acme"));
    struct keyed_pane *pane = keyed_pane_get(bench->keyed, &KIND, tenant, 0, true, &is_new);
    int64_t start_us = cpu_us(), table_us = 0, made_us = 0;
    for (uint64_t done = 0; done < updates; done += VECTOR) {
        int64_t a = cpu_us();
        for (size_t i = 0; i < VECTOR; i++) {
            uint64_t key = each_once ? (done + i) % bench->keys : next_key(bench);
            memset(keys[i], '0', sizeof keys[i]);
            memcpy(keys[i], &key, sizeof key);
            XXH128_hash_t hash = XXH3_128bits_withSeed(keys[i], sizeof keys[i], 7);
            ids[i] = (struct id128){ hash.low64, hash.high64 };
        }
        int64_t b = cpu_us(), wall_us = now_us(bench);
        made_us += b - a;
        while (bench->states[1]->ops->prepare(bench->states[1], VECTOR, &err) != OK) {
            commit(bench);
            upkeep(bench, false);
        }
        update_vector(bench, pane, ids, keys);
        table_us += cpu_us() - b;
        if (done % COMMIT == 0) {
            commit(bench);
            upkeep(bench, checkpoint && done >= updates / 4 && done < updates / 4 + COMMIT);
            int64_t took_us = now_us(bench) - wall_us;
            if (took_us > bench->longest_us)
                bench->longest_us = took_us;
        }
    }
    *out_table_us = table_us;
    return cpu_us() - start_us - made_us;
}

static void finish_checkpoint(struct bench *bench)
{
    commit(bench);
    do
        upkeep(bench, true);
    while (bench->checkpointing);
}

static void measure_recovery(struct bench *bench)
{
    struct error err = { 0 };
    struct state_point point;
    int64_t table_us, start_us;
    down(bench);
    up(bench);
    start_us = now_us(bench);
    must(state_base_open(bench->base, &err), &err);
    must(state_base_restore(bench->base, 1, bench->changelog_next, &point, &err), &err);
    int64_t opened_us = now_us(bench) - start_us;
    (void)run(bench, VECTOR, false, false, &table_us);
    printf("  restart: base open after %.0f ms, first 512 results after %.0f ms\n", (double)opened_us / 1e3,
           (double)(now_us(bench) - start_us) / 1e3);
    int64_t cpu = run(bench, 1u << 18, false, false, &table_us);
    printf("  the first 262144 updates then: %.2f M/s\n", (1u << 18) / (double)cpu);
    bool more = true;
    while (more)
        must(bench->states[1]->ops->maintain(bench->states[1], &more, &err), &err);
    printf("  all rows back in memory (as far as they fit) after %.1f s\n", (double)(now_us(bench) - start_us) / 1e6);
}

static void report(struct bench *bench, const char *what, uint64_t updates, int64_t us, int64_t table_us)
{
    struct keyed_usage usage;
    keyed_usage(bench->keyed, &usage);
    printf("  %-28s %6.2f M updates/s (table alone %.2f), %.1f changelog bytes an update, longest step %.1f ms\n", what,
           (double)updates / (double)us, (double)updates / (double)table_us,
           (double)bench->changelog_bytes / (double)updates, (double)bench->longest_us / 1e3);
    printf("  %-28s rows in memory %.2f M, %.0f bytes each, evicted %.2f M, read %.2f M, written %.2f M\n", "",
           (double)usage.rows_in_memory / 1e6, (double)usage.memory_bytes / (double)(usage.rows_in_memory + 1),
           (double)usage.evictions / 1e6, (double)usage.base_reads / 1e6, (double)usage.base_writes / 1e6);
    bench->changelog_bytes = 0;
    bench->longest_us = 0;
}

static void parse(struct bench *bench, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        uint64_t *number = strcmp(argv[i], "--keys") == 0      ? &bench->keys
                           : strcmp(argv[i], "--updates") == 0 ? &bench->updates
                           : strcmp(argv[i], "--memory") == 0  ? &bench->memory_mib
                                                               : NULL;
        if (number && i + 1 < argc)
            *number = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc)
            bench->dir = argv[++i];
        else if (strcmp(argv[i], "--zipf") == 0)
            bench->zipf = true;
    }
}

int main(int argc, char **argv)
{
    struct bench *bench = calloc(1, sizeof *bench);
    int64_t us, table_us;
    *bench = (struct bench){ .keys = 10000000, .updates = 20000000, .memory_mib = 4096, .dice = 88172645463325252ull };
    bench->dir = "/tmp/weir-keyed-bench";
    parse(bench, argc, argv);
    bench->world = world_real();
    bench->pool = kv_pool_new(&(struct kv_pool_options){ 0 });
    up(bench);
    printf("%llu keys, %llu updates, %llu MiB\n", (unsigned long long)bench->keys, (unsigned long long)bench->updates,
           (unsigned long long)bench->memory_mib);
    us = run(bench, bench->keys, true, false, &table_us);
    report(bench, "each key for the first time", bench->keys, us, table_us);
    us = run(bench, bench->updates, false, false, &table_us);
    report(bench, "updates", bench->updates, us, table_us);
    us = run(bench, bench->updates, false, true, &table_us);
    report(bench, "updates during a checkpoint", bench->updates, us, table_us);
    printf("  checkpoint under load took %.1f s\n", (double)bench->checkpoint_us / 1e6);
    finish_checkpoint(bench);
    printf("  the next one, with nothing else to do, %.1f s\n", (double)bench->checkpoint_us / 1e6);
    measure_recovery(bench);
    down(bench);
    kv_pool_free(bench->pool);
    process_outputs_done(&bench->outputs);
    free(bench);
    return 0;
}
