/* Several loops on one port, by SO_REUSEPORT: the kernel spreads the connections. Loops share nothing that is written
 * per event but the quota buckets (atomics) and the metrics. */
#include "ingest/ingest.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "ingest/loop.h"
#include "ingest/quota.h"
#include "ingest/salt.h"
#include "world/disk.h"
#include "world/world.h"

#define LOOPS_MAX 64

struct ingest {
    struct core_shared shared;
    struct loop *loops[LOOPS_MAX];
    uint32_t loop_count;
    bool stopped;
};

void ingest_options_init(struct ingest_options *options)
{
    *options = (struct ingest_options){
        .http = {
            .name = "ingest",
            .host = "0.0.0.0",
            .port = 8000,
            .port_option = "--ingest-port",
            .connections_max = 4096,
            .body_bytes_max = 16u << 20,
            .buffered_bytes_max = 256u << 20,
            .head_bytes_max = 16u << 10,
            .head_timeout_ms = 10000,
            .body_timeout_ms = 30000,
            .idle_timeout_ms = 75000,
            .answer_timeout_ms = 30000,
        },
        .loops = 1,
        .quota_standard_per_minute = 10000,
        .quota_enterprise_per_minute = 100000,
        .quota_processes = 1,
        .retention_days = 90,
        .unpacked_bytes_max = 16u << 20,
        .unpacked_ratio_max = 200,
        .in_flight_bytes_max = 64u << 20,
        .commits_in_flight_max = 32,
        .turn_bytes_max = 2u << 20,
        .verdicts_max = 100,
        .retry_after_s = 1,
        .drain_timeout_ms = 10000,
    };
}

static enum status open_salt(struct ingest *ingest, const char *data_path, struct error *err)
{
    char path[DISK_PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/ingest.salt", data_path ? data_path : "");
    if (n >= (int)sizeof path)
        return error_set(err, ERR_INVALID, "the data directory's path is longer than %d bytes", DISK_PATH_MAX);
    return salt_open(ingest->shared.world, data_path ? path : NULL, &ingest->shared.salt, err);
}

static enum status open_loops(struct ingest *ingest, const struct ingest_options *options, struct error *err)
{
    struct ingest_options own = *options;
    own.http.reuse_port = options->loops > 1;
    for (uint32_t i = 0; i < options->loops; i++) {
        enum status s = loop_new(&own, &ingest->shared, i, &ingest->loops[i], err);
        if (s != OK)
            return s;
        ingest->loop_count++;
        own.http.port = loop_port(ingest->loops[0]);
    }
    return OK;
}

enum status ingest_new(const struct ingest_options *options, struct journal *journal, struct catalog *catalog,
                       struct metrics *metrics, struct world *world, struct ingest **out, struct error *err)
{
    if (options->loops < 1 || options->loops > LOOPS_MAX)
        return error_set(err, ERR_INVALID, "ingestion wants %u threads: use 1 to %d", options->loops, LOOPS_MAX);
    struct ingest *ingest = calloc(1, sizeof *ingest);
    if (!ingest)
        return error_set(err, ERR_FULL, "start ingestion: out of memory");
    ingest->shared = (struct core_shared){
        .journal = journal, .catalog = catalog, .metrics = metrics, .quotas = quota_table_new(), .world = world
    };
    enum status s = open_salt(ingest, options->data_path, err);
    if (s == OK)
        s = open_loops(ingest, options, err);
    if (s != OK) {
        ingest_free(ingest);
        return error_wrap(err, s, "start ingestion");
    }
    *out = ingest;
    return OK;
}

enum status ingest_start(struct ingest *ingest, struct error *err)
{
    for (uint32_t i = 0; i < ingest->loop_count; i++) {
        enum status s = loop_start(ingest->loops[i], err);
        if (s != OK)
            return s;
    }
    log_info("ingest.started", "port=%u loops=%u", ingest_port(ingest), ingest->loop_count);
    return OK;
}

uint16_t ingest_port(const struct ingest *ingest)
{
    return loop_port(ingest->loops[0]);
}

uint64_t ingest_quota_used(const struct ingest *ingest, struct slice tenant_id)
{
    const struct quota *quota = quota_find(ingest->shared.quotas, tenant_id);
    return quota ? quota_used(quota, world_mono_us(ingest->shared.world)) : 0;
}

void ingest_stop(struct ingest *ingest)
{
    if (ingest->stopped)
        return;
    ingest->stopped = true;
    for (uint32_t i = 0; i < ingest->loop_count; i++)
        loop_begin_stop(ingest->loops[i]);
    for (uint32_t i = 0; i < ingest->loop_count; i++)
        loop_finish_stop(ingest->loops[i]);
}

void ingest_free(struct ingest *ingest)
{
    if (!ingest)
        return;
    ingest_stop(ingest);
    for (uint32_t i = 0; i < ingest->loop_count; i++)
        loop_free(ingest->loops[i]);
    quota_table_free(ingest->shared.quotas);
    salt_close(ingest->shared.salt);
    free(ingest);
}
