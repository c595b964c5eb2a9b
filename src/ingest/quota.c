/* A bucket is one number: the time at which it will be full again (the "theoretical arrival time" of GCRA). Taking n
 * events moves that time by n × 60 s / quota; the request passes while it stays within 60 s from now. One
 * compare-and-swap replaces count, time and lock, refill needs no timer, and a changed quota applies at once.
 *
 * For the warning and for screens the events of the current minute are counted too: a tenant that steadily sends 85 %
 * of its quota never empties its bucket, yet should hear about it. */
#include "ingest/quota.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <xxhash.h>

#define MINUTE_NS INT64_C(60000000000)
#define TABLE_SLOTS 4096
#define WARN_PERCENT 80
/* Upper bits: the minute; lower 40: events within it. */
#define WINDOW_COUNT_BITS 40
#define WINDOW_COUNT_MASK ((UINT64_C(1) << WINDOW_COUNT_BITS) - 1)

struct quota {
    struct quota *next;
    _Atomic int64_t full_at_ns;
    _Atomic uint64_t window;
    _Atomic int64_t warn_again_ns;
    size_t id_bytes;
    char id[];
};

struct quota_table {
    _Atomic(struct quota *) slots[TABLE_SLOTS];
};

struct quota_table *quota_table_new(void)
{
    struct quota_table *table = calloc(1, sizeof *table);
    if (!table)
        abort();
    return table;
}

void quota_table_free(struct quota_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < TABLE_SLOTS; i++) {
        struct quota *quota = atomic_load(&table->slots[i]);
        while (quota) {
            struct quota *next = quota->next;
            free(quota);
            quota = next;
        }
    }
    free(table);
}

static struct quota *chain_find(struct quota *quota, struct slice id)
{
    while (quota && !slice_equal(slice_of(quota->id, quota->id_bytes), id))
        quota = quota->next;
    return quota;
}

struct quota *quota_of(struct quota_table *table, struct slice tenant_id)
{
    _Atomic(struct quota *) *slot = &table->slots[XXH3_64bits(tenant_id.p, tenant_id.n) % TABLE_SLOTS];
    struct quota *head = atomic_load(slot);
    struct quota *found = chain_find(head, tenant_id);
    if (found)
        return found;
    struct quota *quota = calloc(1, sizeof *quota + tenant_id.n);
    if (!quota)
        return NULL;
    quota->id_bytes = tenant_id.n;
    memcpy(quota->id, tenant_id.p, tenant_id.n);
    quota->warn_again_ns = INT64_MIN;
    quota->full_at_ns = INT64_MIN;
    do {
        /* Another loop may have added the same tenant meanwhile. */
        found = chain_find(head, tenant_id);
        if (found) {
            free(quota);
            return found;
        }
        quota->next = head;
    } while (!atomic_compare_exchange_weak(slot, &head, quota));
    return quota;
}

struct quota *quota_find(struct quota_table *table, struct slice tenant_id)
{
    return chain_find(atomic_load(&table->slots[XXH3_64bits(tenant_id.p, tenant_id.n) % TABLE_SLOTS]), tenant_id);
}

static int64_t cost_ns(uint64_t events, uint64_t per_minute)
{
    __extension__ unsigned __int128 ns = (unsigned __int128)events * (uint64_t)MINUTE_NS / per_minute;
    const int64_t ns_max = INT64_MAX / 8;
    return ns > (uint64_t)ns_max ? ns_max : (int64_t)ns;
}

static uint64_t minute_of(int64_t now_ns)
{
    return (uint64_t)(now_ns / MINUTE_NS) & (UINT64_MAX >> WINDOW_COUNT_BITS);
}

uint64_t quota_used(const struct quota *quota, int64_t now_us)
{
    uint64_t window = atomic_load_explicit(&quota->window, memory_order_relaxed);
    return window >> WINDOW_COUNT_BITS == minute_of(now_us * 1000) ? window & WINDOW_COUNT_MASK : 0;
}

/* Adds to the count of this minute; returns the count after. */
static uint64_t window_add(struct quota *quota, uint64_t events, int64_t now_ns)
{
    uint64_t minute = minute_of(now_ns);
    uint64_t before = atomic_load_explicit(&quota->window, memory_order_relaxed), count;
    do {
        count = before >> WINDOW_COUNT_BITS == minute ? before & WINDOW_COUNT_MASK : 0;
        count = events > WINDOW_COUNT_MASK - count ? WINDOW_COUNT_MASK : count + events;
    } while (!atomic_compare_exchange_weak_explicit(&quota->window, &before, minute << WINDOW_COUNT_BITS | count,
                                                    memory_order_relaxed, memory_order_relaxed));
    return count;
}

static bool warn_due(struct quota *quota, int64_t now_ns)
{
    int64_t again = atomic_load_explicit(&quota->warn_again_ns, memory_order_relaxed);
    return now_ns >= again && atomic_compare_exchange_strong(&quota->warn_again_ns, &again, now_ns + MINUTE_NS);
}

static uint32_t seconds_up(int64_t ns)
{
    int64_t s = (ns + 999999999) / 1000000000;
    return s < 1 ? 1 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

struct quota_answer quota_take(struct quota *quota, uint64_t events, uint64_t per_minute, int64_t now_us)
{
    if (per_minute == QUOTA_UNLIMITED) {
        window_add(quota, events, now_us * 1000);
        return (struct quota_answer){ .taken = true };
    }
    if (per_minute == 0)
        return (struct quota_answer){ .used_percent = 100, .retry_after_s = 60 };
    int64_t now_ns = now_us * 1000, cost = cost_ns(events, per_minute);
    int64_t before = atomic_load_explicit(&quota->full_at_ns, memory_order_relaxed), after;
    do {
        int64_t start = before > now_ns ? before : now_ns;
        after = start + cost;
        if (after - now_ns > MINUTE_NS && start > now_ns) {
            int64_t wait_ns = cost > MINUTE_NS ? start - now_ns : after - now_ns - MINUTE_NS;
            return (struct quota_answer){ .warn = warn_due(quota, now_ns),
                                          .used_percent = (uint32_t)((start - now_ns) * 100 / MINUTE_NS),
                                          .retry_after_s = seconds_up(wait_ns) };
        }
    } while (!atomic_compare_exchange_weak(&quota->full_at_ns, &before, after));
    uint64_t in_minute = window_add(quota, events, now_ns);
    int64_t window_percent = cost_ns(in_minute, per_minute) / (MINUTE_NS / 100);
    int64_t percent = (after - now_ns) / (MINUTE_NS / 100);
    if (window_percent > percent)
        percent = window_percent;
    return (struct quota_answer){ .taken = true,
                                  .warn = percent >= WARN_PERCENT && warn_due(quota, now_ns),
                                  .used_percent = percent > UINT32_MAX ? UINT32_MAX : (uint32_t)percent };
}

void quota_refund(struct quota *quota, uint64_t events, uint64_t per_minute)
{
    if (per_minute != QUOTA_UNLIMITED && per_minute != 0)
        atomic_fetch_sub(&quota->full_at_ns, cost_ns(events, per_minute));
    uint64_t before = atomic_load_explicit(&quota->window, memory_order_relaxed), less;
    do {
        uint64_t count = before & WINDOW_COUNT_MASK; /* a new minute may have begun: then there is less to take back */
        less = before - (events < count ? events : count);
    } while (!atomic_compare_exchange_weak_explicit(&quota->window, &before, less, memory_order_relaxed,
                                                    memory_order_relaxed));
}
