/* History again: counts what lies in events_raw into the windows that are declared now, through the code that counts
 * live events, and shows the result at once when all of it is there (docs/replay.md).
 *
 * One role works the jobs off, one after another, a bounded step at a time; a tenant has one at most. replayer_begin
 * and replayer_at belong to one thread, the API's. A job that a crash cut off has shown nothing; it is begun again by
 * whoever wants it. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/role.h"
#include "catalog/catalog.h"

#define REPLAY_JOBS_MAX 64 /* waiting, running and remembered */
#define REPLAY_NEWEST INT64_MAX
#define REPLAY_WINDOW_MAX 64

struct domain_set;
struct kv_pool;
struct replayer;
struct world;

struct replayer_options {
    const struct domain_set *domains;         /* outlives it; NULL: no windows */
    const char *engine_url, *user, *password; /* of the writer; copied */
    const char *engine_tls_ca;                /* as in store_http.h; outlives it */
    const char *scratch_path;                 /* a directory for the state of the job that runs; copied */
    struct kv_pool *kv_pool;                  /* outlives it */
    uint64_t memory_bytes_max;                /* of the windows' rows; 0: 256 MiB */
};

struct replay_request {
    char tenant[TENANT_ID_MAX + 1], placement[TENANT_ID_MAX + 1];
    char window[REPLAY_WINDOW_MAX + 1]; /* "": all that can be */
    int64_t from_ms, to_ms;             /* [from, to); to may be REPLAY_NEWEST: as far as live traffic is through */
    int64_t kept_from_ms;               /* older events may be gone by the tenant's retention; INT64_MIN: none are */
    bool dry_run;                       /* says what would be counted */
};

enum replay_state { REPLAY_FREE, REPLAY_WAITING, REPLAY_RUNNING, REPLAY_DONE, REPLAY_FAILED };
const char *replay_state_name(enum replay_state state);

struct replay_report {
    uint64_t id;
    enum replay_state state;
    struct replay_request request;
    int64_t to_ms;                    /* what REPLAY_NEWEST came to; REPLAY_NEWEST: not known yet */
    uint64_t total, events;           /* in the range, counted so far */
    uint64_t results, late;           /* results written; late events that are counted by them */
    uint64_t generation;              /* 0: nothing is shown (yet) */
    const char *error;                /* of one that failed, else ""; good until another job takes its place */
    const struct slice *const *names; /* of its windows */
    size_t window_count;
};

/* Aborts when out of memory (start-up only). */
struct replayer *replayer_new(const struct replayer_options *options, struct world *world);
struct role replayer_role(struct replayer *replayer);
/* The role gives up the job in hand with its next step, and takes no further one. Any thread. */
void replayer_stop(struct replayer *replayer);
/* From now on these are the windows that are declared; those before must live as long as the replayer. Any thread.
 * ERR_RETRY: a job waits or runs, and would not know which. */
MUST_CHECK enum status replayer_use(struct replayer *replayer, const struct domain_set *domains, struct error *err);
/* True: no job waits or runs, and none is begun until replayer_release. Any thread. */
MUST_CHECK bool replayer_hold(struct replayer *replayer);
void replayer_release(struct replayer *replayer);
void replayer_free(struct replayer *replayer); /* after its role ended; NULL is fine */

/* ERR_INVALID: the request makes no sense. ERR_NOT_FOUND: no such window. ERR_RETRY: one of the tenant runs. ERR_FULL:
 * too many wait. */
MUST_CHECK enum status replayer_begin(struct replayer *replayer, const struct replay_request *request, uint64_t *out_id,
                                      struct error *err);
/* The job in the place, index below REPLAY_JOBS_MAX; false: none. */
bool replayer_at(struct replayer *replayer, size_t index, struct replay_report *out);
