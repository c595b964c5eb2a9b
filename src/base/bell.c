/* A flag and a futex: ringing a bell that nobody waits on is one atomic exchange, no system call. */
#include "base/bell.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SILENT = 0, RUNG = 1, WAITING = 2 };

struct bell {
    _Atomic uint32_t state;
};

struct bell *bell_new(void)
{
    return calloc(1, sizeof(struct bell));
}

void bell_free(struct bell *bell)
{
    free(bell);
}

void bell_ring(struct bell *bell)
{
    if (atomic_exchange_explicit(&bell->state, RUNG, memory_order_acq_rel) == WAITING)
        syscall(SYS_futex, &bell->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void bell_wake(void *self)
{
    bell_ring(self);
}

struct waker bell_waker(struct bell *bell)
{
    return (struct waker){ bell_wake, bell };
}

bool bell_wait(struct bell *bell, int64_t timeout_us)
{
    uint32_t expected = SILENT;
    if (timeout_us != 0 && atomic_compare_exchange_strong(&bell->state, &expected, WAITING)) {
        struct timespec limit = { timeout_us / 1000000, timeout_us % 1000000 * 1000 };
        /* A spurious return looks like a time-out; the caller's step is called once more, which is harmless. */
        syscall(SYS_futex, &bell->state, FUTEX_WAIT_PRIVATE, WAITING, timeout_us < 0 ? NULL : &limit, NULL, 0);
    }
    return atomic_exchange_explicit(&bell->state, SILENT, memory_order_acq_rel) == RUNG;
}
