/* The tenants that missed a target come as one row each, the worst event type of each ratio with them, so that the
 * answer is small however many events there were. What the tables have is exact (process/quality.h); the store may be
 * behind, and then it is asked later: an hour that is half there would be told as inconsistent. */
#include "quality/quality_watch.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bell.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/retry.h"
#include "base/timestamp.h"
#include "quality/quality_targets.h"
#include "store/schema.h"
#include "store/store_asker.h"
#include "world/world.h"

#define HOUR_MS ((int64_t)3600000)
#define SETTLE_MS ((int64_t)300000)
#define BEHIND_SECONDS 60.0
#define LOOK_AGAIN_US 10000000
#define ASK_WAIT_MS 60000
#define SQL_BYTES_MAX (8u << 20)
#define ANSWER_BYTES_MAX (8u << 20)
#define TENANTS_MAX 10000 /* of an answer */
#define PARAMETERS "wait_end_of_query=1&max_threads=1&max_memory_usage=2000000000&max_query_size=16777216"

struct tenant_series {
    char *customer_id;
    struct gauge *below[QUALITY_RATIOS];
};

struct quality_watch {
    const struct settings *settings;
    const struct domain_set *_Atomic domains;
    struct world *world;
    struct metrics *metrics;
    struct bell *bell;
    struct store_asker *asker;
    struct retry retry;
    int64_t next_us, judged_ms;                            /* the hour that was judged last; 0: none */
    struct tenant_series tenants[QUALITY_TENANTS_MAX + 1]; /* the first: "", of all that have none of their own */
    size_t tenant_count;
    struct buf sql, answer;
};

int64_t quality_watch_hour_ms(int64_t now_ms)
{
    const int64_t ended_ms = now_ms - SETTLE_MS;
    return ended_ms - ended_ms % HOUR_MS - HOUR_MS;
}

static void make_series(struct quality_watch *watch, struct slice customer_id, struct tenant_series *out)
{
    AUTO(buf) struct buf labels;
    out->customer_id = strndup(customer_id.n ? customer_id.p : "", customer_id.n);
    if (!out->customer_id)
        abort();
    for (unsigned i = 0; i < QUALITY_RATIOS; i++) {
        buf_init(&labels, 2048);
        metrics_label(&labels, "customer_id", customer_id);
        buf_add_format(&labels, ",ratio=\"%s\"", quality_ratio_name((enum quality_ratio)i));
        out->below[i] =
            metrics_gauge(watch->metrics, "data_quality_below_target",
                          "Event types below the target of the ratio in the last hour that ended.", buf_text(&labels));
        buf_done(&labels);
    }
}

struct quality_watch *quality_watch_new(const struct quality_watch_options *options, struct metrics *metrics,
                                        struct world *world)
{
    struct quality_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        abort();
    watch->settings = options->settings;
    watch->asker = store_asker_new(&options->engine);
    atomic_init(&watch->domains, options->domains);
    watch->world = world;
    watch->metrics = metrics;
    watch->bell = bell_new();
    watch->retry = (struct retry){ .first_ms = 1000, .most_ms = 60000 };
    buf_init(&watch->sql, SQL_BYTES_MAX);
    buf_init(&watch->answer, ANSWER_BYTES_MAX);
    make_series(watch, SLICE(""), &watch->tenants[watch->tenant_count++]);
    return watch;
}

/* ---- the question ---- */

/* Of each ratio: how many types are below, and of the farthest its name, ratio and target. */
static void add_ratio(struct quality_watch *watch, enum quality_ratio ratio)
{
    struct buf *sql = &watch->sql;
    const char *name = quality_ratio_name(ratio);
    buf_add_format(sql, ", countIf(%s < target_%s) AS below_%s", name, name, name);
    buf_add_format(sql,
                   ", argMinIf(if(match(event_type, '^[A-Za-z0-9_.-]{1,64}$'), toString(event_type), '?'),"
                   " %s - target_%s, %s < target_%s)",
                   name, name, name, name);
    buf_add_format(sql, ", argMinIf(floor(%s, 6), %s - target_%s, %s < target_%s)", name, name, name, name, name);
    buf_add_format(sql, ", argMinIf(target_%s, %s - target_%s, %s < target_%s)", name, name, name, name, name);
}

