/* The events of Nexmark, as Apache Beam's generator has them, from a seed: of 50 events one is a new person, three are
 * new auctions, 46 are bids. Half of the bids go to the auction that is hot just then, the others to one of the last
 * hundred; three of four are of the hot bidder, the others of one of the last thousand people. In the shape of an event
 * that weir's ingestion takes: the bidder (of an auction its seller) is the user. The topic is keyed by the user.
 * Included by the programs of this folder. */
#pragma once
#include <math.h>

#include "bench/peers/race_events.h"

#define NEXMARK_ROUND 50
#define NEXMARK_AUCTIONS 3 /* of a round; before them a person, behind them bids */
#define NEXMARK_FIRST_ID 1000
#define NEXMARK_HOT 100
#define NEXMARK_AUCTIONS_OPEN 100
#define NEXMARK_PEOPLE_ACTIVE 1000
#define NEXMARK_PEOPLE_AHEAD 10 /* bidders whose person is still to come */

enum nexmark_kind { NEXMARK_PERSON, NEXMARK_AUCTION, NEXMARK_BID };

struct nexmark_event {
    enum nexmark_kind kind;
    uint64_t number, person, auction, price;
    int64_t time_ms;
};

static inline uint64_t nexmark_people(uint64_t events)
{
    return events / NEXMARK_ROUND + 1 + NEXMARK_FIRST_ID + NEXMARK_HOT + NEXMARK_PEOPLE_AHEAD;
}

static inline void nexmark_bid(struct nexmark_event *event, uint64_t seed)
{
    const uint64_t round = event->number / NEXMARK_ROUND, auctions = round * NEXMARK_AUCTIONS + NEXMARK_AUCTIONS;
    const uint64_t people = round + 1, last = auctions - 1;
    const uint64_t roll = race_roll(seed, event->number, 21), other = race_roll(seed, event->number, 22);
    uint64_t open = auctions < NEXMARK_AUCTIONS_OPEN ? auctions : NEXMARK_AUCTIONS_OPEN;
    uint64_t active = people < NEXMARK_PEOPLE_ACTIVE ? people : NEXMARK_PEOPLE_ACTIVE;
    event->auction = roll % 2 ? last / NEXMARK_HOT * NEXMARK_HOT : last - (roll >> 8) % open;
    event->person = (roll >> 1) % 4 ? (people - 1) / NEXMARK_HOT * NEXMARK_HOT + 1
                                    : people - active + (other >> 40) % (active + NEXMARK_PEOPLE_AHEAD);
    event->price = (uint64_t)(pow(10, (double)(other & 0xffffffff) / 4294967296.0 * 6) * 100);
    event->auction += NEXMARK_FIRST_ID;
    event->person += NEXMARK_FIRST_ID;
}

static inline struct nexmark_event nexmark_event(const struct race_workload *of, uint64_t seed, uint64_t number)
{
    const uint64_t round = number / NEXMARK_ROUND, in_round = number % NEXMARK_ROUND;
    struct nexmark_event event = { .number = number,
                                   .time_ms = of->start_ms + (int64_t)(number * 1000 / of->events_per_s) };
    if (in_round == 0) {
        event.kind = NEXMARK_PERSON;
        event.person = NEXMARK_FIRST_ID + round;
    } else if (in_round <= NEXMARK_AUCTIONS) {
        event.kind = NEXMARK_AUCTION;
        event.auction = NEXMARK_FIRST_ID + round * NEXMARK_AUCTIONS + in_round - 1;
        event.person = NEXMARK_FIRST_ID + race_roll(seed, number, 23) % (round + 1);
    } else {
        event.kind = NEXMARK_BID;
        nexmark_bid(&event, seed);
    }
    return event;
}

static inline uint64_t nexmark_euros(uint64_t price)
{
    return (uint64_t)((double)price * 0.908);
}

/* One event as JSON, at most RACE_JSON_MAX bytes. *out_key: what the topic is keyed by, within `to`. */
static inline size_t nexmark_json(uint64_t seed, const struct nexmark_event *event, char *to, struct slice *out_key)
{
    static const char *const TYPES[] = { "person", "auction", "bid" };
    static const char *const CHANNELS[] = { "Google", "Facebook", "Baidu", "Apple" };
    const uint64_t roll = race_roll(seed, event->number, 24);
    char extra[RACE_ID_BYTES];
    race_id(seed, RACE_PAGE, event->number, extra);
    char *at = to + sprintf(to, "{\"event_type\":\"%s\",\"user_id\":\"", TYPES[event->kind]), *key = at;
    at += sprintf(at, "%llu", (unsigned long long)event->person);
    *out_key = slice_of(key, (size_t)(at - key));
    at += sprintf(at, "\",\"timestamp\":%lld,\"properties\":{", (long long)event->time_ms);
    if (event->kind == NEXMARK_BID)
        at += sprintf(at,
                      "\"auction\":%llu,\"price\":%llu,\"channel\":\"%s\",\"url\":"
                      "\"https://www.nexmark.com/item.htm?query=1&channel_id=%u\"",
                      (unsigned long long)event->auction, (unsigned long long)event->price, CHANNELS[roll % 4],
                      (unsigned)(roll >> 40) % 10000);
    else if (event->kind == NEXMARK_AUCTION)
        at += sprintf(at, "\"auction\":%llu,\"item\":\"item %u\",\"initial_bid\":%u,\"reserve\":%u,\"category\":%u",
                      (unsigned long long)event->auction, (unsigned)(roll % 1000), (unsigned)(roll >> 20) % 1000,
                      (unsigned)(roll >> 30) % 10000, 10 + (unsigned)(roll >> 44) % 5);
    else
        at += sprintf(at, "\"name\":\"person %u\",\"city\":\"Phoenix\",\"state\":\"AZ\"", (unsigned)(roll % 100000));
    at += sprintf(at, ",\"extra\":\"%.*s\"}}", RACE_ID_BYTES, extra);
    return (size_t)(at - to);
}
