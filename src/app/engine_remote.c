/* A question every second. One without an answer may be load; two in a row are an engine that is away: then it is asked
 * again after 0.1 s … 5 s, and meanwhile the journal keeps what comes in, as it does for the child of `weir up`
 * (decision 0093). */
#include "app/engine_remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/retry.h"
#include "store/store_http.h"
#include "world/world.h"

#define START_WAIT_US 10000000
#define START_PAUSE_US 200000
#define ASK_EVERY_US 1000000
#define ASK_WAIT_MS 3000
#define CONNECT_WAIT_MS 2000
#define LATE_MAX 2 /* in a row */
#define LOG_INTERVAL_US 10000000
#define ANSWER_BYTES_MAX 4096
/* Views with a definer of their own (24.2), and what the tables' settings are called. */
#define VERSION_MIN 2408
#define AUTHENTICATION_FAILED 516

struct engine_remote {
    struct engine_remote_options options;
    struct world *world;
    struct store_http *http;
    bool up;
    unsigned late; /* in a row */
    uint64_t returns;
    int64_t ask_us;
    struct retry retry;
    struct log_limit limit;
};

static enum status refused(const struct engine_remote *remote, const struct store_http_answer *about,
                           const struct buf *answer, struct error *err)
{
    const char *url = remote->options.url;
    if (about->exception_code == AUTHENTICATION_FAILED || about->http_status == 401)
        return error_set(err, ERR_INVALID,
                         "the engine at %s refuses our password: engine.password must be the one that weir olap there "
                         "was started with",
                         url);
    if (about->http_status >= 500)
        return error_set(err, ERR_RETRY, "the engine at %s answered %ld", url, about->http_status);
    if (!about->exception_code)
        return error_set(err, ERR_INVALID,
                         "what answers at engine.url %s (with %ld) is no engine: it must be the olap.port of a weir "
                         "olap, or what stands in front of it",
                         url, about->http_status);
    return error_set(err, ERR_INVALID, "the engine at %s answered %ld: %.*s", url, about->http_status,
                     (int)(answer->n < 300 ? answer->n : 300), answer->n ? answer->p : "");
}

/* "26.7.2.1\t256" */
static enum status look(const struct engine_remote *remote, struct slice line, uint32_t *out_readers, struct error *err)
{
    unsigned year = 0, month = 0, readers = 0;
    char text[80];
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(slice_trim(line)));
    const char *tab = strchr(text, '\t');
    if (sscanf(text, "%u.%u", &year, &month) < 2)
        return error_set(err, ERR_INVALID, "what answers at engine.url %s is no engine: its version is '%.40s'",
                         remote->options.url, text);
    if (year * 100 + month < VERSION_MIN)
        return error_set(err, ERR_INVALID, "the engine at %s is ClickHouse %u.%u: weir needs %u.%u or newer",
                         remote->options.url, year, month, VERSION_MIN / 100, VERSION_MIN % 100);
    if (!tab || sscanf(tab, "%u", &readers) < 1 || !readers)
        return error_set(err, ERR_INVALID, "the engine at %s has no users for tenants (reader_…): it is no weir olap",
                         remote->options.url);
    *out_readers = readers;
    return OK;
}

static enum status ask(struct engine_remote *remote, uint32_t *out_readers, struct error *err)
{
    static const char QUESTION[] =
        "SELECT version(), (SELECT count() FROM system.users WHERE startsWith(name, 'reader_'))";
    AUTO(buf) struct buf answer;
    struct iovec part = { (void *)(uintptr_t)QUESTION, sizeof QUESTION - 1 };
    struct store_http_answer about;
    buf_init(&answer, ANSWER_BYTES_MAX);
    const struct store_http_request request = { .parameters = "default_format=TabSeparated",
                                                .parts = &part,
                                                .part_count = 1,
                                                .wait_ms = ASK_WAIT_MS,
                                                .answer = &answer };
    enum status s = store_http_ask(remote->http, &request, &about, err);
    if (s != OK)
        return s;
    return about.http_status == 200 ? look(remote, buf_slice(&answer), out_readers, err)
                                    : refused(remote, &about, &answer, err);
}

static enum status await(struct engine_remote *remote, uint32_t *out_readers, struct error *err)
{
    const int64_t end_us = world_mono_us(remote->world) + START_WAIT_US;
    enum status s;
    while ((s = ask(remote, out_readers, err)) == ERR_RETRY && world_mono_us(remote->world) < end_us)
        usleep(START_PAUSE_US);
    return s == ERR_RETRY
               ? error_wrap(err, s, "no engine at engine.url %s in %d s", remote->options.url, START_WAIT_US / 1000000)
               : s;
}

enum status engine_remote_open(const struct engine_remote_options *options, struct world *world,
                               struct engine_remote **out, uint32_t *out_readers, struct error *err)
{
    struct engine_remote *remote = calloc(1, sizeof *remote);
    if (!remote)
        abort();
    remote->options = *options;
    remote->options.user = remote->options.password = NULL; /* the client's from here on */
    remote->world = world;
    remote->retry = (struct retry){ .first_ms = 100, .most_ms = 5000 };
    const struct store_http_options http = { options->url, options->user, options->password, CONNECT_WAIT_MS,
                                             options->tls_ca };
    enum status s = store_http_open(&http, &remote->http, err);
    if (s == OK)
        s = await(remote, out_readers, err);
    if (s != OK) {
        engine_remote_close(remote);
        return s;
    }
    remote->up = true;
    *out = remote;
    return OK;
}

static void is_away(struct engine_remote *remote, const struct error *err, int64_t now_us)
{
    uint64_t skipped;
    remote->ask_us = retry_next_us(&remote->retry, remote->world);
    if (!remote->up && !log_limit_pass(&remote->limit, now_us, LOG_INTERVAL_US, &skipped))
        return;
    log_warn("engine.away", "%s; the journal keeps what comes in", err->text);
    remote->up = false;
}

bool engine_remote_step(struct engine_remote *remote, int64_t *wake_us)
{
    struct error err;
    uint32_t readers;
    int64_t now_us = world_mono_us(remote->world);
    if (now_us >= remote->ask_us) {
        enum status s = ask(remote, &readers, &err);
        now_us = world_mono_us(remote->world);
        remote->late = s == OK ? 0 : remote->late + 1;
        remote->ask_us = now_us + ASK_EVERY_US;
        if (s == OK && !remote->up) {
            remote->returns++;
            remote->up = true;
            log_info("engine.back", "url=%s", remote->options.url);
        }
        if (s == OK)
            retry_reset(&remote->retry);
        else if (remote->late >= LATE_MAX)
            is_away(remote, &err, now_us);
        else
            remote->ask_us = now_us + START_PAUSE_US;
    }
    *wake_us = remote->ask_us;
    return remote->up;
}

uint64_t engine_remote_returns(const struct engine_remote *remote)
{
    return remote->returns;
}

void engine_remote_close(struct engine_remote *remote)
{
    if (!remote)
        return;
    store_http_close(remote->http);
    free(remote);
}
