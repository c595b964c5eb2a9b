/* A role is a step, not a loop: production gives each role a thread, the simulator calls the same steps in an order
 * chosen by a seed. Time and disk reach it only through the world. */
#pragma once
#include "base/bell.h"
#include "base/compiler.h"
#include "base/error.h"

struct world;

#define WAKE_NEVER INT64_MAX

struct role {
    const char *name; /* at most 15 characters: it is the thread's name too */
    void *self;
    /* Does a bounded amount of work. True: call again at once. False: sleep until the monotonic time *wake_us (preset
     * to WAKE_NEVER) or until the bell rings. */
    bool (*step)(void *self, struct world *world, int64_t *wake_us);
    struct bell *bell; /* owned by whoever made the role */
    int nice;          /* of its thread: 0 to 19; what can wait yields to what a client waits for */
};

struct role_thread;

MUST_CHECK enum status role_start(const struct role *role, struct world *world, struct role_thread **out_thread,
                                  struct error *err);
/* Lets the role drain: it is stepped until a step returns false, then its thread ends. Waits for that. NULL is fine. */
void role_stop(struct role_thread *thread);
