/* Speaks just enough of the engine's HTTP for tests of the API, on a thread of its own: rows for most questions, the
 * engine's errors for those that say `wrong`, `denied`, `stranger`, `garbage` or `breaks`, and no answer yet for those
 * that say `hold`. One at a time. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "http/http_server.h"

struct metrics;

struct fake_engine {
    uv_loop_t loop;
    uv_async_t stop, release; /* release: what is held gets its rows */
    struct http_server *http;
    struct metrics *metrics;
    pthread_t thread;
    char url[64];
    struct http_exchange *held[8]; /* what was asked to wait */
    size_t held_count;
    atomic_size_t held_now, gone;
    char user[64], query[256], body[256]; /* of the last request: fake_engine_seen */
};
extern struct fake_engine fake_engine;

extern const char FAKE_ENGINE_ROWS[]; /* three rows of one column */

void fake_engine_start(void);
void fake_engine_stop(void);
/* A field of the last request, as the test's thread may read it; forget: there was none. */
const char *fake_engine_seen(const char *field);
void fake_engine_forget(void);
