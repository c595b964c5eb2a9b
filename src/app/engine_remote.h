/* An engine that another process runs (`weir olap`), at engine.url: is it there, is it ours, is it back? Owner: the
 * main thread. Nothing of it is started or stopped from here. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"

struct engine_remote;
struct world;

struct engine_remote_options {
    const char *url, *tls_ca;    /* outlive it */
    const char *user, *password; /* of the writer; copied */
};

/* Waits some seconds for an answer. ERR_RETRY: there is none. ERR_INVALID: what answers cannot be used: no engine, a
 * wrong password, an old version. *out_readers: how many users for tenants it has. */
MUST_CHECK enum status engine_remote_open(const struct engine_remote_options *options, struct world *world,
                                          struct engine_remote **out, uint32_t *out_readers, struct error *err);
/* Asks when it is time to; waits for the answer, some seconds at most. True: it is there. */
bool engine_remote_step(struct engine_remote *remote, int64_t *wake_us);
/* How often it has come back. */
uint64_t engine_remote_returns(const struct engine_remote *remote);
void engine_remote_close(struct engine_remote *remote); /* NULL is fine */
