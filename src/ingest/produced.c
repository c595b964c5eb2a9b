/* Events come in runs of a type: the last one is looked at first. Number 0 is `other`. */
#include "ingest/produced.h"

#include <stdlib.h>
#include <xxhash.h>

#include "event/event_parse.h"

#define SLOTS 256 /* a power of two above PRODUCED_TYPES */

struct produced_series {
    struct slice text; /* p is ours */
    struct counter *ok, *failed;
};

struct produced {
    struct metrics *metrics;
    struct counter *errors;
    struct histogram *latency;
    size_t count, last;
    struct produced_series types[PRODUCED_TYPES];
    uint8_t slots[SLOTS]; /* numbers of types by hash; 0: empty */
};

static struct counter *series_of(struct metrics *metrics, struct slice type, struct slice status)
{
    AUTO(buf) struct buf labels;
    buf_init(&labels, 2048);
    metrics_label(&labels, "event_type", type);
    buf_add_char(&labels, ',');
    metrics_label(&labels, "status", status);
    return metrics_counter(metrics, "events_produced_total",
                           "Events that ingestion handed to the journal, by type and by what came of it.",
                           buf_text(&labels));
}

static size_t add_type(struct produced *produced, struct slice type)
{
    char *text = malloc(type.n + 1);
    if (!text)
        abort();
    memcpy(text, type.p, type.n);
    produced->types[produced->count] =
        (struct produced_series){ .text = slice_of(text, type.n),
                                  .ok = series_of(produced->metrics, type, SLICE("ok")),
                                  .failed = series_of(produced->metrics, type, SLICE("failed")) };
    return produced->count++;
}

struct produced *produced_new(struct metrics *metrics)
{
    struct produced *produced = calloc(1, sizeof *produced);
    if (!produced)
        abort();
    produced->metrics = metrics;
    produced->errors = metrics_counter(metrics, "kafka_broker_error_messages_in_total",
                                       "Events that the journal refused or failed to keep; the senders were told.", "");
    produced->latency = metrics_histogram(metrics, "produce_latency_seconds",
                                          "From an event's being handed to the journal to its being durable.", "");
    add_type(produced, SLICE("other"));
    return produced;
}

void produced_free(struct produced *produced)
{
    for (size_t i = 0; produced && i < produced->count; i++)
        free((char *)(uintptr_t)produced->types[i].text.p);
    free(produced);
}

size_t produced_type(struct produced *produced, struct slice type)
{
    if (LIKELY(slice_equal(produced->types[produced->last].text, type)))
        return produced->last;
    size_t slot = XXH3_64bits(type.p, type.n) % SLOTS;
    for (; produced->slots[slot]; slot = (slot + 1) % SLOTS)
        if (slice_equal(produced->types[produced->slots[slot]].text, type))
            return produced->last = produced->slots[slot];
    if (type.n > EVENT_TYPE_MAX || produced->count == PRODUCED_TYPES)
        return 0;
    produced->last = add_type(produced, type);
    produced->slots[slot] = (uint8_t)produced->last;
    return produced->last;
}

void produced_end(struct produced *produced, uint64_t counts[PRODUCED_TYPES], bool ok, int64_t took_us)
{
    uint64_t events = 0;
    for (size_t i = 0; i < produced->count; i++) {
        if (!counts[i])
            continue;
        counter_add(ok ? produced->types[i].ok : produced->types[i].failed, counts[i]);
        events += counts[i];
        counts[i] = 0;
    }
    if (ok)
        histogram_observe_us(produced->latency, took_us, events);
    else
        counter_add(produced->errors, events);
}
