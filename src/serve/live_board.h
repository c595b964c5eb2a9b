/* What the live feed shows: per tenant, totals since this process started, by event type, and the newest events while
 * somebody listens. Filled from the processing tasks' messages. Owner: the API's loop; one thread. Bounds: tenants_max,
 * BOARD_TYPES_MAX types a tenant (further ones count in the totals and under "…"), BOARD_EVENTS_MAX events. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/slice.h"

struct live_board;
struct live_entry;

#define BOARD_TYPES_MAX 200
#define BOARD_EVENTS_MAX 32
#define BOARD_EVENT_BYTES_MAX 4096 /* of one event as JSON; longer ones are left out */

struct board_event {
    struct slice visitor_id, event_id, event_type, event_name, properties; /* properties: JSON text */
    int64_t timestamp_ms, received_ms;
};

struct live_board *board_new(size_t tenants_max, int64_t now_ms); /* NULL: out of memory */
void board_free(struct live_board *board);

/* The tenant's entry, made when missing; NULL when there are tenants_max already. Lives as long as the board. */
struct live_entry *board_entry(struct live_board *board, struct slice tenant_id);
void board_count(struct live_entry *entry, struct slice event_type, uint64_t accepted, uint64_t duplicates,
                 uint64_t dead);
void board_event(struct live_entry *entry, const struct board_event *event); /* kept only while somebody listens */
/* How the tenant's last batch went: age of what waits, and accepted → durable result. */
void board_timing(struct live_entry *entry, int64_t at_ms, int64_t lag_ms, uint64_t lag_records, int64_t latency_us);

void board_listen(struct live_entry *entry);   /* one more listener: events are kept from now on */
void board_unlisten(struct live_entry *entry); /* the last one: they are forgotten */

uint64_t board_version(const struct live_entry *entry); /* grows with every change */
/* One JSON object: totals, types, timing, and the events behind *io_event_seq (moved on). entry may be NULL: zeros. */
void board_write(const struct live_board *board, const struct live_entry *entry, struct slice tenant_id,
                 uint64_t *io_event_seq, struct buf *out);
