/* Start: what can be refused comes first (the directory's lock, the settings' ports, the journal), then the engine's
 * child, then the threads. Stop: from the front to the back, each part drained while the part behind it still runs.
 * A process that has not all of the roles just leaves the others' parts out; what is between them goes through the
 * journal anyhow. */
#include "app/app.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "app/delivering.h"
#include "app/deployed.h"
#include "app/dimension_rows.h"
#include "app/house.h"
#include "app/marked.h"
#include "app/parts.h"
#include "app/pii_key.h"
#include "app/status_page.h"
#include "app/stop_limit.h"
#include "app/storing.h"
#include "app/task_watch.h"
#include "app/tasks.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/rates.h"
#include "base/role.h"
#include "cli/commands.h"
#include "process/state/kv.h"
#include "world/world.h"

#define SERIES_MAX 50000
#define STAGE_TASKS "processing" /* of the stop */
#define LOOK_MS 100              /* at the share of the partitions */
#define HOST_BYTES 65            /* Linux has no longer name */

/* Under the names of those whose place the journal, the tasks and the store have here. */
static const struct rate_row RATES[] = {
    { "kafka_broker_topic_all_produce_total_bytes_in_per_sec",
      "Bytes a second that the journal wrote to its log, the mean of 15 s.", "journal_written_bytes_total" },
    { "flink_taskmanager_job_task_operator_records_in_per_sec",
      "Events a second that the task decided upon, the mean of 15 s.", "events_processed_total" },
    { "clickhouse_table_insert_queries_per_sec", "Inserts a second that succeeded, the mean of 15 s.",
      "store_inserts_total" },
};

struct app {
    struct app_options options;
    const struct settings *settings;
    struct house house;
    struct marked marked;
    char journal_path[DISK_PATH_MAX], state_path[DISK_PATH_MAX], pii_key[PII_KEY_BYTES];
    struct world *world;
    struct metrics *metrics;
    struct journal *journal;
    struct role journal_roles[2];
    struct role_thread *journal_threads[2];
    size_t journal_role_count;
    struct ingest *ingest;
    struct storing *storing;
    struct dimension_rows rows; /* where there is no engine */
    struct delivering *delivering;
    struct tasks *tasks;
    struct task_watch task_watch;
    char host[HOST_BYTES];
    struct status_page *page;
    struct kv_pool *kv_pool;
    struct gauge *memory;
    struct rates *rates;
    /* Everything answered once: from then on a missing engine does not stop ingestion. Of processing alone: it answers
     * now. */
    _Atomic bool ready;
};

static bool has(const struct app *app, enum app_role role)
{
    return app->options.roles & role;
}

static enum status open_journal(struct app *app, int *exit_code, struct error *err)
{
    struct journal_options options;
    const struct journal_backend *backend = parts_journal_backend(app->settings);
    *exit_code = EX_CONFIG;
    if (app->options.roles != APP_ALL && !backend->shared)
        return error_set(err, ERR_INVALID,
                         "journal.backend is %s, which one process has for itself: weir %s is one of several and needs "
                         "journal.backend: kafka with kafka.brokers; or run all in one process, by weir up",
                         backend->name, app->options.command);
    parts_journal_options(app->settings, app->journal_path, &options);
    parts_journal_use(app->options.roles, app->options.command, &options.use);
    enum status s = backend->open(&options, app->world, app->metrics, &app->journal, err);
    *exit_code = s == ERR_INVALID ? EX_CONFIG : EX_IOERR;
    if (s != OK)
        return error_wrap(err, s, "open the journal");
    app->journal_role_count = backend->roles(app->journal, app->journal_roles);
    for (size_t i = 0; i < app->journal_role_count && s == OK; i++)
        s = role_start(&app->journal_roles[i], app->world, &app->journal_threads[i], err);
    return s;
}

static enum status share_catalog(struct app *app, int *exit_code, struct error *err)
{
    if (!has(app, APP_SERVE))
        return house_follow(&app->house, app->journal, exit_code, err);
    return app->journal->backend->shared ? house_publish(&app->house, app->journal, exit_code, err) : OK;
}

static struct deployed deployed_of(const struct app *app)
{
    return (struct deployed){ .house = &app->house,
                              .settings = app->settings,
                              .command = app->options.command,
                              .owner = has(app, APP_SERVE),
                              .ingests = has(app, APP_INGEST),
                              .kafka = app->journal && app->journal->backend->shared };
}

static enum status check_deployed(struct app *app, int *exit_code, struct error *err)
{
    const struct deployed deployed = deployed_of(app);
    enum status s = deployed_check(&deployed, NULL, app->options.domains, app->options.problems, err);
    *exit_code = s == ERR_INVALID ? EX_CONFIG : EX_IOERR;
    return s;
}

