/* Counting is a look at the count used last, and else one probe of a small hash table; texts are copied once per pair,
 * not per event. Events are copied only when they are among the newest few of a batch (process_batch.c chooses). */
#include "process/live.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "event/event.h"

void live_gather_reset(struct live_gather *gather)
{
    memset(gather->index, 0, sizeof gather->index);
    gather->last = 0;
    gather->count_count = 0;
    gather->dead_count = 0;
    gather->text_bytes = 0;
    gather->event_next = 0;
}

bool live_gather_is_empty(const struct live_gather *gather)
{
    return gather->count_count == 0 && gather->dead_count == 0;
}

static bool is_of(const struct live_count *count, struct slice customer_id, struct slice event_type)
{
    return slice_equal(count->event_type, event_type) && slice_equal(count->customer_id, customer_id);
}

static struct slice keep_text(struct live_gather *gather, struct slice text)
{
    char *to = gather->text + gather->text_bytes;
    if (text.n)
        memcpy(to, text.p, text.n);
    gather->text_bytes += text.n;
    return slice_of(to, text.n);
}

/* The slot in the index that holds the pair's count, or an empty one. */
static uint16_t *find(struct live_gather *gather, struct slice customer_id, struct slice event_type)
{
    uint64_t hash = XXH3_64bits_withSeed(event_type.p, event_type.n, XXH3_64bits(customer_id.p, customer_id.n));
    size_t at = hash % COUNT_OF(gather->index);
    while (gather->index[at] && !is_of(&gather->counts[gather->index[at] - 1], customer_id, event_type))
        at = (at + 1) % COUNT_OF(gather->index);
    return &gather->index[at];
}

struct live_count *live_gather_count(struct live_gather *gather, struct slice customer_id, struct slice event_type)
{
    if (gather->count_count && is_of(&gather->counts[gather->last], customer_id, event_type))
        return &gather->counts[gather->last];
    uint16_t *slot = find(gather, customer_id, event_type);
    bool room = gather->text_bytes + customer_id.n + event_type.n <= LIVE_TEXT_BYTES;
    /* The last places are for folding: one tenant's types into "" first, all tenants into "" in the end. */
    size_t most = customer_id.n == 0 && event_type.n == 0 ? LIVE_COUNTS_MAX
                  : event_type.n == 0                     ? LIVE_COUNTS_MAX - 1
                                                          : LIVE_COUNTS_MAX * 3 / 4;
    if (*slot == 0 && (!room || gather->count_count >= most)) {
        if (event_type.n)
            return live_gather_count(gather, customer_id, (struct slice){ "", 0 });
        return live_gather_count(gather, (struct slice){ "", 0 }, (struct slice){ "", 0 });
    }
    if (*slot == 0) {
        gather->counts[gather->count_count] =
            (struct live_count){ keep_text(gather, customer_id), keep_text(gather, event_type), 0, 0, 0 };
        *slot = (uint16_t)++gather->count_count;
    }
    gather->last = *slot - 1;
    return &gather->counts[gather->last];
}

/* Refusals are rare and their reasons few: a plain look through the array. */
void live_gather_dead(struct live_gather *gather, struct slice customer_id, const char *reason, uint64_t count)
{
    for (size_t i = 0; i < gather->dead_count; i++) {
        struct live_dead *dead = &gather->deads[i];
        if (strcmp(dead->reason, reason) == 0 && slice_equal(dead->customer_id, customer_id)) {
            dead->count += count;
            return;
        }
    }
    bool last = gather->dead_count + 1 >= LIVE_DEADS_MAX || gather->text_bytes + customer_id.n > LIVE_TEXT_BYTES;
    if (last && (reason[0] || customer_id.n)) {
        live_gather_dead(gather, (struct slice){ "", 0 }, "", count);
        return;
    }
    gather->deads[gather->dead_count++] = (struct live_dead){ keep_text(gather, customer_id), reason, count };
}

static struct slice put_text(char **at, char *end, struct slice text)
{
    if (text.n > (size_t)(end - *at))
        return (struct slice){ "", 0 };
    char *to = *at;
    if (text.n)
        memcpy(to, text.p, text.n);
    *at += text.n;
    return slice_of(to, text.n);
}

