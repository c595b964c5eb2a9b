/* Start: what can be refused comes first (the directory's lock, the settings' ports, the journal), then the engine's
 * child, then the threads. The engine needs a third of a second; meanwhile everything else is up, and events wait in
 * the journal as they would if it were away. Stop: from the front to the back, each part drained while the part behind
 * it still runs. */
#include "app/app.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "app/engine.h"
#include "app/give_way.h"
#include "app/parts.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/role.h"
#include "cli/commands.h"
#include "process/state/kv.h"
#include "replay/replay.h"
#include "world/disk.h"
#include "world/world.h"

#define SERIES_MAX 50000
#define SINK_DRAIN_WAIT_MS 3000
#define PARTITIONS_MAX 1024
#define LATER_NICE 5 /* processing and storing have the journal in front of them: a client's request goes first */
#define REPLAY_NICE 15
#define TASK_RESTART_PAUSE_US 1000000

struct app {
    const struct settings *settings;
    const char *environment;
    const struct domain_set *domains;
    char data_path[DISK_PATH_MAX - 64], journal_path[DISK_PATH_MAX], state_path[DISK_PATH_MAX],
        token_path[DISK_PATH_MAX], replay_path[DISK_PATH_MAX];
    struct world *world;
    struct metrics *metrics;
    struct disk_file *lock;
    struct catalog *catalog;
    struct journal *journal;
    struct role journal_roles[2];
    struct role_thread *journal_threads[2];
    size_t journal_role_count;
    struct engine *engine;
    struct ingest *ingest;
    struct serve *serve;
    struct queue *live;
    struct kv_pool *kv_pool;
    struct process_task *tasks[PARTITIONS_MAX];
    struct role_thread *task_threads[PARTITIONS_MAX];
    struct store *stores[PARTITIONS_MAX]; /* a sink waits within its store: one each */
    struct sink *sinks[PARTITIONS_MAX];   /* one for each order of the journal's positions */
    struct role_thread *sink_threads[PARTITIONS_MAX];
    uint16_t sink_count;
    int64_t sinks_at_us; /* not before, after a failure */
    struct replayer *replayer;
    struct role_thread *replay_thread;
    struct gauge *memory;
    struct give_way give_way;
    int64_t task_restart_us;
    _Atomic bool ready; /* everything answered once: from then on a missing engine does not stop ingestion */
};

static enum status lock_directory(struct app *app, int *exit_code, struct error *err)
{
    struct disk *disk = app->world->disk;
    char path[DISK_PATH_MAX];
    *exit_code = EX_CANTCREAT;
    enum status s = disk_make_dirs(disk, app->data_path, err);
    if (s != OK)
        return error_wrap(err, s, "make the data directory %s (--data names another)", app->data_path);
    snprintf(path, sizeof path, "%s/weir.lock", app->data_path);
    s = disk->ops->open(disk, path, DISK_CREATE, &app->lock, err);
    if (s != OK)
        return error_wrap(err, s, "the data directory %s cannot be written to", app->data_path);
    s = app->lock->ops->lock(app->lock, err);
    if (s != OK) {
        char pid[32] = "";
        size_t n = 0;
        if (app->lock->ops->read(app->lock, pid, sizeof pid - 1, 0, &n, NULL) != OK)
            n = 0;
        pid[n] = '\0';
        *exit_code = EX_TEMPFAIL;
        return error_set(err, s, "another weir (process %s) runs on %s: stop it, or name another directory with --data",
                         n ? pid : "unknown", app->data_path);
    }
    char pid[32];
    struct iovec part = { pid, (size_t)snprintf(pid, sizeof pid, "%d", getpid()) };
    s = app->lock->ops->truncate(app->lock, 0, err);
    return s == OK ? app->lock->ops->write(app->lock, &part, 1, 0, err) : s;
}

static enum status open_catalog(struct app *app, int *exit_code, struct error *err)
{
    struct catalog_options options = { .path = app->data_path };
    *exit_code = EX_IOERR;
    enum status s = catalog_sqlite.open(&options, app->world, &app->catalog, err);
    if (s != OK)
        return error_wrap(err, s, "open the catalog");
    struct tenant demo = {
        .tier = TIER_ENTERPRISE, .quota_per_minute = UINT64_MAX, .retention_days = -1, .open = true
    };
    struct tenant_keys keys = { "demo_write", "demo_read" };
    snprintf(demo.id, sizeof demo.id, "demo_tenant");
    struct tenant known;
    s = catalog_sqlite.tenant_get(app->catalog, slice_from(demo.id), &known, err);
    if (s == ERR_NOT_FOUND && app->settings->open_demo_tenant)
        return catalog_sqlite.tenant_create(app->catalog, &demo, &keys, "weir up", err);
    if (s == OK && known.open != app->settings->open_demo_tenant) {
        /* The same directory in another environment: openness belongs to the environment, not to the data. */
        known.open = app->settings->open_demo_tenant;
        return catalog_sqlite.tenant_update(app->catalog, &known, "weir up", err);
    }
    return s == ERR_NOT_FOUND ? OK : s;
}