static const char *why_not_ready(void *self)
{
    struct app *app = self;
    if (atomic_load(&app->ready))
        return NULL;
    return has(app, APP_SERVE) ? "the engine is starting" : "partitions are being taken over";
}

static enum status open_ingest(struct app *app, int *exit_code, struct error *err)
{
    struct ingest_options options;
    parts_ingest_options(app->settings, app->house.path, &options);
    options.not_ready = why_not_ready;
    options.hook_self = app;
    *exit_code = EX_UNAVAILABLE;
    return ingest_new(&options, app->journal, app->house.catalog, app->metrics, app->world, &app->ingest, err);
}

/* A journal of one process keeps its marks with the records: it has all or nothing. */
static enum status open_marked(struct app *app, int *exit_code, struct error *err)
{
    *exit_code = EX_IOERR;
    return marked_open(&app->marked, app->house.path, app->journal->backend->shared ? app->settings->kafka_prefix : "",
                       app->world, err);
}

static enum status open_storing(struct app *app, int *exit_code, struct error *err)
{
    struct storing_options options = { .data_path = app->house.path,
                                       .environment = app->options.environment,
                                       .settings = app->settings,
                                       .domains = app->options.domains,
                                       .kv_pool = app->kv_pool,
                                       .marked = &app->marked,
                                       .ingest = app->ingest,
                                       .told = app->journal->backend->shared ? app->journal : NULL,
                                       .tasks = app->task_watch.board,
                                       .has_tasks = has(app, APP_PROCESS) };
    return storing_open(&options, app->journal, app->house.catalog, app->metrics, app->world, &app->storing, exit_code,
                        err);
}

static enum status open_delivering(struct app *app, int *exit_code, struct error *err)
{
    const bool shared = app->journal->backend->shared;
    struct delivering_options options = { .settings = app->settings,
                                          .domains = app->options.domains,
                                          .data_path = app->house.path,
                                          .marked = &app->marked,
                                          .journal_name = shared ? app->settings->kafka_prefix : app->house.instance };
    return delivering_open(&options, app->journal, app->metrics, app->world, &app->delivering, exit_code, err);
}

static void process_options(const struct app *app, struct process_options *out)
{
    parts_process_options(app->settings, app->state_path, app->journal->partitions, out);
    out->domains = app->options.domains;
    out->pii_key = slice_from(app->settings->process_pii_key);
    if (!out->pii_key.n)
        out->pii_key = slice_of(app->pii_key, sizeof app->pii_key);
    out->kv_pool = app->kv_pool;
    out->catalog = app->house.catalog;
    out->snapshots = app->journal->backend->shared; /* else the changelog is lost with the directory anyway */
    out->is_reported = app->journal->backend->shared;
}

static void between_tasks(void *self)
{
    struct app *app = self;
    if (app->storing)
        storing_take_rows(app->storing);
    dimension_rows_take(&app->rows);
}

static enum status open_tasks(struct app *app, int *exit_code, struct error *err)
{
    struct tasks_options options = { .standby = app->settings->process_standby,
                                     .member = app->house.instance,
                                     .live = app->storing ? storing_live_queue(app->storing) : NULL,
                                     .between = between_tasks,
                                     .hook_self = app };
    (void)gethostname(app->host, sizeof app->host - 1);
    if (app->journal->backend->shared)
        options.report = (struct task_reporter_options){ app->house.instance, app->host, WEIR_VERSION };
    *exit_code = EX_IOERR;
    enum status s = pii_key_open(app->world, app->house.path, app->pii_key, err);
    process_options(app, &options.process);
    return s == OK ? tasks_open(&options, app->journal, app->metrics, app->world, &app->tasks, err) : s;
}

static enum status open_rows(struct app *app, int *exit_code, struct error *err)
{
    const struct dimension_rows_options options = { .data_path = app->house.path, .domains = app->options.domains };
    return dimension_rows_open(&app->rows, &options, app->journal, app->metrics, app->world, exit_code, err);
}

static void make_kv_pool(struct app *app)
{
    const struct kv_pool_options pool = { .maps = app->journal->partitions + 1u }; /* and the replay's */
    app->kv_pool = kv_pool_new(&pool);
}

static enum status open_page(struct app *app, int *exit_code, struct error *err)
{
    struct status_page_options options = { .not_ready = why_not_ready, .hook_self = app };
    parts_status_page(app->settings, &options);
    *exit_code = EX_UNAVAILABLE;
    return status_page_open(&options, app->metrics, &app->page, err);
}

