/* What the queries of Nexmark must give, by plain counting over the generator's bids. Only race_topic.c includes this.
 */
#pragma once
#include "bench/peers/race_nexmark.h"
#include "bench/peers/race_table.h"

#define NEXMARK_SLIDE_MS 2000 /* of q5 */
#define NEXMARK_KEY_MAX 64

struct nexmark_session {
    int64_t start_ms, last_ms;
    uint64_t bids; /* 0: none */
};

static struct slice nexmark_key(char *to, uint64_t number)
{
    return slice_of(to, (size_t)snprintf(to, NEXMARK_KEY_MAX, "%llu", (unsigned long long)number));
}

static void nexmark_session_over(struct race_table *table, struct nexmark_session *session, uint64_t bidder)
{
    char key[NEXMARK_KEY_MAX];
    if (session->bids)
        race_table_cell(table, nexmark_key(key, bidder), session->start_ms)->expected = (uint32_t)session->bids;
    session->bids = 0;
}

static void nexmark_session_add(struct race_table *table, const struct race_workload *of,
                                struct nexmark_session *session, const struct nexmark_event *bid)
{
    if (session->bids && bid->time_ms - session->last_ms > of->window_ms)
        nexmark_session_over(table, session, bid->person);
    if (session->bids == 0)
        session->start_ms = bid->time_ms;
    session->last_ms = bid->time_ms;
    session->bids++;
}

static void nexmark_slices(struct race_table *table, const struct race_workload *of, const struct nexmark_event *bid)
{
    char key[NEXMARK_KEY_MAX];
    const int64_t last_ms = bid->time_ms - bid->time_ms % NEXMARK_SLIDE_MS;
    for (int64_t start_ms = last_ms; start_ms > bid->time_ms - of->window_ms; start_ms -= NEXMARK_SLIDE_MS)
        race_table_cell(table, nexmark_key(key, bid->auction), start_ms)->expected++;
}

static void nexmark_count(struct race_table *table, const struct race_workload *of, const struct nexmark_event *bid)
{
    char key[NEXMARK_KEY_MAX];
    const int64_t start_ms = of->window_ms ? bid->time_ms - bid->time_ms % of->window_ms : bid->time_ms;
    struct race_cell *cell;
    switch (of->query) {
    case RACE_Q0:
        race_table_cell(table, nexmark_key(key, bid->person), start_ms)->expected += (uint32_t)bid->price;
        return;
    case RACE_Q1:
        race_table_cell(table, nexmark_key(key, bid->person), start_ms)->expected +=
            (uint32_t)nexmark_euros(bid->price);
        return;
    case RACE_Q5:
        nexmark_slices(table, of, bid);
        return;
    case RACE_Q7:
        cell = race_table_cell(table, SLICE(""), start_ms);
        cell->expected = cell->expected > bid->price ? cell->expected : (uint32_t)bid->price;
        return;
    case RACE_Q12:
        race_table_cell(table, nexmark_key(key, bid->person), 0)->expected++;
        return;
    case RACE_Q18: {
        int n =
            snprintf(key, sizeof key, "%llu/%llu", (unsigned long long)bid->person, (unsigned long long)bid->auction);
        race_table_cell(table, slice_of(key, (size_t)n), start_ms)->expected = (uint32_t)bid->price;
        return;
    }
    case RACE_Q11:
    case RACE_NONE:
        abort(); /* counted elsewhere */
    }
}

static void nexmark_expect(struct race_table *table, const struct race_workload *of, uint64_t seed, uint64_t events)
{
    struct nexmark_session *sessions = calloc(nexmark_people(events), sizeof *sessions);
    if (!sessions)
        abort();
    table->adds = of->query == RACE_Q0 || of->query == RACE_Q1;
    if (of->query == RACE_Q12) {
        table->parts = calloc(1, sizeof *table->parts);
        if (!table->parts)
            abort();
        race_table_init(table->parts, events);
    }
    for (uint64_t i = 0; i < events; i++) {
        struct nexmark_event event = nexmark_event(of, seed, i);
        if (event.kind != NEXMARK_BID)
            continue;
        table->counted++;
        if (of->query == RACE_Q11)
            nexmark_session_add(table, of, &sessions[event.person], &event);
        else
            nexmark_count(table, of, &event);
    }
    for (uint64_t i = 0; i < nexmark_people(events); i++)
        nexmark_session_over(table, &sessions[i], i);
    free(sessions);
}
