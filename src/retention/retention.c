/* A pass: the tenants are taken from the catalog once. Then for each rule (the tenants' own retention, and the shorter
 * one of each event type and window that says one), for each table that it concerns, and so many tenants at a time, the
 * rows are counted and, where there are any, a delete is asked for, which the engine does by writing the parts anew
 * that hold some of them. Counting and deleting ask the same, so whatever is asked again finds what is left. */
#include "retention/retention.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bell.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/retry.h"
#include "catalog/catalog.h"
#include "config/domain.h"
#include "config/event_type.h"
#include "retention/retention_sql.h"
#include "store/store_asker.h"
#include "world/world.h"

#define DAY_MS ((int64_t)86400000)
#define STEPS 32         /* of a retention */
#define FIRST_MS 3600000 /* after the start: a clock that is wrong then can still be set right */
#define JUMP_US 60000000
#define JUMP_PAUSE_US 3600000000
#define COUNT_WAIT_MS 300000
#define DELETE_WAIT_MS 3600000
#define SQL_BYTES_MAX (1u << 18)
#define SETTINGS "wait_end_of_query=1&max_threads=1&max_memory_usage=4000000000&max_query_size=1048576"

struct rule {
    enum retention_of of;
    int32_t days; /* of a domain's; the tenants' own are each their own */
    struct slice name;
    const struct event_type *type;
    const struct window *window;
};

struct retention {
    struct catalog *catalog;
    int32_t days;
    int64_t every_ms;
    struct world *world;
    struct bell *bell;
    struct store_asker *asker;
    const struct domain_set *_Atomic domains;
    struct counter *rows, *failures;
    struct gauge *finished, *took;
    struct retry retry;
    int64_t next_us, last_mono_us, last_wall_us;
    /* The pass in work. */
    struct directory *directory; /* NULL: none */
    const struct domain_set *by;
    size_t next_rule;
    struct rule rule;
    struct retention_cut *cuts; /* of the rule */
    size_t cut_count, from, table;
    uint64_t removed;
    int64_t began_us;
    struct buf sql, answer;
};

int64_t retention_cutoff_ms(int64_t now_ms, int32_t days, int64_t spare_ms)
{
    const int64_t step_ms = days > STEPS ? days * DAY_MS / STEPS : DAY_MS;
    if (days < 0)
        return INT64_MIN;
    int64_t cutoff_ms = now_ms - days * DAY_MS - spare_ms;
    return cutoff_ms - ((cutoff_ms % step_ms) + step_ms) % step_ms;
}

struct retention *retention_new(const struct retention_options *options, struct metrics *metrics, struct world *world)
{
    struct retention *retention = calloc(1, sizeof *retention);
    if (!retention)
        abort();
    retention->catalog = options->catalog;
    retention->days = options->days;
    retention->every_ms = options->every_ms;
    retention->asker = store_asker_new(&options->engine);
    retention->world = world;
    atomic_store(&retention->domains, options->domains);
    retention->bell = bell_new();
    retention->rows =
        metrics_counter(metrics, "retention_removed_rows_total", "Rows removed by the tenants' retention.", "");
    retention->failures = metrics_counter(metrics, "retention_failures_total",
                                          "Times that the engine did not remove what is past its retention.", "");
    retention->finished =
        metrics_gauge(metrics, "retention_finished_seconds",
                      "When all that is past its retention was removed last, Unix time; 0: not yet.", "");
    retention->took = metrics_gauge(metrics, "retention_took_seconds", "How long that took.", "");
    retention->retry = (struct retry){ .first_ms = 1000, .most_ms = 300000 };
    buf_init(&retention->sql, SQL_BYTES_MAX);
    buf_init(&retention->answer, 4096);
    const int64_t first_ms = options->every_ms < FIRST_MS ? options->every_ms : FIRST_MS;
    retention->last_mono_us = world_mono_us(world);
    retention->last_wall_us = world_wall_us(world);
    retention->next_us = retention->last_mono_us + first_ms * 1000;
    return retention;
}

/* ---- a pass ---- */

static void end_pass(struct retention *retention)
{
    if (retention->directory)
        directory_free(retention->directory);
    free(retention->cuts);
    retention->directory = NULL;
    retention->cuts = NULL;
}

/* The longest gap of sessions, and a day: what lies a gap before the retention may be part of a session within it. */
static int64_t spare_ms(const struct domain_set *domains)
{
    int64_t gap_ms = domains ? domains->session_gap_max_ms : 0;
    for (size_t i = 0; domains && i < domains->window_count; i++)
        if (domains->windows[i].kind == WINDOW_SESSION && domains->windows[i].gap_ms > gap_ms)
            gap_ms = domains->windows[i].gap_ms;
    return gap_ms + DAY_MS;
}

