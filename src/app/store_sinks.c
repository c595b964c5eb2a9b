/* Gauges of all sinks together have one writer, here: with several orders a sink that is through would say 0 beside one
 * that hangs, and one that hangs within an insert says nothing. */
#include "app/store_sinks.h"

#include <stdlib.h>
#include <unistd.h>

#include "app/engine.h"
#include "app/live_tap.h"
#include "app/parts.h"
#include "base/log.h"
#include "base/metrics.h"
#include "journal/journal.h"
#include "store/sink.h"
#include "world/world.h"

#define DRAIN_WAIT_US 3000000
#define DRAIN_LOOK_US 2000
#define RESTART_PAUSE_US 1000000
#define LATER_NICE 5 /* storing has the journal in front of it: a client's request goes first */

struct store_sinks {
    struct store_sinks_options options;
    struct journal *journal;
    struct metrics *metrics;
    struct world *world;
    struct gauge *lag_s, *pending;
    bool all_marked;        /* every sink has its mark, and it is noted */
    int64_t not_before_us;  /* after a failure */
    uint16_t orders, count; /* of the journal; of those that run */
    struct lane {
        struct store *store;
        struct sink *sink;
        struct live_tap *tap;
        struct role_thread *thread;
    } lanes[];
};

struct store_sinks *store_sinks_new(const struct store_sinks_options *options, struct journal *journal,
                                    struct metrics *metrics, struct world *world)
{
    struct store_sinks *sinks = calloc(1, sizeof *sinks + journal->orders * sizeof sinks->lanes[0]);
    if (!sinks)
        abort();
    sinks->options = *options;
    sinks->journal = journal;
    sinks->orders = journal->orders;
    sinks->metrics = metrics;
    sinks->world = world;
    sinks->lag_s = metrics_gauge(metrics, "store_lag_seconds", "Age of the oldest record that is not stored.", "");
    sinks->pending =
        metrics_gauge(metrics, "store_pending_rows", "Rows in the hands of the store's sinks, not stored yet.", "");
    return sinks;
}

/* ---- starting ---- */

static enum status open_store(const struct store_sinks *sinks, struct store **out, struct error *err)
{
    struct olap_user writer;
    engine_writer(sinks->options.engine, &writer);
    const struct store_options options = { .url = engine_url(sinks->options.engine),
                                           .database = "weir",
                                           .user = writer.name,
                                           .password = writer.password,
                                           .tls_ca = sinks->options.settings->engine_tls_ca,
                                           .connect_wait_ms = 2000,
                                           .insert_wait_ms = 60000 };
    return store_clickhouse.open(&options, sinks->world, out, err);
}

static enum status start_one(struct store_sinks *sinks, struct error *err)
{
    struct sink_options options;
    struct lane *lane = &sinks->lanes[sinks->count];
    parts_sink_options(sinks->options.settings, &options);
    options.had_mark = marked_has(sinks->options.marked, SINK_GROUP);
    if (sinks->orders > 1)
        options.partition = sinks->count;
    if (sinks->options.live) {
        if (!lane->tap)
            lane->tap = live_tap_new(sinks->options.live, sinks->count, sinks->world);
        options.seen = live_tap_seen;
        options.seen_self = lane->tap;
    }
    enum status s = lane->store ? OK : open_store(sinks, &lane->store, err);
    if (s == OK)
        s = sink_open(&options, sinks->journal, lane->store, sinks->metrics, sinks->world, &lane->sink, err);
    if (s != OK)
        return error_wrap(err, s, "start the store's sink");
    struct role role = sink_role(lane->sink);
    role.nice = LATER_NICE;
    s = role_start(&role, sinks->world, &lane->thread, err);
    sinks->count++;
    return s;
}

bool store_sinks_run(const struct store_sinks *sinks)
{
    return sinks->count == sinks->orders;
}

enum status store_sinks_start(struct store_sinks *sinks, struct error *err)
{
    enum status s = OK;
    const int64_t now_us = world_mono_us(sinks->world);
    if (!engine_is_ready(sinks->options.engine) || now_us < sinks->not_before_us)
        return OK;
    while (s == OK && !store_sinks_run(sinks))
        s = start_one(sinks, err);
    if (s != ERR_RETRY)
        return s;
    log_warn("store.start_waits", "%s", err->text);
    sinks->not_before_us = now_us + RESTART_PAUSE_US;
    return OK;
}

/* ---- looking ---- */

static void look_at_marks(struct store_sinks *sinks)
{
    struct error err;
    for (uint16_t i = 0; i < sinks->count; i++)
        if (!sink_has_mark(sinks->lanes[i].sink))
            return;
    sinks->all_marked = true;
    if (marked_add(sinks->options.marked, SINK_GROUP, &err) != OK)
        log_warn("store.mark_not_noted", "%s", err.text);
}

int64_t store_sinks_look(struct store_sinks *sinks)
{
    int64_t worst_us = 0;
    uint64_t rows = 0;
    const int64_t wall_us = world_wall_us(sinks->world);
    if (store_sinks_run(sinks) && !sinks->all_marked)
        look_at_marks(sinks);
    for (uint16_t i = 0; i < sinks->count; i++) {
        const int64_t lag_us = sink_lag_us(sinks->lanes[i].sink, wall_us);
        worst_us = lag_us > worst_us ? lag_us : worst_us;
        rows += sink_pending_rows(sinks->lanes[i].sink);
    }
    gauge_set(sinks->lag_s, (double)worst_us / 1e6);
    gauge_set(sinks->pending, (double)rows);
    return worst_us;
}

/* ---- stopping ---- */

void store_sinks_stop(struct store_sinks *sinks)
{
    for (uint16_t i = 0; i < sinks->count; i++)
        sink_drain(sinks->lanes[i].sink);
    const int64_t end_us = world_mono_us(sinks->world) + DRAIN_WAIT_US;
    for (uint16_t i = 0; i < sinks->count; i++) {
        struct lane *lane = &sinks->lanes[i];
        while (!sink_is_drained(lane->sink) && world_mono_us(sinks->world) < end_us)
            usleep(DRAIN_LOOK_US);
        lane->store->backend->cancel(lane->store);
        role_stop(lane->thread);
    }
}

void store_sinks_close(struct store_sinks *sinks)
{
    for (uint16_t i = 0; i < sinks->count; i++)
        sink_close(sinks->lanes[i].sink);
    sinks->count = 0;
}

void store_sinks_free(struct store_sinks *sinks)
{
    if (!sinks)
        return;
    for (uint16_t i = 0; i < sinks->orders; i++) {
        live_tap_free(sinks->lanes[i].tap);
        store_close(sinks->lanes[i].store);
    }
    free(sinks);
}
