/* All ids of the batch are hashed first, then looked up in one call that fetches ahead (dedup.c). The tenant's name is
 * hashed into a seed for the id's hash: chained, so that no text needs to be put together, and "a"+"bc" is not
 * "ab"+"c". Runs of one tenant, the usual case in a request, hash the name once. */
#include "process/stage_dedup.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static struct id128 hash_id(uint64_t tenant_seed, struct slice event_id)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(event_id.p, event_id.n, tenant_seed);
    struct id128 id = { hash.low64, hash.high64 };
    if (id_is_empty(id))
        id.lo = 1;
    return id;
}

enum status stage_dedup_run(void *self, struct process_batch *batch, struct error *err)
{
    struct stage_dedup *stage = self;
    struct slice tenant = { 0 };
    uint64_t tenant_seed = 0;
    for (size_t n = 0; n < batch->live_count; n++) {
        const struct event *event = &batch->events[batch->live[n]];
        if (n == 0 || !slice_equal(tenant, event->customer_id)) {
            tenant = event->customer_id;
            tenant_seed = XXH3_64bits_withSeed(tenant.p, tenant.n, stage->seed);
        }
        stage->ids[n] = hash_id(tenant_seed, event->event_id);
    }
    enum status s = dedup_check(stage->dedup, stage->ids, batch->live_count, stage->known, err);
    if (s != OK)
        return s;
    for (size_t n = 0; n < batch->live_count; n++)
        if (stage->known[n])
            batch->verdicts[batch->live[n]] = PROCESS_DUPLICATE;
    return OK;
}