/* The rule at the place, which may be none (days 0). False: there are no more. */
static bool rule_at(const struct domain_set *domains, size_t place, struct rule *out)
{
    *out = (struct rule){ .of = RETENTION_OF_TENANTS };
    const size_t types = domains ? domains->event_type_count : 0, windows = domains ? domains->window_count : 0;
    if (place == 0)
        return true;
    if (place <= types) {
        const struct event_type *type = &domains->event_types[place - 1];
        *out = (struct rule){ RETENTION_OF_EVENT_TYPE, type->retention_days, type->name, type, NULL };
    } else if (place <= types + windows) {
        const struct window *window = &domains->windows[place - 1 - types];
        *out = (struct rule){ RETENTION_OF_WINDOW, window->retention_days, window->name, NULL, window };
    }
    return place <= types + windows;
}

static bool is_for(const struct retention *retention, struct slice tenant)
{
    const struct rule *rule = &retention->rule;
    return rule->type ? event_type_find(retention->by, domain_set_of(retention->by, tenant), rule->name) == rule->type
                      : window_is_for(retention->by, rule->window, tenant);
}

/* How long the tenant's rows of the rule are kept; -1: for ever, or another rule sees to it. */
static int32_t days_of(const struct retention *retention, const struct tenant *tenant)
{
    const int32_t own = tenant->retention_days ? tenant->retention_days : retention->days;
    if (retention->rule.of == RETENTION_OF_TENANTS)
        return own;
    const bool shorter = own < 0 || retention->rule.days < own;
    return shorter && is_for(retention, slice_from(tenant->id)) ? retention->rule.days : -1;
}

/* From `table` on, the next one that the rule concerns. False: there is none. */
static bool go_to_table(struct retention *retention, size_t table)
{
    while (retention_table(table) && !retention_concerns(table, retention->rule.of))
        table++;
    retention->table = table;
    retention->from = 0;
    return retention_table(table) != NULL;
}

/* The tenants' cuts by the next rule that has some. False: no rule is left. */
static bool next_rule(struct retention *retention)
{
    const size_t tenants = directory_count(retention->directory);
    const int64_t now_ms = world_wall_ms(retention->world), spare = spare_ms(retention->by);
    retention->cut_count = 0;
    while (retention->cut_count == 0 && rule_at(retention->by, retention->next_rule++, &retention->rule)) {
        if (retention->rule.of != RETENTION_OF_TENANTS && retention->rule.days == 0)
            continue;
        for (size_t i = 0; i < tenants; i++) {
            const struct tenant *tenant = directory_at(retention->directory, i);
            const int64_t before_ms = retention_cutoff_ms(now_ms, days_of(retention, tenant), spare);
            if (before_ms != INT64_MIN)
                retention->cuts[retention->cut_count++] = (struct retention_cut){ slice_from(tenant->id), before_ms };
        }
    }
    return retention->cut_count > 0 && go_to_table(retention, 0);
}

static enum status begin_pass(struct retention *retention, struct error *err)
{
    struct catalog *catalog = retention->catalog;
    enum status s = catalog->backend->directory(catalog, &retention->directory, err);
    if (s != OK)
        return s;
    const size_t tenants = directory_count(retention->directory);
    retention->cuts = calloc(tenants ? tenants : 1, sizeof *retention->cuts);
    if (!retention->cuts)
        abort();
    retention->by = atomic_load(&retention->domains);
    retention->next_rule = 0;
    retention->removed = 0;
    retention->began_us = world_mono_us(retention->world);
    return OK;
}

/* Then the pass is no longer what the domains say: it begins anew with the next step. */
static bool have_changed(const struct retention *retention)
{
    return retention->by != atomic_load(&retention->domains);
}

static enum status ask(struct retention *retention, uint32_t wait_ms, struct error *err)
{
    if (retention->sql.full)
        return error_set(err, ERR_INVALID, "the question to the engine is longer than %u KiB", SQL_BYTES_MAX >> 10);
    return store_asker_ask(retention->asker, buf_slice(&retention->sql), SETTINGS, wait_ms, &retention->answer, err);
}

static void where(struct retention *retention)
{
    const size_t left = retention->cut_count - retention->from;
    retention_add_where(&retention->sql, retention->table, retention->rule.of, retention->rule.name,
                        retention->cuts + retention->from, left < RETENTION_TENANTS_MAX ? left : RETENTION_TENANTS_MAX);
}

