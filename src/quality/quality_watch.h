/* Once an hour, some minutes after it ended, it asks the engine which tenants' event types missed a target of
 * data_quality in it, writes one line for each such tenant (quality.target_missed), and keeps
 * data_quality_below_target{customer_id,ratio} for alerts: the event types below the target in the last hour. The first
 * look is at the start, so a start tells the last hour again.
 *
 * One role; a step waits for the engine. Bounds: QUALITY_LINES_MAX lines an hour, QUALITY_TENANTS_MAX tenants with
 * series of their own, further ones together under customer_id="". */
#pragma once
#include "base/compiler.h"
#include "base/role.h"
#include "config/domain.h"
#include "config/settings.h"
#include "store/store_http.h"

#define QUALITY_LINES_MAX 100
#define QUALITY_TENANTS_MAX 200

struct metrics;
struct quality_watch;
struct world;

struct quality_watch_options {
    const struct settings *settings;  /* outlives it */
    const struct domain_set *domains; /* NULL: none; outlives it, as those of quality_watch_use */
    struct store_http_options engine; /* as the writer; copied */
};

/* Aborts when out of memory (start-up only). */
struct quality_watch *quality_watch_new(const struct quality_watch_options *options, struct metrics *metrics,
                                        struct world *world);
struct role quality_watch_role(struct quality_watch *watch);
/* The domains have changed. Any thread. */
void quality_watch_use(struct quality_watch *watch, const struct domain_set *domains);
/* The question under way is given up, and no further one is asked. Any thread. */
void quality_watch_stop(struct quality_watch *watch);
void quality_watch_free(struct quality_watch *watch); /* after its role ended; NULL is fine */

/* The hour that may be judged at a time: it ended some minutes ago, so that what came in its last seconds is in the
 * tables. */
int64_t quality_watch_hour_ms(int64_t now_ms);
/* The engine's answer: counts a tenant's event types below each target, and writes the line of text about it. False: it
 * is not such a line. Pure; for tests. */
struct quality_missed {
    struct slice customer_id;
    uint64_t types[QUALITY_RATIOS];
};
MUST_CHECK bool quality_missed_parse(struct slice line, struct quality_missed *out, struct buf *text);
