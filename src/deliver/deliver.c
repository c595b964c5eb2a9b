/* One state machine, one step at a time:
 *
 *   RESUME ──place known──► GATHER ──full, or due──► WRITE ──there──► GATHER …       the mark follows behind each write
 *     ▲                        │                       │
 *     └── a pause ── any failure ──────────────────────┘
 *
 * RESUME reads the mark in the journal and asks the target where it stands: a target that keeps its place with the
 * records may be a write ahead of the mark. So the mark need not be waited for before the next write; only the first
 * one of a new sink is, so that a file's length is known before anything is in it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/metrics.h"
#include "deliver/deliver_inside.h"
#include "journal/journal.h"
#include "world/world.h"

#define MARK_LAG_MAX (16u << 20) /* a mark that lags so far behind what was read is moved without a write */
#define MARK_AGAIN_US                                                                                                  \
    (3600 * INT64_C(1000000)) /* Kafka forgets what is not committed for days, the oldest mark too                     \
                               */
#define IDLE_SHRINK_US 10000000
#define DRAIN_LOOK_US 10000 /* between two looks whether what was durable has come */
#define LOG_INTERVAL_US 10000000

void delivery_options_default(struct delivery_options *out)
{
    *out = (struct delivery_options){ .partition = JOURNAL_ALL_PARTITIONS,
                                      .linger_ms = 100,
                                      .record_bytes_max = 900u << 10,
                                      .retry_first_ms = 100,
                                      .retry_most_ms = 5000 };
}

enum status delivery_reopen(struct delivery *delivery, uint64_t position, struct error *err)
{
    struct journal_read_options options = { .topics = delivery->topics,
                                            .partition = delivery->options.partition,
                                            .position = position,
                                            .waker = bell_waker(delivery->bell) };
    if (delivery->reader)
        delivery->journal->backend->reader_close(delivery->reader);
    delivery->reader = NULL;
    return delivery->journal->backend->reader_open(delivery->journal, &options, &delivery->reader, err);
}

void delivery_look(struct delivery *delivery)
{
    figures_show(&delivery->figures, world_wall_us(delivery->world), world_mono_us(delivery->world));
}

void delivery_note_waiting(struct delivery *delivery, int64_t since_us)
{
    atomic_store(&delivery->figures.waiting_since_us, since_us);
    delivery_look(delivery);
}

static void note_answer(struct delivery *delivery, bool good)
{
    atomic_store(&delivery->figures.answers, good);
    delivery_look(delivery);
}

/* Around what the target is asked for, which may stand still: how long, can be seen from outside meanwhile. */
static void ask(struct delivery *delivery)
{
    atomic_store(&delivery->figures.asked_us, world_mono_us(delivery->world));
}

static void asked(struct delivery *delivery)
{
    atomic_store(&delivery->figures.asked_us, INT64_MAX);
}

/* A failure that time may heal: a pause, and a word in the log now and then. */
bool delivery_wait_after(struct delivery *delivery, const struct error *why, int64_t *wake_us)
{
    uint64_t skipped;
    counter_add(delivery->figures.failures, 1);
    note_answer(delivery, false);
    delivery->phase = RESUME;
    if (delivery_holds_too_much(delivery, &delivery->pass_until))
        delivery->phase = PASS_OVER;
    delivery->not_before_us = *wake_us = retry_next_us(&delivery->retry, delivery->world);
    if (why->status == ERR_CLOSED)
        return false;
    bool grave = why->status != ERR_RETRY && why->status != ERR_FULL;
    if (log_limit_pass(&delivery->log_retry, world_mono_us(delivery->world), LOG_INTERVAL_US, &skipped))
        log_line(grave ? LOG_ERROR : LOG_WARN, "sink.waiting", "sink=%s attempt=%u skipped=%lu %s",
                 delivery->options.sink, delivery->retry.attempts, skipped, why->text);
    return false;
}

static void healed(struct delivery *delivery)
{
    if (delivery->retry.attempts)
        log_info("sink.back", "sink=%s attempts=%u", delivery->options.sink, delivery->retry.attempts);
    retry_reset(&delivery->retry);
    delivery->log_retry.next_us = 0;
    note_answer(delivery, true);
}

