/* Places for jobs, and the role that works them off. A place that is over is remembered until another job needs it. */
#include "replay/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bell.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/timestamp.h"
#include "replay/replay_job.h"
#include "world/world.h"

#define MEMORY_BYTES_DEFAULT (256u << 20)
#define DAY_MS ((int64_t)86400000)

struct replayer {
    struct replayer_options options; /* texts are its own */
    struct world *world;
    struct replay_job jobs[REPLAY_JOBS_MAX];
    uint64_t last_id; /* the API's thread's */
    struct queue *queue;
    struct bell *bell;
    _Atomic bool stopping;
    _Atomic bool busy;     /* a job is being asked for, or the domains change: not both at one time */
    struct replay_run run; /* the role's */
};

const char *replay_state_name(enum replay_state state)
{
    static const char *const NAMES[] = { "free", "waiting", "running", "done", "failed" };
    return NAMES[state];
}

struct replayer *replayer_new(const struct replayer_options *options, struct world *world)
{
    struct replayer *replayer = calloc(1, sizeof *replayer);
    if (!replayer)
        abort();
    replayer->options = *options;
    replayer->options.engine_url = strdup(options->engine_url);
    replayer->options.user = strdup(options->user);
    replayer->options.password = strdup(options->password);
    replayer->options.scratch_path = strdup(options->scratch_path);
    if (options->memory_bytes_max == 0)
        replayer->options.memory_bytes_max = MEMORY_BYTES_DEFAULT;
    replayer->world = world;
    replayer->run.options = &replayer->options;
    replayer->bell = bell_new();
    replayer->queue = queue_new("replays", REPLAY_JOBS_MAX, bell_waker(replayer->bell));
    return replayer;
}

static bool replayer_step(void *self, struct world *world, int64_t *wake_us)
{
    struct replayer *replayer = self;
    struct replay_run *run = &replayer->run;
    if (atomic_load(&replayer->stopping)) {
        if (run->job)
            replay_run_fail(run, world, "weir was stopped; nothing was replaced: run it again");
        return false;
    }
    if (!run->job) {
        struct replay_job *job = queue_pop(replayer->queue);
        if (!job)
            return false;
        replay_run_begin(run, job, world);
        return true;
    }
    if (replay_run_step(run, world))
        return true;
    if (run->job)
        *wake_us = run->at_us;
    return run->job == NULL; /* the next one */
}

struct role replayer_role(struct replayer *replayer)
{
    return (struct role){ "replay", replayer, replayer_step, replayer->bell, 0 };
}

void replayer_stop(struct replayer *replayer)
{
    atomic_store(&replayer->stopping, true);
    bell_ring(replayer->bell);
}

void replayer_free(struct replayer *replayer)
{
    if (!replayer)
        return;
    while (queue_pop(replayer->queue))
        ; /* those that waited were never begun */
    queue_free(replayer->queue);
    bell_free(replayer->bell);
    free((char *)replayer->options.engine_url);
    free((char *)replayer->options.user);
    free((char *)replayer->options.password);
    free((char *)replayer->options.scratch_path);
    free(replayer);
}

/* ---- asking for one ---- */

static enum status refuse_by_clock(const struct window *window, struct error *err)
{
    return error_set(err, ERR_INVALID,
                     "the window '%.*s' counts by the clock (time: processing), and what the clock said is not in "
                     "history",
                     SLICE_ARG(window->name));
}

static enum status choose_windows(const struct replayer *replayer, struct replay_job *job, struct error *err)
{
    const struct domain_set *domains = replayer->options.domains;
    const struct replay_request *request = &job->request;
    for (size_t i = 0; domains && i < domains->window_count; i++) {
        const struct window *window = &domains->windows[i];
        const bool named = slice_equal(window->name, slice_from(request->window));
        if ((request->window[0] && !named) || !window_is_for(domains, window, slice_from(request->tenant)))
            continue;
        if (named && !replay_windows_can(window))
            return refuse_by_clock(window, err);
        if (!replay_windows_can(window))
            continue;
        job->names[job->window_count] = &window->name;
        job->windows[job->window_count++] = (uint16_t)i;
    }
    if (job->window_count)
        return OK;
    return request->window[0]
               ? error_set(err, ERR_NOT_FOUND, "there is no window '%s' for %s: `weir check` lists the windows",
                           request->window, request->tenant)
               : error_set(err, ERR_NOT_FOUND, "no window is declared that can be replayed for %s (docs/domains.md)",
                           request->tenant);
}

/* The event type of the tenant whose events are gone the soonest, by its own retention; NULL: none says one. */
static const struct event_type *soonest_gone(const struct domain_set *domains, struct slice tenant)
{
    const struct event_type *soonest = NULL;
    for (size_t i = 0; domains && i < domains->event_type_count; i++) {
        const struct event_type *type = &domains->event_types[i];
        if (type->retention_days && (!soonest || type->retention_days < soonest->retention_days) &&
            event_type_find(domains, domain_set_of(domains, tenant), type->name) == type)
            soonest = type;
    }
    return soonest;
}

