/* The engine needs a third of a second; meanwhile the API answers that it is not ready, and outputs wait in the journal
 * as they would if it were away. */
#include "app/storing.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "app/dimensions.h"
#include "app/engine.h"
#include "app/give_way.h"
#include "app/live_tap.h"
#include "app/parts.h"
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

#define SINK_DRAIN_WAIT_MS 3000
#define LATER_NICE 5   /* storing has the journal in front of it: a client's request goes first */
#define REPLAY_NICE 15 /* and of what removes old rows */
#define DAY_MS ((int64_t)86400000)
#define RESTART_PAUSE_US 1000000

struct storing {
    struct storing_options options;
    char token_path[DISK_PATH_MAX], replay_path[DISK_PATH_MAX];
    struct journal *journal;
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
    struct give_way give_way;
    const struct domain_set *_Atomic drawn; /* options.domains, for the API's loop */
    uint16_t lane_count, sink_count;
    bool all_marked;     /* every sink has its mark, and it is noted */
    int64_t sinks_at_us; /* not before, after a failure */
    struct lane {        /* one for each order of the journal's positions; a sink waits within its store */
        struct store *store;
        struct sink *sink;
        struct live_tap *tap;
        struct role_thread *thread;
    } lanes[];
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

/* The longest gap of sessions, and a day: what lies a gap before the retention may be part of a session within it. */
static int64_t retention_spare_ms(const struct domain_set *domains)
{
    int64_t gap_ms = domains ? domains->session_gap_max_ms : 0;
    for (size_t i = 0; domains && i < domains->window_count; i++)
        if (domains->windows[i].kind == WINDOW_SESSION && domains->windows[i].gap_ms > gap_ms)
            gap_ms = domains->windows[i].gap_ms;
    return gap_ms + DAY_MS;
}

static enum status start_retention(struct storing *storing, int *exit_code, struct error *err)
{
    struct olap_user writer;
    const struct settings *settings = storing->options.settings;
    const struct retention_options options = { .catalog = storing->catalog,
                                               .engine = as_writer(storing, &writer),
                                               .days = (int32_t)settings->retention_days,
                                               .spare_ms = retention_spare_ms(storing->options.domains),
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
    *exit_code = EX_UNAVAILABLE;
    return serve_new(&options, storing->catalog, storing->metrics, storing->world, &storing->serve, err);
}

static enum status start_dimensions(struct storing *storing, int *exit_code, struct error *err)
{
    struct olap_user writer;
    const struct dimensions_options options = { .engine = as_writer(storing, &writer),
                                                .data_path = storing->options.data_path,
                                                .engine_is_ready = hook_engine_is_ready,
                                                .hook_self = storing };
    storing->dimensions = dimensions_new(&options, storing->options.domains, storing->metrics, storing->world);
    struct role role = dimensions_role(storing->dimensions);
    role.nice = LATER_NICE;
    *exit_code = EX_OSERR;
    return role_start(&role, storing->world, &storing->dimensions_thread, err);
}

enum status storing_open(const struct storing_options *options, struct journal *journal, struct catalog *catalog,
                         struct metrics *metrics, struct world *world, struct storing **out, int *out_exit_code,
                         struct error *err)
{
    struct storing *storing = calloc(1, sizeof *storing + journal->orders * sizeof storing->lanes[0]);
    if (!storing)
        abort();
    storing->options = *options;
    atomic_init(&storing->drawn, options->domains);
    storing->journal = journal;
    storing->lane_count = journal->orders;
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

static enum status open_store(struct storing *storing, struct store **out, struct error *err)
{
    struct olap_user writer;
    engine_writer(storing->engine, &writer);
    struct store_options options = { .url = engine_url(storing->engine),
                                     .database = "weir",
                                     .user = writer.name,
                                     .password = writer.password,
                                     .tls_ca = storing->options.settings->engine_tls_ca,
                                     .connect_wait_ms = 2000,
                                     .insert_wait_ms = 60000 };
    return store_clickhouse.open(&options, storing->world, out, err);
}

static enum status start_sink(struct storing *storing, struct error *err)
{
    struct sink_options options;
    struct lane *lane = &storing->lanes[storing->sink_count];
    parts_sink_options(storing->options.settings, &options);
    options.had_mark = marked_has(storing->options.marked, SINK_GROUP);
    if (storing->journal->orders > 1)
        options.partition = storing->sink_count;
    if (!storing->options.has_tasks) {
        if (!lane->tap)
            lane->tap = live_tap_new(storing_live_queue(storing), storing->sink_count, storing->world);
        options.seen = live_tap_seen;
        options.seen_self = lane->tap;
    }
    enum status s = lane->store ? OK : open_store(storing, &lane->store, err);
    if (s == OK)
        s = sink_open(&options, storing->journal, lane->store, storing->metrics, storing->world, &lane->sink, err);
    if (s != OK)
        return error_wrap(err, s, "start the store's sink");
    struct role role = sink_role(lane->sink);
    role.nice = LATER_NICE;
    s = role_start(&role, storing->world, &lane->thread, err);
    storing->sink_count++;
    return s;
}

static bool sinks_run(const struct storing *storing)
{
    return storing->sink_count == storing->journal->orders;
}

/* Once the tables are there: before, an insert could only fail. A journal that does not answer now is asked again. */
static enum status start_sinks(struct storing *storing, struct error *err)
{
    enum status s = OK;
    int64_t now_us = world_mono_us(storing->world);
    if (!engine_is_ready(storing->engine) || now_us < storing->sinks_at_us)
        return OK;
    while (s == OK && !sinks_run(storing))
        s = start_sink(storing, err);
    if (s != ERR_RETRY)
        return s;
    log_warn("store.start_waits", "%s", err->text);
    storing->sinks_at_us = now_us + RESTART_PAUSE_US;
    return OK;
}

static void look_at_marks(struct storing *storing)
{
    struct error err;
    for (uint16_t i = 0; i < storing->sink_count; i++)
        if (!sink_has_mark(storing->lanes[i].sink))
            return;
    storing->all_marked = true;
    if (marked_add(storing->options.marked, SINK_GROUP, &err) != OK)
        log_warn("store.mark_not_noted", "%s", err.text);
}

static void follow_load(struct storing *storing, int64_t *out_wait_ms)
{
    if (*out_wait_ms > GIVE_WAY_EVERY_MS)
        *out_wait_ms = GIVE_WAY_EVERY_MS;
    give_way_look(&storing->give_way, world_mono_us(storing->world));
    int64_t worst_us = 0, wall_us = world_wall_us(storing->world);
    for (uint16_t i = 0; i < storing->sink_count; i++) {
        int64_t lag_us = sink_lag_us(storing->lanes[i].sink, wall_us);
        worst_us = lag_us > worst_us ? lag_us : worst_us;
    }
    engine_give_way(storing->engine, give_way_nice(&storing->give_way, worst_us));
}

enum status storing_step(struct storing *storing, bool *out_ready, int64_t *out_wait_ms, int *out_exit_code,
                         struct error *err)
{
    enum status s = engine_step(storing->engine, out_wait_ms, out_exit_code, err);
    if (s != OK)
        return s;
    *out_exit_code = EX_SOFTWARE;
    s = start_sinks(storing, err);
    if (s == ERR_CORRUPT || s == ERR_INVALID)
        *out_exit_code = EX_CONFIG; /* what the mark says, or that there is none, is for a person to settle */
    *out_ready = sinks_run(storing);
    if (*out_ready && !storing->all_marked)
        look_at_marks(storing);
    if (*out_ready)
        follow_load(storing, out_wait_ms);
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
    retention_set_spare(storing->retention, retention_spare_ms(domains));
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
    for (uint16_t i = 0; i < storing->sink_count; i++)
        sink_drain(storing->lanes[i].sink);
    int64_t end_us = world_mono_us(storing->world) + SINK_DRAIN_WAIT_MS * 1000;
    for (uint16_t i = 0; i < storing->sink_count; i++) {
        struct lane *lane = &storing->lanes[i];
        while (!sink_is_drained(lane->sink) && world_mono_us(storing->world) < end_us)
            usleep(2000);
        lane->store->backend->cancel(lane->store);
        role_stop(lane->thread);
    }
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
    for (uint16_t i = 0; i < storing->sink_count; i++)
        sink_close(storing->lanes[i].sink);
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
    for (uint16_t i = 0; i < storing->lane_count; i++)
        live_tap_free(storing->lanes[i].tap);
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
    for (uint16_t i = 0; i < storing->lane_count && storing->lanes[i].store; i++)
        store_close(storing->lanes[i].store);
    engine_stop(storing->engine);
    free(storing);
}
