/* Any bytes as the records that a partition reads of what other processes have written and a broker has kept: its
 * changelog, of which each is refused, or applied to the state that its first byte names, or is a piece of a snapshot;
 * and the sums that other partitions found for windows of this one. Then windows are closed, and the states are looked
 * after, written out and forgotten. No crash, no hang, no leak, and no file but those of the partition's directory.
 *
 * Before each record stand two bytes: its length, in the highest bit whether it is put right where that follows from
 * what is known, and in the next one whether it is a sum. */
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "config/domain.h"
#include "config/problems.h"
#include "process/process_output.h"
#include "process/process_restore.h"
#include "process/process_snapshot_read.h"
#include "process/stage_window.h"
#include "process/state/dedup.h"
#include "process/state/keyed.h"
#include "process/state/kv.h"
#include "process/state/session_state.h"
#include "process/state/watermarks.h"
#include "process/window/window_def.h"
#include "process/window/window_partial.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

#define PATH "/state/partition-00000"
#define STATES 5
#define PARTITIONS 2
#define PUT_RIGHT 0x8000
#define IS_SUM 0x4000
#define SEED 7
#define NOW_MS 1700000000000

static const char DOMAIN[] =
    "domain: fuzz\n"
    "windows:\n"
    "  - {name: a, size: 1m, by: [event_type], measures: {n: count(), s: sum(properties.x)}}\n"
    "  - {name: b, kind: session, gap: 5m, by: [properties.k], measures: {n: count(), d: "
    "distinct(visitor_id), t: 'top(event_type, 3)'}}\n"
    "  - {name: c, kind: sliding, size: 1m, slide: 20s, emit: update, by: [event_type], measures: {q: "
    "'quantile(properties.x, 0.9)'}}\n"
    "  - {name: d, size: 1h, time: processing, by: [event_type], measures: {n: count()}}\n";

static struct domain_set *domains;

static struct {
    struct world_sim sim;
    struct disk_sim *disk;
    struct metrics *metrics;
    struct window_defs windows;
    struct state_kv *kv;
    struct dedup *dedup;
    struct keyed *rows;
    struct session_state *sessions;
    struct watermarks *watermarks;
    struct stage_window *stage;
    struct state *states[STATES];
    struct state_base *base;
} t;

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void load_domain(void)
{
    struct problems problems;
    struct error err;
    problems_init(&problems, false);
    expect(domain_set_load_text("fuzz.yaml", slice_from(DOMAIN), world_real(), &domains, &problems, &err) == OK);
    problems_done(&problems);
}

static void set_up(void)
{
    struct error err;
    struct world *world = &t.sim.world;
    t.disk = disk_sim_new(7, &t.sim);
    world_sim_init(&t.sim, 7, disk_sim_disk(t.disk));
    expect(disk_make_dirs(world->disk, PATH, &err) == OK);
    t.metrics = metrics_new(1000);
    expect(window_defs_make(domains, false, t.metrics, &t.windows, &err) == OK);
    t.kv = state_kv_new(&(struct state_kv_options){ .path = PATH, .backend = &kv_disk }, world);
    const struct dedup_options ids = { PATH, 64u << 10, 1u << 20, 1000 };
    const struct keyed_options rows = { t.windows.kinds, t.windows.count, 1u << 20 };
    const struct session_state_options sessions = { .gap_ms = 1000, .memory_bytes_max = 1u << 20, .kv = t.kv };
    const struct watermarks_options marks = {
        .disorder_ms = 1000, .idle_ms = 1000, .has_others = true, .partitions = PARTITIONS, .kv = t.kv
    };
    t.dedup = dedup_new(&ids, world);
    t.rows = keyed_new(&rows, t.kv, world);
    t.sessions = session_state_new(&sessions);
    t.watermarks = watermarks_new(&marks);
    t.states[0] = dedup_state(t.dedup);
    t.states[1] = state_kv_state(t.kv);
    t.states[2] = keyed_state(t.rows);
    t.states[3] = session_state_state(t.sessions);
    t.states[4] = watermarks_state(t.watermarks);
    t.base = state_base_new(PATH, world->disk, 0, t.states, STATES);
    expect(state_base_open(t.base, &err) == OK);
}

/* The stage lives from the first sum until the task would begin anew. */
static void begin_windows(void)
{
    const struct stage_window_options stage = {
        .defs = &t.windows, .rows = t.rows, .watermarks = t.watermarks, .partitions = PARTITIONS, .seed = SEED
    };
    if (!t.stage)
        t.stage = stage_window_new(&stage);
}

static void begin_anew(void)
{
    stage_window_free(t.stage);
    t.stage = NULL;
    state_base_empty(t.base);
}

static void tear_down(void)
{
    begin_anew();
    state_base_free(t.base);
    dedup_free(t.dedup);
    session_state_free(t.sessions);
    watermarks_free(t.watermarks);
    keyed_free(t.rows);
    state_kv_free(t.kv);
    window_defs_done(&t.windows);
    metrics_free(t.metrics);
    disk_sim_free(t.disk);
}

/* Its seed and its checksum (process/state/state_base.c), so that what is within is looked at. */
static void put_manifest_right(char *manifest, size_t n)
{
    const uint64_t seed = SEED;
    uint32_t crc;
    if (n < 48 + sizeof crc)
        return;
    memcpy(manifest + 40, &seed, sizeof seed);
    crc = crc32c(0, manifest, n - sizeof crc);
    memcpy(manifest + n - sizeof crc, &crc, sizeof crc);
}