/* Once each: the targets name event types and tenants. */
static void add_target(struct quality_watch *watch, const struct domain_set *domains, enum quality_ratio ratio)
{
    buf_add_text(&watch->sql, ", ");
    quality_targets_add_sql(&watch->sql, watch->settings, domains, ratio);
    buf_add_format(&watch->sql, " AS target_%s", quality_ratio_name(ratio));
}

static void add_question(struct quality_watch *watch, int64_t hour_ms)
{
    struct buf *sql = &watch->sql;
    const struct domain_set *domains = atomic_load(&watch->domains);
    buf_reset(sql);
    buf_add_text(sql, "SELECT customer_id");
    for (unsigned i = 0; i < QUALITY_RATIOS; i++)
        add_ratio(watch, (enum quality_ratio)i);
    buf_add_text(sql, " FROM (SELECT *");
    for (unsigned i = 0; i < QUALITY_RATIOS; i++)
        add_target(watch, domains, (enum quality_ratio)i);
    buf_add_text(sql, " FROM (");
    schema_add_quality_of(sql, hour_ms);
    buf_add_text(sql, ")) GROUP BY customer_id HAVING ");
    for (unsigned i = 0; i < QUALITY_RATIOS; i++)
        buf_add_format(sql, "%sbelow_%s", i ? " + " : "", quality_ratio_name((enum quality_ratio)i));
    buf_add_format(sql, " > 0 ORDER BY customer_id LIMIT %d FORMAT TabSeparated", TENANTS_MAX);
}

static enum status ask(struct quality_watch *watch, struct error *err)
{
    if (watch->sql.full)
        return error_set(err, ERR_INVALID, "the question to the engine is longer than %u MiB", SQL_BYTES_MAX >> 20);
    return store_asker_ask(watch->asker, buf_slice(&watch->sql), PARAMETERS, ASK_WAIT_MS, &watch->answer, err);
}

/* ---- the answer ---- */

static struct slice next_part(struct slice *rest, char end)
{
    const char *at = rest->n ? memchr(rest->p, end, rest->n) : NULL;
    const size_t n = at ? (size_t)(at - rest->p) : rest->n;
    const struct slice part = slice_of(rest->p, n);
    *rest = slice_after(*rest, n + (at != NULL));
    return part;
}

bool quality_missed_parse(struct slice line, struct quality_missed *out, struct buf *text)
{
    out->customer_id = next_part(&line, '\t');
    for (unsigned i = 0; i < QUALITY_RATIOS; i++) {
        const struct slice types = next_part(&line, '\t'), type = next_part(&line, '\t');
        const struct slice ratio = next_part(&line, '\t'), target = next_part(&line, '\t');
        if (!slice_to_u64(types, &out->types[i]))
            return false;
        if (!out->types[i])
            continue;
        buf_add_format(text, "%s%s %.*s < %.*s (%.*s", text->n ? ", " : "", quality_ratio_name((enum quality_ratio)i),
                       SLICE_ARG(ratio), SLICE_ARG(target), SLICE_ARG(type));
        if (out->types[i] > 1)
            buf_add_format(text, " and %llu more", (unsigned long long)out->types[i] - 1);
        buf_add_char(text, ')');
    }
    return out->customer_id.n && line.n == 0;
}

static struct tenant_series *series_of(struct quality_watch *watch, struct slice customer_id)
{
    for (size_t i = 0; i < watch->tenant_count; i++)
        if (slice_equal(slice_from(watch->tenants[i].customer_id), customer_id))
            return &watch->tenants[i];
    if (watch->tenant_count == COUNT_OF(watch->tenants))
        return &watch->tenants[0];
    struct tenant_series *made = &watch->tenants[watch->tenant_count++];
    make_series(watch, customer_id, made);
    return made;
}