/* Where a sink without a mark begins: the end as it was when it was opened, not when its target answers. */
static enum status first_position(struct delivery *delivery, uint64_t *out, struct error *err)
{
    uint16_t partition = delivery->options.partition == JOURNAL_ALL_PARTITIONS ? 0 : delivery->options.partition;
    enum status s = OK;
    if (delivery->options.from_end && !delivery->has_first)
        s = delivery->journal->backend->end_position(delivery->journal, TOPIC_WINDOWS, partition, &delivery->first,
                                                     err);
    delivery->has_first = s == OK;
    *out = delivery->first;
    return s;
}

/* The mark is gone. A target that keeps its place has told it just now, past the beginning; a new sink begins where its
 * setting says. */
static enum status settle_lost(struct delivery *delivery, uint64_t *io_position, struct error *err)
{
    char group[JOURNAL_GROUP_MAX + 1], setting[SINK_NAME_MAX + 32];
    place_group(delivery->options.sink, group);
    snprintf(setting, sizeof setting, "sinks.%s.lost_mark", delivery->options.sink);
    const struct lost_mark_group lost = { group, setting, delivery->options.partition, TOPIC_WINDOWS };
    if (*io_position != JOURNAL_BEGIN)
        return OK;
    return lost_mark_settle(delivery->journal, &lost, delivery->options.lost_mark, io_position, err);
}

static enum status resume(struct delivery *delivery, struct error *err)
{
    uint64_t position = JOURNAL_BEGIN;
    const struct delivery_options *options = &delivery->options;
    delivery->note[0] = '\0';
    enum status s = place_read(delivery->journal, options->sink, options->partition, &position, delivery->note, err);
    const bool had = delivery->options.had_mark || atomic_load(&delivery->has_mark);
    const bool is_new = s == ERR_NOT_FOUND, is_lost = is_new && had;
    if (is_new)
        s = is_lost ? OK : first_position(delivery, &position, err);
    if (s != OK)
        return s;
    const uint64_t marked = delivery->marked = position; /* what is held back counts from here, also while it is away */
    ask(delivery);
    s = delivery->target->backend->resume(delivery->target, delivery->note, &position, err);
    asked(delivery);
    if (s == OK && is_lost)
        s = settle_lost(delivery, &position, err);
    if (s == OK)
        s = delivery_reopen(delivery, position, err);
    if (s != OK)
        return s;
    atomic_store(&delivery->has_mark, !is_new);
    if (position != marked)
        log_info("sink.ahead", "sink=%s mark=%lu target=%lu", options->sink, marked, position);
    delivery_batch_reset(&delivery->batch, position);
    delivery->marked_us = world_mono_us(delivery->world);
    delivery->phase = is_new ? FIRST_MARK : GATHER;
    note_answer(delivery, true);
    return OK;
}

enum status delivery_submit_mark(struct delivery *delivery, struct error *err)
{
    enum status s = place_submit(&delivery->place, delivery->journal, delivery->options.sink,
                                 delivery->options.partition, delivery->batch.to, delivery->note, err);
    if (s != OK)
        return s;
    delivery->marked = delivery->batch.to;
    delivery->marked_us = world_mono_us(delivery->world);
    return OK;
}

static bool step_resume(struct delivery *delivery, int64_t *wake_us)
{
    struct error err;
    if (place_state(&delivery->place) == PLACE_PENDING)
        return false; /* its answer rings */
    if (atomic_load(&delivery->stopping))
        return false;
    return resume(delivery, &err) == OK ? true : delivery_wait_after(delivery, &err, wake_us);
}

static bool step_first_mark(struct delivery *delivery, int64_t *wake_us)
{
    struct error err;
    if (place_state(&delivery->place) == PLACE_PENDING)
        return false;
    return delivery_submit_mark(delivery, &err) == OK ? false : delivery_wait_after(delivery, &err, wake_us);
}

static void tell_refused(struct delivery *delivery)
{
    struct delivery_batch *batch = &delivery->batch;
    size_t count = batch->unreadable + batch->too_large;
    uint64_t skipped;
    if (!count)
        return;
    counter_add(delivery->figures.refused, count);
    if (log_limit_pass(&delivery->log_refused, world_mono_us(delivery->world), LOG_INTERVAL_US, &skipped))
        log_error("sink.refused",
                  "sink=%s too_large=%zu unreadable=%zu first=%s skipped=%lu left out: they are in the "
                  "tables, or raise record_size_max",
                  delivery->options.sink, batch->too_large, batch->unreadable, batch->first_refused, skipped);
    batch->unreadable = batch->too_large = 0;
    batch->first_refused[0] = '\0';
}

