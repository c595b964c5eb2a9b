/* The stage is one atomic pointer, exchanged by both threads: whoever of the two comes second sees what the other has
 * done. The watching thread takes the stage out when time is over; from then on the main thread stops at its next
 * exchange, so nothing that `tell` looks at is freed meanwhile. */
#include "app/stop_limit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/role.h"
#include "world/world.h"

struct stop_limit {
    struct stop_limit_options options;
    int64_t at_us;
    struct bell *bell;
    struct role_thread *thread;
    const char *_Atomic stage;
};

static const char BEGUN[] = "its parts", OVER[] = "over", ENDED[] = "ended"; /* known by their addresses */

static bool watch(void *self, struct world *world, int64_t *wake_us)
{
    struct stop_limit *limit = self;
    *wake_us = limit->at_us;
    if (atomic_load(&limit->stage) == ENDED || world_mono_us(world) < limit->at_us)
        return false;
    const char *stage = atomic_exchange(&limit->stage, OVER);
    if (stage == ENDED)
        return false;
    limit->options.tell(limit->options.self, stage);
    log_error("up.stop_cut",
              "command=%s after_ms=%lld waited_for=\"%s\" code=%d left=\"what was answered 200 is in the journal: the "
              "next start goes on from the last commits\"",
              limit->options.command, (long long)limit->options.after_ms, stage, EX_TEMPFAIL);
    _exit(EX_TEMPFAIL);
}

static void enter(struct stop_limit *limit, const char *stage)
{
    if (atomic_exchange(&limit->stage, stage) != OVER)
        return;
    for (;;) /* the other thread ends the process */
        pause();
}

struct stop_limit *stop_limit_begin(const struct stop_limit_options *options, struct world *world)
{
    struct error err;
    struct stop_limit *limit = calloc(1, sizeof *limit);
    if (!limit)
        abort();
    limit->options = *options;
    limit->at_us = world_mono_us(world) + options->after_ms * 1000;
    limit->bell = bell_new();
    atomic_store(&limit->stage, BEGUN);
    struct role role = { "stop-limit", limit, watch, limit->bell, 0 };
    if (role_start(&role, world, &limit->thread, &err) == OK)
        return limit;
    log_warn("up.stop_unbounded", "error=\"%s\"", err.text);
    bell_free(limit->bell);
    free(limit);
    return NULL;
}

void stop_limit_stage(struct stop_limit *limit, const char *stage)
{
    if (limit)
        enter(limit, stage);
}

void stop_limit_end(struct stop_limit *limit)
{
    if (!limit)
        return;
    enter(limit, ENDED);
    role_stop(limit->thread);
    bell_free(limit->bell);
    free(limit);
}
