/* Who follows the journal's end: the readers' wakers, called by the journal's role after each group of commits, only
 * for those whose topics and partition it touched. Bounds: WAKERS_MAX readers. No lock: a slot that is being woken is
 * busy for the length of that call, and whoever gives the slot back waits for it. */
#pragma once
#include <stdatomic.h>

#include "journal/journal.h"

#define WAKERS_MAX 2048

struct wakers {
    struct waker_slot {
        _Atomic uint32_t state;
        uint32_t topics;
        uint16_t partition;
        struct waker waker;
    } slots[WAKERS_MAX];
    _Atomic uint32_t used; /* slots beyond this were never taken */
};

/* Any thread. ERR_FULL when there are WAKERS_MAX readers. */
MUST_CHECK enum status wakers_add(struct wakers *wakers, const struct journal_read_options *options, size_t *out_slot,
                                  struct error *err);
/* Any thread. After it the waker is not called any more. */
void wakers_remove(struct wakers *wakers, size_t slot);
/* The journal's role only. topics_of[partition]: TOPIC_BIT()s with new records; all: the same, for any partition. */
void wakers_wake(struct wakers *wakers, const uint32_t *topics_of, uint32_t all);
