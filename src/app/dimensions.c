/* What the role has read waits in a place for each table until the main thread takes it; newer rows push out those that
 * nobody has taken. Rows that say the same as those in use are dropped, since taking them costs every task a
 * checkpoint. The file is written first: what the stream has once used, a start after a crash uses too, or something
 * newer. */
#include "app/dimensions.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/dimension_follower.h"
#include "app/dimension_publisher.h"
#include "base/bell.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/retry.h"
#include "config/dimension_fill.h"
#include "store/store_asker.h"
#include "world/disk.h"
#include "world/world.h"

#define LOOK_US 200000 /* whether the engine is ready */
#define QUERY_WAIT_MS 60000
#define FIRST_PAUSE_MS 1000
#define PAUSE_MS_MAX 300000
#define SERIES_LABEL_MAX (DOMAIN_NAME_MAX + 16)
#define JITTER 10 /* a query comes up to a tenth of `every` early */
/* One row more than may be is asked for, so that too many are told as such. Reading is all that it may do. */
#define QUERY_PARAMETERS                                                                                               \
    "default_format=CSVWithNames&readonly=2&wait_end_of_query=1&max_result_rows=200001&result_overflow_mode=throw"     \
    "&max_execution_time=50&max_memory_usage=1000000000&format_csv_null_representation=&date_time_output_format=iso"   \
    "&max_threads=2"

struct work {
    struct retry retry;
    int64_t next_us;
    uint64_t digest; /* of the rows that were handed over last */
    bool failing;
    uint64_t position;              /* in the journal, of the version that was taken last; 0: none */
    struct gauge *rows, *refreshed; /* of rows from the journal: when they were asked for */
    struct counter *failures;
};

/* Owner: its role, but for what is atomic. */
struct dimensions {
    struct dimensions_options options; /* but for its texts: */
    char *data_path;
    struct world *world;
    struct metrics *metrics;
    struct bell *bell;
    struct store_asker *asker;             /* NULL: the rows come from the journal */
    struct dimension_follower *follower;   /* then */
    struct dimension_publisher *publisher; /* NULL: nobody else needs them */
    struct retry retry;                    /* of the follower */
    bool unkept;                           /* a version could not be written down */
    int64_t not_before_us;
    atomic_bool stopped;
    _Atomic(const struct domain_set *) wanted;
    _Atomic(struct dimension_fill *) ready[DIMENSION_TABLES_MAX];
    const struct domain_set *domains; /* the role's, follows wanted */
    struct work works[DIMENSION_TABLES_MAX];
    struct buf answer;
};

/* ---- the file ---- */

static void path_of(const char *data_path, const struct dimension_table *table, char path[DISK_PATH_MAX])
{
    snprintf(path, DISK_PATH_MAX, "%s/dimensions/%.*s.csv", data_path, SLICE_ARG(table->name));
}

/* The first line of what is wrong. */
static enum status told(struct problems *problems, struct error *err)
{
    const char *text = problems_text(problems), *end = strchr(text, '\n');
    return error_set(err, ERR_INVALID, "%.*s", end ? (int)(end - text) : (int)strlen(text), text);
}

static enum status read_rows(const struct dimension_table *table, const char *name, struct slice text,
                             struct dimension_fill **out, struct error *err)
{
    struct problems problems;
    problems_init(&problems, false);
    struct dimension_fill *fill = dimension_fill_read(table, name, text, &problems);
    enum status s = fill ? OK : told(&problems, err);
    problems_done(&problems);
    if (s == OK)
        *out = fill;
    return s;
}

static void restore(const struct dimension_table *table, const char *data_path, struct world *world)
{
    char path[DISK_PATH_MAX], *text;
    size_t n;
    struct error err;
    struct dimension_fill *fill;
    path_of(data_path, table, path);
    enum status s = disk_read_whole(world->disk, path, DIMENSION_FILE_BYTES_MAX, &text, &n, &err);
    if (s == ERR_NOT_FOUND)
        return;
    if (s == OK) {
        s = read_rows(table, path, slice_of(text, n), &fill, &err);
        free(text);
    }
    if (s == OK)
        dimension_fill_use(fill);
    else
        log_warn("dimension.not_restored", "table=%.*s empty until its query is answered: %s", SLICE_ARG(table->name),
                 err.text);
}

void dimensions_restore(const struct domain_set *domains, const char *data_path, struct world *world)
{
    for (size_t i = 0; i < domains->table_count; i++)
        if (domains->tables[i].sql.n)
            restore(&domains->tables[i], data_path, world);
}

