/* One job: where it may go, page after page through the windows, a check that every event was read, then the closing
 * record. A step that meets an engine that is away is taken again, for two minutes; each may be. */
#include "replay/replay_job.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/timestamp.h"
#include "world/disk.h"
#include "world/world.h"

#define ROWS_A_INSERT_BYTES (8u << 20)
#define GIVE_UP_US 120000000
#define ATTEMPTS_MAX 3

static void clear_scratch(void *self, const char *name)
{
    const struct replay_run *run = self;
    char path[DISK_PATH_MAX];
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return;
    snprintf(path, sizeof path, "%s/kv/%s", run->options->scratch_path, name);
    remove(path);
}

/* What is left in memory and in files of the attempt. */
static void forget(struct replay_run *run, struct world *world)
{
    char path[DISK_PATH_MAX];
    replay_windows_free(run->windows);
    run->windows = NULL;
    snprintf(path, sizeof path, "%s/kv", run->options->scratch_path);
    enum status s = world->disk->ops->list(world->disk, path, clear_scratch, run, NULL);
    (void)s; /* mostly it was never made; the next job begins empty in any case */
}

static void end(struct replay_run *run, struct world *world, enum replay_state state)
{
    struct replay_job *job = run->job;
    forget(run, world);
    replay_store_close(run->store);
    run->store = NULL;
    buf_done(&run->scope.places);
    buf_done(&run->rows.windows_replayed);
    buf_done(&run->rows.replay_edges);
    run->job = NULL;
    atomic_store(&job->state, state);
}

void replay_run_fail(struct replay_run *run, struct world *world, const char *why)
{
    log_warn("replay.failed", "tenant=%s error=\"%s\"", run->job->request.tenant, why);
    snprintf(run->job->error.text, sizeof run->job->error.text, "%s", why);
    end(run, world, REPLAY_FAILED);
}

void replay_run_begin(struct replay_run *run, struct replay_job *job, struct world *world)
{
    const struct replayer_options *options = run->options;
    *run = (struct replay_run){ .job = job, .options = options };
    run->retry = (struct retry){ .first_ms = 200, .most_ms = 5000 };
    run->scope.request = &job->request;
    buf_init(&run->scope.places, 512 << 10);
    buf_init(&run->rows.windows_replayed, REPLAY_ROWS_BYTES_MAX);
    buf_init(&run->rows.replay_edges, REPLAY_ROWS_BYTES_MAX);
    for (size_t i = 0; i < job->window_count; i++) {
        const struct window *window = &options->domains->windows[job->windows[i]];
        run->targets[i] = (struct replay_target){ window->name, window->id, window->kind == WINDOW_SESSION };
        if (window->kind == WINDOW_SESSION && window->gap_ms > run->gap_ms)
            run->gap_ms = window->gap_ms;
    }
    struct error err;
    atomic_store(&job->state, REPLAY_RUNNING);
    if (replay_store_open(options, &run->store, &err) != OK)
        replay_run_fail(run, world, err.text);
}

/* ---- the beginning ---- */

/* The longest lateness of the windows, with so many gaps of those that are of sessions. */
static int64_t longest_lateness(const struct replay_run *run, int64_t gaps)
{
    int64_t longest_ms = 0;
    for (size_t i = 0; i < run->job->window_count; i++) {
        const struct window *window = &run->options->domains->windows[run->job->windows[i]];
        int64_t ms = window->lateness_ms + (window->kind == WINDOW_SESSION ? gaps * window->gap_ms : 0);
        longest_ms = ms > longest_ms ? ms : longest_ms;
    }
    return longest_ms;
}

static int64_t out_of_orderness_ms(const struct replay_run *run)
{
    return domain_set_of(run->options->domains, slice_from(run->job->request.tenant))->out_of_orderness_ms;
}

