/* GET /v1/live: server-sent events. Messages of the processing tasks are added to the board; a listener whose tenant
 * changed gets the newest state at once, but not more often than live_interval_ms, so that an event on an idle system
 * is shown after one pass of the loop, and a flood costs a fixed rate. With many listeners the interval grows and the
 * events in a message become fewer, so that telling them all leaves most of the loop's time to everything else.
 *
 * There is no queue per listener: who reads slowly (more than PENDING_MAX bytes not yet taken) is passed over until
 * there is room, and then gets the state of that moment. Totals are totals, so nothing that was skipped is missing from
 * them; of the events the newest are shown.
 *
 * Every message has an id that says up to which event its reader has seen. Who comes back with it (Last-Event-ID, as
 * browsers do by themselves, or ?last_event_id=) gets the newest state and the events behind it that are still in the
 * ring; the ring outlives its last listener by a minute.
 *
 * A key that ends ends the streams that were opened with it, within a second. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/queue.h"
#include "process/live.h"
#include "serve/inside.h"

#define PENDING_MAX (16 << 10)
#define PENDING_ALL_MAX (64 << 20) /* of all listeners together: beyond it only those get anything who took all */
#define MESSAGE_BYTES_MAX (512 << 10)
#define UPDATES_A_TURN 256
#define LISTENER_COST_US 40        /* about four times what it costs to tell one (bench/run feed) */
#define EVENTS_BYTES_ALL (2 << 20) /* of events told to all listeners at once */
#define EVENTS_BYTES_MIN (2 << 10)

struct listener {
    struct pending pending; /* first: they are cast to each other */
    struct serve *serve;
    struct http_exchange *exchange;
    char tenant_id[TENANT_ID_MAX + 1], key[TENANT_KEY_MAX + 1];
    struct live_entry *entry; /* NULL: the board is full */
    uint64_t seen_version, seen_seq;
    int64_t sent_us;
    struct listener *next;
};

/* The last message made: listeners of one tenant that saw the same get the same. */
struct message {
    const struct live_entry *entry;
    uint64_t version, from_seq, to_seq;
    size_t events_bytes_max;
    struct buf text;
};

static void state_write(struct serve *serve, const struct live_entry *entry, struct slice tenant_id,
                        size_t events_bytes_max, uint64_t *io_seq, struct buf *out)
{
    AUTO(buf) struct buf pulse;
    buf_init(&pulse, PULSE_BYTES_MAX);
    if (!entry)
        pulse_write(serve, NULL, tenant_id, &pulse);
    board_write(serve->board, entry, tenant_id, entry ? board_pulse(entry) : buf_slice(&pulse), events_bytes_max,
                io_seq, out);
}

static void message_make(struct message *message, const struct listener *listener)
{
    uint64_t version = listener->entry ? board_version(listener->entry) : 0;
    if (message->text.n && listener->entry && message->entry == listener->entry && message->version == version &&
        message->from_seq == listener->seen_seq)
        return;
    buf_reset(&message->text);
    message->entry = listener->entry;
    message->version = version;
    message->from_seq = message->to_seq = listener->seen_seq;
    struct buf *text = &message->text;
    buf_add_text(text, "data: ");
    state_write(listener->serve, listener->entry, slice_from(listener->tenant_id), message->events_bytes_max,
                &message->to_seq, text);
    buf_add_text(text, "\nid: ");
    board_write_id(listener->serve->board, message->to_seq, text);
    buf_add_text(text, "\n\n");
}

static void listener_send(struct listener *listener, struct message *message, int64_t now_us)
{
    message_make(message, listener);
    if (message->text.full)
        return; /* cannot happen with the board's bounds; a cut message would break the stream */
    listener->seen_version = message->version;
    listener->seen_seq = message->to_seq;
    listener->sent_us = now_us;
    if (listener->entry)
        board_shown(listener->entry, message->to_seq, world_wall_ms(listener->serve->world));
    counter_add(listener->serve->live_messages, 1);
    http_stream_write(listener->exchange, buf_slice(&message->text));
}

static void listener_remove(struct listener *listener)
{
    struct serve *serve = listener->serve;
    for (struct listener **at = &serve->listeners; *at; at = &(*at)->next) {
        if (*at == listener) {
            *at = listener->next;
            break;
        }
    }
    serve->listener_count--;
    if (listener->entry)
        board_unlisten(listener->entry, world_mono_us(serve->world) / 1000);
    sodium_memzero(listener->key, sizeof listener->key);
    free(listener);
}

static void listener_gone(struct pending *pending)
{
    listener_remove((struct listener *)pending);
}

/* How long a listener waits at least between two messages. */
static int64_t interval_us(const struct serve *serve)
{
    int64_t interval = serve->options.live_interval_ms * 1000, cost = (int64_t)serve->listener_count * LISTENER_COST_US;
    return cost > interval ? cost : interval;
}

