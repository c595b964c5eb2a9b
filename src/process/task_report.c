/* The journal's thread only says that a commit is done; everything else is the owner's. What a failed commit would have
 * told is told by the next one, but that a task has gone: of that nothing is heard any more, which says the same later.
 */
#include "process/task_report.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/metrics.h"
#include "world/world.h"

#define SOON_US 100000 /* shortest time between two commits */
#define NONE UINT16_MAX

enum report_state { IDLE, FLYING, ANSWERED };

struct task_reporter {
    struct task_reporter_options options;
    struct journal *journal;
    struct metrics *metrics;
    struct world *world;
    struct counter *told, *failed;
    uint16_t count;
    int64_t told_us, next_us;
    struct buf bytes; /* of the commit */
    struct journal_commit commit;
    enum status status; /* of the answer */
    _Atomic int state;
    struct journal_chunk *chunks; /* one a partition */
    struct partition {
        enum task_state told;
        struct buf series;
    } partitions[];
};

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    struct task_reporter *reporter = commit->context;
    (void)reason;
    reporter->status = status;
    atomic_store(&reporter->state, ANSWERED);
}

struct task_reporter *task_reporter_new(const struct task_reporter_options *options, struct journal *journal,
                                        struct metrics *metrics, struct world *world)
{
    const uint16_t count = journal->partitions;
    struct task_reporter *reporter = calloc(1, sizeof *reporter + count * sizeof reporter->partitions[0]);
    struct journal_chunk *chunks = calloc(count, sizeof *chunks);
    if (!reporter || !chunks)
        abort();
    reporter->options = *options;
    reporter->journal = journal;
    reporter->metrics = metrics;
    reporter->world = world;
    reporter->count = count;
    reporter->chunks = chunks;
    reporter->told = metrics_counter(metrics, "task_reports_total", "Times that the tasks were told of", "");
    reporter->failed = metrics_counter(metrics, "task_report_failures_total",
                                       "Times that it failed, and was left to the next one", "");
    buf_init(&reporter->bytes, TASK_REPORT_BYTES_MAX);
    for (uint16_t i = 0; i < count; i++)
        buf_init(&reporter->partitions[i].series, TASK_STATUS_BYTES_MAX);
    return reporter;
}

bool task_reporter_is_idle(const struct task_reporter *reporter)
{
    return atomic_load(&reporter->state) != FLYING;
}

void task_reporter_free(struct task_reporter *reporter)
{
    if (!reporter)
        return;
    assert(task_reporter_is_idle(reporter));
    for (uint16_t i = 0; i < reporter->count; i++)
        buf_done(&reporter->partitions[i].series);
    buf_done(&reporter->bytes);
    free(reporter->chunks);
    free(reporter);
}

/* Where a series goes: to the partition that its labels end with, or to the one that was named. */
struct series_visit {
    struct task_reporter *reporter;
    enum task_series kind;
    uint16_t to; /* NONE: as the labels say */
};

static uint16_t partition_of(const char *labels)
{
    static const char NAME[] = "partition=\"";
    const char *at = strstr(labels, NAME), *next;
    while (at && (next = strstr(at + 1, NAME)) != NULL)
        at = next;
    return at ? (uint16_t)strtoul(at + sizeof NAME - 1, NULL, 10) : NONE;
}

static void add_series(void *self, const char *labels, double value)
{
    const struct series_visit *visit = self;
    const uint16_t to = visit->to == NONE ? partition_of(labels) : visit->to;
    if (to < visit->reporter->count)
        task_series_add(&visit->reporter->partitions[to].series, visit->kind, slice_from(labels), value);
}

/* first: the partition that tells of the whole process. */
static void gather_series(struct task_reporter *reporter, uint16_t first)
{
    for (uint16_t i = 0; i < reporter->count; i++)
        buf_reset(&reporter->partitions[i].series);
    for (enum task_series kind = 0; kind < TASK_SERIES; kind++) {
        struct series_visit visit = { reporter, kind, kind == TASK_WATERMARKS ? NONE : first };
        metrics_visit(reporter->metrics, TASK_SERIES_METRICS[kind], add_series, &visit);
    }
}

static void read_numbers(const struct task_reporter *reporter, uint16_t partition, double *out)
{
    char labels[32];
    snprintf(labels, sizeof labels, "partition=\"%u\"", partition);
    for (size_t i = 0; i < TASK_NUMBER_COUNT; i++)
        if (!metrics_read(reporter->metrics, TASK_NUMBERS[i].metric, labels, &out[i]))
            out[i] = NAN;
}

