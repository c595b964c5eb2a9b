/* The API: SQL over HTTP, the live feed, tenants' administration, and the page at "/". One libuv loop on a thread of
 * its own answers; questions to the engine and changes of the catalog wait in a bounded queue for a few worker threads.
 *
 * Life: serve_new binds (a port taken is told here), serve_start runs, serve_stop drains and ends the threads,
 * serve_free. All from one thread, the owner's. Hooks are called from the loop and from worker
 * threads and must be safe for that; engine_is_ready and reader may not block. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "http/http_server.h"

struct buf;
struct catalog;
struct metrics;
struct queue;
struct page_table;
struct replayer;
struct serve;
struct task_board;
struct tenant;
struct world;

/* How a tenant's questions reach the engine. */
struct serve_user {
    char name[64], password[160];
};

struct serve_options {
    struct http_server_options http; /* host, port, TLS, limits; port_option for the message of a port taken */
    const char *engine_url;          /* "http://127.0.0.1:8123"; copied */
    const char *engine_tls_ca;       /* as in store_http.h; outlives it */
    const char *admin_token_path;    /* file, made with a new token when missing (0600); NULL: no token is accepted */
    bool dev;                        /* loopback may administrate without the token (see tenants.c); false */
    uint32_t queries_max;            /* questions that run at once, a thread each; 8 */
    uint32_t queries_waiting_max;    /* further ones that wait; beyond: 503; 256 */
    uint32_t queries_per_tenant;     /* one tenant's, running and waiting; beyond: 429; 16 */
    int64_t query_timeout_ms;        /* then 408; the engine's own limit for its users ends most earlier; 30,000 */
    uint32_t rows_max;               /* of an answer; further ones are left out and "truncated" says so; 10,000 */
    size_t result_bytes_max;         /* of the engine's answer, the same; 16 MiB */
    size_t listeners_max;            /* readers of the live feed; beyond: 503; 2,000 */
    size_t listeners_per_tenant;     /* beyond: 429; 1,200 */
    int64_t live_interval_ms;        /* shortest time between two messages to one listener; 10; grows with listeners */
    int64_t live_heartbeat_ms;       /* a comment when nothing happened for so long; 10,000 */
    size_t live_tenants_max;         /* tenants whose counts are kept; others show zeros; 10,000 */
    int64_t drain_timeout_ms;        /* serve_stop: then open connections are cut; 5,000 */
    bool access_log;                 /* a log line for each request; false */
    const struct page_table *pages;  /* what browsers load; borrowed; the binary's own (pages.h) */

    /* What GET /v1/config and /v1/whoami tell. Texts are borrowed. */
    const char *environment, *version; /* "dev", "" */
    uint16_t ingest_port;              /* 0: not known */
    bool ingest_tls;
    uint64_t quota_standard_per_minute;   /* of tenants that name none; UINT64_MAX: unlimited; 10,000 */
    uint64_t quota_enterprise_per_minute; /* 100,000 */
    int32_t retention_days;               /* of tenants that name none; -1: unlimited; 90 */

    /* All may be NULL: then there is no engine and questions are answered 503. */
    bool (*engine_is_ready)(void *self);
    void (*reader)(void *self, uint32_t olap_slot, struct serve_user *out);
    /* From now on the tenant's reader sees its rows. ERR_RETRY: the engine is away, and the owner does it when it is
     * back. */
    enum status (*map_tenant)(void *self, const struct tenant *tenant, struct error *err);
    /* Events that the tenant sent in the current minute, as its quota sees it. From the loop; may not block. */
    uint64_t (*quota_used)(void *self, const char *tenant_id);
    /* Whether the sink of the configuration takes results of the tenant: of others' it is told nothing. */
    bool (*sink_carries)(void *self, struct slice sink, struct slice tenant_id);
    /* Appends the dashboards of the domains as the tenant sees them, a JSON list. From the loop. */
    void (*dashboards)(void *self, const char *tenant_id, struct buf *out);
    /* Appends the targets of data_quality as a JSON object. From the loop. */
    void (*quality)(void *self, const char *tenant_id, struct buf *out);
    void *hook_self;
    /* How the tasks of all processes are (task_board.h); outlives the API; NULL: there are none but those here. */
    struct task_board *tasks;
    struct replayer *replayer; /* history again (replay/replay.h); outlives the API; NULL: /v1/replays answers 503 */
};

/* Every field's default; then set what differs. */
void serve_options_init(struct serve_options *options);

/* catalog, metrics and world must outlive it. */
MUST_CHECK enum status serve_new(const struct serve_options *options, struct catalog *catalog, struct metrics *metrics,
                                 struct world *world, struct serve **out, struct error *err);
MUST_CHECK enum status serve_start(struct serve *serve, struct error *err);
uint16_t serve_port(const struct serve *serve);
/* Where the processing tasks push their struct live_update (process/live.h). The queue is closed by serve_stop; who
 * pushes must have ended before serve_free. */
struct queue *serve_live_queue(struct serve *serve);
/* No new connections; running questions are answered, streams end, then the threads end. */
void serve_stop(struct serve *serve);
void serve_free(struct serve *serve); /* NULL is fine; stops first where needed */