static void add_event(struct live_gather *gather, const struct live_event *from)
{
    size_t i = gather->event_next++ % LIVE_EVENTS_MAX;
    char *at = gather->event_text[i], *end = at + LIVE_EVENT_BYTES;
    struct live_event *to = &gather->events[i];
    to->timestamp_ms = from->timestamp_ms;
    to->received_ms = from->received_ms;
    to->customer_id = put_text(&at, end, from->customer_id);
    to->event_type = put_text(&at, end, from->event_type);
    to->visitor_id = put_text(&at, end, from->visitor_id);
    to->event_id = put_text(&at, end, from->event_id);
    to->event_name = put_text(&at, end, from->event_name);
    to->user_id = put_text(&at, end, from->user_id);
    to->session_id = put_text(&at, end, from->session_id);
    to->properties = from->properties.n <= (size_t)(end - at) ? put_text(&at, end, from->properties) : SLICE("{}");
    bool is_short = from->context.n <= LIVE_CONTEXT_BYTES;
    to->context = is_short ? put_text(&at, end, from->context) : (struct slice){ "", 0 };
}

void live_gather_event(struct live_gather *gather, const struct event *event)
{
    const struct live_event from = {
        .customer_id = event->customer_id,
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
    add_event(gather, &from);
}

static size_t first_event(const struct live_gather *gather)
{
    return gather->event_next > LIVE_EVENTS_MAX ? gather->event_next - LIVE_EVENTS_MAX : 0;
}

void live_gather_merge(struct live_gather *gather, const struct live_gather *from)
{
    for (size_t i = 0; i < from->count_count; i++) {
        const struct live_count *count = &from->counts[i];
        struct live_count *to = live_gather_count(gather, count->customer_id, count->event_type);
        to->accepted += count->accepted;
        to->duplicates += count->duplicates;
        to->dead += count->dead;
    }
    for (size_t i = 0; i < from->dead_count; i++)
        live_gather_dead(gather, from->deads[i].customer_id, from->deads[i].reason, from->deads[i].count);
    for (size_t i = first_event(from); i < from->event_next; i++)
        add_event(gather, &from->events[i % LIVE_EVENTS_MAX]);
}

static struct slice move(struct slice text, char **at)
{
    char *to = *at;
    if (text.n)
        memcpy(to, text.p, text.n);
    *at += text.n;
    return slice_of(to, text.n);
}

static size_t event_bytes(const struct live_event *event)
{
    return event->customer_id.n + event->visitor_id.n + event->event_id.n + event->event_type.n + event->event_name.n +
           event->user_id.n + event->session_id.n + event->properties.n + event->context.n;
}

struct live_update *live_gather_message(const struct live_gather *gather)
{
    size_t first = first_event(gather), events = gather->event_next - first;
    size_t bytes = sizeof(struct live_update) + gather->count_count * sizeof(struct live_count) +
                   gather->dead_count * sizeof(struct live_dead) + events * sizeof(struct live_event) +
                   gather->text_bytes;
    for (size_t i = first; i < gather->event_next; i++)
        bytes += event_bytes(&gather->events[i % LIVE_EVENTS_MAX]);
    struct live_update *update = calloc(1, bytes);
    if (!update)
        return NULL;
    struct live_count *counts = (struct live_count *)(update + 1);
    struct live_dead *deads = (struct live_dead *)(counts + gather->count_count);
    struct live_event *out = (struct live_event *)(deads + gather->dead_count);
    char *at = (char *)(out + events);
    update->counts = counts;
    update->count_count = gather->count_count;
    update->deads = deads;
    update->dead_count = gather->dead_count;
    update->events = out;
    update->event_count = events;
    for (size_t i = 0; i < gather->count_count; i++) {
        counts[i] = gather->counts[i];
        counts[i].customer_id = move(counts[i].customer_id, &at);
        counts[i].event_type = move(counts[i].event_type, &at);
    }
    for (size_t i = 0; i < gather->dead_count; i++) {
        deads[i] = gather->deads[i];
        deads[i].customer_id = move(deads[i].customer_id, &at);
    }
    for (size_t i = first; i < gather->event_next; i++, out++) {
        *out = gather->events[i % LIVE_EVENTS_MAX];
        struct slice *const texts[] = { &out->customer_id, &out->visitor_id, &out->user_id,
                                        &out->session_id,  &out->event_id,   &out->event_type,
                                        &out->event_name,  &out->properties, &out->context };
        for (size_t t = 0; t < COUNT_OF(texts); t++)
            *texts[t] = move(*texts[t], &at);
    }
    assert(at <= (char *)update + bytes);
    return update;
}

void live_update_free(struct live_update *update)
{
    free(update);
}
