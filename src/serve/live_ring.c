/* An event stands at its number modulo the size. A line break would end a message of the feed; raw ones can stand only
 * between JSON tokens, where a blank does as well. */
#include "serve/live_ring.h"

#include <stdlib.h>

#include "base/json_text.h"

struct ring_kept {
    char *json; /* NULL: none */
    size_t n;
    int64_t received_ms;
};

void ring_open(struct live_ring *ring)
{
    if (!ring->kept)
        ring->kept = calloc(RING_EVENTS_MAX, sizeof *ring->kept);
}

void ring_close(struct live_ring *ring)
{
    for (size_t i = 0; ring->kept && i < RING_EVENTS_MAX; i++)
        free(ring->kept[i].json);
    free(ring->kept);
    ring->kept = NULL;
}

static void add_ms(struct buf *json, const char *name, int64_t ms)
{
    json_add_key(json, name);
    buf_add_format(json, "%lld", (long long)ms);
}

static void render(const struct ring_event *event, struct buf *json)
{
    buf_add_char(json, '{');
    json_add_field(json, "event_type", event->event_type);
    json_add_field(json, "event_name", event->event_name);
    json_add_field(json, "visitor_id", event->visitor_id);
    json_add_field(json, "user_id", event->user_id);
    json_add_field(json, "session_id", event->session_id);
    json_add_field(json, "event_id", event->event_id);
    add_ms(json, "timestamp_ms", event->timestamp_ms);
    add_ms(json, "received_ms", event->received_ms);
    json_add_key(json, "properties");
    buf_add_slice(json, event->properties.n ? event->properties : SLICE("{}"));
    if (event->context.n) {
        json_add_key(json, "context");
        buf_add_slice(json, event->context);
    }
    buf_add_char(json, '}');
    for (size_t i = 0; i < json->n; i++)
        if (json->p[i] == '\n' || json->p[i] == '\r')
            json->p[i] = ' ';
}

bool ring_add(struct live_ring *ring, const struct ring_event *event)
{
    if (!ring->kept)
        return false;
    AUTO(buf) struct buf json;
    buf_init(&json, RING_EVENT_BYTES_MAX);
    render(event, &json);
    if (json.full)
        return false;
    struct ring_kept *kept = &ring->kept[++ring->seq % RING_EVENTS_MAX];
    free(kept->json);
    *kept = (struct ring_kept){ json.p, json.n, event->received_ms };
    buf_init(&json, 0); /* kept owns the memory now */
    return true;
}

static uint64_t oldest(const struct live_ring *ring)
{
    return ring->seq > RING_EVENTS_MAX ? ring->seq - RING_EVENTS_MAX + 1 : 1;
}

/* The number of the first event to be written. */
static uint64_t first_of(const struct live_ring *ring, uint64_t seq, size_t bytes_max)
{
    uint64_t from = seq + 1 > oldest(ring) ? seq + 1 : oldest(ring), at = ring->seq;
    size_t bytes = 0;
    while (ring->kept && at > from) {
        bytes += ring->kept[at % RING_EVENTS_MAX].n;
        if (bytes + ring->kept[(at - 1) % RING_EVENTS_MAX].n > bytes_max)
            return at;
        at--;
    }
    return from;
}

void ring_write(const struct live_ring *ring, uint64_t seq, size_t bytes_max, struct buf *out)
{
    bool first = true;
    uint64_t at = first_of(ring, seq, bytes_max);
    for (; ring->kept && at <= ring->seq; at++) {
        const struct ring_kept *kept = &ring->kept[at % RING_EVENTS_MAX];
        if (!kept->json)
            continue; /* from before it was opened */
        if (!first)
            buf_add_char(out, ',');
        first = false;
        buf_add(out, kept->json, kept->n);
    }
}

int64_t ring_received_ms(const struct live_ring *ring, uint64_t seq)
{
    if (!ring->kept || seq < oldest(ring) || seq > ring->seq || !ring->kept[seq % RING_EVENTS_MAX].json)
        return 0;
    return ring->kept[seq % RING_EVENTS_MAX].received_ms;
}