static enum status open_journal(struct app *app, int *exit_code, struct error *err)
{
    struct journal_options options;
    parts_journal_options(app->settings, app->journal_path, &options);
    const struct journal_backend *backend = parts_journal_backend(app->settings);
    enum status s = backend->open(&options, app->world, app->metrics, &app->journal, err);
    *exit_code = s == ERR_INVALID ? EX_CONFIG : EX_IOERR;
    if (s != OK)
        return error_wrap(err, s, "open the journal");
    app->journal_role_count = backend->roles(app->journal, app->journal_roles);
    for (size_t i = 0; i < app->journal_role_count && s == OK; i++)
        s = role_start(&app->journal_roles[i], app->world, &app->journal_threads[i], err);
    return s;
}

static const char *why_not_ready(void *self)
{
    struct app *app = self;
    return atomic_load(&app->ready) ? NULL : "the engine is starting";
}

static enum status open_ingest(struct app *app, int *exit_code, struct error *err)
{
    struct ingest_options options;
    parts_ingest_options(app->settings, app->data_path, &options);
    options.not_ready = why_not_ready;
    options.hook_self = app;
    *exit_code = EX_UNAVAILABLE;
    return ingest_new(&options, app->journal, app->catalog, app->metrics, app->world, &app->ingest, err);
}

static bool hook_engine_is_ready(void *self)
{
    return engine_is_ready(((struct app *)self)->engine);
}

static void hook_reader(void *self, uint32_t olap_slot, struct serve_user *out)
{
    struct olap_user user;
    engine_reader(((struct app *)self)->engine, olap_slot, &user);
    snprintf(out->name, sizeof out->name, "%s", user.name);
    snprintf(out->password, sizeof out->password, "%s", user.password);
}

static enum status hook_map_tenant(void *self, const struct tenant *tenant, struct error *err)
{
    return engine_map_tenant(((struct app *)self)->engine, tenant, err);
}

static uint64_t hook_quota_used(void *self, const char *tenant_id)
{
    return ingest_quota_used(((struct app *)self)->ingest, slice_from(tenant_id));
}

static void make_kv_pool(struct app *app)
{
    const struct kv_pool_options pool = { .maps = app->journal->partitions + 1u }; /* and the replay's */
    app->kv_pool = kv_pool_new(&pool);
}

/* Behind everything that is live: it has all the time. */
static enum status start_replayer(struct app *app, int *exit_code, struct error *err)
{
    struct olap_user writer;
    engine_writer(app->engine, &writer);
    struct replayer_options options = { .domains = app->domains,
                                        .engine_url = engine_url(app->engine),
                                        .user = writer.name,
                                        .password = writer.password,
                                        .scratch_path = app->replay_path };
    make_kv_pool(app);
    options.kv_pool = app->kv_pool;
    app->replayer = replayer_new(&options, app->world);
    struct role role = replayer_role(app->replayer);
    role.nice = REPLAY_NICE;
    *exit_code = EX_OSERR;
    return role_start(&role, app->world, &app->replay_thread, err);
}

static enum status open_serve(struct app *app, int *exit_code, struct error *err)
{
    struct serve_options options;
    parts_serve_options(app->settings, app->token_path, &options);
    options.engine_url = engine_url(app->engine);
    options.engine_is_ready = hook_engine_is_ready;
    options.reader = hook_reader;
    options.map_tenant = hook_map_tenant;
    options.quota_used = hook_quota_used;
    options.hook_self = app;
    options.environment = app->environment;
    options.version = WEIR_VERSION;
    options.ingest_port = ingest_port(app->ingest);
    options.replayer = app->replayer;
    *exit_code = EX_UNAVAILABLE;
    enum status s = serve_new(&options, app->catalog, app->metrics, app->world, &app->serve, err);
    if (s == OK)
        app->live = serve_live_queue(app->serve);
    return s;
}

static enum status start_task(struct app *app, uint16_t partition, struct error *err)
{
    struct process_options options;
    parts_process_options(app->settings, app->state_path, app->journal->partitions, &options);
    options.domains = app->domains;
    options.kv_pool = app->kv_pool;
    options.catalog = app->catalog;
    app->tasks[partition] = process_task_new(&options, app->journal, partition, app->metrics, app->live, app->world);
    struct role role = process_task_role(app->tasks[partition]);
    role.nice = LATER_NICE;
    enum status s = role_start(&role, app->world, &app->task_threads[partition], err);
    return s == OK ? OK : error_wrap(err, s, "start processing of partition %u", partition);
}