static bool has_all(struct delivery *delivery)
{
    return atomic_load(&delivery->draining) && drain_end_reached(&delivery->end, delivery->journal, TOPIC_WINDOWS,
                                                                 delivery->options.partition, delivery->batch.to);
}

/* Nothing to deliver was found, but the reader has come further, or to the end. */
static void gather_nothing(struct delivery *delivery, bool at_end, int64_t *wake_us)
{
    struct error err;
    struct delivery_batch *batch = &delivery->batch;
    int64_t now_us = world_mono_us(delivery->world);
    bool idle = place_state(&delivery->place) == PLACE_IDLE;
    delivery_note_waiting(delivery, INT64_MAX);
    batch->from = batch->to;
    bool old = batch->to - delivery->marked >= MARK_LAG_MAX || now_us - delivery->marked_us >= MARK_AGAIN_US;
    if (idle && (delivery->mark_due || old))
        delivery->mark_due = delivery_submit_mark(delivery, &err) != OK;
    atomic_store(&delivery->drained, at_end && has_all(delivery) && !delivery->mark_due);
    if (delivery->marked_us + MARK_AGAIN_US > now_us) /* else the answer of one that is under way rings */
        *wake_us = delivery->marked_us + MARK_AGAIN_US;
    if (atomic_load(&delivery->draining) && !atomic_load(&delivery->drained))
        *wake_us = now_us + DRAIN_LOOK_US;
    if (delivery->idle_since_us == INT64_MAX)
        return;
    if (now_us - delivery->idle_since_us < IDLE_SHRINK_US) {
        if (*wake_us > delivery->idle_since_us + IDLE_SHRINK_US)
            *wake_us = delivery->idle_since_us + IDLE_SHRINK_US;
        return;
    }
    delivery_batch_shrink(batch);
    delivery->idle_since_us = INT64_MAX;
}

static bool step_gather(struct delivery *delivery, int64_t *wake_us)
{
    struct journal_batch read;
    struct error err;
    struct delivery_batch *batch = &delivery->batch;
    const size_t before = batch->count;
    enum status s = journal_read(delivery->reader, DELIVERY_READ_BYTES, &read, &err);
    if (s == ERR_NOT_FOUND)
        return delivery_positions_lost(delivery, &err, wake_us);
    if (s != OK)
        return delivery_wait_after(delivery, &err, wake_us);
    const bool at_end = read.chunk_count == 0;
    delivery_batch_add(batch, &delivery->options.selection, &read, delivery->options.record_bytes_max);
    tell_refused(delivery);
    if (batch->count == 0) {
        gather_nothing(delivery, at_end, wake_us);
        return !at_end;
    }
    int64_t now_us = world_mono_us(delivery->world);
    if (before == 0)
        delivery->first_us = now_us;
    delivery_note_waiting(delivery, batch->oldest_written_us);
    int64_t due_us = delivery->first_us + delivery->options.linger_ms * INT64_C(1000);
    if (delivery_batch_is_full(batch) || (at_end && (now_us >= due_us || atomic_load(&delivery->draining)))) {
        delivery->phase = WRITE;
        return true;
    }
    *wake_us = due_us;
    return !at_end;
}

static bool step_write(struct delivery *delivery, int64_t *wake_us)
{
    struct error err;
    struct delivery_batch *batch = &delivery->batch;
    struct target_batch for_target = delivery_batch_for_target(batch);
    int64_t began_us = world_mono_us(delivery->world);
    ask(delivery);
    enum status s = delivery->target->backend->write(delivery->target, &for_target, delivery->note, &err);
    asked(delivery);
    histogram_observe_us(delivery->figures.write_s, world_mono_us(delivery->world) - began_us, 1);
    if (s != OK)
        return delivery_wait_after(delivery, &err, wake_us);
    healed(delivery);
    counter_add(delivery->figures.records, batch->count);
    counter_add(delivery->figures.writes, 1);
    delivery->mark_due = place_state(&delivery->place) != PLACE_IDLE || delivery_submit_mark(delivery, &err) != OK;
    delivery_batch_reset(batch, batch->to);
    delivery_note_waiting(delivery, INT64_MAX);
    delivery->idle_since_us = world_mono_us(delivery->world);
    delivery->phase = GATHER;
    return true;
}

