/* How it works: `olap/` keeps a child running, or engine_remote.c asks after one that somebody else runs. Whenever a
 * child begins to answer (the first time and after each restart) the tables are brought up to date and all tenants are
 * mapped again, as the writer, over HTTP; only then the engine counts as ready. When the catalog holds more tenants
 * than the child has readers, the child is started again with more. */
#include "app/engine.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "app/dimension_views.h"
#include "app/engine_remote.h"
#include "app/event_views.h"
#include "base/log.h"
#include "base/metrics.h"
#include "olap/olap.h"
#include "store/schema.h"
#include "store/store_http.h"
#include "world/disk.h"
#include "world/world.h"

#define STATEMENT_WAIT_MS 20000
#define ANSWER_BYTES_MAX (4u << 20)

struct engine {
    const struct settings *settings;
    struct olap_options options;
    struct olap *olap;            /* NULL: it is remote */
    struct engine_remote *remote; /* NULL: it is our child */
    struct olap_secret secret;
    struct catalog *catalog;
    struct world *world;
    struct store_http *http; /* the main thread's */
    struct gauge *restarts, *up;
    char data_path[DISK_PATH_MAX], url[sizeof(setting_text)];
    uint64_t prepared_restarts; /* of which child the tables are right; UINT64_MAX: of none */
    struct log_limit prepare_limit, views_limit;
    int64_t not_before_us;
    const struct domain_set *domains; /* whose event types have views; NULL: none */
    uint64_t mapped_version;          /* of the catalog, when all of its tenants were mapped */
    bool views_are_stale;
    _Atomic bool ready;
};

static enum status open_http(const struct engine *engine, struct store_http **out, struct error *err)
{
    struct olap_user writer;
    olap_writer(&engine->secret, &writer);
    struct store_http_options options = { .url = engine->url,
                                          .user = writer.name,
                                          .password = writer.password,
                                          .connect_wait_ms = 2000,
                                          .tls_ca = engine->settings->engine_tls_ca };
    return store_http_open(&options, out, err);
}

static enum status run_statement(void *self, struct slice sql, struct buf *out, struct error *err)
{
    struct buf answer;
    struct iovec part = { (void *)(uintptr_t)sql.p, sql.n };
    struct store_http_answer about;
    buf_init(&answer, ANSWER_BYTES_MAX);
    struct store_http_request request = { .parameters = "default_format=TabSeparated&max_query_size=67108864",
                                          .parts = &part,
                                          .part_count = 1,
                                          .wait_ms = STATEMENT_WAIT_MS,
                                          .answer = out ? out : &answer };
    enum status s = store_http_ask(self, &request, &about, err);
    if (s == OK && about.http_status != 200) {
        struct slice words = buf_slice(request.answer);
        s = error_set(err, about.http_status >= 500 ? ERR_RETRY : ERR_INVALID, "the engine answered %ld: %.*s",
                      about.http_status, (int)(words.n < 300 ? words.n : 300), words.n ? words.p : "");
    }
    buf_done(&answer);
    return s;
}

static enum status map_all(struct engine *engine, struct store_http *http, struct error *err)
{
    struct directory *directory;
    engine->mapped_version = engine->catalog->backend->version(engine->catalog);
    enum status s = engine->catalog->backend->directory(engine->catalog, &directory, err);
    if (s != OK)
        return s;
    struct buf sql;
    buf_init(&sql, ANSWER_BYTES_MAX);
    size_t count = directory_count(directory);
    for (size_t first = 0; first < count && s == OK; first += 256) {
        struct schema_reader readers[256];
        struct olap_user users[256];
        size_t n = count - first < 256 ? count - first : 256;
        for (size_t i = 0; i < n; i++) {
            const struct tenant *tenant = directory_at(directory, first + i);
            olap_reader(&engine->secret, tenant->olap_slot, &users[i]);
            readers[i] = (struct schema_reader){ slice_from(users[i].name), slice_from(tenant->id) };
        }
        buf_reset(&sql);
        schema_assign_readers(readers, n, &sql);
        s = run_statement(http, buf_slice(&sql), NULL, err);
    }
    buf_done(&sql);
    directory_free(directory);
    return s;
}

static uint32_t slots_wanted(struct engine *engine, uint32_t at_least)
{
    struct directory *directory;
    uint32_t most = 0;
    if (engine->catalog->backend->directory(engine->catalog, &directory, NULL) != OK)
        return at_least;
    for (size_t i = 0; i < directory_count(directory); i++)
        if (directory_at(directory, i)->olap_slot > most)
            most = directory_at(directory, i)->olap_slot;
    directory_free(directory);
    /* A reserve of half as many again: each new tenant takes one, and more need a restart. */
    uint32_t wanted = most + most / 2 + 1;
    return wanted > at_least ? wanted : at_least;
}