static enum status start_tasks(struct app *app, int *exit_code, struct error *err)
{
    *exit_code = EX_IOERR;
    enum status s = OK;
    for (uint16_t partition = 0; partition < app->journal->partitions && s == OK; partition++)
        s = start_task(app, partition, err);
    return s;
}

/* A task that cannot go on is made anew: it rebuilds its state from the checkpoint and the changelog. */
static enum status look_after_tasks(struct app *app, bool *out_all_ready, struct error *err)
{
    *out_all_ready = true;
    for (uint16_t partition = 0; partition < app->journal->partitions; partition++) {
        struct process_task *task = app->tasks[partition];
        *out_all_ready &= process_task_is_ready(task);
        if (process_task_state(task) != PROCESS_FAILED || !process_task_is_finished(task))
            continue;
        int64_t now_us = world_mono_us(app->world);
        if (now_us < app->task_restart_us)
            continue;
        log_error("process.failed", "partition=%u restarting: %s", partition, process_task_error(task));
        app->task_restart_us = now_us + TASK_RESTART_PAUSE_US;
        role_stop(app->task_threads[partition]);
        app->task_threads[partition] = NULL;
        process_task_free(task);
        enum status s = start_task(app, partition, err);
        if (s != OK)
            return s;
    }
    return OK;
}

static enum status open_store(struct app *app, struct error *err)
{
    struct olap_user writer;
    engine_writer(app->engine, &writer);
    struct store_options options = { .url = engine_url(app->engine),
                                     .database = "weir",
                                     .user = writer.name,
                                     .password = writer.password,
                                     .connect_wait_ms = 2000,
                                     .insert_wait_ms = 60000 };
    return store_clickhouse.open(&options, app->world, &app->stores[app->sink_count], err);
}

static enum status start_sink(struct app *app, struct error *err)
{
    struct sink_options options;
    uint16_t i = app->sink_count;
    parts_sink_options(app->settings, &options);
    if (app->journal->orders > 1)
        options.partition = i;
    enum status s = app->stores[i] ? OK : open_store(app, err);
    if (s == OK)
        s = sink_open(&options, app->journal, app->stores[i], app->metrics, app->world, &app->sinks[i], err);
    if (s != OK)
        return error_wrap(err, s, "start the store's sink");
    struct role role = sink_role(app->sinks[i]);
    role.nice = LATER_NICE;
    s = role_start(&role, app->world, &app->sink_threads[i], err);
    app->sink_count++;
    return s;
}

static bool sinks_run(const struct app *app)
{
    return app->sink_count == app->journal->orders;
}

/* Once the tables are there: before, an insert could only fail. A journal that does not answer now is asked again. */
static enum status start_sinks(struct app *app, struct error *err)
{
    enum status s = OK;
    int64_t now_us = world_mono_us(app->world);
    if (!engine_is_ready(app->engine) || now_us < app->sinks_at_us)
        return OK;
    while (s == OK && !sinks_run(app))
        s = start_sink(app, err);
    if (s != ERR_RETRY)
        return s;
    log_warn("store.start_waits", "%s", err->text);
    app->sinks_at_us = now_us + TASK_RESTART_PAUSE_US;
    return OK;
}

enum status app_start(const struct app_options *options, struct app **out, int *out_exit_code, struct error *err)
{
    struct app *app = calloc(1, sizeof *app);
    if (!app)
        abort();
    app->settings = options->settings;
    app->domains = options->domains;
    app->environment = options->environment;
    app->world = world_real();
    app->metrics = metrics_new(SERIES_MAX);
    app->memory = metrics_gauge(app->metrics, "process_resident_memory_bytes", "Resident memory of this process.", "");
    *out_exit_code = EX_CANTCREAT;
    enum status s = OK;
    if (strlen(options->data_path) >= sizeof app->data_path)
        s = error_set(err, ERR_INVALID, "the path of the data directory is too long");
    snprintf(app->data_path, sizeof app->data_path, "%s", options->data_path);
    snprintf(app->journal_path, sizeof app->journal_path, "%s/journal", app->data_path);
    snprintf(app->state_path, sizeof app->state_path, "%s/state", app->data_path);
    snprintf(app->replay_path, sizeof app->replay_path, "%s/replay", app->data_path);
    snprintf(app->token_path, sizeof app->token_path, "%s/admin.token", app->data_path);
    if (s == OK)
        s = lock_directory(app, out_exit_code, err);
    if (s == OK)
        s = open_catalog(app, out_exit_code, err);
    if (s == OK)
        s = open_journal(app, out_exit_code, err);
    if (s == OK)
        s = open_ingest(app, out_exit_code, err);
    if (s == OK)
        s = engine_start(app->settings, app->data_path, app->catalog, app->metrics, app->world, &app->engine,
                         out_exit_code, err);
    if (s == OK)
        s = start_replayer(app, out_exit_code, err);
    if (s == OK)
        s = open_serve(app, out_exit_code, err);
    if (s == OK)
        s = start_tasks(app, out_exit_code, err);
    if (s == OK)
        s = ingest_start(app->ingest, err);
    if (s == OK)
        s = serve_start(app->serve, err);
    if (s != OK) {
        app_stop(app);
        return s;
    }
    *out = app;
    return OK;
}