/* With a journal of one process, all tasks there are have their metrics here. */
static enum status open_task_watch(struct app *app, int *exit_code, struct error *err)
{
    *exit_code = EX_OSERR;
    return app->journal->backend->shared
               ? task_watch_open(&app->task_watch, app->journal, app->metrics, app->world, err)
               : OK;
}

static enum status open_all(struct app *app, int *exit_code, struct error *err)
{
    enum status s = house_open(&app->house, app->options.data_path, app->world, exit_code, err);
    snprintf(app->journal_path, sizeof app->journal_path, "%s/journal", app->house.path);
    snprintf(app->state_path, sizeof app->state_path, "%s/state", app->house.path);
    if (s == OK && has(app, APP_SERVE))
        s = house_open_catalog(&app->house, app->options.config, app->options.problems, exit_code, err);
    if (s == OK && has(app, APP_SERVE))
        s = check_deployed(app, exit_code, err);
    if (s == OK)
        s = open_journal(app, exit_code, err);
    if (s == OK)
        s = share_catalog(app, exit_code, err);
    if (s == OK && app->options.roles == APP_PROCESS)
        s = check_deployed(app, exit_code, err);
    if (s == OK && app->options.roles != APP_INGEST)
        make_kv_pool(app);
    if (s == OK && has(app, APP_INGEST))
        s = open_ingest(app, exit_code, err);
    if (s == OK && has(app, APP_SERVE))
        s = open_marked(app, exit_code, err);
    if (s == OK && has(app, APP_SERVE))
        s = open_task_watch(app, exit_code, err);
    if (s == OK && has(app, APP_SERVE))
        s = open_storing(app, exit_code, err);
    if (s == OK && has(app, APP_SERVE))
        s = open_delivering(app, exit_code, err);
    if (s == OK && app->options.roles == APP_PROCESS)
        s = open_page(app, exit_code, err);
    if (s == OK && app->options.roles == APP_PROCESS)
        s = open_rows(app, exit_code, err);
    if (s == OK && has(app, APP_PROCESS))
        s = open_tasks(app, exit_code, err);
    if (s == OK && app->ingest)
        s = ingest_start(app->ingest, err);
    if (s == OK && app->storing)
        s = storing_start(app->storing, err);
    return s;
}

