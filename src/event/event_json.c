/* Only what /track reads is written: sent again, the object gives the same event (placement and flags follow from the
 * tenant and the way in). */
#include "event/event_json.h"

#include "base/json_text.h"
#include "base/timestamp.h"

static void add_text(struct buf *out, const char *name, struct slice text)
{
    if (text.n)
        json_add_field(out, name, text);
}

static void add_object(struct buf *out, const char *name, struct slice json)
{
    if (!json.n)
        return;
    json_add_key(out, name);
    buf_add_slice(out, json);
}

/* A damaged time is a number, which no reader takes for a time of day. */
static void add_time(struct buf *out, const char *name, int64_t ms)
{
    char text[TIMESTAMP_TEXT_BYTES];
    json_add_key(out, name);
    if (ms < TIMESTAMP_MIN_MS || ms > TIMESTAMP_MAX_MS) {
        buf_add_format(out, "%lld", (long long)ms);
        return;
    }
    timestamp_format(ms, text);
    json_add_string(out, slice_of(text, sizeof text));
}

void event_json_add(struct buf *out, const struct event *event)
{
    buf_add_char(out, '{');
    add_text(out, "customer_id", event->customer_id);
    add_text(out, "visitor_id", event->visitor_id);
    add_text(out, "user_id", event->user_id);
    add_text(out, "session_id", event->session_id);
    add_text(out, "event_id", event->event_id);
    add_text(out, "event_type", event->event_type);
    add_text(out, "event_name", event->event_name);
    add_time(out, "timestamp", event->timestamp_ms);
    add_time(out, "received_at", event->received_ms);
    add_object(out, "properties", event->properties);
    add_object(out, "context", event->context);
    buf_add_char(out, '}');
}