/* Tables and tenants as they should be. */
static enum status make_ready(struct engine *engine, struct error *err)
{
    struct schema_runner runner = { engine->http, run_statement };
    uint32_t applied = 0;
    enum status s = schema_migrate(&runner, &applied, err);
    if (s == OK && applied)
        log_info("engine.migrated", "versions_applied=%u version=%u", applied, schema_version());
    return s == OK ? map_all(engine, engine->http, err) : s;
}

static enum status start_child(struct engine *engine, struct error *err)
{
    const struct settings *settings = engine->settings;
    snprintf(engine->url, sizeof engine->url, "http://127.0.0.1:%ld", settings->olap_port);
    engine->options = (struct olap_options){
        .data_dir = engine->data_path,
        .library = settings->olap_library[0] ? settings->olap_library : NULL,
        .port = (uint16_t)settings->olap_port,
        .memory_mb = (uint32_t)(settings->olap_memory_bytes >> 20),
        .reader_slots = slots_wanted(engine, (uint32_t)settings->olap_tenant_slots),
        .no_confine = !settings->olap_confine,
    };
    enum status s = olap_secret_open(engine->data_path, engine->world, &engine->secret, err);
    if (s == OK)
        s = open_http(engine, &engine->http, err);
    return s == OK ? olap_start(&engine->options, engine->world, &engine->olap, err) : s;
}

/* All that starting again cannot mend is told now. */
static enum status find_remote(struct engine *engine, int *out_exit_code, struct error *err)
{
    struct olap_user writer;
    const char *password = engine->settings->engine_password;
    *out_exit_code = EX_CONFIG;
    if (strlen(password) < ENGINE_PASSWORD_MIN)
        return error_set(err, ERR_INVALID,
                         "engine.url is set, and engine.password must be ${secret:NAME}, of %d bytes or more, the same "
                         "that weir olap there has",
                         ENGINE_PASSWORD_MIN);
    snprintf(engine->url, sizeof engine->url, "%s", engine->settings->engine_url);
    olap_secret_derive(password, &engine->secret);
    olap_writer(&engine->secret, &writer);
    const struct engine_remote_options options = { engine->url, engine->settings->engine_tls_ca, writer.name,
                                                   writer.password };
    enum status s = open_http(engine, &engine->http, err);
    if (s == OK)
        s = engine_remote_open(&options, engine->world, &engine->remote, &engine->options.reader_slots, err);
    if (s == OK)
        s = make_ready(engine, err);
    if (s == ERR_RETRY && engine->remote) /* it has gone away again: engine_step goes on */
        return OK;
    if (s == ERR_RETRY)
        *out_exit_code = EX_UNAVAILABLE;
    return s == OK || !engine->remote ? s : error_wrap(err, s, "prepare the engine at %s", engine->url);
}

enum status engine_start(const struct settings *settings, const char *data_path, const struct domain_set *domains,
                         struct catalog *catalog, struct metrics *metrics, struct world *world, struct engine **out,
                         int *out_exit_code, struct error *err)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        abort();
    *out_exit_code = EX_UNAVAILABLE;
    engine->settings = settings;
    engine->catalog = catalog;
    engine->domains = domains;
    engine->world = world;
    engine->prepared_restarts = UINT64_MAX;
    engine->up =
        metrics_gauge(metrics, "engine_up", "1 while the engine's process answers and its tables are right.", "");
    engine->restarts =
        metrics_gauge(metrics, "engine_restarts", "How often the engine's process had to be started again.", "");
    snprintf(engine->data_path, sizeof engine->data_path, "%s/olap", data_path);
    enum status s = settings->engine_url[0] ? find_remote(engine, out_exit_code, err) : start_child(engine, err);
    if (s != OK) {
        engine_stop(engine);
        return s;
    }
    *out = engine;
    return OK;
}

/* The old views stay until the new ones are there. What a view lacks is no reason to be away: it is tried again. */
static void follow_domains(struct engine *engine)
{
    struct error err;
    struct schema_runner runner = { engine->http, run_statement };
    uint64_t skipped;
    int64_t now_us = world_mono_us(engine->world);
    enum status s = event_views_make(&runner, engine->domains, &err);
    if (s == OK)
        s = dimension_views_make(&runner, engine->domains, &err);
    engine->views_are_stale = s != OK;
    if (!engine->views_are_stale)
        return;
    if (log_limit_pass(&engine->views_limit, now_us, 10000000, &skipped))
        log_warn("engine.views_wait", "%s; trying again", err.text);
    engine->not_before_us = now_us + 1000000;
}

static void prepare(struct engine *engine, uint64_t restarts)
{
    struct error err;
    if (make_ready(engine, &err) != OK) {
        int64_t now_us = world_mono_us(engine->world);
        uint64_t skipped;
        if (log_limit_pass(&engine->prepare_limit, now_us, 10000000, &skipped))
            log_warn("engine.prepare_failed", "%s; trying again", err.text);
        engine->not_before_us = now_us + 500000;
        return;
    }
    follow_domains(engine);
    engine->prepared_restarts = restarts;
    atomic_store(&engine->ready, true);
}

