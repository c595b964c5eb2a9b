/* A delivery: moves one sink's results from the journal to its target, as one role. The configuration names sinks; each
 * has a delivery for every order of the journal.
 *
 * While the target is away the journal waits for it, up to hold_bytes; then the oldest results are passed over, counted
 * and told, so that a foreign system does not end the acceptance of events. Bounds: one batch (batch.h).
 * Threads: the role's; any for what says so, delivery_drain, delivery_is_drained and delivery_look. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/role.h"
#include "deliver/selection.h"
#include "deliver/target.h"
#include "journal/lost_mark.h"

#define SINK_NAME_MAX 32

struct delivery;
struct journal;
struct metrics;

struct delivery_options {
    const char *sink; /* its name */
    struct selection selection;
    const struct target_backend *backend;
    struct target_options target;
    uint16_t partition;       /* or JOURNAL_ALL_PARTITIONS, as target.order says */
    bool untried;             /* the target is not asked at open, but by the role: another delivery of the sink was */
    bool had_mark;            /* so there must be one: see lost_mark.h */
    enum lost_mark lost_mark; /* what to do when there is none and the target does not know, either */
    bool from_end;            /* a new sink begins with what comes from now on; else with the oldest that is kept */
    uint32_t linger_ms;       /* how long a result waits for company; 100 */
    /* Most journal that is kept for a target that is away; 0: as much as the journal can. Where the journal has one
     * order alone. */
    uint64_t hold_bytes;
    const char *not_behind;  /* a full journal is held back no more than this group of readers does; NULL: it may be */
    size_t record_bytes_max; /* larger results are left out and counted */
    uint32_t retry_first_ms, retry_most_ms; /* pauses after a failure; 100, 5000 */
};

void delivery_options_default(struct delivery_options *out);

/* Borrows the texts, the journal and the metrics until delivery_close. Tries the target, for some seconds: what cannot
 * work as it is configured is refused (ERR_INVALID, ERR_NOT_FOUND, ERR_IO); a target that is away is waited for by the
 * role. */
MUST_CHECK enum status delivery_open(const struct delivery_options *options, struct journal *journal,
                                     struct metrics *metrics, struct world *world, struct delivery **out,
                                     struct error *err);
struct role delivery_role(struct delivery *delivery);
/* Brings sink_up and sink_lag_seconds up to date; the role does so itself as long as the target does not hold it up. */
void delivery_look(struct delivery *delivery);
/* From now on nothing waits for company; drained once all that was durable is delivered. To stop: drain, wait for
 * delivery_is_drained as long as you like, delivery_cancel, role_stop, the journal's drain and role_stop,
 * delivery_close. Stopping without any of this loses nothing. */
void delivery_drain(struct delivery *delivery);
bool delivery_is_drained(struct delivery *delivery);
bool delivery_has_mark(struct delivery *delivery); /* any thread: the journal has it */
/* Event types have changed: where values are Avro, all that is written from the next batch on goes by these. They must
 * stay until delivery_has_newest_schemas, and as long as no newer ones are in use. Both from any thread. */
void delivery_use_schemas(struct delivery *delivery, const struct target_schemas *schemas);
bool delivery_has_newest_schemas(const struct delivery *delivery);
void delivery_cancel(struct delivery *delivery); /* what waits for the target ends soon */
void delivery_close(struct delivery *delivery);  /* NULL is fine */
