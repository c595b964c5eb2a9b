/* A request on its way: waiting for its turn, or parsed and waiting for the journal. Owner: the loop's thread. Pooled:
 * a ticket's memory is used again. */
#pragma once
#include "base/buf.h"
#include "ingest/request.h"

struct member;

#define TICKET_TENANTS_MAX 8 /* tenants that one request without a key may name */

struct ticket_share {
    struct member *member;
    uint64_t events;
};

struct ticket {
    struct ticket *next;
    void *exchange;                /* NULL: the client has gone */
    struct ingest_request request; /* views: valid until the exchange is answered or gone */
    enum event_endpoint endpoint;
    struct member *member; /* whose key it was, or NULL: the body must tell */
    int64_t received_us;   /* monotonic */
    int64_t received_ms;   /* wall clock */
    bool queued;
    bool cors; /* came from a browser: answer with CORS headers */
    struct ticket_share shares[TICKET_TENANTS_MAX];
    size_t share_count;
    uint64_t accepted, rejected;
    struct buf verdicts; /* JSON, the elements of "results" */
    uint32_t verdict_count;
    uint64_t verdicts_left_out;
};

struct ticket_pool {
    struct ticket *free;
    size_t count, in_use;
};

struct ticket *ticket_take(struct ticket_pool *pool); /* NULL: out of memory */
void ticket_give_back(struct ticket_pool *pool, struct ticket *ticket);
void ticket_pool_done(struct ticket_pool *pool); /* nothing may be in use */
