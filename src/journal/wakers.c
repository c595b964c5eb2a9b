#include "journal/wakers.h"

#include <sched.h>

enum { FREE, TAKEN, READY, BUSY };

enum status wakers_add(struct wakers *wakers, const struct journal_read_options *options, size_t *out_slot,
                       struct error *err)
{
    for (uint32_t i = 0; i < WAKERS_MAX; i++) {
        struct waker_slot *slot = &wakers->slots[i];
        uint32_t expected = FREE;
        if (!atomic_compare_exchange_strong(&slot->state, &expected, TAKEN))
            continue;
        slot->topics = options->topics;
        slot->partition = options->partition;
        slot->waker = options->waker;
        atomic_store(&slot->state, READY);
        uint32_t used = atomic_load(&wakers->used);
        while (used <= i && !atomic_compare_exchange_weak(&wakers->used, &used, i + 1))
            ;
        *out_slot = i;
        return OK;
    }
    return error_set(err, ERR_FULL, "open a reader: the journal serves at most %d at a time", WAKERS_MAX);
}

void wakers_remove(struct wakers *wakers, size_t i)
{
    assert(i < WAKERS_MAX);
    uint32_t expected = READY;
    while (!atomic_compare_exchange_weak(&wakers->slots[i].state, &expected, FREE)) {
        assert(expected == READY || expected == BUSY);
        expected = READY;
        sched_yield(); /* a waker never blocks: this ends at once */
    }
}

void wakers_wake(struct wakers *wakers, const uint32_t *topics_of, uint32_t all)
{
    uint32_t used = atomic_load(&wakers->used);
    for (uint32_t i = 0; i < used; i++) {
        struct waker_slot *slot = &wakers->slots[i];
        uint32_t expected = READY;
        if (!atomic_compare_exchange_strong(&slot->state, &expected, BUSY))
            continue;
        uint32_t new_topics = slot->partition == JOURNAL_ALL_PARTITIONS ? all : topics_of[slot->partition];
        if (new_topics & slot->topics)
            waker_wake(slot->waker);
        atomic_store(&slot->state, READY);
    }
}
