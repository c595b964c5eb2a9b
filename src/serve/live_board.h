/* What the live feed shows: per tenant, totals since this process started, by event type and dead letters by reason,
 * and the newest events while somebody listens and BOARD_LINGER_MS after. Filled from the processing tasks' messages.
 * Owner: the API's loop; one thread. Bounds: tenants_max, BOARD_TYPES_MAX types a tenant (further ones count in the
 * totals and under "…"), BOARD_REASONS_MAX reasons (the last one is "…"), RING_EVENTS_MAX events. Times come in from
 * outside: mono_ms is the monotonic clock, wall_ms the time of day. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/slice.h"
#include "serve/live_ring.h"

struct live_board;
struct live_entry;

#define BOARD_TYPES_MAX 200
#define BOARD_REASONS_MAX 16
#define BOARD_LINGER_MS 60000 /* a listener that is cut off finds what it missed when it is back within this */

struct board_reason {
    char name[48];
    uint64_t count;
};

struct live_board *board_new(size_t tenants_max, int64_t wall_ms); /* NULL: out of memory */
void board_free(struct live_board *board);

/* The tenant's entry, made when missing; NULL when there are tenants_max already. Lives as long as the board. */
struct live_entry *board_entry(struct live_board *board, struct slice tenant_id);
void board_count(struct live_entry *entry, struct slice event_type, uint64_t accepted, uint64_t duplicates,
                 uint64_t dead);
void board_dead(struct live_entry *entry, struct slice reason, uint64_t count);
void board_event(struct live_entry *entry, const struct ring_event *event); /* kept only while somebody listens */
/* How the tenant's last batch went: age of what waits, and accepted → durable result. */
void board_timing(struct live_entry *entry, int64_t at_ms, int64_t lag_ms, uint64_t lag_records, int64_t latency_us);

void board_listen(struct live_board *board, struct live_entry *entry); /* one more: events are kept from now on */
void board_unlisten(struct live_entry *entry, int64_t mono_ms);        /* the last one: kept for BOARD_LINGER_MS more */
/* The entries that somebody listens to; entry NULL: the first. NULL: there are no more. */
struct live_entry *board_next_listened(const struct live_board *board, const struct live_entry *entry);
/* Forgets the events that nobody came back for; returns when to call again, INT64_MAX: never. */
int64_t board_expire(struct live_board *board, int64_t mono_ms);

uint64_t board_version(const struct live_entry *entry); /* grows with every change */
struct slice board_tenant(const struct live_entry *entry);
size_t board_reasons(const struct live_entry *entry, const struct board_reason **out);
/* Events up to `seq` were just shown to a listener: how long that took counts, once for each event. */
void board_shown(struct live_entry *entry, uint64_t seq, int64_t wall_ms);
/* How long events took until they were shown, over the last minute; false: none was shown. */
bool board_latency(const struct live_entry *entry, int64_t wall_ms, const double *quantiles, size_t count,
                   int64_t *out);
/* What stands in each message besides (pulse.c): JSON members without their braces, copied. Counts as a change when it
 * differs from before. */
void board_set_pulse(struct live_entry *entry, struct slice members, int64_t mono_ms);
struct slice board_pulse(const struct live_entry *entry);
int64_t board_pulse_at_ms(const struct live_entry *entry); /* when it was set; INT64_MIN: never */

/* Where a reader stands that has seen everything up to `seq`: "SINCE-SEQ", for Last-Event-ID. */
void board_write_id(const struct live_board *board, uint64_t seq, struct buf *out);
/* The event number in such an id; 0 (nothing was seen) when it is of an earlier process or is none. */
uint64_t board_read_id(const struct live_board *board, const struct live_entry *entry, struct slice id);
/* One JSON object: totals, types, timing, the pulse, and the events behind *io_event_seq (moved on), of those the
 * newest with about events_bytes_max together. entry may be NULL: zeros. */
void board_write(const struct live_board *board, const struct live_entry *entry, struct slice tenant_id,
                 struct slice pulse, size_t events_bytes_max, uint64_t *io_event_seq, struct buf *out);