/* A mark that was refused: the next one says the same. When its end is in doubt, the journal takes no next one before
 * the mark was read again. */
static void look_at_mark(struct delivery *delivery)
{
    struct error err;
    enum status s = place_take(&delivery->place, &err);
    if (s == OK && delivery->phase == FIRST_MARK)
        delivery->phase = GATHER;
    if (s == OK) {
        atomic_store(&delivery->has_mark, true);
        return;
    }
    log_warn("sink.mark_late", "sink=%s %s", delivery->options.sink, err.text);
    delivery->mark_due = true;
    if (s == ERR_IO)
        delivery->phase = RESUME;
}

static bool delivery_step(void *self, struct world *world, int64_t *wake_us)
{
    struct delivery *delivery = self;
    if (place_state(&delivery->place) == PLACE_DONE)
        look_at_mark(delivery);
    if (atomic_load(&delivery->stopping))
        return false;
    if (world_mono_us(world) < delivery->not_before_us) {
        *wake_us = delivery->not_before_us;
        return false;
    }
    if (!delivery_change_schemas(delivery, wake_us))
        return false;
    switch (delivery->phase) {
    case RESUME:
        return step_resume(delivery, wake_us);
    case FIRST_MARK:
        return step_first_mark(delivery, wake_us);
    case GATHER:
        return step_gather(delivery, wake_us);
    case WRITE:
        return step_write(delivery, wake_us);
    case PASS_OVER:
        return delivery_pass_over(delivery, wake_us);
    }
    return false;
}

struct role delivery_role(struct delivery *delivery)
{
    return (struct role){ "sink", delivery, delivery_step, delivery->bell, 0 };
}

enum status delivery_make_target(struct delivery *delivery, struct target **out, struct error *err)
{
    struct target_options options = delivery->options.target;
    options.sink = delivery->options.sink;
    options.stopping = &delivery->stopping;
    return delivery->options.backend->open(&options, delivery->world, out, err);
}

static enum status open_target(struct delivery *delivery, struct error *err)
{
    enum status s = selection_topics(&delivery->options.selection, &delivery->topics, err);
    if (s == OK)
        s = delivery_make_target(delivery, &delivery->target, err);
    if (s == OK && !delivery->options.untried)
        s = resume(delivery, err);
    if (s == OK || s == ERR_INVALID || s == ERR_NOT_FOUND || s == ERR_IO || s == ERR_CORRUPT)
        return s;
    log_warn("sink.away", "sink=%s it is waited for: %s", delivery->options.sink, err->text);
    delivery->phase = RESUME;
    return OK;
}

enum status delivery_open(const struct delivery_options *options, struct journal *journal, struct metrics *metrics,
                          struct world *world, struct delivery **out, struct error *err)
{
    struct delivery *delivery = calloc(1, sizeof *delivery);
    if (!delivery)
        abort();
    delivery->options = *options;
    delivery->journal = journal;
    delivery->world = world;
    delivery->bell = delivery->place.bell = bell_new();
    delivery->retry = (struct retry){ .first_ms = options->retry_first_ms, .most_ms = options->retry_most_ms };
    delivery->idle_since_us = INT64_MAX;
    figures_init(&delivery->figures, options->sink, options->target.orders, options->target.order, metrics);
    delivery_batch_init(&delivery->batch);
    enum status s = open_target(delivery, err);
    if (s != OK) {
        delivery_close(delivery);
        return error_wrap(err, s, "sinks.%s", options->sink);
    }
    *out = delivery;
    return OK;
}

void delivery_drain(struct delivery *delivery)
{
    atomic_store(&delivery->draining, true);
    bell_ring(delivery->bell);
}

bool delivery_is_drained(struct delivery *delivery)
{
    return atomic_load(&delivery->drained);
}

bool delivery_has_mark(struct delivery *delivery)
{
    return atomic_load(&delivery->has_mark);
}

void delivery_cancel(struct delivery *delivery)
{
    atomic_store(&delivery->stopping, true);
    bell_ring(delivery->bell);
}

void delivery_close(struct delivery *delivery)
{
    if (!delivery)
        return;
    assert(place_state(&delivery->place) != PLACE_PENDING);
    target_close(delivery->target);
    if (delivery->reader)
        delivery->journal->backend->reader_close(delivery->reader);
    delivery_batch_done(&delivery->batch);
    bell_free(delivery->bell);
    free(delivery);
}
