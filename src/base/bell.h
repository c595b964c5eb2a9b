/* What a sleeping thread waits on: anybody may ring, one thread waits. A ring between two waits is not lost.
 * The wake-up of a libuv loop has the same face (struct waker), so that a producer need not know who sleeps. */
#pragma once
#include "base/compiler.h"

struct waker {
    void (*wake)(void *self); /* callable from any thread, never blocks; NULL: nobody to wake */
    void *self;
};

static inline void waker_wake(struct waker waker)
{
    if (waker.wake)
        waker.wake(waker.self);
}

struct bell;

struct bell *bell_new(void);
void bell_free(struct bell *bell);
void bell_ring(struct bell *bell);
struct waker bell_waker(struct bell *bell);
/* Returns once rung, or after timeout_us (< 0: no limit), and takes the ring. True when rung. */
bool bell_wait(struct bell *bell, int64_t timeout_us);