/* One table, for one lot of tenants. */
static enum status cut_table(struct retention *retention, struct error *err)
{
    const char *table = retention_table(retention->table);
    const int64_t began_us = world_mono_us(retention->world);
    uint64_t rows = 0;
    buf_reset(&retention->sql);
    buf_add_format(&retention->sql, "SELECT count() FROM weir.%s", table);
    where(retention);
    buf_add_text(&retention->sql, " FORMAT TabSeparated");
    enum status s = ask(retention, COUNT_WAIT_MS, err);
    if (s == OK && !slice_to_u64(slice_trim(buf_slice(&retention->answer)), &rows))
        s = error_set(err, ERR_CORRUPT, "the engine's count is not a number");
    if (s != OK || rows == 0 || have_changed(retention)) /* who keeps them for longer now has said so in time */
        return s;
    buf_reset(&retention->sql);
    buf_add_format(&retention->sql, "ALTER TABLE weir.%s DELETE", table);
    where(retention);
    buf_add_text(&retention->sql, " SETTINGS mutations_sync = 1");
    s = ask(retention, DELETE_WAIT_MS, err);
    if (s != OK)
        return s;
    counter_add(retention->rows, rows);
    retention->removed += rows;
    log_info("retention.removed", "table=%s of=%.*s rows=%llu took_ms=%lld", table,
             SLICE_ARG(retention->rule.name.n ? retention->rule.name : SLICE("tenants")), (unsigned long long)rows,
             (long long)((world_mono_us(retention->world) - began_us) / 1000));
    return OK;
}

/* True: there is more to do. */
static bool next_place(struct retention *retention)
{
    retention->from += RETENTION_TENANTS_MAX;
    if (retention->from < retention->cut_count)
        return true;
    return go_to_table(retention, retention->table + 1) || next_rule(retention);
}

static void finish_pass(struct retention *retention)
{
    const int64_t now_us = world_mono_us(retention->world);
    gauge_set(retention->finished, (double)world_wall_ms(retention->world) / 1000);
    gauge_set(retention->took, (double)(now_us - retention->began_us) / 1e6);
    if (retention->removed)
        log_info("retention.done", "rows=%llu tenants=%zu", (unsigned long long)retention->removed,
                 directory_count(retention->directory));
    retention->next_us = now_us + retention->every_ms * 1000;
    end_pass(retention);
}

static enum status take_step(struct retention *retention, struct error *err)
{
    if (retention->directory && have_changed(retention))
        end_pass(retention);
    if (!retention->directory) {
        enum status s = begin_pass(retention, err);
        if (s != OK)
            return s;
        if (!next_rule(retention)) {
            finish_pass(retention);
            return OK;
        }
    }
    enum status s = cut_table(retention, err);
    if (s == OK && !have_changed(retention) && !next_place(retention))
        finish_pass(retention);
    return s;
}

/* What is deleted by a clock that jumped is gone: it waits for an hour, in which somebody can set it right. */
static bool clock_can_be_trusted(struct retention *retention, int64_t now_us, int64_t wall_us)
{
    const int64_t jump_us = (wall_us - retention->last_wall_us) - (now_us - retention->last_mono_us);
    const bool jumped = retention->last_wall_us && (jump_us > JUMP_US || jump_us < -JUMP_US);
    retention->last_mono_us = now_us;
    retention->last_wall_us = wall_us;
    if (!jumped)
        return true;
    log_warn("retention.clock_jumped", "by_s=%lld: nothing is removed for an hour", (long long)(jump_us / 1000000));
    end_pass(retention);
    retention->next_us = now_us + JUMP_PAUSE_US;
    return false;
}

static bool retention_step(void *self, struct world *world, int64_t *wake_us)
{
    struct retention *retention = self;
    struct error err = { 0 };
    if (store_asker_is_stopped(retention->asker))
        return false;
    if (!clock_can_be_trusted(retention, world_mono_us(world), world_wall_us(world)) ||
        world_mono_us(world) < retention->next_us) {
        *wake_us = retention->next_us;
        return false;
    }
    if (take_step(retention, &err) == OK) {
        retry_reset(&retention->retry);
        return true;
    }
    if (store_asker_is_stopped(retention->asker))
        return false;
    counter_add(retention->failures, 1);
    log_warn("retention.failed", "error=\"%s\"", err.text);
    *wake_us = retention->next_us = retry_next_us(&retention->retry, world);
    return false;
}

struct role retention_role(struct retention *retention)
{
    return (struct role){ "retention", retention, retention_step, retention->bell, 0 };
}

void retention_use(struct retention *retention, const struct domain_set *domains)
{
    atomic_store(&retention->domains, domains);
}

void retention_stop(struct retention *retention)
{
    store_asker_stop(retention->asker);
    bell_ring(retention->bell);
}

void retention_free(struct retention *retention)
{
    if (!retention)
        return;
    end_pass(retention);
    store_asker_free(retention->asker);
    bell_free(retention->bell);
    buf_done(&retention->sql);
    buf_done(&retention->answer);
    free(retention);
}
