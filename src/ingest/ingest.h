/* Ingestion: takes events in by HTTP, judges each, makes the good ones durable and only then answers 200. One or
 * several libuv loops on one port, each a thread with its own HTTP server, parser and copy of the tenants; what they
 * share is the journal, the quota buckets and the salt of IP addresses.
 *
 * Life: ingest_new binds (a port taken is told here), ingest_start runs, ingest_stop drains and ends the threads,
 * ingest_free. All from one thread, the owner's. The journal's roles must run until ingest_stop has returned. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "event/event_parse.h"
#include "http/http_server.h"

struct catalog;
struct ingest;
struct journal;
struct metrics;
struct world;

struct ingest_options {
    struct http_server_options http; /* host, port, TLS, limits; reuse_port is ours */
    uint32_t loops;                  /* threads; 1 */
    struct event_parse_options parse;
    const char *data_path;              /* directory for ingest.salt; NULL: salts in memory alone */
    uint64_t quota_standard_per_minute; /* events a minute of tenants of tier standard; 10,000; UINT64_MAX unlimited */
    uint64_t quota_enterprise_per_minute; /* of tier enterprise; 100,000 */
    uint32_t quota_processes;             /* among which the load is spread: this one lets its part through; 1 */
    int32_t retention_days;               /* of tenants that name none; -1: unlimited; 90. Older events are refused */
    size_t unpacked_bytes_max;            /* of a compressed body; 16 MiB */
    uint32_t unpacked_ratio_max;          /* output : input, beyond 1 MiB of output; 200 */
    size_t in_flight_bytes_max;           /* of records handed to the journal and not yet durable; 64 MiB */
    uint32_t commits_in_flight_max;       /* commits with the journal at once; 32 */
    size_t turn_bytes_max;                /* bodies worked on in one turn of the loop; 2 MiB */
    uint32_t verdicts_max;                /* most elements of "results" in an answer; 100 */
    uint32_t retry_after_s;               /* told with 503; 1 */
    int64_t drain_timeout_ms;             /* ingest_stop: then open connections are cut; 10,000 */
    const char *public_url; /* how browsers reach us, "https://in.example.com"; NULL: from the Host header */
    /* May be NULL. Why /ready should say no ("the engine is starting"), or NULL when all is well; from any loop. */
    const char *(*not_ready)(void *self);
    /* May be NULL. A tenant reached 80 % of its quota; at most once a minute and tenant; from any loop, must not block.
     */
    void (*quota_warning)(void *self, const char *tenant_id, uint32_t used_percent, uint64_t per_minute);
    void *hook_self;
};

/* Every field's default; then set what differs. */
void ingest_options_init(struct ingest_options *options);

MUST_CHECK enum status ingest_new(const struct ingest_options *options, struct journal *journal,
                                  struct catalog *catalog, struct metrics *metrics, struct world *world,
                                  struct ingest **out, struct error *err);
MUST_CHECK enum status ingest_start(struct ingest *ingest, struct error *err);
uint16_t ingest_port(const struct ingest *ingest);
/* Events that the tenant sent in the current minute, as its quota sees it; any thread. */
uint64_t ingest_quota_used(const struct ingest *ingest, struct slice tenant_id);
/* No new connections; requests that are whole are finished, made durable and answered; then the threads end. Bounded by
 * drain_timeout_ms plus what the journal needs for the commits it already has. */
void ingest_stop(struct ingest *ingest);
void ingest_free(struct ingest *ingest); /* NULL is fine; stops first where needed */