/* Sends what is due; returns the time at which something will be due next. */
static int64_t flush(struct serve *serve, int64_t now)
{
    int64_t interval = interval_us(serve), heartbeat = serve->options.live_heartbeat_ms * 1000;
    int64_t next = INT64_MAX, first_sent = now;
    size_t pending_all = 0;
    struct message message = { .events_bytes_max = EVENTS_BYTES_ALL / (serve->listener_count + 1) };
    if (message.events_bytes_max < EVENTS_BYTES_MIN)
        message.events_bytes_max = EVENTS_BYTES_MIN;
    buf_init(&message.text, MESSAGE_BYTES_MAX);
    for (struct listener *at = serve->listeners; at; at = at->next) {
        bool changed = at->entry && board_version(at->entry) != at->seen_version;
        size_t pending = http_stream_pending(at->exchange);
        bool room = pending <= (pending_all <= PENDING_ALL_MAX ? PENDING_MAX : 0);
        int64_t due = at->sent_us + (changed ? interval : heartbeat);
        if (due <= now && !room) {
            due = now + interval; /* slow reader: look again */
        } else if (due <= now && changed) {
            listener_send(at, &message, now);
            due = now + heartbeat;
        } else if (due <= now) {
            http_stream_write(at->exchange, SLICE(": nothing new\n\n"));
            at->sent_us = now;
            due = now + heartbeat;
        }
        pending_all += http_stream_pending(at->exchange);
        next = due < next ? due : next;
        first_sent = at->sent_us < first_sent ? at->sent_us : first_sent;
    }
    buf_done(&message.text);
    serve->feed_quiet_until_us = first_sent + interval;
    return next;
}

static void plan(struct serve *serve, int64_t next)
{
    if (next == INT64_MAX) {
        uv_timer_stop(&serve->feed_timer);
        return;
    }
    int64_t wait_us = next - world_mono_us(serve->world);
    uv_timer_start(&serve->feed_timer, feed_on_timer, wait_us > 0 ? (uint64_t)(wait_us + 999) / 1000 : 1, 0);
}

static void listener_end(struct listener *listener)
{
    struct http_exchange *exchange = listener->exchange;
    http_set_context(exchange, NULL);
    listener_remove(listener);
    http_stream_end(exchange);
}

/* After the catalog changed: whose key was revoked or has run out hears no more. */
static void check_keys(struct serve *serve)
{
    if (!serve->directory || serve->feed_directory_version == serve->directory_version)
        return;
    serve->feed_directory_version = serve->directory_version;
    for (struct listener *at = serve->listeners, *next; at; at = next) {
        next = at->next;
        const struct tenant *tenant = directory_authenticate(serve->directory, KEY_READ, slice_from(at->key));
        if (!tenant || strcmp(tenant->id, at->tenant_id) != 0)
            listener_end(at);
    }
}

static void flush_and_plan(struct serve *serve)
{
    int64_t now = world_mono_us(serve->world);
    int64_t next = pulse_refresh(serve, now / 1000);
    check_keys(serve);
    int64_t flushed = flush(serve, now);
    next = flushed < next ? flushed : next;
    int64_t expire_ms = board_expire(serve->board, now / 1000);
    if (expire_ms != INT64_MAX && expire_ms * 1000 < next)
        next = expire_ms * 1000;
    plan(serve, next);
}

void feed_on_timer(uv_timer_t *timer)
{
    flush_and_plan(timer->data);
}

static void take_update(struct serve *serve, const struct live_update *update)
{
    for (size_t i = 0; i < update->count_count; i++) {
        const struct live_count *count = &update->counts[i];
        struct live_entry *entry = board_entry(serve->board, count->customer_id);
        if (!entry)
            continue;
        board_count(entry, count->event_type, count->accepted, count->duplicates, count->dead);
        board_timing(entry, update->at_ms, update->lag_ms, update->lag_records, update->latency_us);
    }
    for (size_t i = 0; i < update->dead_count; i++) {
        struct live_entry *entry = board_entry(serve->board, update->deads[i].customer_id);
        if (entry)
            board_dead(entry, slice_from(update->deads[i].reason), update->deads[i].count);
    }
    for (size_t i = 0; i < update->event_count; i++) {
        const struct live_event *event = &update->events[i];
        struct live_entry *entry = board_entry(serve->board, event->customer_id);
        struct ring_event shown = {
            .visitor_id = event->visitor_id,
            .user_id = event->user_id,
            .session_id = event->session_id,
            .event_id = event->event_id,
            .event_type = event->event_type,
            .event_name = event->event_name,
            .properties = event->properties,
            .context = event->context,
            .timestamp_ms = event->timestamp_ms,
            .received_ms = event->received_ms,
        };
        if (entry)
            board_event(entry, &shown);
    }
}