static enum status keep(struct dimensions *dimensions, const struct dimension_table *table, struct slice text,
                        struct error *err)
{
    char path[DISK_PATH_MAX];
    snprintf(path, sizeof path, "%s/dimensions", dimensions->data_path);
    enum status s = disk_make_dirs(dimensions->world->disk, path, err);
    path_of(dimensions->data_path, table, path);
    return s == OK ? disk_replace(dimensions->world->disk, path, text.p, text.n, err) : s;
}

/* ---- a query ---- */

static enum status ask(struct dimensions *dimensions, const struct dimension_table *table, struct error *err)
{
    enum status s =
        store_asker_ask(dimensions->asker, table->sql, QUERY_PARAMETERS, QUERY_WAIT_MS, &dimensions->answer, err);
    if (s == OK && dimensions->answer.full)
        s = error_set(err, ERR_FULL, "its rows take more than %u MiB as CSV", DIMENSION_FILE_BYTES_MAX >> 20);
    return s;
}

/* Rows that wait and were not taken are older. */
static void hand_over(struct dimensions *dimensions, size_t index, struct dimension_fill *fill)
{
    dimensions->works[index].digest = dimension_fill_digest(fill);
    dimension_fill_free(atomic_exchange(&dimensions->ready[index], fill));
}

static enum status tell(struct dimensions *dimensions, const struct dimension_table *table, struct error *err)
{
    enum status s = dimension_publisher_tell(dimensions->publisher, dimensions->domains, table,
                                             buf_slice(&dimensions->answer), err);
    return s == OK ? OK : error_wrap(err, s, "tell the other processes");
}

static enum status refresh(struct dimensions *dimensions, size_t index, struct error *err)
{
    const struct dimension_table *table = &dimensions->domains->tables[index];
    struct work *work = &dimensions->works[index];
    struct dimension_fill *fill;
    char name[DOMAIN_NAME_MAX + 32];
    snprintf(name, sizeof name, "answer for %.*s", SLICE_ARG(table->name));
    enum status s = ask(dimensions, table, err);
    if (s == OK)
        s = read_rows(table, name, buf_slice(&dimensions->answer), &fill, err);
    if (s != OK)
        return s;
    size_t rows = dimension_fill_rows(fill);
    bool same = dimension_fill_digest(fill) == work->digest;
    if (!same)
        s = keep(dimensions, table, buf_slice(&dimensions->answer), err);
    if (s != OK || same)
        dimension_fill_free(fill);
    else
        hand_over(dimensions, index, fill);
    if (s == OK && dimensions->publisher)
        s = tell(dimensions, table, err);
    if (s != OK)
        return s;
    if (!same || work->failing)
        log_info("dimension.refreshed", "table=%.*s rows=%zu changed=%s", SLICE_ARG(table->name), rows,
                 same ? "no" : "yes");
    gauge_set(work->rows, (double)rows);
    return OK;
}

/* ---- when ---- */

static int64_t next_us(const struct dimensions *dimensions, const struct dimension_table *table)
{
    uint32_t dice;
    dimensions->world->random(dimensions->world, &dice, sizeof dice);
    const int64_t every_us = table->every_ms * 1000, spare_us = every_us / JITTER;
    return world_mono_us(dimensions->world) + every_us - (int64_t)(dice % (uint64_t)(spare_us + 1));
}

static void take_turn(struct dimensions *dimensions, size_t index)
{
    struct error err = { 0 };
    const struct dimension_table *table = &dimensions->domains->tables[index];
    struct work *work = &dimensions->works[index];
    if (refresh(dimensions, index, &err) == OK) {
        retry_reset(&work->retry);
        work->failing = false;
        work->next_us = next_us(dimensions, table);
        gauge_set(work->refreshed, (double)world_wall_us(dimensions->world) / 1e6);
        return;
    }
    work->next_us = retry_next_us(&work->retry, dimensions->world);
    if (atomic_load(&dimensions->stopped))
        return;
    counter_add(work->failures, 1);
    if (!work->failing)
        log_warn("dimension.refresh_failed", "table=%.*s the rows of before stay in use, trying again: %s",
                 SLICE_ARG(table->name), err.text);
    work->failing = true;
}

static bool has_queries(const struct domain_set *domains)
{
    for (size_t i = 0; i < domains->table_count; i++)
        if (domains->tables[i].sql.n)
            return true;
    return false;
}

