/* The events of the race: what event number i of a workload is, from a seed alone, so that the one who writes the topic
 * and the one who checks the results make the same ones without keeping them. The fields are those of the Yahoo
 * Streaming Benchmark, in the shape of an event that weir's ingestion takes. Included by the programs of this folder.
 */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/slice.h"

#define RACE_CAMPAIGNS 100
#define RACE_ADS 1000 /* ten of each campaign */
#define RACE_PAGES 100
#define RACE_ID_BYTES 36
#define RACE_JSON_MAX 512
#define RACE_START_MS 1700000000000ll /* a multiple of ten seconds */
#define RACE_CLOSING "closing"

/* Queries of Nexmark, over one topic (race_nexmark.h); NONE: the topic and windows that the workload's other fields
 * say. */
enum race_query { RACE_NONE, RACE_Q0, RACE_Q1, RACE_Q5, RACE_Q7, RACE_Q11, RACE_Q12, RACE_Q18 };

struct race_workload {
    const char *name;
    uint64_t users;
    bool by_campaign; /* views alone, by the campaign of their ad; else all events by user */
    int64_t window_ms;
    uint64_t events_per_s; /* of event time */
    uint64_t events;       /* unless said otherwise */
    int64_t start_ms;      /* of event time; a multiple of the window */
    enum race_query query;
};

/* Nexmark: an event each millisecond, so that no two have the same time and "the last one" is one. */
#define NEXMARK(name, window_ms, query)                                                                                \
    {                                                                                                                  \
        (name), 0, false, (window_ms), 1000, 5000000, RACE_START_MS, (query)                                           \
    }

static const struct race_workload RACE_WORKLOADS[] = {
    { "ysb", 100, true, 10000, 100000, 20000000, RACE_START_MS, RACE_NONE },
    { "users-1m", 1000000, false, 10000, 100000, 5000000, RACE_START_MS, RACE_NONE },
    { "users-10m", 10000000, false, 10000, 1000000, 20000000, RACE_START_MS, RACE_NONE },
    NEXMARK("q0", 0, RACE_Q0),
    NEXMARK("q1", 0, RACE_Q1),
    NEXMARK("q5", 10000, RACE_Q5),
    NEXMARK("q7", 10000, RACE_Q7),
    NEXMARK("q11", 10000, RACE_Q11),
    NEXMARK("q12", 10000, RACE_Q12),
    NEXMARK("q18", 86400000, RACE_Q18),
};

struct race_event {
    uint64_t user;
    unsigned ad, page, ad_type, type; /* type 0: view */
    int64_t time_ms;
};

struct race_names {
    uint64_t seed;
    char ads[RACE_ADS][RACE_ID_BYTES], pages[RACE_PAGES][RACE_ID_BYTES], campaigns[RACE_CAMPAIGNS][RACE_ID_BYTES];
};

enum race_kind { RACE_AD = 1, RACE_PAGE, RACE_CAMPAIGN, RACE_USER };

static inline const struct race_workload *race_workload(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(RACE_WORKLOADS); i++)
        if (strcmp(RACE_WORKLOADS[i].name, name) == 0)
            return &RACE_WORKLOADS[i];
    fprintf(stderr, "there is no workload %s; there are:", name);
    for (size_t i = 0; i < COUNT_OF(RACE_WORKLOADS); i++)
        fprintf(stderr, " %s", RACE_WORKLOADS[i].name);
    fprintf(stderr, "\n");
    exit(64);
}

static inline uint64_t race_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static inline uint64_t race_roll(uint64_t seed, uint64_t number, uint64_t salt)
{
    return race_mix(number * 0x9e3779b97f4a7c15ull + race_mix(seed * 8 + salt) + 0x632be59bd9b4e019ull);
}

/* In the form of a UUID. */
static inline void race_id(uint64_t seed, enum race_kind kind, uint64_t number, char *to)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t words[2] = { race_roll(seed, number, kind), race_roll(seed, number, kind + 100) };
    for (unsigned i = 0, digit = 0; i < RACE_ID_BYTES; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            to[i] = '-';
            continue;
        }
        to[i] = hex[(words[digit / 16] >> (4 * (digit % 16))) & 15];
        digit++;
    }
}

static inline void race_names_make(struct race_names *names, uint64_t seed)
{
    names->seed = seed;
    for (unsigned i = 0; i < RACE_ADS; i++)
        race_id(seed, RACE_AD, i, names->ads[i]);
    for (unsigned i = 0; i < RACE_PAGES; i++)
        race_id(seed, RACE_PAGE, i, names->pages[i]);
    for (unsigned i = 0; i < RACE_CAMPAIGNS; i++)
        race_id(seed, RACE_CAMPAIGN, i, names->campaigns[i]);
}

static inline unsigned race_campaign_of(unsigned ad)
{
    return ad / (RACE_ADS / RACE_CAMPAIGNS);
}

static inline struct race_event race_event(const struct race_workload *of, uint64_t seed, uint64_t number)
{
    uint64_t roll = race_roll(seed, number, 11), other = race_roll(seed, number, 12);
    return (struct race_event){ .user = (uint64_t)(((unsigned __int128)roll * of->users) >> 64),
                                .ad = (unsigned)(other % RACE_ADS),
                                .page = (unsigned)((other >> 16) % RACE_PAGES),
                                .ad_type = (unsigned)((other >> 32) % 5),
                                .type = (unsigned)((other >> 40) % 3),
                                .time_ms = of->start_ms + (int64_t)(number * 1000 / of->events_per_s) };
}

/* The same key goes to the same partition, as a producer's partitioner has it. */
static inline int32_t race_partition(const struct race_workload *of, const struct race_event *event, int partitions)
{
    return (int32_t)(race_mix(of->by_campaign ? event->ad : event->user) % (uint64_t)partitions);
}

static inline char *race_put(char *to, const char *text, size_t n)
{
    memcpy(to, text, n);
    return to + n;
}
#define RACE_PUT(to, literal) race_put((to), (literal), sizeof(literal) - 1)

/* One event as JSON, at most RACE_JSON_MAX bytes. *out_key: what the topic is keyed by, RACE_ID_BYTES within `to`. */
static inline size_t race_json(const struct race_workload *of, const struct race_names *names,
                               const struct race_event *event, char *to, const char **out_key)
{
    static const char *const TYPES[] = { "view", "click", "purchase" };
    static const char *const AD_TYPES[] = { "banner", "modal", "sponsored-search", "mail", "mobile" };
    char *at = RACE_PUT(to, "{\"event_type\":\""), *user, *ad;
    at = race_put(at, TYPES[event->type], strlen(TYPES[event->type]));
    user = at = RACE_PUT(at, "\",\"user_id\":\"");
    race_id(names->seed, RACE_USER, event->user, at);
    at = RACE_PUT(at + RACE_ID_BYTES, "\",\"timestamp\":");
    at += sprintf(at, "%lld", (long long)event->time_ms);
    at = RACE_PUT(at, ",\"properties\":{\"page_id\":\"");
    at = race_put(at, names->pages[event->page], RACE_ID_BYTES);
    ad = at = RACE_PUT(at, "\",\"ad_id\":\"");
    at = race_put(at, names->ads[event->ad], RACE_ID_BYTES);
    at = RACE_PUT(at, "\",\"ad_type\":\"");
    at = race_put(at, AD_TYPES[event->ad_type], strlen(AD_TYPES[event->ad_type]));
    at = RACE_PUT(at, "\",\"ip_address\":\"1.2.3.4\"}}");
    *out_key = of->by_campaign ? ad : user;
    return (size_t)(at - to);
}
