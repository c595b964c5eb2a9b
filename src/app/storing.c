/* The engine needs a third of a second; meanwhile the API answers that it is not ready, and outputs wait in the journal
 * as they would if it were away. */
#include "app/storing.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "app/dimensions.h"
#include "app/engine.h"
#include "app/give_way.h"
#include "app/parts.h"
#include "app/store_sinks.h"
#include "base/log.h"
#include "cli/commands.h"
#include "deliver/selection.h"
#include "quality/quality_targets.h"
#include "quality/quality_watch.h"
#include "replay/replay.h"
#include "retention/retention.h"
#include "schema/schema.h"
#include "world/disk.h"
#include "world/world.h"

#define LATER_NICE 5   /* a client's request goes first */
#define REPLAY_NICE 15 /* and of what removes old rows */

struct storing {
    struct storing_options options;
    char token_path[DISK_PATH_MAX], replay_path[DISK_PATH_MAX];
    struct catalog *catalog;
    struct metrics *metrics;
    struct world *world;
    struct engine *engine;
    struct replayer *replayer;
    struct role_thread *replay_thread;
    struct retention *retention;
    struct role_thread *retention_thread;
    struct quality_watch *quality;
    struct role_thread *quality_thread;
    struct dimensions *dimensions;
    struct role_thread *dimensions_thread;
    bool rows_are_held;
    struct serve *serve;
    struct store_sinks *sinks;
    struct give_way give_way;
    const struct domain_set *_Atomic drawn; /* options.domains, for the API's loop */
};

static bool hook_engine_is_ready(void *self)
{
    return engine_is_ready(((struct storing *)self)->engine);
}

static void hook_reader(void *self, uint32_t olap_slot, struct serve_user *out)
{
    struct olap_user user;
    engine_reader(((struct storing *)self)->engine, olap_slot, &user);
    snprintf(out->name, sizeof out->name, "%s", user.name);
    snprintf(out->password, sizeof out->password, "%s", user.password);
}

static enum status hook_map_tenant(void *self, const struct tenant *tenant, struct error *err)
{
    return engine_map_tenant(((struct storing *)self)->engine, tenant, err);
}

static uint64_t hook_quota_used(void *self, const char *tenant_id)
{
    return ingest_quota_used(((struct storing *)self)->options.ingest, slice_from(tenant_id));
}

static bool hook_sink_carries(void *self, struct slice name, struct slice tenant_id)
{
    const struct settings *settings = ((struct storing *)self)->options.settings;
    for (size_t i = 0; i < settings->sink_count; i++)
        if (slice_equal(name, slice_from(settings->sinks[i].name)))
            return selection_names(settings->sinks[i].tenants, tenant_id);
    return false;
}

static void hook_dashboards(void *self, const char *tenant_id, struct buf *out)
{
    static const struct domain_set NONE;
    const struct domain_set *domains = atomic_load(&((struct storing *)self)->drawn);
    dashboard_add(out, domains ? domains : &NONE, SLICE(""), slice_from(tenant_id));
}

static void hook_quality(void *self, const char *tenant_id, struct buf *out)
{
    struct storing *storing = self;
    quality_targets_add_json(out, storing->options.settings, atomic_load(&storing->drawn), slice_from(tenant_id));
}

/* The texts are those of *writer and of the settings. */
static struct store_http_options as_writer(const struct storing *storing, struct olap_user *writer)
{
    engine_writer(storing->engine, writer);
    return (struct store_http_options){ .url = engine_url(storing->engine),
                                        .user = writer->name,
                                        .password = writer->password,
                                        .connect_wait_ms = 2000,
                                        .tls_ca = storing->options.settings->engine_tls_ca };
}

/* Behind everything that is live: it has all the time. */
static enum status start_replayer(struct storing *storing, int *exit_code, struct error *err)
{
    struct olap_user writer;
    engine_writer(storing->engine, &writer);
    struct replayer_options options = { .domains = storing->options.domains,
                                        .engine_url = engine_url(storing->engine),
                                        .user = writer.name,
                                        .password = writer.password,
                                        .engine_tls_ca = storing->options.settings->engine_tls_ca,
                                        .scratch_path = storing->replay_path,
                                        .kv_pool = storing->options.kv_pool };
    storing->replayer = replayer_new(&options, storing->world);
    struct role role = replayer_role(storing->replayer);
    role.nice = REPLAY_NICE;
    *exit_code = EX_OSERR;
    return role_start(&role, storing->world, &storing->replay_thread, err);
}

