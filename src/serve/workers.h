/* A few threads that do what may take long: ask the engine, change the catalog. Jobs wait in one bounded line; who is
 * next is decided on the loop's thread, which owns all of this. No tenant may have more than half of the threads at
 * once, so that one tenant's slow questions leave room for the others'. */
#pragma once
#include <uv.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "catalog/catalog.h"

struct store_http;
struct worker;
struct workers;

struct job {
    /* On a worker's thread. http may be NULL where there is no engine. */
    void (*run)(struct job *job, struct store_http *http);
    /* On the loop's thread, also when the job was cancelled: frees the job. */
    void (*done)(struct job *job);
    char tenant_id[TENANT_ID_MAX + 1]; /* whose share it counts against; "" for administration */
    struct job *next;                  /* the line's */
    struct worker *worker;             /* set while it runs */
};

struct workers_options {
    const char *engine_url; /* NULL: no engine */
    uint32_t threads, waiting_max, per_tenant;
    const char *engine_tls_ca; /* as in store_http.h; outlives it */
};

MUST_CHECK enum status workers_new(const struct workers_options *options, uv_loop_t *loop, struct workers **out,
                                   struct error *err);
MUST_CHECK enum status workers_start(struct workers *workers, struct error *err);
/* OK: done will be called. ERR_FULL: the tenant has its share. ERR_RETRY: the line is full. */
MUST_CHECK enum status workers_submit(struct workers *workers, struct job *job);
/* Nobody waits for its result any more: a job in the line is done at once, a running one's request is broken off. */
void workers_cancel(struct workers *workers, struct job *job);
size_t workers_busy(const struct workers *workers); /* running and waiting */
/* Ends the threads; what runs is finished first. What waits is done without having run. Closes its uv handle: run the
 * loop once more before workers_free. */
void workers_stop(struct workers *workers);
void workers_free(struct workers *workers);
