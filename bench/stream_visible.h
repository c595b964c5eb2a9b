/* How long after its event a result can be read: events at a steady rate, one of them every 20 ms with a key of its
 * own, and a reader who waits for that key in TOPIC_WINDOWS. Only stream_bench.c includes this. */
#pragma once
#include "base/bell.h"
#include "bench/stream_run.h"
#include "event/window_record.h"

#define VISIBLE_S 10
#define TICK_US 5000
#define TICKS_A_PROBE 4
#define PROBES_MAX (VISIBLE_S * 1000000 / (TICK_US * TICKS_A_PROBE))
#define PROBE_ITEM 90000000u

struct visible_report {
    double p50_ms, p99_ms, max_ms, rate;
    size_t sent, seen;
};

struct visible {
    struct stream_task task;
    struct stream_writer writer;
    const struct stream_options *options;
    double rate;
    _Atomic int64_t sent_us[PROBES_MAX]; /* 0: not yet */
    _Atomic bool all_sent;
    uint64_t events;
    double took_s;
    int64_t latency_us[PROBES_MAX];
};

static size_t put_event(struct visible *of, uint64_t item, char *to)
{
    struct stream_event event;
    of->options->of->make(of->options->of, of->events, &event);
    event.item = item == UINT64_MAX ? event.item : item;
    event.offset_ms = world_wall_us(world_real()) / 1000 - of->options->base_ms;
    return template_put(&of->writer.template, &event, of->events++, to);
}

/* Events that are due; the last one may be a probe. */
static void write_tick(struct visible *of, uint64_t due, size_t probe)
{
    do {
        struct stream_commit *commit = writer_next(&of->writer);
        uint32_t records = 0;
        size_t bytes = 0;
        while (of->events < due && records < WRITE_AT_ONCE - 1) {
            bytes += put_event(of, UINT64_MAX, commit->bytes + bytes);
            records++;
        }
        if (of->events >= due && probe < PROBES_MAX) {
            bytes += put_event(of, PROBE_ITEM + probe, commit->bytes + bytes);
            records++;
            atomic_store(&of->sent_us[probe], world_mono_us(world_real()));
        }
        if (records > 0)
            writer_submit(&of->writer, commit, bytes, records);
    } while (of->events < due);
}

static void *write_steadily(void *self)
{
    struct visible *of = self;
    double begun_s = wall_s();
    for (uint64_t tick = 1; tick <= VISIBLE_S * 1000000ull / TICK_US; tick++) {
        double until_s = begun_s + (double)tick * TICK_US / 1e6;
        while (wall_s() < until_s)
            usleep(200);
        size_t probe = tick % TICKS_A_PROBE == 0 ? tick / TICKS_A_PROBE - 1 : PROBES_MAX;
        write_tick(of, (uint64_t)(of->rate * (double)tick * TICK_US / 1e6), probe);
    }
    of->took_s = wall_s() - begun_s;
    atomic_store(&of->all_sent, true);
    return NULL;
}

static size_t note_results(struct visible *of, const struct journal_batch *batch)
{
    size_t seen = 0;
    struct window_record record;
    int64_t now_us = world_mono_us(world_real());
    for (size_t i = 0; i < batch->chunk_count; i++) {
        struct slice rest = batch->chunks[i].bytes, bytes;
        while (journal_next_record(&rest, &bytes)) {
            uint64_t item = 0;
            if (window_record_decode(bytes, &record, NULL) != OK || !digits_behind(record.key, 'i', &item) ||
                item < PROBE_ITEM || of->latency_us[item - PROBE_ITEM])
                continue;
            of->latency_us[item - PROBE_ITEM] = now_us - atomic_load(&of->sent_us[item - PROBE_ITEM]);
            seen++;
        }
    }
    return seen;
}

static size_t read_probes(struct visible *of)
{
    struct error err;
    struct journal_batch batch;
    struct journal_reader *reader;
    struct bell *bell = bell_new();
    struct journal *journal = of->task.journal.journal;
    const struct journal_read_options options = { .topics = TOPIC_BIT(TOPIC_WINDOWS), .waker = bell_waker(bell) };
    size_t seen = 0;
    double end_s = wall_s() + VISIBLE_S + 5;
    must(journal->backend->reader_open(journal, &options, &reader, &err), &err, "read results");
    while (wall_s() < end_s && !(atomic_load(&of->all_sent) && seen == PROBES_MAX)) {
        stream_task_look(&of->task);
        must(journal_read(reader, 1u << 20, &batch, &err), &err, "read results");
        seen += note_results(of, &batch);
        if (batch.chunk_count == 0)
            (void)bell_wait(bell, 100000);
    }
    journal->backend->reader_close(reader);
    bell_free(bell);
    return seen;
}

static int compare_times(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void run_visible(const struct stream_options *options, double rate, struct visible_report *out)
{
    static struct visible of;
    pthread_t thread;
    of.options = options;
    of.rate = rate;
    stream_task_start(&of.task, options);
    while (!process_task_is_ready(of.task.task)) {
        stream_task_look(&of.task);
        usleep(1000);
    }
    writer_init(&of.writer, of.task.journal.journal, options->base_ms);
    if (pthread_create(&thread, NULL, write_steadily, &of) != 0)
        abort();
    out->seen = read_probes(&of);
    out->sent = PROBES_MAX;
    pthread_join(thread, NULL);
    out->rate = (double)of.events / of.took_s;
    qsort(of.latency_us, PROBES_MAX, sizeof of.latency_us[0], compare_times);
    out->p50_ms = (double)of.latency_us[PROBES_MAX / 2] / 1e3;
    out->p99_ms = (double)of.latency_us[PROBES_MAX * 99 / 100] / 1e3;
    out->max_ms = (double)of.latency_us[PROBES_MAX - 1] / 1e3;
    writer_done(&of.writer);
    stream_task_stop(&of.task);
}