static enum status start_retention(struct storing *storing, int *exit_code, struct error *err)
{
    struct olap_user writer;
    const struct settings *settings = storing->options.settings;
    const struct retention_options options = { .catalog = storing->catalog,
                                               .engine = as_writer(storing, &writer),
                                               .days = (int32_t)settings->retention_days,
                                               .domains = storing->options.domains,
                                               .every_ms = settings->retention_every_ms };
    storing->retention = retention_new(&options, storing->metrics, storing->world);
    struct role role = retention_role(storing->retention);
    role.nice = REPLAY_NICE;
    *exit_code = EX_OSERR;
    return role_start(&role, storing->world, &storing->retention_thread, err);
}

static enum status start_quality(struct storing *storing, int *exit_code, struct error *err)
{
    struct olap_user writer;
    const struct quality_watch_options options = { .settings = storing->options.settings,
                                                   .domains = storing->options.domains,
                                                   .engine = as_writer(storing, &writer) };
    storing->quality = quality_watch_new(&options, storing->metrics, storing->world);
    struct role role = quality_watch_role(storing->quality);
    role.nice = REPLAY_NICE;
    *exit_code = EX_OSERR;
    return role_start(&role, storing->world, &storing->quality_thread, err);
}

static enum status open_serve(struct storing *storing, int *exit_code, struct error *err)
{
    struct serve_options options;
    const struct settings *settings = storing->options.settings;
    struct ingest *ingest = storing->options.ingest;
    parts_serve_options(settings, storing->token_path, &options);
    options.engine_url = engine_url(storing->engine);
    options.engine_tls_ca = settings->engine_tls_ca;
    options.engine_is_ready = hook_engine_is_ready;
    options.reader = hook_reader;
    options.map_tenant = hook_map_tenant;
    options.dashboards = hook_dashboards;
    options.quality = hook_quality;
    options.quota_used = ingest ? hook_quota_used : NULL;
    options.sink_carries = hook_sink_carries;
    options.hook_self = storing;
    options.environment = storing->options.environment;
    options.version = WEIR_VERSION;
    options.ingest_port = ingest ? ingest_port(ingest) : (uint16_t)settings->ingest_port;
    options.replayer = storing->replayer;
    options.tasks = storing->options.tasks;
    *exit_code = EX_UNAVAILABLE;
    return serve_new(&options, storing->catalog, storing->metrics, storing->world, &storing->serve, err);
}

static enum status start_dimensions(struct storing *storing, int *exit_code, struct error *err)
{
    struct olap_user writer;
    const struct dimensions_options options = { .engine = as_writer(storing, &writer),
                                                .journal = storing->options.told,
                                                .data_path = storing->options.data_path,
                                                .engine_is_ready = hook_engine_is_ready,
                                                .hook_self = storing };
    storing->dimensions = dimensions_new(&options, storing->options.domains, storing->metrics, storing->world);
    struct role role = dimensions_role(storing->dimensions);
    role.nice = LATER_NICE;
    *exit_code = EX_OSERR;
    return role_start(&role, storing->world, &storing->dimensions_thread, err);
}

/* Where no tasks are beside them, they tell the live feed. */
static void open_sinks(struct storing *storing, struct journal *journal)
{
    const struct store_sinks_options options = { .settings = storing->options.settings,
                                                 .engine = storing->engine,
                                                 .marked = storing->options.marked,
                                                 .live =
                                                     storing->options.has_tasks ? NULL : storing_live_queue(storing) };
    storing->sinks = store_sinks_new(&options, journal, storing->metrics, storing->world);
}

enum status storing_open(const struct storing_options *options, struct journal *journal, struct catalog *catalog,
                         struct metrics *metrics, struct world *world, struct storing **out, int *out_exit_code,
                         struct error *err)
{
    struct storing *storing = calloc(1, sizeof *storing);
    if (!storing)
        abort();
    storing->options = *options;
    atomic_init(&storing->drawn, options->domains);
    storing->catalog = catalog;
    storing->metrics = metrics;
    storing->world = world;
    snprintf(storing->token_path, sizeof storing->token_path, "%s/admin.token", options->data_path);
    snprintf(storing->replay_path, sizeof storing->replay_path, "%s/replay", options->data_path);
    enum status s = engine_start(options->settings, options->data_path, options->domains, catalog, metrics, world,
                                 &storing->engine, out_exit_code, err);
    if (s == OK)
        s = start_replayer(storing, out_exit_code, err);
    if (s == OK)
        s = start_retention(storing, out_exit_code, err);
    if (s == OK)
        s = start_quality(storing, out_exit_code, err);
    if (s == OK)
        s = start_dimensions(storing, out_exit_code, err);
    if (s == OK)
        s = open_serve(storing, out_exit_code, err);
    if (s == OK) {
        open_sinks(storing, journal);
        *out = storing;
        return OK;
    }
    storing_stop_api(storing);
    storing_free(storing);
    return s;
}