/* Tenants that another weir made in a catalog that both share: nobody asked this one to map them. */
static void follow_tenants(struct engine *engine)
{
    struct error err;
    if (engine->catalog->backend->version(engine->catalog) == engine->mapped_version ||
        map_all(engine, engine->http, &err) == OK)
        return;
    engine->mapped_version = 0;
    engine->not_before_us = world_mono_us(engine->world) + 1000000;
    log_warn("engine.tenants_wait", "%s; trying again", err.text);
}

/* *out_up: it answers. *out_restarts: another number than before: it may have lost what was prepared. */
static enum status look_after(struct engine *engine, bool *out_up, uint64_t *out_restarts, int64_t *wake_us,
                              int *out_exit_code, struct error *err)
{
    if (engine->remote) {
        *out_up = engine_remote_step(engine->remote, wake_us);
        *out_restarts = engine_remote_returns(engine->remote);
        return OK;
    }
    while (olap_step(engine->olap, engine->world, wake_us))
        *wake_us = INT64_MAX;
    enum olap_state state = olap_state(engine->olap);
    *out_up = state == OLAP_READY;
    *out_restarts = olap_restarts(engine->olap);
    if (state != OLAP_FAILED)
        return OK;
    struct error why;
    *out_exit_code = olap_failure(engine->olap, &why);
    return error_set(err, ERR_IO, "%s", why.text);
}

enum status engine_step(struct engine *engine, int64_t *out_wait_ms, int *out_exit_code, struct error *err)
{
    int64_t wake_us = INT64_MAX, now_us;
    bool up = false;
    uint64_t restarts = 0;
    enum status s = look_after(engine, &up, &restarts, &wake_us, out_exit_code, err);
    if (s != OK)
        return s;
    gauge_set(engine->restarts, (double)restarts);
    if (!up || engine->prepared_restarts != restarts)
        atomic_store(&engine->ready, false);
    now_us = world_mono_us(engine->world);
    if (up && engine->prepared_restarts != restarts && now_us >= engine->not_before_us)
        prepare(engine, restarts);
    else if (engine_is_ready(engine) && engine->views_are_stale && now_us >= engine->not_before_us)
        follow_domains(engine);
    else if (engine_is_ready(engine) && engine->catalog->backend->shared && now_us >= engine->not_before_us)
        follow_tenants(engine);
    gauge_set(engine->up, engine_is_ready(engine) ? 1 : 0);
    *out_wait_ms = wake_us == INT64_MAX ? 1000 : (wake_us - world_mono_us(engine->world)) / 1000 + 1;
    if (*out_wait_ms < 1)
        *out_wait_ms = 1;
    if (!engine_is_ready(engine) && *out_wait_ms > 50)
        *out_wait_ms = 50;
    return OK;
}

bool engine_is_ready(struct engine *engine)
{
    return atomic_load(&engine->ready);
}

void engine_use_domains(struct engine *engine, const struct domain_set *domains)
{
    engine->domains = domains;
    engine->views_are_stale = true;
}

void engine_give_way(struct engine *engine, int nice)
{
    if (engine->olap) /* one that is remote is not ours to hold back */
        olap_give_way(engine->olap, engine_is_ready(engine) ? nice : 0);
}

const char *engine_url(const struct engine *engine)
{
    return engine->url;
}

void engine_writer(const struct engine *engine, struct olap_user *out)
{
    olap_writer(&engine->secret, out);
}

void engine_reader(const struct engine *engine, uint32_t slot, struct olap_user *out)
{
    olap_reader(&engine->secret, slot, out);
}

enum status engine_map_tenant(struct engine *engine, const struct tenant *tenant, struct error *err)
{
    struct olap_user user;
    struct store_http *http;
    if (!engine_is_ready(engine))
        return error_set(err, ERR_RETRY, "the engine is away");
    if (tenant->olap_slot > engine->options.reader_slots)
        return error_set(err, ERR_RETRY, "all %u engine users are taken: %s", engine->options.reader_slots,
                         engine->remote ? "raise olap.tenant_slots and restart weir olap, then this weir"
                                        : "restart weir, it makes more (olap.tenant_slots)");
    olap_reader(&engine->secret, tenant->olap_slot, &user);
    struct schema_reader reader = { slice_from(user.name), slice_from(tenant->id) };
    struct buf sql;
    buf_init(&sql, 4096);
    schema_assign_readers(&reader, 1, &sql);
    enum status s = open_http(engine, &http, err);
    if (s == OK) {
        s = run_statement(http, buf_slice(&sql), NULL, err);
        store_http_close(http);
    }
    buf_done(&sql);
    return s;
}

void engine_stop(struct engine *engine)
{
    if (!engine)
        return;
    olap_stop(engine->olap);
    engine_remote_close(engine->remote);
    store_http_close(engine->http);
    free(engine);
}
