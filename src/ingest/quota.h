/* Token buckets, one per tenant, shared by all ingestion loops: how many events a tenant may still send.
 *
 * A bucket holds one minute's worth and refills continuously. A request takes all its events or none (clients send a
 * refused batch again whole). A request larger than the whole bucket is taken when the bucket is full and leaves a
 * debt, else it could never be sent. Decision 0031. Threads: any (one atomic step per request, no lock). Bounds: one
 * bucket per tenant that ever sent, kept until the table goes. */
#pragma once
#include "base/compiler.h"
#include "base/slice.h"

#define QUOTA_UNLIMITED UINT64_MAX

struct quota_table;
struct quota;

struct quota_answer {
    bool taken;
    bool warn;              /* the first time within a minute that 80 % are used or a request is refused */
    uint32_t used_percent;  /* of the bucket, after this request */
    uint32_t retry_after_s; /* when refused: seconds until the same request can succeed, at least 1 */
};

struct quota_table *quota_table_new(void); /* aborts when out of memory (start-up only) */
void quota_table_free(struct quota_table *table);
/* The tenant's bucket, full when new; lives as long as the table. NULL: out of memory. */
struct quota *quota_of(struct quota_table *table, struct slice tenant_id);
/* The same, but NULL when the tenant has none yet. */
struct quota *quota_find(struct quota_table *table, struct slice tenant_id);
/* Events taken in the minute that now_us lies in (minutes of the monotonic clock). */
uint64_t quota_used(const struct quota *quota, int64_t now_us);
/* now_us: monotonic. per_minute: the bucket's size, may change between calls; 0 lets nothing through. */
struct quota_answer quota_take(struct quota *quota, uint64_t events, uint64_t per_minute, int64_t now_us);
/* Gives back what a request took that could not be kept. */
void quota_refund(struct quota *quota, uint64_t events, uint64_t per_minute);
