/* Tenants are found by their id in a hash table of pointers; the last one is nearly always asked for again, and its
 * user keeps the pointer. */
#include "process/state/watermarks.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/domain.h"
#include "process/state/watermarks_inside.h"

#define SLOTS_MIN 64

static struct watermark **slot_of(const struct watermarks *watermarks, uint64_t hash, struct slice customer_id)
{
    size_t at = hash & (watermarks->slot_count - 1);
    while (watermarks->slots[at] && !slice_equal(watermarks->slots[at]->customer_id, customer_id))
        at = (at + 1) & (watermarks->slot_count - 1);
    return &watermarks->slots[at];
}

static bool grow(struct watermarks *watermarks)
{
    size_t slot_count = watermarks->slot_count ? 2 * watermarks->slot_count : SLOTS_MIN;
    struct watermark **slots = calloc(slot_count, sizeof *slots);
    struct watermark **all = realloc(watermarks->all, slot_count / 2 * sizeof *all);
    if (all)
        watermarks->all = all;
    if (!slots || !all) {
        free(slots);
        return false;
    }
    free(watermarks->slots);
    watermarks->slots = slots;
    watermarks->slot_count = slot_count;
    watermarks->capacity = slot_count / 2;
    for (size_t i = 0; i < watermarks->count; i++)
        *slot_of(watermarks, all[i]->hash, all[i]->customer_id) = all[i];
    return true;
}

struct watermark *watermarks_of(struct watermarks *watermarks, struct slice customer_id, struct slice placement)
{
    uint64_t hash = XXH3_64bits(customer_id.p, customer_id.n);
    struct watermark *watermark = watermarks->slot_count ? *slot_of(watermarks, hash, customer_id) : NULL;
    if (watermark)
        return watermark;
    if (watermarks->count == watermarks->capacity && !grow(watermarks))
        return NULL;
    watermark = malloc(sizeof *watermark + customer_id.n + placement.n);
    struct watermark_other *others = calloc(watermarks->options.partitions, sizeof *others);
    if (!watermark || !others) {
        free(watermark);
        free(others);
        return NULL;
    }
    for (uint16_t i = 0; i < watermarks->options.partitions; i++)
        others[i].value_ms = WATERMARK_NONE;
    char *text = (char *)(watermark + 1);
    if (customer_id.n)
        memcpy(text, customer_id.p, customer_id.n);
    if (placement.n)
        memcpy(text + customer_id.n, placement.p, placement.n);
    const struct watermarks_options *options = &watermarks->options;
    *watermark =
        (struct watermark){ .customer_id = slice_of(text, customer_id.n),
                            .disorder_ms = options->domains
                                               ? domain_set_of(options->domains, customer_id)->out_of_orderness_ms
                                               : options->disorder_ms,
                            .placement = slice_of(text + customer_id.n, placement.n),
                            .hash = hash,
                            .newest_ms = WATERMARK_NONE,
                            .value_ms = WATERMARK_NONE,
                            .complete_ms = WATERMARK_NONE,
                            .sent_ms = WATERMARK_NONE,
                            .others = others };
    *slot_of(watermarks, hash, customer_id) = watermark;
    watermarks->all[watermarks->count++] = watermark;
    return watermark;
}

static void changed(struct watermarks *watermarks, struct watermark *watermark)
{
    if (watermark->changed)
        return;
    watermark->changed = true;
    watermark->next_changed = watermarks->changed;
    watermarks->changed = watermark;
    watermarks->changed_count++;
}

void watermarks_event(struct watermarks *watermarks, struct watermark *watermark, int64_t time_ms, int64_t now_ms)
{
    const int64_t disorder_ms = watermark->disorder_ms;
    watermark->arrived_ms = now_ms;
    if (time_ms <= watermark->newest_ms)
        return;
    watermark->newest_ms = time_ms;
    watermark->live = now_ms - time_ms <= disorder_ms;
    changed(watermarks, watermark);
    if (time_ms > INT64_MIN + disorder_ms && time_ms - disorder_ms > watermark->value_ms)
        watermark->value_ms = time_ms - disorder_ms;
}