/* No live result may come for a window of the range any more. An event is late for sessions a gap after its time, and
 * an earlier one than that can be of a session up to a gap before it: two gaps. What is read stops before the first
 * event that live sessions may take in, so a session that is over by then is so for ever. */
static enum status choose_range(struct replay_run *run, const struct replay_bounds *bounds, struct error *err)
{
    const struct replay_request *request = &run->job->request;
    const int64_t behind_ms = out_of_orderness_ms(run) + longest_lateness(run, 2);
    char from[TIMESTAMP_TEXT_BYTES], limit[TIMESTAMP_TEXT_BYTES];
    if (bounds->through_ms == INT64_MIN)
        return error_set(err, ERR_INVALID, "nothing to do: the tenant has no events");
    const int64_t limit_ms = bounds->through_ms - behind_ms;
    if (limit_ms < TIMESTAMP_MIN_MS)
        return error_set(err, ERR_INVALID, "nothing to do: live traffic is not through with any time yet");
    timestamp_format(request->from_ms, from);
    timestamp_format(limit_ms, limit);
    if (request->to_ms != REPLAY_NEWEST && request->to_ms > limit_ms)
        return error_set(err, ERR_INVALID,
                         "the range ends later than live traffic is through with (the watermark less the allowed "
                         "lateness): use a --to up to %.*s, or none",
                         TIMESTAMP_TEXT_BYTES, limit);
    if (limit_ms <= request->from_ms)
        return error_set(err, ERR_INVALID,
                         "nothing to do: from %.*s on all windows are still counted live; they are through with up to "
                         "%.*s",
                         TIMESTAMP_TEXT_BYTES, from, TIMESTAMP_TEXT_BYTES, limit);
    run->scope.from_ms = request->from_ms;
    run->scope.to_ms = request->to_ms == REPLAY_NEWEST ? limit_ms : request->to_ms;
    run->read_max_ms = bounds->through_ms - out_of_orderness_ms(run) - longest_lateness(run, 1);
    run->scope.read_from_ms = run->scope.from_ms - run->gap_ms;
    run->scope.read_to_ms = run->scope.to_ms + run->gap_ms;
    if (run->scope.read_to_ms > run->read_max_ms)
        run->scope.read_to_ms = run->read_max_ms;
    run->reach_ms = run->gap_ms;
    return OK;
}

static enum status make_windows(struct replay_run *run, struct world *world, struct error *err)
{
    const struct replay_windows_options options = { .domains = run->options->domains,
                                                    .windows = run->job->windows,
                                                    .window_count = run->job->window_count,
                                                    .from_ms = run->scope.from_ms,
                                                    .to_ms = run->scope.to_ms,
                                                    .generation = run->scope.generation,
                                                    .path = run->options->scratch_path,
                                                    .pool = run->options->kv_pool,
                                                    .memory_bytes_max = run->options->memory_bytes_max };
    forget(run, world);
    return replay_windows_new(&options, world, &run->windows, err);
}

static void tell_progress(struct replay_run *run)
{
    atomic_store(&run->job->events, run->events);
    atomic_store(&run->job->results, run->rows.results);
}

static enum status begin(struct replay_run *run, struct world *world, struct error *err)
{
    struct replay_bounds bounds;
    const struct replay_request *request = &run->job->request;
    enum status s = request->dry_run ? OK : replay_store_tidy(run->store, request->tenant, err);
    run->scope.began_ms = world_wall_ms(world);
    if (s == OK)
        s = replay_store_bounds(run->store, &run->scope, &bounds, err);
    if (s == OK)
        s = choose_range(run, &bounds, err);
    if (s == OK)
        s = replay_store_count(run->store, &run->scope, &run->total, err);
    if (s != OK)
        return s;
    if (run->total == 0)
        return error_set(err, ERR_INVALID, "nothing to do: there are no events in the range");
    run->scope.generation = (uint64_t)world_wall_us(world);
    if (run->scope.generation <= bounds.newest_generation) /* the clock was put back */
        run->scope.generation = bounds.newest_generation + 1;
    run->cursor = (struct replay_cursor){ 0 };
    run->events = run->rows.results = 0;
    run->batch = 0;
    buf_reset(&run->rows.windows_replayed);
    buf_reset(&run->rows.replay_edges);
    atomic_store(&run->job->to_ms, run->scope.to_ms);
    atomic_store(&run->job->total, run->total);
    tell_progress(run);
    if (request->dry_run) {
        end(run, world, REPLAY_DONE);
        return OK;
    }
    run->phase = REPLAY_READ;
    return make_windows(run, world, err);
}

