/* Counts every event and letter of what was read, then sends one message, with a few of the newest events. While the
 * feed's queue is full the counts add up and go with the next one. */
#include "app/live_tap.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/queue.h"
#include "event/dead_letter.h"
#include "event/event.h"
#include "journal/journal.h"
#include "process/live.h"
#include "world/world.h"

#define NEWEST_MAX 256 /* of what was read: among these the shown ones are chosen */
#define REASONS_MAX 32

struct live_tap {
    struct queue *live;
    struct world *world;
    uint16_t partition;
    struct live_gather gather;
    struct event newest[NEWEST_MAX]; /* a ring; views, good while one read is looked at */
    size_t newest_count;
    int64_t oldest_us;             /* when the oldest event of the read was acknowledged; INT64_MAX: none */
    char reasons[REASONS_MAX][48]; /* messages point to them */
    size_t reason_count;
};

struct live_tap *live_tap_new(struct queue *live, uint16_t partition, struct world *world)
{
    struct live_tap *tap = calloc(1, sizeof *tap);
    if (!tap)
        abort();
    tap->live = live;
    tap->partition = partition;
    tap->world = world;
    live_gather_reset(&tap->gather);
    return tap;
}

void live_tap_free(struct live_tap *tap)
{
    free(tap);
}

static const char *reason_name(struct live_tap *tap, struct slice reason)
{
    for (size_t i = 0; i < tap->reason_count; i++)
        if (slice_equal(slice_from(tap->reasons[i]), reason))
            return tap->reasons[i];
    if (tap->reason_count == REASONS_MAX || reason.n >= sizeof tap->reasons[0])
        return "";
    snprintf(tap->reasons[tap->reason_count], sizeof tap->reasons[0], "%.*s", SLICE_ARG(reason));
    return tap->reasons[tap->reason_count++];
}

static void count_event(struct live_tap *tap, struct slice record)
{
    struct event *event = &tap->newest[tap->newest_count % NEWEST_MAX];
    if (event_decode(record, event, NULL) != OK)
        return; /* the sink says so */
    tap->newest_count++;
    live_gather_count(&tap->gather, event->customer_id, event->event_type)->accepted++;
    if (event->ingested_us < tap->oldest_us)
        tap->oldest_us = event->ingested_us;
}

/* What ingestion refused counts by its reason alone, as where all is one process and its metrics say it. */
static void count_letter(struct live_tap *tap, struct slice record)
{
    struct dead_letter letter;
    if (dead_letter_decode(record, &letter, NULL) != OK)
        return;
    if (!slice_equal(letter.stage, SLICE("ingest")))
        live_gather_count(&tap->gather, letter.customer_id, (struct slice){ "", 0 })->dead++;
    live_gather_dead(&tap->gather, letter.customer_id, reason_name(tap, letter.reason), 1);
}

/* The newest ones, but not all of one tenant's. */
static void choose_events(struct live_tap *tap)
{
    const struct event *chosen[LIVE_EVENTS_MAX];
    size_t count = 0, there = tap->newest_count < NEWEST_MAX ? tap->newest_count : NEWEST_MAX;
    for (size_t back = 1; back <= there && count < LIVE_EVENTS_MAX; back++) {
        const struct event *event = &tap->newest[(tap->newest_count - back) % NEWEST_MAX];
        size_t same = 0;
        for (size_t i = 0; i < count; i++)
            same += slice_equal(chosen[i]->customer_id, event->customer_id);
        if (same < LIVE_EVENTS_OF_TENANT_MAX)
            chosen[count++] = event;
    }
    while (count > 0)
        live_gather_event(&tap->gather, chosen[--count]);
}

static void send(struct live_tap *tap)
{
    struct live_update *update = live_gather_message(&tap->gather);
    if (!update)
        return; /* what was gathered goes with the next one */
    int64_t now_us = world_wall_us(tap->world);
    update->partition = tap->partition;
    update->at_ms = now_us / 1000;
    update->latency_us = tap->oldest_us < now_us ? now_us - tap->oldest_us : 0;
    enum status s = queue_push(tap->live, update);
    if (s == OK || s == ERR_CLOSED)
        live_gather_reset(&tap->gather);
    if (s != OK)
        live_update_free(update);
}

void live_tap_seen(void *self, const struct journal_chunk *chunks, size_t count)
{
    struct live_tap *tap = self;
    tap->newest_count = 0;
    tap->oldest_us = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        struct slice rest = chunks[i].bytes, record;
        while (journal_next_record(&rest, &record)) {
            if (chunks[i].topic == TOPIC_ENRICHED)
                count_event(tap, record);
            else if (chunks[i].topic == TOPIC_DEAD_LETTERS)
                count_letter(tap, record);
        }
    }
    choose_events(tap);
    if (!live_gather_is_empty(&tap->gather))
        send(tap);
}
