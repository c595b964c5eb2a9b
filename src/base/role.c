#include "base/role.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "world/world.h"

struct role_thread {
    struct role role;
    struct world *world;
    pthread_t thread;
    _Atomic bool stopping;
};

static void *role_run(void *argument)
{
    struct role_thread *thread = argument;
    if (thread->role.nice)
        (void)setpriority(PRIO_PROCESS, 0, thread->role.nice); /* on Linux: this thread's alone */
    for (;;) {
        int64_t wake_us = WAKE_NEVER;
        bool stopping = atomic_load(&thread->stopping);
        if (thread->role.step(thread->role.self, thread->world, &wake_us))
            continue;
        if (stopping)
            return NULL;
        int64_t timeout_us = -1;
        if (wake_us != WAKE_NEVER) {
            timeout_us = wake_us - world_mono_us(thread->world);
            if (timeout_us <= 0)
                continue;
        }
        bell_wait(thread->role.bell, timeout_us);
    }
}

enum status role_start(const struct role *role, struct world *world, struct role_thread **out_thread, struct error *err)
{
    assert(role->bell && role->step);
    struct role_thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return error_set(err, ERR_FULL, "start role %s: out of memory", role->name);
    thread->role = *role;
    thread->world = world;
    /* Signals belong to the main thread. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread->thread, NULL, role_run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        free(thread);
        return error_errno(err, ERR_IO, failed, "start role %s", role->name);
    }
    pthread_setname_np(thread->thread, role->name);
    *out_thread = thread;
    return OK;
}

void role_stop(struct role_thread *thread)
{
    if (!thread)
        return;
    atomic_store(&thread->stopping, true);
    bell_ring(thread->role.bell);
    pthread_join(thread->thread, NULL);
    free(thread);
}
