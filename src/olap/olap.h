/* The ClickHouse engine in a child process, `weir olap`: the parent's side. One supervisor role owns a struct olap and
 * steps it; olap_state and olap_restarts may be called from any thread. The child listens on 127.0.0.1:port and speaks
 * ClickHouse's own HTTP protocol; users are in olap_users.h, tables in store/schema.h. Bounds: one child at a time,
 * restarted after 0.1 s … 10 s. The child dies with the thread that steps this, at the latest with the
 * process. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"

struct olap;
struct world;

#define OLAP_PATH_MAX 1024
#define OLAP_SLOTS_DEFAULT 256
#define OLAP_MEMORY_MB_DEFAULT 2048

struct olap_options {
    const char *data_dir;  /* the engine's own directory, made when missing */
    const char *library;   /* path of libchdb.so; NULL: looked for, see olap_find_library */
    uint16_t port;         /* on 127.0.0.1 */
    uint32_t memory_mb;    /* 0: the default */
    uint32_t reader_slots; /* readers to prepare, numbered 1 … reader_slots; 0: the default. More need a restart */
    uint32_t stop_ms;      /* from SIGTERM to SIGKILL; 0: 3000 */
    bool no_confine;       /* leave the child its rights: for debugging only */
};

enum olap_state {
    OLAP_STARTING, /* a child runs and does not answer yet */
    OLAP_READY,    /* it answers /ping */
    OLAP_WAITING,  /* it died; the next one starts after a pause */
    OLAP_FAILED, /* starting again cannot help (no library, the port or the directory is somebody else's): olap_failure
                  */
    OLAP_STOPPED,
};

/* Looks for the library, then starts the first child. ERR_NOT_FOUND: no library, with what to do about it. */
MUST_CHECK enum status olap_start(const struct olap_options *options, struct world *world, struct olap **out,
                                  struct error *err);
/* A role's step: looks after the child. Never blocks. */
bool olap_step(void *olap, struct world *world, int64_t *wake_us);
enum olap_state olap_state(const struct olap *olap);
/* How often a child had to be started again. */
uint64_t olap_restarts(const struct olap *olap);
/* The sysexits code and the words for the last failure; 0 and "" when there was none. For the thread that steps, and
 * for others once the state is OLAP_FAILED. */
int olap_failure(const struct olap *olap, struct error *out_words);
/* How far the child stands back behind everybody else on the machine, from 0 (an equal) to 19 (it gets what is left
 * over). For the thread that steps. Does nothing where the kernel does not share processors out between sessions
 * (sched_autogroup_enabled): there the nice value stands that the child gives itself. */
void olap_give_way(struct olap *olap, int nice);
/* SIGTERM, then SIGKILL after stop_ms; waits for its end, frees. Nobody may step it any more. NULL is fine. */
void olap_stop(struct olap *olap);

/* *out gets the path: `given` when not NULL, else WEIR_ENGINE from the environment, else .deps/engine/libchdb.so under
 * the working directory or above the binary, else /usr/lib/weir/libchdb.so. */
MUST_CHECK enum status olap_find_library(const char *given, char out[OLAP_PATH_MAX], struct error *err);

/* `weir olap --port …`: the child itself. Returns a sysexits code. */
int olap_child(int argc, char **argv);