/* Rows of the table are not replaced by older ones because the domains were. */
static uint64_t position_of(const struct domain_set *domains, const struct work *works, struct slice name)
{
    for (size_t i = 0; domains && i < domains->table_count; i++)
        if (slice_equal(domains->tables[i].name, name))
            return works[i].position;
    return 0;
}

static void begin(struct dimensions *dimensions, const struct domain_set *domains)
{
    struct work before[DIMENSION_TABLES_MAX];
    const struct domain_set *of_before = dimensions->domains;
    memcpy(before, dimensions->works, sizeof before);
    dimensions->domains = domains;
    if (dimensions->follower)
        dimension_follower_begin_again(dimensions->follower); /* a table of now was passed over till now */
    for (size_t i = 0; i < domains->table_count; i++) {
        const struct dimension_table *table = &domains->tables[i];
        char labels[SERIES_LABEL_MAX];
        if (!table->sql.n)
            continue;
        snprintf(labels, sizeof labels, "table=\"%.*s\"", SLICE_ARG(table->name));
        struct work *work = &dimensions->works[i];
        *work = (struct work){ .digest = table->digest,
                               .position = position_of(of_before, before, table->name),
                               .retry = { .first_ms = FIRST_PAUSE_MS, .most_ms = PAUSE_MS_MAX } };
        work->rows = metrics_gauge(dimensions->metrics, "dimension_rows",
                                   "Rows that the query of a dimension table gave last.", labels);
        work->refreshed = metrics_gauge(dimensions->metrics, "dimension_refreshed_seconds",
                                        "When that was, Unix time; 0: not since the start.", labels);
        work->failures = metrics_counter(dimensions->metrics, "dimension_failures_total",
                                         "Times that the query failed, or gave rows that are no table.", labels);
    }
}

/* ---- from the journal ---- */

/* What is no table here, because domains differ for a while, leaves the rows of before in use. */
static enum status take_version(struct dimensions *dimensions, size_t index, struct slice text, struct error *err)
{
    const struct dimension_table *table = &dimensions->domains->tables[index];
    struct dimension_fill *fill;
    char name[DOMAIN_NAME_MAX + 32];
    snprintf(name, sizeof name, "rows of %.*s", SLICE_ARG(table->name));
    enum status s = read_rows(table, name, text, &fill, err);
    if (s != OK)
        return s;
    gauge_set(dimensions->works[index].rows, (double)dimension_fill_rows(fill));
    const bool same = dimension_fill_digest(fill) == dimensions->works[index].digest;
    if (!same)
        s = keep(dimensions, table, text, err);
    if (s != OK || same)
        dimension_fill_free(fill);
    else
        hand_over(dimensions, index, fill);
    return s;
}

static void on_version(void *self, const struct dimension_record *closing, struct slice text, uint64_t position)
{
    struct dimensions *dimensions = self;
    struct error err = { 0 };
    for (size_t i = 0; i < dimensions->domains->table_count; i++) {
        const struct dimension_table *table = &dimensions->domains->tables[i];
        if (!table->sql.n || !slice_equal(table->name, closing->table) || position < dimensions->works[i].position)
            continue; /* or an older one than is in use, read again */
        const enum status s = take_version(dimensions, i, text, &err);
        if (s == OK) {
            dimensions->works[i].position = position;
            gauge_set(dimensions->works[i].refreshed, (double)closing->asked_ms / 1e3);
            log_info("dimension.taken", "table=%.*s bytes=%zu", SLICE_ARG(table->name), text.n);
            continue;
        }
        dimensions->unkept |= s != ERR_INVALID;
        counter_add(dimensions->works[i].failures, 1);
        log_warn("dimension.refresh_failed", "table=%.*s the rows of before stay in use: %s", SLICE_ARG(table->name),
                 err.text);
    }
}

static bool follow(struct dimensions *dimensions, struct world *world, int64_t *wake_us)
{
    struct error err = { 0 };
    bool more = false;
    if (world_mono_us(world) < dimensions->not_before_us) {
        *wake_us = dimensions->not_before_us;
        return false;
    }
    const enum status s = dimension_follower_step(dimensions->follower, &more, &err);
    if (s == OK && !dimensions->unkept) {
        retry_reset(&dimensions->retry);
        return more; /* else what comes next rings */
    }
    if (s == OK)
        dimension_follower_begin_again(dimensions->follower);
    else
        log_warn("dimension.waits", "going on with the rows so far: %s", err.text);
    dimensions->unkept = false;
    dimensions->not_before_us = *wake_us = retry_next_us(&dimensions->retry, world);
    return false;
}