/* ---- the events ---- */

static enum status read_page(struct replay_run *run, struct error *err)
{
    enum status s = replay_store_page(run->store, &run->scope, &run->cursor, err);
    if (s == OK) {
        run->page_counted = false;
        run->phase = REPLAY_COUNT;
    }
    return s;
}

static void take_events(struct replay_run *run)
{
    struct event *events = replay_windows_events(run->windows);
    while (run->batch < PROCESS_BATCH_MAX &&
           replay_store_event(run->store, &run->scope, &run->cursor, &events[run->batch]))
        run->batch++;
}

/* The next vector of the page, or windows that its last one left half written. */
static enum status count(struct replay_run *run, struct error *err)
{
    if (!run->more && run->batch == 0)
        take_events(run);
    if (!run->more && run->batch == 0) { /* the page is at its end; an empty one is that of the range */
        run->phase = run->page_counted ? REPLAY_READ : REPLAY_END;
        return OK;
    }
    run->page_counted = true;
    enum status s = replay_windows_add(run->windows, run->more ? 0 : run->batch, &run->rows, &run->more, err);
    if (s != OK)
        return s;
    run->events += run->batch;
    run->batch = 0;
    tell_progress(run);
    if (run->rows.windows_replayed.n >= ROWS_A_INSERT_BYTES || run->rows.replay_edges.n >= ROWS_A_INSERT_BYTES) {
        run->phase = REPLAY_INSERT;
        run->then = REPLAY_COUNT;
    }
    return OK;
}

static enum status insert(struct replay_run *run, struct error *err)
{
    enum status s = replay_store_insert(run->store, buf_slice(&run->rows.windows_replayed), err);
    if (s == OK)
        s = replay_store_insert_edges(run->store, buf_slice(&run->rows.replay_edges), err);
    if (s != OK)
        return s;
    buf_reset(&run->rows.windows_replayed);
    buf_reset(&run->rows.replay_edges);
    run->phase = run->then;
    return OK;
}

static enum status close_windows(struct replay_run *run, struct error *err)
{
    const struct replay_scope *scope = &run->scope;
    const int64_t until_ms = scope->read_to_ms > scope->to_ms ? scope->read_to_ms : scope->to_ms + 1;
    enum status s = replay_windows_until(run->windows, until_ms, &run->rows, &run->more, err);
    if (s != OK)
        return s;
    tell_progress(run);
    run->walk = (struct stage_window_walk){ 0 };
    run->any_open = false;
    run->phase = REPLAY_INSERT;
    run->then = run->more ? REPLAY_END : run->gap_ms ? REPLAY_REACH : REPLAY_VERIFY;
    return OK;
}

/* Twice as far each time, so that a long session costs as many looks as its length has bits. */
static enum status read_further(struct replay_run *run, struct error *err)
{
    struct replay_scope *scope = &run->scope;
    const int64_t left_ms = run->read_max_ms - scope->read_to_ms, before_ms = scope->read_to_ms;
    scope->read_to_ms += run->reach_ms < left_ms ? run->reach_ms : left_ms;
    enum status s = replay_store_count(run->store, scope, &run->total, err);
    if (s != OK) {
        scope->read_to_ms = before_ms;
        return s;
    }
    run->reach_ms *= 2;
    atomic_store(&run->job->total, run->total);
    run->phase = REPLAY_READ;
    return OK;
}