enum status storing_start(struct storing *storing, struct error *err)
{
    return serve_start(storing->serve, err);
}

static void follow_load(struct storing *storing, int64_t lag_us, int64_t *out_wait_ms)
{
    if (*out_wait_ms > GIVE_WAY_EVERY_MS)
        *out_wait_ms = GIVE_WAY_EVERY_MS;
    give_way_look(&storing->give_way, world_mono_us(storing->world));
    engine_give_way(storing->engine, give_way_nice(&storing->give_way, lag_us));
}

enum status storing_step(struct storing *storing, bool *out_ready, int64_t *out_wait_ms, int *out_exit_code,
                         struct error *err)
{
    enum status s = engine_step(storing->engine, out_wait_ms, out_exit_code, err);
    if (s != OK)
        return s;
    *out_exit_code = EX_SOFTWARE;
    s = store_sinks_start(storing->sinks, err);
    if (s == ERR_CORRUPT || s == ERR_INVALID)
        *out_exit_code = EX_CONFIG; /* what the mark says, or that there is none, is for a person to settle */
    *out_ready = store_sinks_run(storing->sinks);
    const int64_t lag_us = store_sinks_look(storing->sinks);
    if (*out_ready)
        follow_load(storing, lag_us, out_wait_ms);
    return s;
}

enum status storing_use_domains(struct storing *storing, const struct domain_set *domains, struct error *err)
{
    enum status s = replayer_use(storing->replayer, domains, err);
    if (s != OK)
        return s;
    storing->options.domains = domains;
    atomic_store(&storing->drawn, domains);
    engine_use_domains(storing->engine, domains);
    quality_watch_use(storing->quality, domains);
    retention_use(storing->retention, domains);
    dimensions_use(storing->dimensions, domains);
    return OK;
}

bool storing_hold_rows(struct storing *storing)
{
    if (!storing->rows_are_held)
        storing->rows_are_held = dimensions_are_waiting(storing->dimensions) && replayer_hold(storing->replayer);
    return storing->rows_are_held;
}

void storing_take_rows(struct storing *storing)
{
    if (!storing->rows_are_held)
        return;
    dimensions_take(storing->dimensions);
    engine_use_domains(storing->engine, storing->options.domains);
    storing->rows_are_held = false;
    replayer_release(storing->replayer);
}

struct queue *storing_live_queue(struct storing *storing)
{
    return serve_live_queue(storing->serve);
}

uint16_t storing_api_port(const struct storing *storing)
{
    return serve_port(storing->serve);
}

void storing_stop_sinks(struct storing *storing)
{
    store_sinks_stop(storing->sinks);
}

void storing_stop_api(struct storing *storing)
{
    if (storing->replayer)
        replayer_stop(storing->replayer);
    role_stop(storing->replay_thread);
    storing->replay_thread = NULL;
    if (storing->retention)
        retention_stop(storing->retention);
    role_stop(storing->retention_thread);
    storing->retention_thread = NULL;
    if (storing->quality)
        quality_watch_stop(storing->quality);
    role_stop(storing->quality_thread);
    storing->quality_thread = NULL;
    if (storing->dimensions)
        dimensions_stop(storing->dimensions);
    role_stop(storing->dimensions_thread);
    storing->dimensions_thread = NULL;
    if (storing->serve)
        serve_stop(storing->serve);
}

void storing_close_sinks(struct storing *storing)
{
    store_sinks_close(storing->sinks);
    serve_free(storing->serve);
    storing->serve = NULL;
    replayer_free(storing->replayer);
    storing->replayer = NULL;
    retention_free(storing->retention);
    storing->retention = NULL;
    quality_watch_free(storing->quality);
    storing->quality = NULL;
    dimensions_free(storing->dimensions);
    storing->dimensions = NULL;
}

void storing_free(struct storing *storing)
{
    if (!storing)
        return;
    serve_free(storing->serve);
    replayer_free(storing->replayer);
    retention_free(storing->retention);
    quality_watch_free(storing->quality);
    dimensions_free(storing->dimensions);
    store_sinks_free(storing->sinks);
    engine_stop(storing->engine);
    free(storing);
}