void watermarks_hear(struct watermarks *watermarks, struct watermark *watermark, uint16_t from, int64_t value_ms,
                     int64_t now_ms)
{
    assert(from < watermarks->options.partitions);
    struct watermark_other *other = &watermark->others[from];
    other->arrived_ms = now_ms;
    if (value_ms <= other->value_ms)
        return;
    other->value_ms = value_ms;
    changed(watermarks, watermark);
}

/* After a restart nobody has said anything yet: all get the time that they had before to do so. */
static bool spoke_since(int64_t *io_arrived_ms, int64_t since_ms, int64_t now_ms)
{
    if (*io_arrived_ms == 0)
        *io_arrived_ms = now_ms;
    return *io_arrived_ms >= since_ms;
}

/* The least of those who said something lately; if nobody did, the greatest, so that an idle tenant is not held back by
 * the partition that happened to be behind when it ceased. Who has never said anything has as long to do so: the first
 * events of a tenant come to several partitions at a time. */
int64_t watermarks_reached(struct watermarks *watermarks, struct watermark *watermark, int64_t now_ms)
{
    int64_t least_ms = INT64_MAX, greatest_ms = watermark->value_ms;
    const int64_t since_ms = now_ms - watermarks->options.idle_ms;
    if (watermark->value_ms != WATERMARK_NONE && spoke_since(&watermark->arrived_ms, since_ms, now_ms))
        least_ms = watermark->value_ms;
    for (uint16_t i = 0; watermarks->options.has_others && i < watermarks->options.partitions; i++) {
        struct watermark_other *other = &watermark->others[i];
        if (i == watermarks->options.partition)
            continue;
        if (other->value_ms > greatest_ms)
            greatest_ms = other->value_ms;
        if (spoke_since(&other->arrived_ms, since_ms, now_ms) && other->value_ms < least_ms)
            least_ms = other->value_ms; /* WATERMARK_NONE: nothing is complete yet */
    }
    return least_ms == INT64_MAX ? greatest_ms : least_ms;
}

void watermarks_complete(struct watermarks *watermarks, struct watermark *watermark, int64_t complete_ms)
{
    if (complete_ms <= watermark->complete_ms)
        return;
    watermark->complete_ms = complete_ms;
    changed(watermarks, watermark);
}

void watermarks_tick(struct watermarks *watermarks, int64_t now_ms,
                     int64_t (*due_ms)(void *self, const struct watermark *watermark), void *self)
{
    for (size_t i = 0; i < watermarks->count; i++) {
        struct watermark *watermark = watermarks->all[i];
        const int64_t clock_ms = now_ms - watermark->disorder_ms;
        if (!watermark->live || clock_ms <= watermark->value_ms || due_ms(self, watermark) > clock_ms ||
            spoke_since(&watermark->arrived_ms, clock_ms + 1, now_ms))
            continue;
        watermark->value_ms = clock_ms;
        changed(watermarks, watermark);
    }
}

int64_t watermarks_clock_ms(const struct watermarks *watermarks)
{
    return watermarks->clock_ms;
}

void watermarks_clock_set(struct watermarks *watermarks, int64_t clock_ms)
{
    watermarks->clock_ms = clock_ms;
    watermarks->clock_changed = true;
}

void watermarks_clock_used(struct watermarks *watermarks, int64_t clock_ms)
{
    if (clock_ms > watermarks->clock_ms)
        watermarks_clock_set(watermarks, clock_ms);
}

struct watermark *watermarks_changed(const struct watermarks *watermarks)
{
    return watermarks->changed;
}

struct watermark *watermarks_at(const struct watermarks *watermarks, size_t index)
{
    return index < watermarks->count ? watermarks->all[index] : NULL;
}

size_t watermarks_count(const struct watermarks *watermarks)
{
    return watermarks->count;
}