/* Sessions that began in the range are counted to their end, or they are left to live traffic. */
static enum status reach(struct replay_run *run, struct error *err)
{
    bool done = false;
    enum status s = replay_windows_open(run->windows, &run->walk, NULL, &run->any_open, &done, err);
    if (s != OK || !done)
        return s;
    if (run->any_open && run->scope.read_to_ms < run->read_max_ms)
        return read_further(run, err);
    run->walk = (struct stage_window_walk){ 0 };
    run->phase = REPLAY_EDGES;
    return OK;
}

static enum status write_edges(struct replay_run *run, struct error *err)
{
    bool done = false;
    enum status s = replay_windows_open(run->windows, &run->walk, &run->rows, &run->any_open, &done, err);
    if (s != OK)
        return s;
    if (done || run->rows.replay_edges.n >= ROWS_A_INSERT_BYTES) {
        run->phase = REPLAY_INSERT;
        run->then = done ? REPLAY_VERIFY : REPLAY_EDGES;
    }
    return OK;
}

/* ---- the end ---- */

/* What was counted is what is there: an insert that was under way at the beginning, a page that was not whole, or
 * events that were erased meanwhile would show here. */
static enum status verify(struct replay_run *run, struct world *world, struct error *err)
{
    uint64_t there = 0, late = 0;
    const size_t windows = run->job->window_count;
    enum status s = replay_store_count(run->store, &run->scope, &there, err);
    if (s == OK && there != run->events) {
        if (++run->attempts == ATTEMPTS_MAX)
            return error_set(err, ERR_INVALID,
                             "%llu events were read and %llu are there: they change while they are counted; nothing "
                             "was replaced, try again later",
                             (unsigned long long)run->events, (unsigned long long)there);
        run->phase = REPLAY_BEGIN;
        return OK;
    }
    if (s == OK)
        s = replay_store_tell_late(run->store, &run->scope, run->targets, windows, &late, err);
    if (s == OK)
        s = replay_store_close_generation(run->store, &run->scope, run->targets, windows, run->events, err);
    if (s != OK)
        return s;
    atomic_store(&run->job->late, late);
    atomic_store(&run->job->generation, run->scope.generation);
    log_info("replay.done", "tenant=%s windows=%zu events=%llu results=%llu late=%llu generation=%llu",
             run->job->request.tenant, windows, (unsigned long long)run->events, (unsigned long long)run->rows.results,
             (unsigned long long)late, (unsigned long long)run->scope.generation);
    end(run, world, REPLAY_DONE);
    return OK;
}

static enum status take_step(struct replay_run *run, struct world *world, struct error *err)
{
    switch (run->phase) {
    case REPLAY_BEGIN:
        return begin(run, world, err);
    case REPLAY_READ:
        return read_page(run, err);
    case REPLAY_COUNT:
        return count(run, err);
    case REPLAY_INSERT:
        return insert(run, err);
    case REPLAY_END:
        return close_windows(run, err);
    case REPLAY_REACH:
        return reach(run, err);
    case REPLAY_EDGES:
        return write_edges(run, err);
    case REPLAY_VERIFY:
        return verify(run, world, err);
    }
    return OK;
}

bool replay_run_step(struct replay_run *run, struct world *world)
{
    struct error err = { 0 };
    const int64_t now_us = world_mono_us(world);
    if (now_us < run->at_us)
        return false;
    enum status s = take_step(run, world, &err);
    if (s == OK) {
        retry_reset(&run->retry);
        return run->job != NULL;
    }
    if (run->retry.attempts == 0)
        run->give_up_us = now_us + GIVE_UP_US;
    if (s == ERR_RETRY && now_us < run->give_up_us) {
        run->at_us = retry_next_us(&run->retry, world);
        return false;
    }
    replay_run_fail(run, world, err.text);
    return false;
}
