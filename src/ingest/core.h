/* The heart of one ingestion loop, without sockets: requests in, answers out, commits to the journal in between. Owner:
 * the loop's thread; tests call it directly. Nothing here blocks. */
#pragma once
#include "base/bell.h"
#include "ingest/ingest.h"
#include "ingest/request.h"

struct core;
struct quota_table;
struct salt;
struct ticket;

/* What several loops share; borrowed, outlives them. */
struct core_shared {
    struct journal *journal;
    struct catalog *catalog;
    struct metrics *metrics;
    struct quota_table *quotas;
    struct salt *salt;
    struct world *world;
};

struct core_host {
    void (*answer)(void *self, void *exchange, const struct http_answer *answer); /* exactly once an exchange */
    void *self;
    unsigned loop;         /* its number, for metrics */
    struct waker finished; /* woken, from the journal's thread, when core_finish has something to do */
};

MUST_CHECK enum status core_new(const struct ingest_options *options, const struct core_shared *shared,
                                const struct core_host *host, struct core **out, struct error *err);
void core_free(struct core *core); /* core_is_idle must hold */

/* Answers now and returns NULL, or later and returns the ticket. May be called again from within `answer`. */
struct ticket *core_receive(struct core *core, const struct ingest_request *request, void *exchange);
/* The client has gone: its exchange will not be answered. What it sent stays accepted. */
void core_gone(struct core *core, struct ticket *ticket);
/* The end of a turn of the loop: works on requests that waited for their turn, hands what came together to the journal.
 * True: more waits, call again without sleeping. */
bool core_turn(struct core *core);
/* Answers the requests of finished commits. */
void core_finish(struct core *core);
/* Nothing waits for a turn or for the journal. */
bool core_is_idle(const struct core *core);
/* Once idle: returns when the journal's thread has left our code, so that `finished` may go away. */
void core_settle(struct core *core);
/* From now on /ready says no. */
void core_set_draining(struct core *core);