/* ---- the role ---- */

static bool dimensions_step(void *self, struct world *world, int64_t *wake_us)
{
    struct dimensions *dimensions = self;
    const struct domain_set *wanted = atomic_load(&dimensions->wanted);
    if (wanted != dimensions->domains)
        begin(dimensions, wanted);
    if (dimensions->follower)
        return has_queries(wanted) && !atomic_load(&dimensions->stopped) && follow(dimensions, world, wake_us);
    for (size_t i = 0; i < wanted->table_count && !atomic_load(&dimensions->stopped); i++) {
        int64_t now_us = world_mono_us(world);
        if (!wanted->tables[i].sql.n)
            continue;
        if (!dimensions->options.engine_is_ready(dimensions->options.hook_self)) {
            *wake_us = now_us + LOOK_US;
            return false;
        }
        if (dimensions->works[i].next_us <= now_us) {
            take_turn(dimensions, i);
            return true;
        }
        if (dimensions->works[i].next_us < *wake_us)
            *wake_us = dimensions->works[i].next_us;
    }
    return false;
}

/* ---- of the main thread ---- */

struct dimensions *dimensions_new(const struct dimensions_options *options, const struct domain_set *domains,
                                  struct metrics *metrics, struct world *world)
{
    struct dimensions *dimensions = calloc(1, sizeof *dimensions);
    if (!dimensions)
        abort();
    dimensions->options = *options;
    dimensions->data_path = strdup(options->data_path);
    dimensions->world = world;
    dimensions->metrics = metrics;
    dimensions->bell = bell_new();
    dimensions->retry = (struct retry){ .first_ms = 100, .most_ms = 5000 };
    if (options->engine.url)
        dimensions->asker = store_asker_new(&options->engine);
    else
        dimensions->follower =
            dimension_follower_new(options->journal, dimensions->bell, metrics, on_version, dimensions);
    if (options->engine.url && options->journal)
        dimensions->publisher = dimension_publisher_new(options->journal, metrics, world);
    buf_init(&dimensions->answer, DIMENSION_FILE_BYTES_MAX);
    atomic_store(&dimensions->wanted, domains);
    return dimensions;
}

struct role dimensions_role(struct dimensions *dimensions)
{
    return (struct role){ "dimensions", dimensions, dimensions_step, dimensions->bell, 0 };
}

void dimensions_use(struct dimensions *dimensions, const struct domain_set *domains)
{
    atomic_store(&dimensions->wanted, domains);
    bell_ring(dimensions->bell);
}

bool dimensions_are_current(const struct dimensions *dimensions)
{
    return !dimensions->follower || !has_queries(atomic_load(&dimensions->wanted)) ||
           dimension_follower_is_current(dimensions->follower);
}

bool dimensions_are_waiting(const struct dimensions *dimensions)
{
    for (size_t i = 0; i < DIMENSION_TABLES_MAX; i++)
        if (atomic_load(&dimensions->ready[i]))
            return true;
    return false;
}

void dimensions_take(struct dimensions *dimensions)
{
    const struct domain_set *domains = atomic_load(&dimensions->wanted);
    for (size_t i = 0; i < DIMENSION_TABLES_MAX; i++) {
        struct dimension_fill *fill = atomic_exchange(&dimensions->ready[i], NULL);
        if (!fill)
            continue;
        /* Of domains that were replaced meanwhile: those of now have been asked for again. */
        if (i < domains->table_count && dimension_fill_table(fill) == &domains->tables[i])
            dimension_fill_use(fill);
        else
            dimension_fill_free(fill);
    }
}

void dimensions_stop(struct dimensions *dimensions)
{
    atomic_store(&dimensions->stopped, true);
    if (dimensions->asker)
        store_asker_stop(dimensions->asker);
    if (dimensions->publisher)
        dimension_publisher_stop(dimensions->publisher);
    bell_ring(dimensions->bell);
}

void dimensions_free(struct dimensions *dimensions)
{
    if (!dimensions)
        return;
    for (size_t i = 0; i < DIMENSION_TABLES_MAX; i++)
        dimension_fill_free(atomic_load(&dimensions->ready[i]));
    store_asker_free(dimensions->asker);
    dimension_follower_free(dimensions->follower);
    dimension_publisher_free(dimensions->publisher);
    bell_free(dimensions->bell);
    buf_done(&dimensions->answer);
    free(dimensions->data_path);
    free(dimensions);
}
