/* The sessions of every visitor of a partition, in memory: events of one visitor that are no more than the gap apart,
 * by event time, in whatever order they arrive. An event extends a session at either end, joins two, or begins one, so
 * what comes out depends on the set of events alone, never on their order (session_table_test.c).
 *
 * Every change since the last session_table_clear_changes is listed, so that a commit writes changes, not state.
 * Owner: the task of one partition; one thread. Bounds: VISITOR_USERS_MAX distinct users a visitor (further ones are
 * not kept); sessions a visitor by the retention of events divided by the gap (session_forget.c); visitors by the
 * state's memory bound. */
#pragma once
#include "base/compiler.h"
#include "base/slice.h"
#include "process/state/id_table.h"

struct session_table;

#define VISITOR_USERS_MAX 1000
#define SESSION_UNTOLD UINT64_MAX

enum session_flags {
    SESSION_CHANGED = 1, /* since the last session_table_clear_changes */
    SESSION_KNOWN = 2,   /* outside of this table: its end must be told */
    SESSION_UNSENT = 4,  /* waits to be sent (session_table_unsent) */
};

struct session {
    int64_t start_ms, end_ms; /* of its first and last event; Unix, event time */
    int64_t user_ms;          /* time of the event that `user` is from */
    uint32_t events, views;   /* views: of pages and screens */
    uint16_t user;            /* session_visitor_user; 0: nobody */
    uint8_t flags;
};

struct session_visitor {
    struct id128 id;
    struct session *sessions; /* ascending, more than the gap apart; `only` while there is room for one */
    uint32_t count, capacity;
    struct session only; /* most have no more: one cache line less to wait for */
    struct slice *users; /* each an allocation of its own */
    uint16_t user_count, customer_n, visitor_n, placement_n;
    uint32_t unsent;     /* entries of session_table_unsent: it may not be dropped */
    bool recent;         /* was looked at since the hand of the clock passed */
    uint64_t changed_in; /* the last commit that told of a change; SESSION_UNTOLD: there are untold ones */
    char text[];         /* customer_id, visitor_id, placement */
};

struct session_change {
    struct session_visitor *visitor;
    int64_t start_ms;
    bool removed; /* the session that began then is part of another one now */
};

/* Aborts when out of memory (start-up only). gap_ms >= 0: a pause longer than this ends a session. */
struct session_table *session_table_new(int64_t gap_ms);
/* Of the events to come: not every tenant's is the same. */
void session_table_set_gap(struct session_table *table, int64_t gap_ms);
void session_table_free(struct session_table *table);
void session_table_empty(struct session_table *table);

/* After true, `events` events can be taken without an allocation of the table's own. */
MUST_CHECK bool session_table_reserve(struct session_table *table, size_t events);
/* Fetches what session_table_find will look at: some 16 events ahead the slot, some 8 ahead the visitor. */
void session_table_prefetch(const struct session_table *table, struct id128 id);
void session_table_prefetch_visitor(const struct session_table *table, struct id128 id);
/* NULL: not here. */
struct session_visitor *session_table_find(struct session_table *table, struct id128 id);
/* A visitor that is not here yet. NULL: out of memory. */
struct session_visitor *session_table_add(struct session_table *table, struct id128 id, struct slice customer_id,
                                          struct slice visitor_id, struct slice placement);
/* Forgets a visitor of whom every change is told and sent. */
void session_table_drop(struct session_table *table, struct session_visitor *visitor);
/* The next visitor for the hand of a clock that goes round the table: NULL when there are none. */
struct session_visitor *session_table_next(struct session_table *table, size_t *io_hand);

/* Takes an event of the visitor. user: empty when unknown. False: out of memory, nothing changed. */
MUST_CHECK bool session_table_event(struct session_table *table, struct session_visitor *visitor, int64_t time_ms,
                                    struct slice user_id, bool is_view);
/* What was written down earlier: sets or removes the session that begins at start_ms. Not a change, but it is sent
 * (again) where asked. `user` in the session is ignored, user_id says it. False: out of memory. */
MUST_CHECK bool session_table_put(struct session_table *table, struct session_visitor *visitor,
                                  const struct session *session, struct slice user_id, bool send);
/* Lets go of the session that begins at start_ms, of which nobody is told. False: it is not here, or has changes that
 * are not yet told or sent. */
bool session_table_forget(struct session_table *table, struct session_visitor *visitor, int64_t start_ms);
MUST_CHECK bool session_table_remove(struct session_table *table, struct session_visitor *visitor, int64_t start_ms);

/* The changes, oldest first; a session stands in them once, as SESSION_CHANGED says; one that was removed before
 * anybody knew of it does not. The session is looked up by session_visitor_find, which is NULL for what was changed and
 * then removed: pass over it. */
const struct session_change *session_table_changes(const struct session_table *table, size_t *out_count);
/* The changes are told, in the commit of this number. */
void session_table_clear_changes(struct session_table *table, uint64_t commit);

/* What is to be sent to those who read sessions: the same changes, but a session stands in them once however many
 * commits it waits, and what was put or removed by a replay stands in them too, since nobody knows whether it was sent
 * before the end. */
const struct session_change *session_table_unsent(const struct session_table *table, size_t *out_count);
/* The first `count` of them are sent. */
void session_table_sent(struct session_table *table, size_t count);

struct session *session_visitor_find(const struct session_visitor *visitor, int64_t start_ms);
struct slice session_visitor_user(const struct session_visitor *visitor, const struct session *session);

static inline struct slice session_visitor_customer_id(const struct session_visitor *visitor)
{
    return slice_of(visitor->text, visitor->customer_n);
}
static inline struct slice session_visitor_visitor_id(const struct session_visitor *visitor)
{
    return slice_of(visitor->text + visitor->customer_n, visitor->visitor_n);
}
static inline struct slice session_visitor_placement(const struct session_visitor *visitor)
{
    return slice_of(visitor->text + visitor->customer_n + visitor->visitor_n, visitor->placement_n);
}

/* For a walk over changes: the visitor of a later one is fetched. */
static inline void session_change_prefetch(const struct session_change *changes, size_t i, size_t count)
{
    if (i + 8 >= count)
        return;
    __builtin_prefetch(changes[i + 8].visitor);
    __builtin_prefetch((const char *)changes[i + 8].visitor + 64);
}

size_t session_table_visitors(const struct session_table *table);
size_t session_table_sessions(const struct session_table *table);
size_t session_table_bytes(const struct session_table *table); /* of memory, all in all */