/* A window that there is, a time near now, and the row's length that the others leave. */
static void put_sum_right(char *record, size_t n)
{
    struct __attribute__((packed)) {
        uint8_t version, zero;
        uint16_t from;
        uint64_t definition;
        int64_t start_ms, end_ms, watermark_ms;
        uint64_t events;
        uint16_t shorts[3], zero_too;
        uint32_t row;
    } head;
    _Static_assert(sizeof head == WINDOW_PARTIAL_HEADER_BYTES, "the format is drawn in window_partial.h");
    if (n < sizeof head)
        return;
    memcpy(&head, record, sizeof head);
    const struct window *window = t.windows.defs[head.definition % t.windows.count].window;
    size_t rest = n - sizeof head;
    head.version = 1;
    head.from %= PARTITIONS;
    head.definition = window->id;
    head.start_ms = NOW_MS + head.start_ms % 86400000;
    head.end_ms = window->gap_ms ? head.start_ms + (head.end_ms & 0xfffff) : head.start_ms;
    for (int i = 0; i < 3; i++, rest -= head.shorts[i - 1])
        head.shorts[i] = (uint16_t)(head.shorts[i] < rest ? head.shorts[i] : rest);
    head.row = (uint32_t)rest;
    memcpy(record, &head, sizeof head);
}

static void put_right(char *record, size_t n, const struct snapshot_reader *reader)
{
    struct snapshot_head head;
    if (n < sizeof head || (uint8_t)record[0] != STATE_SNAPSHOT)
        return;
    memcpy(&head, record, sizeof head);
    head.version = SNAPSHOT_VERSION;
    head.number = reader->number;
    head.kind = reader->number == 0 ? SNAPSHOT_BEGIN : head.kind;
    if (head.kind == SNAPSHOT_END)
        head.place = reader->bytes;
    else if (head.kind == SNAPSHOT_FILE && head.place)
        head.place = reader->file_at;
    memcpy(record, &head, sizeof head);
    if (head.kind == SNAPSHOT_BEGIN)
        put_manifest_right(record + sizeof head, n - sizeof head);
}

static enum status take(struct slice record, uint64_t offset, struct snapshot_reader *reader, struct error *err)
{
    struct state_point point;
    if (t.stage)
        begin_anew();
    if (is_snapshot_record(record)) {
        enum status s = snapshot_reader_take(reader, record, err);
        if (s == OK && reader->ended)
            s = snapshot_reader_finish(reader, SEED, &point, err);
        return s;
    }
    for (size_t i = 0; i < STATES && record.n; i++)
        if ((uint8_t)record.p[0] == t.states[i]->ops->id)
            return t.states[i]->ops->apply(t.states[i], record, offset, err);
    return ERR_CORRUPT;
}

/* A sum, and now and then the end of a commit after it: the record's length decides. */
static enum status take_sum(struct slice record, struct process_outputs *outputs, struct error *err)
{
    const int64_t now_ms = NOW_MS + (int64_t)(record.n % 7) * 3600000;
    enum status s = OK;
    begin_windows();
    for (size_t i = 0; i < STATES && s == OK; i++)
        s = t.states[i]->ops->prepare(t.states[i], 1, err);
    if (s == OK)
        s = stage_window_partial(t.stage, record, now_ms, outputs, err);
    if (s != OK || record.n % 3)
        return s;
    for (int i = 0; i < 8 && s == OK && (i == 0 || stage_window_is_closing(t.stage)); i++) {
        (void)stage_window_tick(t.stage, now_ms);
        s = stage_window_flush(t.stage, outputs, err);
        process_outputs_reset(outputs);
    }
    return s;
}

static void look_after(struct process_outputs *outputs)
{
    struct error err;
    struct process_stream *changelog = process_outputs_stream(outputs, TOPIC_CHANGELOG, 0);
    for (size_t i = 0; i < STATES; i++) {
        bool more = true;
        for (int k = 0; k < 4 && more; k++)
            if (t.states[i]->ops->maintain(t.states[i], &more, &err) != OK)
                break;
        (void)!t.states[i]->ops->collect(t.states[i], changelog, &err);
    }
    process_outputs_reset(outputs);
}

static void run(const uint8_t *data, size_t size)
{
    static struct process_outputs outputs;
    struct snapshot_reader reader = { .base = t.base, .kv = t.kv, .disk = t.sim.world.disk };
    for (uint64_t offset = 0; size >= 2; offset++) {
        struct error err = { 0 };
        size_t lead = data[0] | (size_t)data[1] << 8, n = lead & (IS_SUM - 1);
        data += 2, size -= 2;
        n = n < size ? n : size;
        char *record = malloc(n ? n : 1); /* its own block, so that reading past it is seen */
        memcpy(record, data, n);
        if ((lead & PUT_RIGHT) && (lead & IS_SUM))
            put_sum_right(record, n);
        else if (lead & PUT_RIGHT)
            put_right(record, n, &reader);
        enum status s = lead & IS_SUM ? take_sum(slice_of(record, n), &outputs, &err)
                                      : take(slice_of(record, n), offset, &reader, &err);
        free(record);
        data += n, size -= n;
        if (s != OK) { /* what a restore does: it begins anew elsewhere */
            expect(s == ERR_CORRUPT || err.text[0]);
            snapshot_reader_reset(&reader);
            begin_anew();
        }
    }
    snapshot_reader_reset(&reader);
    look_after(&outputs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct process_note note;
    if (!domains)
        load_domain();
    if (process_note_decode(slice_of(data, size < PROCESS_NOTE_BYTES ? size : PROCESS_NOTE_BYTES), &note, NULL) == OK)
        expect(size >= 40);
    set_up();
    run(data, size);
    tear_down();
    return 0;
}
