/* Windows and sessions of a range of the past against sums made by hand, also with memory for a few rows only. */
#include "replay/replay_windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"
#include "config/domain.h"
#include "config/problems.h"
#include "process/state/kv.h"
#include "replay/row_binary.h"
#include "test/support/scratch.h"
#include "world/disk.h"
#include "world/world.h"

#define MINUTE 60000LL
#define EVENTS 20000
#define KEYS 600

static const char YAML[] =
    "domain: past\n"
    "windows:\n"
    "  - name: busy\n    size: 10m\n    by: [visitor_id]\n    lateness: 1d\n    emit: update\n"
    "    measures: {n: count()}\n"
    "  - name: moving\n    kind: sliding\n    size: 30m\n    slide: 10m\n"
    "    measures: {n: count()}\n"
    "  - name: visits\n    kind: session\n    gap: 10m\n    by: [visitor_id]\n    measures: {n: count()}\n";

struct past {
    char directory[SCRATCH_PATH_MAX];
    struct domain_set *domains;
    struct kv_pool *pool;
    int64_t times[EVENTS];
    unsigned keys[EVENTS];
};

static void past_open(struct past *past)
{
    char path[SCRATCH_PATH_MAX + 32];
    struct error err;
    AUTO(problems) struct problems words;
    problems_init(&words, false);
    scratch_make("replay", past->directory);
    snprintf(path, sizeof path, "%s/domains", past->directory);
    assert_int_equal(disk_make_dirs(world_real()->disk, path, &err), OK);
    snprintf(path, sizeof path, "%s/domains/past.yaml", past->directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(YAML, file);
    fclose(file);
    assert_int_equal(domain_set_load(past->directory, world_real(), &past->domains, &words, &err), OK);
    past->pool = kv_pool_new(&(struct kv_pool_options){ 0 });
    int64_t at_ms = -300 * MINUTE; /* before 1970, too */
    for (size_t i = 0; i < EVENTS; i++) {
        at_ms += (int64_t)((i * 2654435761u >> 7) % 5) * 1000; /* whole seconds: some pauses are just the gap */
        past->times[i] = at_ms;
        past->keys[i] = (unsigned)(i * 40503u >> 3) % KEYS;
    }
}

static void past_close(struct past *past)
{
    assert_int_equal(scratch_remove(past->directory), 0);
    domain_set_free(past->domains);
    kv_pool_free(past->pool);
}

static uint64_t counted(const struct past *past, int64_t start_ms, int64_t end_ms, int key)
{
    uint64_t n = 0;
    for (size_t i = 0; i < EVENTS; i++)
        n += past->times[i] >= start_ms && past->times[i] < end_ms && (key < 0 || past->keys[i] == (unsigned)key);
    return n;
}

/* How many results there have to be. */
static uint64_t expected_results(const struct past *past, int64_t from_ms, int64_t to_ms)
{
    uint64_t results = 0;
    for (int64_t start_ms = from_ms / (10 * MINUTE) * 10 * MINUTE - 10 * MINUTE; start_ms < to_ms;
         start_ms += 10 * MINUTE) {
        if (start_ms >= from_ms && start_ms + 30 * MINUTE <= to_ms)
            results += counted(past, start_ms, start_ms + 30 * MINUTE, -1) > 0;
        for (int key = 0; start_ms >= from_ms && start_ms + 10 * MINUTE <= to_ms && key < KEYS; key++)
            results += counted(past, start_ms, start_ms + 10 * MINUTE, key) > 0;
    }
    return results;
}

/* The columns of a result in the engine, in their order. */
struct window_row {
    struct slice tenant, placement, window, kind, key, measures;
    uint64_t definition, generation, events;
    int64_t start_ms, end_ms;
};

static struct window_row take_window_row(struct slice *rows)
{
    struct window_row row = { 0 };
    assert_true(row_take_text(rows, &row.tenant) && row_take_text(rows, &row.placement) &&
                row_take_text(rows, &row.window) && row_take(rows, &row.definition, 8) &&
                row_take(rows, &row.generation, 8) && row_take_text(rows, &row.kind) &&
                row_take(rows, &row.start_ms, 8) && row_take(rows, &row.end_ms, 8) && row_take_text(rows, &row.key) &&
                row_take_text(rows, &row.measures) && row_take(rows, &row.events, 8));
    return row;
}

static void check_rows(const struct past *past, struct slice rows, int64_t from_ms, int64_t to_ms)
{
    while (rows.n) {
        const struct window_row row = take_window_row(&rows);
        assert_true(slice_equal(row.tenant, SLICE("acme")) && slice_equal(row.placement, SLICE("own")));
        assert_int_equal(row.generation, 77);
        assert_true(row.start_ms >= from_ms && row.end_ms <= to_ms);
        const bool busy = slice_equal(row.window, SLICE("busy"));
        assert_int_equal(row.end_ms - row.start_ms, (busy ? 10 : 30) * MINUTE);
        int of_key = -1;
        if (busy)
            assert_int_equal(sscanf(row.key.p, "{\"visitor_id\":\"v%d\"}", &of_key), 1);
        assert_int_equal(row.events, counted(past, row.start_ms, row.end_ms, of_key));
        char want[64];
        snprintf(want, sizeof want, "{\"n\":%llu}", (unsigned long long)row.events);
        assert_true(slice_equal(row.measures, slice_from(want)));
    }
}

static void add(struct replay_windows *windows, size_t count, struct replay_rows *out)
{
    struct error err = { 0 };
    enum status s;
    bool more = false;
    do {
        while ((s = replay_windows_add(windows, count, out, &more, &err)) == ERR_RETRY)
            ;
        assert_int_equal(s, OK);
        count = 0;
    } while (more);
}

static void until(struct replay_windows *windows, int64_t until_ms, struct replay_rows *out)
{
    struct error err = { 0 };
    bool more = false;
    do
        assert_int_equal(replay_windows_until(windows, until_ms, out, &more, &err), OK);
    while (more);
}

static struct replay_windows *windows_open(const struct past *past, const uint16_t *chosen, size_t count,
                                           int64_t from_ms, int64_t to_ms, uint64_t memory_bytes)
{
    char path[SCRATCH_PATH_MAX + 16];
    struct error err = { 0 };
    struct replay_windows *windows;
    snprintf(path, sizeof path, "%s/scratch", past->directory);
    const struct replay_windows_options options = { .domains = past->domains,
                                                    .windows = chosen,
                                                    .window_count = count,
                                                    .from_ms = from_ms,
                                                    .to_ms = to_ms,
                                                    .generation = 77,
                                                    .path = path,
                                                    .pool = past->pool,
                                                    .memory_bytes_max = memory_bytes };
    assert_int_equal(replay_windows_new(&options, world_real(), &windows, &err), OK);
    return windows;
}

static void feed(const struct past *past, struct replay_windows *windows, int64_t from_ms, int64_t to_ms,
                 struct replay_rows *out)
{
    char texts[PROCESS_BATCH_MAX][16];
    for (size_t i = 0; i < EVENTS;) {
        size_t count = 0;
        for (; i < EVENTS && count < PROCESS_BATCH_MAX; i++) {
            if (past->times[i] < from_ms || past->times[i] >= to_ms)
                continue;
            snprintf(texts[count], sizeof texts[count], "v%u", past->keys[i]);
            replay_windows_events(windows)[count] = (struct event){ .customer_id = SLICE("acme"),
                                                                    .placement = SLICE("own"),
                                                                    .visitor_id = slice_from(texts[count]),
                                                                    .event_id = slice_from(texts[count]),
                                                                    .event_type = SLICE("view"),
                                                                    .properties = SLICE("{}"),
                                                                    .context = SLICE("{}"),
                                                                    .timestamp_ms = past->times[i] };
            count++;
        }
        add(windows, count, out);
    }
}

static void rows_init(struct replay_rows *rows)
{
    *rows = (struct replay_rows){ 0 };
    buf_init(&rows->windows_replayed, 64 << 20);
    buf_init(&rows->replay_edges, 64 << 20);
}

static void rows_done(struct replay_rows *rows)
{
    buf_done(&rows->windows_replayed);
    buf_done(&rows->replay_edges);
}

static void run(const struct past *past, int64_t from_ms, int64_t to_ms, uint64_t memory_bytes)
{
    const uint16_t chosen[2] = { 0, 1 };
    struct replay_windows *windows = windows_open(past, chosen, 2, from_ms, to_ms, memory_bytes);
    struct replay_rows rows;
    rows_init(&rows);
    feed(past, windows, from_ms, to_ms, &rows);
    until(windows, to_ms + 1, &rows);
    check_rows(past, buf_slice(&rows.windows_replayed), from_ms, to_ms);
    assert_int_equal(rows.results, expected_results(past, from_ms, to_ms));
    assert_int_equal(rows.replay_edges.n, 0);
    assert_int_equal(replay_windows_evictions(windows) > 0, memory_bytes < 1 << 20);
    rows_done(&rows);
    replay_windows_free(windows);
}

/* ---- sessions ---- */

#define GAP (10 * MINUTE)

/* What is known of one key: its sessions by sort and cut, what was written of them, and edges. */
struct visits {
    struct visit {
        int64_t begins_ms, ends_ms;
        uint64_t events;
        bool written;
    } * all;
    struct edge_row {
        int64_t begins_ms, ends_ms;
        bool replaced;
    } edges[4];
    size_t count, edge_count;
};

static void cut(const struct past *past, struct visits keys[KEYS])
{
    memset(keys, 0, KEYS * sizeof keys[0]);
    for (size_t i = 0; i < EVENTS; i++) {
        struct visits *key = &keys[past->keys[i]];
        if (key->count == 0 || past->times[i] - key->all[key->count - 1].ends_ms > GAP) {
            key->all = realloc(key->all, (key->count + 1) * sizeof *key->all);
            assert_non_null(key->all);
            key->all[key->count++] = (struct visit){ .begins_ms = past->times[i] };
        }
        key->all[key->count - 1].ends_ms = past->times[i];
        key->all[key->count - 1].events++;
    }
}

static struct visits *visits_of(struct visits keys[KEYS], struct slice key)
{
    unsigned number = KEYS;
    assert_int_equal(sscanf(key.p, "{\"visitor_id\":\"v%u\"}", &number), 1);
    assert_true(number < KEYS);
    return &keys[number];
}

static void take_sessions(struct visits keys[KEYS], struct slice rows)
{
    while (rows.n) {
        const struct window_row row = take_window_row(&rows);
        struct visits *visits = visits_of(keys, row.key);
        struct visit *visit = visits->all;
        while (visit < visits->all + visits->count && visit->begins_ms != row.start_ms)
            visit++;
        assert_true(visit < visits->all + visits->count && !visit->written);
        assert_true(visit->ends_ms == row.end_ms && visit->events == row.events);
        assert_true(slice_equal(row.kind, SLICE("session")));
        visit->written = true;
    }
}

static void take_edges(struct visits keys[KEYS], struct slice rows)
{
    struct slice tenant, placement, window, key = { 0 };
    uint64_t definition, generation = 0;
    uint8_t replaced = 0;
    while (rows.n) {
        struct edge_row edge;
        assert_true(
            row_take_text(&rows, &tenant) && row_take_text(&rows, &placement) && row_take_text(&rows, &window) &&
            row_take(&rows, &definition, 8) && row_take(&rows, &generation, 8) && row_take_text(&rows, &key) &&
            row_take(&rows, &edge.begins_ms, 8) && row_take(&rows, &edge.ends_ms, 8) && row_take(&rows, &replaced, 1));
        edge.replaced = replaced;
        struct visits *visits = visits_of(keys, key);
        assert_true(generation == 77 && visits->edge_count < COUNT_OF(visits->edges));
        visits->edges[visits->edge_count++] = edge;
    }
}

/* Whether what was told of a session that begins then is replaced: as the view decides (store/schema.c). */
static bool is_replaced(const struct visits *key, int64_t time_ms, int64_t from_ms, int64_t to_ms)
{
    for (size_t i = 0; i < key->edge_count; i++)
        if (key->edges[i].begins_ms <= time_ms && key->edges[i].ends_ms >= time_ms)
            return key->edges[i].replaced;
    return time_ms >= from_ms && time_ms < to_ms;
}

/* Of every event: what was told of it is replaced just when its session was written, and that is when it began in the
 * range and was over before the time that is not read any more. */
static void check_sessions(const struct past *past, struct visits keys[KEYS], int64_t from_ms, int64_t to_ms,
                           int64_t max_ms, size_t *out_crossing)
{
    for (size_t i = 0; i < EVENTS; i++) {
        struct visits *key = &keys[past->keys[i]];
        struct visit *visit = key->all;
        while (visit->ends_ms < past->times[i])
            visit++;
        const bool wanted = visit->begins_ms >= from_ms && visit->begins_ms < to_ms && visit->ends_ms + GAP < max_ms;
        assert_int_equal(visit->written, wanted);
        assert_int_equal(is_replaced(key, past->times[i], from_ms, to_ms), wanted);
        *out_crossing += visit->begins_ms < to_ms && visit->ends_ms >= to_ms;
        *out_crossing += visit->begins_ms < from_ms && visit->ends_ms >= from_ms;
    }
}

/* As the job does it: a gap before the range, and beyond it as far as sessions go that began in it. */
static void run_sessions(const struct past *past, int64_t from_ms, int64_t to_ms, int64_t max_ms, uint64_t memory_bytes)
{
    static struct visits keys[KEYS];
    const uint16_t chosen[1] = { 2 };
    struct replay_windows *windows = windows_open(past, chosen, 1, from_ms, to_ms, memory_bytes);
    struct replay_rows rows;
    struct error err = { 0 };
    bool open = true, done;
    size_t crossing = 0;
    rows_init(&rows);
    int64_t read_ms = from_ms - GAP, next_ms = to_ms + GAP < max_ms ? to_ms + GAP : max_ms;
    while (open && read_ms < max_ms) {
        feed(past, windows, read_ms, next_ms, &rows);
        until(windows, next_ms, &rows);
        struct stage_window_walk walk = { 0 };
        for (open = done = false; !done;)
            assert_int_equal(replay_windows_open(windows, &walk, NULL, &open, &done, &err), OK);
        read_ms = next_ms;
        next_ms = next_ms + GAP < max_ms ? next_ms + GAP : max_ms;
    }
    struct stage_window_walk walk = { 0 };
    for (done = false; !done;)
        assert_int_equal(replay_windows_open(windows, &walk, &rows, &open, &done, &err), OK);
    cut(past, keys);
    take_sessions(keys, buf_slice(&rows.windows_replayed));
    take_edges(keys, buf_slice(&rows.replay_edges));
    check_sessions(past, keys, from_ms, to_ms, max_ms, &crossing);
    assert_int_equal(replay_windows_evictions(windows) > 0, memory_bytes < 1 << 20);
    assert_int_equal(crossing > 0, from_ms < past->times[EVENTS - 1] && to_ms > past->times[0]);
    for (size_t i = 0; i < KEYS; i++)
        free(keys[i].all);
    rows_done(&rows);
    replay_windows_free(windows);
}

static void test_sessions_that_begin_in_the_range_are_whole_and_edges_say_what_they_replace(void **state)
{
    (void)state;
    static struct past past;
    past_open(&past);
    run_sessions(&past, -100 * MINUTE, 60 * MINUTE, 400 * MINUTE, 64 << 20);
    run_sessions(&past, -97 * MINUTE - 1, -97 * MINUTE, 400 * MINUTE, 64 << 20); /* an instant */
    run_sessions(&past, 0, 60 * MINUTE, 75 * MINUTE, 64 << 20);                  /* some go on when reading must end */
    run_sessions(&past, -900 * MINUTE, -100 * MINUTE, 0, 64 << 20);
    run_sessions(&past, 400000 * MINUTE, 400060 * MINUTE, 400100 * MINUTE, 64 << 20); /* nothing there */
    past_close(&past);
}

static void test_sessions_beyond_the_memory_are_the_same(void **state)
{
    (void)state;
    static struct past past;
    past_open(&past);
    run_sessions(&past, -60 * MINUTE, 30 * MINUTE, 100 * MINUTE, 16 << 10);
    past_close(&past);
}

static void test_results_are_those_of_the_windows_wholly_in_the_range(void **state)
{
    (void)state;
    static struct past past;
    past_open(&past);
    run(&past, -100 * MINUTE, 60 * MINUTE, 64 << 20);
    run(&past, -97 * MINUTE, 45 * MINUTE + 1, 64 << 20);    /* no edge is a window's */
    run(&past, 400000 * MINUTE, 400060 * MINUTE, 64 << 20); /* nothing there */
    past_close(&past);
}

static void test_rows_beyond_the_memory_lie_on_disk_and_nothing_changes(void **state)
{
    (void)state;
    static struct past past;
    past_open(&past);
    run(&past, -60 * MINUTE, 30 * MINUTE, 16 << 10);
    past_close(&past);
}

static void test_windows_by_the_clock_are_refused(void **state)
{
    (void)state;
    static struct past past;
    past_open(&past);
    assert_true(replay_windows_can(&past.domains->windows[0]));
    assert_true(replay_windows_can(&past.domains->windows[2]));
    struct window by_clock = past.domains->windows[0];
    by_clock.processing_time = true;
    assert_false(replay_windows_can(&by_clock));
    past_close(&past);
}

static void test_row_binary_reads_what_it_wrote_and_nothing_that_is_cut(void **state)
{
    (void)state;
    AUTO(buf) struct buf bytes, text;
    buf_init(&bytes, 1 << 20);
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < 20000; i++)
        buf_add_char(&text, (char)i);
    row_add_text(&bytes, buf_slice(&text));
    row_add_text(&bytes, SLICE(""));
    row_add_u64(&bytes, UINT64_MAX - 5);
    struct slice rest = buf_slice(&bytes), got = { 0 };
    uint64_t number = 0;
    assert_true(row_take_text(&rest, &got) && slice_equal(got, buf_slice(&text)));
    assert_true(row_take_text(&rest, &got) && got.n == 0);
    assert_true(row_take(&rest, &number, 8) && number == UINT64_MAX - 5 && rest.n == 0);
    for (size_t n = 0; n < 20000; n += 97) {
        rest = slice_of(bytes.p, n);
        assert_false(row_take_text(&rest, &got));
    }
    rest = SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    assert_false(row_take_text(&rest, &got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_are_those_of_the_windows_wholly_in_the_range),
        cmocka_unit_test(test_rows_beyond_the_memory_lie_on_disk_and_nothing_changes),
        cmocka_unit_test(test_sessions_that_begin_in_the_range_are_whole_and_edges_say_what_they_replace),
        cmocka_unit_test(test_sessions_beyond_the_memory_are_the_same),
        cmocka_unit_test(test_windows_by_the_clock_are_refused),
        cmocka_unit_test(test_row_binary_reads_what_it_wrote_and_nothing_that_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