static void forget_counts(struct quality_watch *watch)
{
    for (size_t i = 0; i < watch->tenant_count; i++)
        for (unsigned ratio = 0; ratio < QUALITY_RATIOS; ratio++)
            gauge_set(watch->tenants[i].below[ratio], 0);
}

static enum status tell(struct quality_watch *watch, int64_t hour_ms, struct error *err)
{
    struct slice rest = buf_slice(&watch->answer);
    char hour[TIMESTAMP_TEXT_BYTES + 1] = "";
    size_t told = 0;
    timestamp_format(hour_ms, hour);
    forget_counts(watch);
    while (rest.n) {
        struct quality_missed missed;
        AUTO(buf) struct buf text;
        buf_init(&text, 4096);
        if (!quality_missed_parse(next_part(&rest, '\n'), &missed, &text))
            return error_set(err, ERR_CORRUPT, "the engine's answer about data_quality is not understood");
        const struct tenant_series *series = series_of(watch, missed.customer_id);
        for (unsigned i = 0; i < QUALITY_RATIOS; i++)
            gauge_set(series->below[i], gauge_value(series->below[i]) + (double)missed.types[i]);
        if (told++ < QUALITY_LINES_MAX)
            log_warn("quality.target_missed", "tenant=%.*s hour=%s %s", SLICE_ARG(missed.customer_id), hour,
                     buf_text(&text));
    }
    if (told > QUALITY_LINES_MAX)
        log_warn("quality.target_missed", "hour=%s by %zu tenants more; SELECT … FROM data_quality tells", hour,
                 told - QUALITY_LINES_MAX);
    return OK;
}

/* ---- the role ---- */

static bool store_is_behind(struct quality_watch *watch)
{
    double seconds;
    return metrics_read(watch->metrics, "store_lag_seconds", "", &seconds) && seconds > BEHIND_SECONDS;
}

static bool quality_watch_step(void *self, struct world *world, int64_t *wake_us)
{
    struct quality_watch *watch = self;
    struct error err = { 0 };
    const int64_t hour_ms = quality_watch_hour_ms(world_wall_ms(world)), now_us = world_mono_us(world);
    if (store_asker_is_stopped(watch->asker))
        return false;
    if (hour_ms <= watch->judged_ms || now_us < watch->next_us || store_is_behind(watch)) {
        *wake_us = now_us < watch->next_us ? watch->next_us : now_us + LOOK_AGAIN_US;
        return false;
    }
    add_question(watch, hour_ms);
    enum status s = ask(watch, &err);
    if (s == OK)
        s = tell(watch, hour_ms, &err);
    if (s == OK) {
        watch->judged_ms = hour_ms;
        retry_reset(&watch->retry);
        return true;
    }
    if (store_asker_is_stopped(watch->asker))
        return false;
    *wake_us = watch->next_us = retry_next_us(&watch->retry, world);
    if (watch->retry.attempts > 5) /* at a start the engine has no tables yet */
        log_warn("quality.watch_failed", "error=\"%s\"", err.text);
    return false;
}

struct role quality_watch_role(struct quality_watch *watch)
{
    return (struct role){ "quality", watch, quality_watch_step, watch->bell, 0 };
}

void quality_watch_use(struct quality_watch *watch, const struct domain_set *domains)
{
    atomic_store(&watch->domains, domains);
}

void quality_watch_stop(struct quality_watch *watch)
{
    store_asker_stop(watch->asker);
    bell_ring(watch->bell);
}

void quality_watch_free(struct quality_watch *watch)
{
    if (!watch)
        return;
    for (size_t i = 0; i < watch->tenant_count; i++)
        free(watch->tenants[i].customer_id);
    store_asker_free(watch->asker);
    bell_free(watch->bell);
    buf_done(&watch->sql);
    buf_done(&watch->answer);
    free(watch);
}