void feed_take_updates(struct serve *serve)
{
    struct live_update *update;
    for (int i = 0; i < UPDATES_A_TURN && (update = queue_pop(serve->live_queue)); i++) {
        take_update(serve, update);
        live_update_free(update);
    }
    /* While nobody may be told anything yet there is no need to ask each of them. */
    if (serve->listeners && world_mono_us(serve->world) < serve->feed_quiet_until_us)
        plan(serve, serve->feed_quiet_until_us);
    else
        flush_and_plan(serve);
    if (queue_depth(serve->live_queue))
        uv_async_send(&serve->live_async);
}

static size_t listeners_of(const struct serve *serve, const char *tenant_id)
{
    size_t count = 0;
    for (const struct listener *at = serve->listeners; at; at = at->next)
        count += strcmp(at->tenant_id, tenant_id) == 0;
    return count;
}

/* ?once=1: the state as one JSON object, for scripts. */
static void answer_once(struct serve *serve, struct http_exchange *exchange, const struct tenant *tenant)
{
    AUTO(buf) struct buf body;
    uint64_t seq = 0;
    buf_init(&body, MESSAGE_BYTES_MAX);
    struct slice id = slice_from(tenant->id);
    struct live_entry *entry = board_entry(serve->board, id);
    if (entry)
        pulse_refresh_one(serve, entry, world_mono_us(serve->world) / 1000);
    state_write(serve, entry, id, SIZE_MAX, &seq, &body);
    answer_body(serve, exchange, 200, buf_slice(&body), &ANSWER_CORS);
}

static void refuse(struct serve *serve, struct http_exchange *exchange, unsigned status, const char *message)
{
    answer_error(serve, exchange, status, "too_many_listeners", message,
                 &(struct answer_extra){ .cors = true, .retry_after_s = 5 });
}

/* The reader's place in the feed: as browsers tell it when they come back by themselves, or as a page asks for it. */
static uint64_t seen_before(const struct serve *serve, const struct http_exchange *exchange,
                            const struct live_entry *entry)
{
    char text[64];
    struct slice id = slice_trim(http_header(exchange, "last-event-id"));
    if (!id.n && access_query_value(http_query(exchange), "last_event_id", text, sizeof text))
        id = slice_from(text);
    return board_read_id(serve->board, entry, id);
}

static struct listener *listener_add(struct serve *serve, struct http_exchange *exchange, const struct tenant *tenant)
{
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return NULL;
    listener->pending.gone = listener_gone;
    listener->serve = serve;
    listener->exchange = exchange;
    memcpy(listener->tenant_id, tenant->id, sizeof listener->tenant_id);
    if (!access_key_of(exchange, true, listener->key, sizeof listener->key)) {
        free(listener); /* not with a key that was just accepted */
        return NULL;
    }
    listener->entry = board_entry(serve->board, slice_from(tenant->id));
    if (listener->entry) {
        board_listen(serve->board, listener->entry);
        pulse_refresh_one(serve, listener->entry, world_mono_us(serve->world) / 1000);
    }
    listener->seen_seq = seen_before(serve, exchange, listener->entry);
    listener->next = serve->listeners;
    serve->listeners = listener;
    serve->listener_count++;
    http_set_context(exchange, &listener->pending);
    return listener;
}

void feed_open(struct serve *serve, struct http_exchange *exchange)
{
    char once[4];
    const struct tenant *tenant = access_reader(serve, exchange, true);
    if (!tenant)
        return;
    if (http_method(exchange) == HTTP_METHOD_HEAD ||
        access_query_value(http_query(exchange), "once", once, sizeof once)) {
        answer_once(serve, exchange, tenant);
        return;
    }
    if (serve->listener_count >= serve->options.listeners_max) {
        refuse(serve, exchange, 503, "too many listen already: try again later");
        return;
    }
    if (listeners_of(serve, tenant->id) >= serve->options.listeners_per_tenant) {
        refuse(serve, exchange, 429, "too many listen to this tenant already: close one first");
        return;
    }
    struct listener *listener = listener_add(serve, exchange, tenant);
    if (!listener) {
        refuse(serve, exchange, 503, "out of memory: try again later");
        return;
    }
    http_stream_begin(exchange, 200, "text/event-stream",
                      SLICE("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                            "X-Accel-Buffering: no\r\nAccess-Control-Allow-Origin: *\r\n"));
    http_stream_write(exchange, SLICE("retry: 1000\n\n"));
    struct message message = { .events_bytes_max = SIZE_MAX }; /* it has missed everything in the ring */
    buf_init(&message.text, MESSAGE_BYTES_MAX);
    listener_send(listener, &message, world_mono_us(serve->world));
    buf_done(&message.text);
    flush_and_plan(serve);
}

void feed_close_all(struct serve *serve)
{
    while (serve->listeners)
        listener_end(serve->listeners);
    uv_timer_stop(&serve->feed_timer);
}
