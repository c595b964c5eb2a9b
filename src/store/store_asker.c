#include "store/store_asker.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 300 /* of what the engine says instead of an answer */

struct store_asker {
    struct store_http_options options; /* texts are its own */
    struct store_http *http;           /* NULL: not made yet */
    _Atomic(struct store_http *) asking;
    _Atomic bool stopped;
};

static char *copy(const char *text)
{
    char *made = strdup(text ? text : "");
    if (!made)
        abort();
    return made;
}

struct store_asker *store_asker_new(const struct store_http_options *options)
{
    struct store_asker *asker = calloc(1, sizeof *asker);
    if (!asker)
        abort();
    asker->options = (struct store_http_options){ .url = copy(options->url),
                                                  .user = copy(options->user),
                                                  .password = copy(options->password),
                                                  .connect_wait_ms = options->connect_wait_ms,
                                                  .tls_ca = copy(options->tls_ca) };
    return asker;
}

/* Whoever stops sees the client, or the client's maker sees the stop. */
static enum status open_http(struct store_asker *asker, struct error *err)
{
    enum status s = asker->http ? OK : store_http_open(&asker->options, &asker->http, err);
    if (s != OK)
        return s;
    atomic_store(&asker->asking, asker->http);
    if (atomic_load(&asker->stopped))
        store_http_cancel(asker->http, true);
    return OK;
}

enum status store_asker_ask(struct store_asker *asker, struct slice sql, const char *parameters, uint32_t wait_ms,
                            struct buf *answer, struct error *err)
{
    const struct iovec part = { (void *)(uintptr_t)sql.p, sql.n };
    const struct store_http_request request = {
        .parameters = parameters, .parts = &part, .part_count = 1, .wait_ms = wait_ms, .answer = answer
    };
    struct store_http_answer about = { 0 };
    buf_reset(answer);
    answer->full = false;
    enum status s = open_http(asker, err);
    if (s == OK)
        s = store_http_ask(asker->http, &request, &about, err);
    if (s == OK && about.http_status != 200)
        s = error_set(err, ERR_RETRY, "the engine answered %ld: %.*s", about.http_status,
                      (int)(answer->n < WORDS_MAX ? answer->n : WORDS_MAX), answer->n ? answer->p : "");
    return s;
}

void store_asker_stop(struct store_asker *asker)
{
    atomic_store(&asker->stopped, true);
    struct store_http *http = atomic_load(&asker->asking);
    if (http)
        store_http_cancel(http, true);
}

bool store_asker_is_stopped(const struct store_asker *asker)
{
    return atomic_load(&asker->stopped);
}

void store_asker_free(struct store_asker *asker)
{
    if (!asker)
        return;
    store_http_close(asker->http);
    free((char *)asker->options.url);
    free((char *)asker->options.user);
    free((char *)asker->options.password);
    free((char *)asker->options.tls_ca);
    free(asker);
}
