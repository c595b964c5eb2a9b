/* The events of stream_bench: what each case's event number i is, from a seed alone, so that the writer and the oracle
 * make the same ones without keeping them. Only stream_bench.c includes this. */
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include "event/event.h"

#define STREAM_TENANT "bench"
#define DAY_MS 86400000ll
#define DIGITS 8 /* of visitors and items: 100 M of each */

struct stream_event {
    uint64_t visitor, item;
    int64_t offset_ms; /* of its time, from the start of the run's time */
    uint64_t price;    /* 0 to 89,999,999 */
    bool counted;      /* its type is the one that the windows are about */
};

struct stream_case {
    const char *name, *what;
    const char *domain; /* YAML: its windows, or how sessions end */
    uint64_t events, keys;
    int64_t events_per_ms; /* of event time */
    void (*make)(const struct stream_case *, uint64_t number, struct stream_event *out);
    int64_t size_ms, slide_ms, gap_ms; /* what the oracle makes of them; all 0:
                                          only the number of events is checked */
    bool by_visitor, by_item, last;
    bool sessions;     /* those of all visitors, not a window of its own */
    bool updates;      /* results come while events do */
    bool has_table;    /* items.csv lies beside the domain: each item and its name, the same */
    double quiet_s;    /* results are complete when none comes for so long */
    double aim;        /* events per CPU-second */
    const char *peers; /* what the issue quotes */
    const char *costs; /* what it has beyond `campaign`: its price is a row of its own */
};

static inline uint64_t roll_of(uint64_t number, uint64_t salt)
{
    uint64_t z = number * 0x9e3779b97f4a7c15ull + salt * 0xd1342543de82ef95ull + 0x632be59bd9b4e019ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static inline uint64_t below(uint64_t roll, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)roll * bound) >> 64);
}

/* Any of the visitors, any of the items. */
static void make_uniform(const struct stream_case *of, uint64_t number, struct stream_event *out)
{
    uint64_t roll = roll_of(number, 1);
    *out = (struct stream_event){ .visitor = of->by_visitor ? below(roll, of->keys) : below(roll_of(number, 2), 100000),
                                  .item = of->by_item ? below(roll, of->keys) : 0,
                                  .offset_ms = (int64_t)number / of->events_per_ms,
                                  .price = roll % 90000000,
                                  .counted = true };
}

/* As the generator of Nexmark has it: of 50 events 1 is a person, 3 are auctions, 46 bids; half of the bids on one
 * auction that is hot, three of four by a bidder who is; the others on one of the last 100, by one of the last 1,000.
 */
static void make_nexmark(const struct stream_case *of, uint64_t number, struct stream_event *out)
{
    uint64_t round = number / 50, at = number % 50, auctions = 3 * round + 3, persons = round + 1;
    uint64_t roll = roll_of(number, 3), other = roll_of(number, 4), window = auctions < 100 ? auctions : 100;
    uint64_t active = persons < 1000 ? persons : 1000;
    *out = (struct stream_event){ .offset_ms = (int64_t)number / of->events_per_ms, .counted = at >= 4 };
    out->item = roll % 2 ? auctions / 100 * 100 : auctions - 1 - below(roll, window);
    out->visitor = other % 4 ? persons / 100 * 100 : persons - 1 - below(other, active);
    out->price = roll_of(number, 5) % 90000000;
}

/* An encoded event whose varying parts are digits at known places. */
struct stream_template {
    char bytes[512];
    size_t n, visitor, item, price, id, type;
    int64_t base_ms; /* what offset_ms is counted from */
};

static inline void put_digits(char *to, uint64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        to[i] = (char)('0' + value % 10);
}

static size_t find_in(const struct stream_template *template, const char *text)
{
    const char *at = memmem(template->bytes, template->n, text, strlen(text));
    if (!at)
        abort();
    return (size_t)(at - template->bytes);
}

static void template_make(struct stream_template *template, int64_t base_ms, int64_t now_us)
{
    const struct event event = { .customer_id = SLICE(STREAM_TENANT),
                                 .visitor_id = SLICE("v########"),
                                 .event_id = SLICE("0123456789abcdef"),
                                 .event_type = SLICE("bid"),
                                 .properties = SLICE("{\"item\":\"i########\",\"price\":1########}"),
                                 .context = SLICE("{}"),
                                 .timestamp_ms = base_ms,
                                 .received_ms = now_us / 1000,
                                 .ingested_us = now_us };
    template->n = event_encoded_size(&event);
    template->base_ms = base_ms;
    assert(template->n <= sizeof template->bytes);
    event_encode(&event, template->bytes);
    template->visitor = find_in(template, "v########") + 1;
    template->item = find_in(template, "i########") + 1;
    template->price = find_in(template, "1########") + 1;
    template->id = find_in(template, "0123456789abcdef");
    template->type = find_in(template, "bid");
}

/* Writes the record with its length in front; returns the bytes. */
static size_t template_put(const struct stream_template *template, const struct stream_event *event, uint64_t number,
                           char *to)
{
    static const char hex[] = "0123456789abcdef";
    uint32_t n = (uint32_t) template->n;
    int64_t time_ms = template->base_ms + event->offset_ms;
    memcpy(to, &n, sizeof n);
    char *record = to + sizeof n;
    memcpy(record, template->bytes, template->n);
    memcpy(record + 4, &time_ms, sizeof time_ms);
    put_digits(record + template->visitor, event->visitor, DIGITS);
    put_digits(record + template->item, event->item, DIGITS);
    put_digits(record + template->price, event->price, DIGITS);
    for (int i = 15; i >= 0; i--, number >>= 4)
        record[template->id + (size_t)i] = hex[number & 15];
    if (!event->counted)
        memcpy(record + template->type, "new", 3);
    return sizeof n + template->n;
}