static enum status check_range(const struct replayer *replayer, const struct replay_request *request, struct error *err)
{
    char kept[TIMESTAMP_TEXT_BYTES], whose[DOMAIN_NAME_MAX + 32] = "the tenant's retention";
    const struct event_type *type = soonest_gone(replayer->options.domains, slice_from(request->tenant));
    int64_t kept_from_ms = request->kept_from_ms;
    if (request->to_ms <= request->from_ms)
        return error_set(err, ERR_INVALID, "from must be before to: the range is [from, to)");
    if (type && world_wall_ms(replayer->world) - type->retention_days * DAY_MS > kept_from_ms) {
        kept_from_ms = world_wall_ms(replayer->world) - type->retention_days * DAY_MS;
        snprintf(whose, sizeof whose, "the retention of %.*s", SLICE_ARG(type->name));
    }
    if (request->from_ms >= kept_from_ms)
        return OK;
    timestamp_format(kept_from_ms, kept);
    return error_set(err, ERR_INVALID,
                     "events before %.*s may be gone by %s, and their results would be with them: use a later from",
                     TIMESTAMP_TEXT_BYTES, kept, whose);
}

/* A place that is free or over, the longest over first. NULL: all are taken. */
static struct replay_job *find_place(struct replayer *replayer, const char *tenant, bool *out_busy)
{
    struct replay_job *place = NULL;
    *out_busy = false;
    for (size_t i = 0; i < REPLAY_JOBS_MAX; i++) {
        struct replay_job *job = &replayer->jobs[i];
        const uint32_t state = atomic_load(&job->state);
        if (state == REPLAY_WAITING || state == REPLAY_RUNNING)
            *out_busy |= strcmp(job->request.tenant, tenant) == 0;
        else if (!place || job->id < place->id)
            place = job;
    }
    return place;
}

static enum status begin(struct replayer *replayer, const struct replay_request *request, uint64_t *out_id,
                         struct error *err)
{
    bool busy;
    struct replay_job *job = find_place(replayer, request->tenant, &busy);
    if (busy)
        return error_set(err, ERR_RETRY, "a replay of %s is under way: one at a time", request->tenant);
    if (!job)
        return error_set(err, ERR_FULL, "%d replays wait already", REPLAY_JOBS_MAX);
    enum status s = check_range(replayer, request, err);
    if (s != OK)
        return s;
    *job = (struct replay_job){ .request = *request, .to_ms = request->to_ms };
    s = choose_windows(replayer, job, err);
    if (s != OK) {
        *job = (struct replay_job){ 0 };
        return s;
    }
    *out_id = job->id = ++replayer->last_id;
    atomic_store(&job->state, REPLAY_WAITING);
    s = queue_push(replayer->queue, job);
    assert(s == OK); /* it has a place for every job */
    return s;
}

enum status replayer_begin(struct replayer *replayer, const struct replay_request *request, uint64_t *out_id,
                           struct error *err)
{
    if (atomic_exchange(&replayer->busy, true))
        return error_set(err, ERR_RETRY, "the domains are being changed: try again");
    enum status s = begin(replayer, request, out_id, err);
    atomic_store(&replayer->busy, false);
    return s;
}

static bool is_idle(struct replayer *replayer)
{
    for (size_t i = 0; i < REPLAY_JOBS_MAX; i++) {
        const uint32_t state = atomic_load(&replayer->jobs[i].state);
        if (state == REPLAY_WAITING || state == REPLAY_RUNNING)
            return false;
    }
    return true;
}

bool replayer_hold(struct replayer *replayer)
{
    if (atomic_exchange(&replayer->busy, true))
        return false;
    if (is_idle(replayer))
        return true;
    atomic_store(&replayer->busy, false);
    return false;
}

void replayer_release(struct replayer *replayer)
{
    atomic_store(&replayer->busy, false);
}

enum status replayer_use(struct replayer *replayer, const struct domain_set *domains, struct error *err)
{
    if (atomic_exchange(&replayer->busy, true))
        return error_set(err, ERR_RETRY, "a replay is being started: send SIGHUP again when it has ended");
    bool running = !is_idle(replayer);
    if (!running)
        replayer->options.domains = domains;
    atomic_store(&replayer->busy, false);
    return running ? error_set(err, ERR_RETRY, "a replay is under way: send SIGHUP again when it has ended") : OK;
}

bool replayer_at(struct replayer *replayer, size_t index, struct replay_report *out)
{
    struct replay_job *job = &replayer->jobs[index];
    const enum replay_state state = (enum replay_state)atomic_load(&job->state);
    if (state == REPLAY_FREE)
        return false;
    *out = (struct replay_report){ .id = job->id,
                                   .state = state,
                                   .request = job->request,
                                   .to_ms = atomic_load(&job->to_ms),
                                   .total = atomic_load(&job->total),
                                   .events = atomic_load(&job->events),
                                   .results = atomic_load(&job->results),
                                   .late = atomic_load(&job->late),
                                   .generation = atomic_load(&job->generation),
                                   .error = state == REPLAY_FAILED ? job->error.text : "",
                                   .names = job->names,
                                   .window_count = job->window_count };
    return true;
}