static void watch_memory(struct app *app)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%*s %ld", &pages) == 1)
        gauge_set(app->memory, (double)pages * (double)sysconf(_SC_PAGESIZE));
    if (file)
        fclose(file);
}

static void follow_load(struct app *app, int64_t *out_wait_ms)
{
    if (!sinks_run(app))
        return;
    if (*out_wait_ms > GIVE_WAY_EVERY_MS)
        *out_wait_ms = GIVE_WAY_EVERY_MS;
    give_way_look(&app->give_way, world_mono_us(app->world));
    int64_t worst_us = 0, wall_us = world_wall_us(app->world);
    for (uint16_t i = 0; i < app->sink_count; i++) {
        int64_t lag_us = sink_lag_us(app->sinks[i], wall_us);
        worst_us = lag_us > worst_us ? lag_us : worst_us;
    }
    engine_give_way(app->engine, give_way_nice(&app->give_way, worst_us));
}

enum status app_step(struct app *app, bool *out_ready, int64_t *out_wait_ms, int *out_exit_code, struct error *err)
{
    bool tasks_ready = false;
    enum status s = engine_step(app->engine, out_wait_ms, out_exit_code, err);
    if (s != OK)
        return s;
    *out_exit_code = EX_SOFTWARE;
    s = look_after_tasks(app, &tasks_ready, err);
    if (s == OK)
        s = start_sinks(app, err);
    follow_load(app, out_wait_ms);
    if (sinks_run(app) && tasks_ready)
        atomic_store(&app->ready, true);
    else if (*out_wait_ms > 20)
        *out_wait_ms = 20;
    watch_memory(app);
    *out_ready = atomic_load(&app->ready);
    return s;
}

void app_describe(const struct app *app, char *to, size_t n)
{
    snprintf(to, n, "events in http://%s:%u, answers out http://%s:%u, data in %s", app->settings->ingest_host,
             ingest_port(app->ingest), app->settings->api_host, serve_port(app->serve), app->data_path);
}

static void stop_processing(struct app *app)
{
    for (size_t i = 0; i < PARTITIONS_MAX && app->tasks[i]; i++)
        process_task_stop(app->tasks[i]);
    for (size_t i = 0; i < PARTITIONS_MAX && app->tasks[i]; i++) {
        while (app->task_threads[i] && !process_task_is_finished(app->tasks[i]))
            usleep(1000);
        role_stop(app->task_threads[i]);
    }
}

static void stop_sinks(struct app *app)
{
    for (uint16_t i = 0; i < app->sink_count; i++)
        sink_drain(app->sinks[i]);
    int64_t end_us = world_mono_us(app->world) + SINK_DRAIN_WAIT_MS * 1000;
    for (uint16_t i = 0; i < app->sink_count; i++) {
        while (!sink_is_drained(app->sinks[i]) && world_mono_us(app->world) < end_us)
            usleep(2000);
        app->stores[i]->backend->cancel(app->stores[i]);
        role_stop(app->sink_threads[i]);
    }
}

void app_stop(struct app *app)
{
    if (!app)
        return;
    if (app->ingest)
        ingest_stop(app->ingest);
    stop_processing(app);
    stop_sinks(app);
    if (app->replayer)
        replayer_stop(app->replayer);
    role_stop(app->replay_thread);
    if (app->serve)
        serve_stop(app->serve);
    if (app->journal)
        app->journal->backend->drain(app->journal);
    for (size_t i = 0; i < app->journal_role_count; i++)
        role_stop(app->journal_threads[i]);
    for (uint16_t i = 0; i < app->sink_count; i++)
        sink_close(app->sinks[i]);
    for (size_t i = 0; i < PARTITIONS_MAX && app->tasks[i]; i++)
        process_task_free(app->tasks[i]);
    ingest_free(app->ingest);
    serve_free(app->serve);
    replayer_free(app->replayer);
    kv_pool_free(app->kv_pool);
    if (app->journal)
        app->journal->backend->close(app->journal);
    for (uint16_t i = 0; i < PARTITIONS_MAX && app->stores[i]; i++)
        store_close(app->stores[i]);
    engine_stop(app->engine);
    if (app->catalog)
        app->catalog->backend->close(app->catalog);
    metrics_free(app->metrics);
    if (app->lock)
        app->lock->ops->close(app->lock);
    free(app);
}