enum status app_start(const struct app_options *options, struct app **out, int *out_exit_code, struct error *err)
{
    struct app *app = calloc(1, sizeof *app);
    if (!app)
        abort();
    app->options = *options;
    app->settings = options->settings;
    app->world = world_real();
    app->metrics = metrics_new(SERIES_MAX);
    app->rates = rates_new(app->metrics, RATES, COUNT_OF(RATES), world_mono_us(app->world));
    app->memory = metrics_gauge(app->metrics, "process_resident_memory_bytes", "Resident memory of this process.", "");
    enum status s = open_all(app, out_exit_code, err);
    if (s != OK) {
        app_stop(app);
        return s;
    }
    const struct deployed deployed = deployed_of(app);
    deployed_write(&deployed, options->domains);
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

static enum status step_tasks(struct app *app, bool *out_ready, int64_t *out_wait_ms, int *out_exit_code,
                              struct error *err)
{
    enum status s = tasks_step(app->tasks, out_ready, err);
    *out_exit_code = s == ERR_CLOSED ? EX_TEMPFAIL : EX_SOFTWARE;
    if (app->journal->backend->shared && *out_wait_ms > LOOK_MS)
        *out_wait_ms = LOOK_MS;
    return s;
}

/* New rows of dimension tables are taken as a change of the domains is, between two commits. */
static void follow_rows(struct app *app)
{
    if (app_is_changing(app))
        return;
    const bool held = app->storing && storing_hold_rows(app->storing);
    if (app->tasks && (held || dimension_rows_are_waiting(&app->rows)))
        app_restart_processing(app);
    else if (held)
        storing_take_rows(app->storing); /* nobody looks anything up here but replays, which are held */
}

enum status app_step(struct app *app, bool *out_ready, int64_t *out_wait_ms, int *out_exit_code, struct error *err)
{
    bool stores = true, processes = true;
    enum status s = OK;
    if (app->storing)
        s = storing_step(app->storing, &stores, out_wait_ms, out_exit_code, err);
    if (s == OK && app->tasks)
        s = step_tasks(app, &processes, out_wait_ms, out_exit_code, err);
    if (s != OK)
        return s;
    follow_rows(app);
    if (stores && processes)
        atomic_store(&app->ready, true);
    if ((!(stores && processes) || app_is_changing(app)) && *out_wait_ms > 20)
        *out_wait_ms = 20;
    if (app->options.roles == APP_PROCESS)
        atomic_store(&app->ready, processes);
    watch_memory(app);
    rates_look(app->rates, world_mono_us(app->world));
    delivering_look(app->delivering);
    *out_ready = atomic_load(&app->ready);
    return OK;
}

enum status app_check_domains(struct app *app, const struct domain_set *domains, struct problems *problems,
                              struct error *err)
{
    const struct deployed deployed = deployed_of(app);
    enum status s = delivering_check_domains(app->delivering, domains, err);
    return s == OK ? deployed_check(&deployed, app->options.domains, domains, problems, err) : s;
}

/* Of several processes each changes at a moment of its own. A sum that one sends for a window that another does not
 * know yet is nothing to that one: so a new window is whole from the first one on that begins when all have changed. */
enum status app_use_domains(struct app *app, const struct domain_set *domains, struct error *err)
{
    if (app_is_changing(app))
        return error_set(err, ERR_RETRY, "an earlier change is under way: send SIGHUP again");
    enum status s = app->storing ? storing_use_domains(app->storing, domains, err) : OK;
    if (s != OK)
        return s;
    app->options.domains = domains;
    dimension_rows_use(&app->rows, domains);
    delivering_use_domains(app->delivering,
                           domains); /* before the tasks: no event of a new type goes out as an old one */
    app_restart_processing(app);
    const struct deployed deployed = deployed_of(app);
    deployed_write(&deployed, domains);
    return OK;
}

void app_restart_processing(struct app *app)
{
    struct process_options options;
    if (!app->tasks)
        return;
    process_options(app, &options);
    tasks_change(app->tasks, &options);
}

bool app_is_changing(const struct app *app)
{
    return app->tasks && tasks_are_changing(app->tasks);
}

bool app_is_one_of_several(const struct app *app)
{
    return app->options.roles != APP_ALL;
}

void app_describe(const struct app *app, char *to, size_t n)
{
    size_t at = 0;
    to[0] = '\0';
#define SAY(...) at += at < n ? (size_t)snprintf(to + at, n - at, __VA_ARGS__) : 0
    if (app->ingest)
        SAY("events in http://%s:%u, ", app->settings->ingest_host, ingest_port(app->ingest));
    if (app->storing)
        SAY("answers out http://%s:%u, ", app->settings->api_host, storing_api_port(app->storing));
    if (app->page)
        SAY("health http://%s:%u, ", app->settings->process_host, status_page_port(app->page));
    SAY("data in %s", app->house.path);
#undef SAY
}

static void tell_left(void *self, const char *stage)
{
    struct app *app = self;
    if (strcmp(stage, STAGE_TASKS) == 0 && app->tasks)
        tasks_tell_left(app->tasks);
}

/* From the front to the back: no new events, last commits and checkpoints, what is on its way to the store. */
static void drain(struct app *app, struct stop_limit *limit)
{
    stop_limit_stage(limit, "senders");
    if (app->ingest)
        ingest_stop(app->ingest);
    stop_limit_stage(limit, STAGE_TASKS);
    if (app->tasks)
        tasks_stop(app->tasks);
    stop_limit_stage(limit, "sinks");
    delivering_stop(app->delivering);
    if (app->storing) {
        storing_stop_sinks(app->storing);
        storing_stop_api(app->storing);
    }
    dimension_rows_stop(&app->rows);
    task_watch_stop(&app->task_watch);
    stop_limit_stage(limit, "the journal");
    house_stop(&app->house);
    if (app->journal)
        app->journal->backend->drain(app->journal);
    for (size_t i = 0; i < app->journal_role_count; i++)
        role_stop(app->journal_threads[i]);
}

static void close_all(struct app *app, struct stop_limit *limit)
{
    delivering_close(app->delivering);
    if (app->storing)
        storing_close_sinks(app->storing);
    tasks_free(app->tasks);
    ingest_free(app->ingest);
    status_page_close(app->page);
    if (!has(app, APP_SERVE))
        house_close_catalog(&app->house); /* it reads from the journal */
    task_watch_close(&app->task_watch);
    dimension_rows_close(&app->rows);
    kv_pool_free(app->kv_pool);
    if (app->journal)
        app->journal->backend->close(app->journal);
    stop_limit_stage(limit, "the engine");
    storing_free(app->storing);
    house_close_catalog(&app->house);
    marked_close(&app->marked);
    rates_free(app->rates);
    metrics_free(app->metrics);
    house_close(&app->house);
}

void app_stop(struct app *app)
{
    if (!app)
        return;
    const struct stop_limit_options options = {
        .after_ms = app->settings->drain_timeout_ms, .command = app->options.command, .tell = tell_left, .self = app
    };
    struct stop_limit *limit = stop_limit_begin(&options, app->world);
    drain(app, limit);
    close_all(app, limit);
    stop_limit_end(limit);
    free(app);
}