static void add_record(struct task_reporter *reporter, uint16_t partition, const struct task_now *now)
{
    struct buf *bytes = &reporter->bytes;
    struct partition *of = &reporter->partitions[partition];
    struct task_status status = { .partition = partition,
                                  .state = now->state,
                                  .instance = slice_from(reporter->options.instance),
                                  .host = slice_from(reporter->options.host),
                                  .version = slice_from(reporter->options.version),
                                  .generation = now->generation,
                                  .since_ms = now->since_ms,
                                  .at_ms = world_wall_ms(reporter->world) };
    read_numbers(reporter, partition, status.numbers);
    if (now->state != TASK_LEFT)
        status.series = buf_slice(&of->series);
    const size_t begin = bytes->n;
    const uint32_t unknown = 0;
    buf_add(bytes, &unknown, sizeof unknown);
    task_status_encode(&status, bytes);
    const uint32_t n = (uint32_t)(bytes->n - begin - sizeof n);
    if (bytes->full)
        bytes->n = begin;
    else
        memcpy(bytes->p + begin, &n, sizeof n);
}

static bool has_news(const struct partition *partition, const struct task_now *now)
{
    return now->state != partition->told;
}

/* The records of all that are here, and of those that were; how many there are. The bytes may move while they grow, so
 * that chunks point to them only at the end. */
static size_t make_records(struct task_reporter *reporter, const struct task_now *now)
{
    size_t count = 0, at = 0;
    buf_reset(&reporter->bytes);
    for (uint16_t i = 0; i < reporter->count && count < JOURNAL_CHUNKS_MAX; i++) {
        const size_t begin = reporter->bytes.n;
        if (now[i].state == TASK_LEFT && !has_news(&reporter->partitions[i], &now[i]))
            continue;
        add_record(reporter, i, &now[i]);
        if (reporter->bytes.full)
            break;
        reporter->chunks[count++] = (struct journal_chunk){
            .topic = TOPIC_TASKS, .partition = i, .records = 1, .bytes = { NULL, reporter->bytes.n - begin }
        };
    }
    for (size_t i = 0; i < count; at += reporter->chunks[i++].bytes.n)
        reporter->chunks[i].bytes.p = reporter->bytes.p + at;
    return count;
}

static void tell(struct task_reporter *reporter, const struct task_now *now, uint16_t first)
{
    gather_series(reporter, first);
    const size_t count = make_records(reporter, now);
    if (count == 0)
        return;
    reporter->commit = (struct journal_commit){
        .chunks = reporter->chunks, .chunk_count = count, .done = on_done, .context = reporter
    };
    atomic_store(&reporter->state, FLYING);
    struct error err;
    if (journal_submit(reporter->journal, &reporter->commit, &err) != OK) {
        atomic_store(&reporter->state, IDLE);
        counter_add(reporter->failed, 1);
        reporter->told_us = reporter->next_us - SOON_US; /* news wait for the next time, too */
        return;
    }
    for (size_t i = 0; i < count; i++)
        reporter->partitions[reporter->chunks[i].partition].told = now[reporter->chunks[i].partition].state;
}

static void take_answer(struct task_reporter *reporter)
{
    if (atomic_load(&reporter->state) != ANSWERED)
        return;
    atomic_store(&reporter->state, IDLE);
    counter_add(reporter->status == OK ? reporter->told : reporter->failed, 1);
}

void task_reporter_step(struct task_reporter *reporter, const struct task_now *now)
{
    const int64_t now_us = world_mono_us(reporter->world);
    uint16_t first = NONE;
    bool news = false;
    take_answer(reporter);
    for (uint16_t i = reporter->count; i-- > 0;) {
        first = now[i].state != TASK_LEFT ? i : first;
        news |= has_news(&reporter->partitions[i], &now[i]);
    }
    if (!task_reporter_is_idle(reporter) || now_us < (news ? reporter->told_us + SOON_US : reporter->next_us))
        return;
    reporter->told_us = now_us;
    reporter->next_us = now_us + TASK_STATUS_EVERY_US;
    tell(reporter, now, first);
}

void task_reporter_leave(struct task_reporter *reporter)
{
    take_answer(reporter);
    if (!task_reporter_is_idle(reporter))
        return;
    struct task_now *none = calloc(reporter->count, sizeof *none);
    if (none)
        tell(reporter, none, NONE);
    free(none);
}
