/* Turns and commits.
 *
 * A request is judged at once while its tenant has not yet had its share of this turn of the loop; else it waits in its
 * tenant's own queue, and the queues are served round-robin. So a tenant that sends megabytes delays itself, and the
 * work of a turn is bounded: new connections and answers get their chance every few milliseconds.
 *
 * All records that come together in a turn are one commit; the next turn's are the next. While commits_in_flight_max
 * are with the journal, the current batch goes on filling: the slower the disk, the larger the commits, and the fewer
 * flushes per event. A commit that fails answers 503 to each of its requests: the clients have them still. */
#include "ingest/core_inside.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES_MAX (64u << 20)
#define TEXT_BYTES_MAX (32u << 20)
#define MEMBER_TURN_BYTES (256u << 10)
#define RATIO_FREE_BYTES (1u << 20)
#define FINISH_MAX 64

static void core_make_series(struct core *core)
{
    static const char *const KINDS[ANSWER_KINDS] = { "status=\"2xx\"", "status=\"4xx\"", "status=\"429\"",
                                                     "status=\"5xx\"" };
    struct metrics *metrics = core->shared.metrics;
    for (size_t i = 0; i < ANSWER_KINDS; i++)
        core->answers[i] =
            metrics_counter(metrics, "ingest_answers_total", "Answers of ingestion by status.", KINDS[i]);
    core->queue_full = metrics_counter(metrics, "ingest_journal_full_total",
                                       "Commits that the journal refused: disk or queue full.", "");
    core->in_flight_full =
        metrics_counter(metrics, "ingest_in_flight_full_total",
                        "Requests refused because too many bytes were waiting to become durable.", "");
    core->turns_full = metrics_counter(metrics, "ingest_turns_full_total",
                                       "Requests that had to wait because their tenant had its share of the turn.", "");
    core->commits = metrics_counter(metrics, "ingest_commits_total", "Commits made durable.", "");
    core->commit_events = metrics_counter(metrics, "ingest_commit_events_total",
                                          "Events in them: divided by ingest_commits_total, the mean batch.", "");
    char loop[32];
    snprintf(loop, sizeof loop, "loop=\"%u\"", core->host.loop);
    core->in_flight_gauge =
        metrics_gauge(metrics, "ingest_in_flight_bytes", "Bytes of records waiting to become durable.", loop);
    core->queued_gauge = metrics_gauge(metrics, "ingest_queued_requests", "Requests waiting for their turn.", loop);
    core->batch_events_gauge = metrics_gauge(metrics, "ingest_batch_events", "Events in the last commit.", loop);
}

static enum status core_init(struct core *core, struct error *err)
{
    const struct ingest_options *options = &core->options;
    const struct core_shared *shared = &core->shared;
    struct member_options tenants = { options->quota_standard_per_minute, options->quota_enterprise_per_minute,
                                      options->quota_processes, options->retention_days };
    struct inflate_limits limits = { options->unpacked_bytes_max, options->unpacked_ratio_max, RATIO_FREE_BYTES };
    enum status s =
        members_new(&tenants, shared->catalog, shared->metrics, shared->quotas, shared->world, &core->members, err);
    if (s != OK)
        return s;
    core->produced = produced_new(shared->metrics);
    core->parser = event_parser_new(&options->parse, shared->world);
    core->inflate = inflate_new(&limits);
    arena_init(&core->arena, ARENA_BYTES_MAX);
    buf_init(&core->text, TEXT_BYTES_MAX);
    /* Two more than with the journal: one that fills meanwhile, one that is being answered. */
    core->batches = (struct batch_pool){ .partitions = shared->journal->partitions,
                                         .batches_max = options->commits_in_flight_max + 2 };
    core->finished = queue_new("ingest.finished", options->commits_in_flight_max + 2, core->host.finished);
    core_make_series(core);
    return OK;
}

enum status core_new(const struct ingest_options *options, const struct core_shared *shared,
                     const struct core_host *host, struct core **out, struct error *err)
{
    assert(options->commits_in_flight_max > 0 && options->turn_bytes_max > 0 && options->unpacked_ratio_max > 0);
    struct core *core = calloc(1, sizeof *core);
    if (!core)
        return error_set(err, ERR_FULL, "out of memory");
    core->options = *options;
    core->shared = *shared;
    core->host = *host;
    enum status s = core_init(core, err);
    if (s != OK) {
        free(core);
        return s;
    }
    *out = core;
    return OK;
}

void core_free(struct core *core)
{
    if (!core)
        return;
    assert(core_is_idle(core));
    if (core->current)
        batch_give_back(core->current);
    batch_pool_done(&core->batches);
    ticket_pool_done(&core->tickets);
    queue_free(core->finished);
    event_parser_free(core->parser);
    inflate_free(core->inflate);
    produced_free(core->produced);
    members_free(core->members);
    arena_done(&core->arena);
    buf_done(&core->text);
    free(core);
}

bool core_is_idle(const struct core *core)
{
    return core->queued == 0 && core->in_flight_commits == 0 && (!core->current || core->current->tickets == 0);
}

void core_set_draining(struct core *core)
{
    core->draining = true;
}

/* ---- commits */

/* Each request of the batch gets its answer; the batch goes back to the pool. */
static void batch_answer(struct core *core, struct batch *batch, enum status outcome, const char *reason)
{
    struct ticket *ticket = batch->first;
    uint64_t skipped;
    core->journal_refuses = outcome != OK;
    core->journal_refused_us = world_mono_us(core->shared.world);
    produced_end(core->produced, batch->produced, outcome == OK, core->journal_refused_us - batch->submitted_us);
    if (outcome != OK)
        counter_add(core->queue_full, 1);
    if (outcome != OK && log_limit_pass(&core->unavailable_limit, world_mono_us(core->shared.world), 1000000, &skipped))
        log_warn("ingest.refusing", "status=%s requests=%zu reason=\"%s\" more=%lu", status_name(outcome),
                 batch->tickets, reason, skipped);
    while (ticket) {
        struct ticket *next = ticket->next;
        if (outcome == OK)
            answer_accepted(core, ticket);
        else
            judge_unavailable(core, ticket, reason);
        ticket = next;
    }
    if (outcome == OK) {
        counter_add(core->commits, 1);
        counter_add(core->commit_events, batch->event_count);
        gauge_set(core->batch_events_gauge, (double)batch->event_count);
    }
    batch_give_back(batch);
}

/* On the journal's thread. */
static void batch_done(struct journal_commit *commit, enum status status, const char *reason)
{
    struct batch *batch = commit->context;
    struct core *core = batch->core;
    size_t n = reason ? strnlen(reason, sizeof batch->reason - 1) : 0;
    batch->outcome = status;
    if (n)
        memcpy(batch->reason, reason, n);
    batch->reason[n] = 0;
    /* The loop may take the batch, and find itself idle, before queue_push has returned: core_settle waits for us. */
    atomic_fetch_add(&core->completing, 1);
    enum status pushed = queue_push(core->finished, batch);
    assert(pushed == OK); /* the queue has room for all batches there are */
    (void)pushed;
    atomic_fetch_sub(&core->completing, 1);
}

void core_settle(struct core *core)
{
    assert(core_is_idle(core));
    while (atomic_load(&core->completing) > 0)
        sched_yield();
}

static void core_submit(struct core *core)
{
    struct batch *batch = core->current;
    struct error err;
    if (!batch || batch->tickets == 0)
        return;
    core->current = NULL;
    batch->submitted_us = world_mono_us(core->shared.world);
    if (batch->broken) {
        batch_answer(core, batch, ERR_FULL, "out of memory: send it again later");
        return;
    }
    batch_seal(batch);
    batch->core = core;
    batch->commit.done = batch_done;
    batch->commit.context = batch;
    size_t bytes = batch->bytes;
    core->in_flight_bytes += bytes;
    core->in_flight_commits++;
    enum status s = journal_submit(core->shared.journal, &batch->commit, &err);
    if (s == OK) {
        gauge_set(core->in_flight_gauge, (double)core->in_flight_bytes);
        return;
    }
    core->in_flight_bytes -= bytes;
    core->in_flight_commits--;
    batch_answer(core, batch, s, err.text);
}

enum status core_batch_for(struct core *core, size_t bytes, struct batch **out, struct error *err)
{
    const struct ingest_options *options = &core->options;
    assert(bytes <= BATCH_BYTES_MAX);
    if (core->current && core->current->bytes + bytes > BATCH_BYTES_MAX &&
        core->in_flight_commits < options->commits_in_flight_max)
        core_submit(core);
    bool current_full = core->current && core->current->bytes + bytes > BATCH_BYTES_MAX;
    if (current_full || (core->in_flight_bytes > 0 && core->in_flight_bytes + bytes > options->in_flight_bytes_max)) {
        counter_add(core->in_flight_full, 1);
        return error_set(err, ERR_FULL,
                         "the journal is behind: too many events wait to become durable; send it again later");
    }
    if (!core->current && !(core->current = batch_take(&core->batches)))
        return error_set(err, ERR_FULL, "out of memory; send it again later");
    *out = core->current;
    return OK;
}

void core_finish(struct core *core)
{
    void *batches[FINISH_MAX];
    size_t count;
    while ((count = queue_pop_many(core->finished, batches, FINISH_MAX)) > 0) {
        for (size_t i = 0; i < count; i++) {
            struct batch *batch = batches[i];
            core->in_flight_bytes -= batch->bytes;
            core->in_flight_commits--;
            const char *reason = batch->reason[0] ? batch->reason : "the journal could not keep the events";
            batch_answer(core, batch, batch->outcome, reason);
        }
    }
    gauge_set(core->in_flight_gauge, (double)core->in_flight_bytes);
}

/* ---- turns */

static bool has_share_left(struct core *core, struct member *member)
{
    if (member->turn != core->turn) {
        member->turn = core->turn;
        member->taken_bytes = 0;
    }
    return !core->judging && !member->is_waiting && member->taken_bytes < MEMBER_TURN_BYTES &&
           core->turn_bytes < core->options.turn_bytes_max;
}

/* True: the ticket waits for its commit. */
static bool judge_now(struct core *core, struct member *payer, struct ticket *ticket)
{
    size_t bytes;
    bool waits = judge(core, ticket, &bytes);
    payer->taken_bytes += bytes;
    core->turn_bytes += bytes;
    return waits;
}

static void waiting_add(struct core *core, struct member *member)
{
    member->is_waiting = true;
    member->next_waiting = NULL;
    if (core->waiting_last)
        core->waiting_last->next_waiting = member;
    else
        core->waiting_first = member;
    core->waiting_last = member;
}

static struct member *waiting_take(struct core *core)
{
    struct member *member = core->waiting_first;
    core->waiting_first = member->next_waiting;
    if (!core->waiting_first)
        core->waiting_last = NULL;
    member->is_waiting = false;
    return member;
}

static void enqueue(struct core *core, struct member *member, struct ticket *ticket)
{
    ticket->next = NULL;
    ticket->queued = true;
    if (member->queue_last)
        member->queue_last->next = ticket;
    else
        member->queue_first = ticket;
    member->queue_last = ticket;
    core->queued++;
    counter_add(core->turns_full, 1);
    if (!member->is_waiting)
        waiting_add(core, member);
}

static struct ticket *dequeue(struct core *core, struct member *member)
{
    struct ticket *ticket = member->queue_first;
    member->queue_first = ticket->next;
    if (!member->queue_first)
        member->queue_last = NULL;
    ticket->next = NULL;
    ticket->queued = false;
    core->queued--;
    return ticket;
}

/* One tenant's share: up to MEMBER_TURN_BYTES, at least one request. */
static void serve_member(struct core *core, struct member *member)
{
    size_t before = core->turn_bytes;
    while (member->queue_first && core->turn_bytes - before < MEMBER_TURN_BYTES) {
        struct ticket *ticket = dequeue(core, member);
        if (ticket->exchange)
            (void)judge_now(core, member, ticket);
        else
            ticket_give_back(&core->tickets, ticket); /* gone, with its body, before it was looked at */
    }
    if (member->queue_first && !member->is_waiting)
        waiting_add(core, member);
}

bool core_turn(struct core *core)
{
    members_refresh(core->members);
    while (core->waiting_first && core->turn_bytes < core->options.turn_bytes_max)
        serve_member(core, waiting_take(core));
    if (core->in_flight_commits < core->options.commits_in_flight_max)
        core_submit(core);
    core->turn++;
    core->turn_bytes = 0;
    gauge_set(core->queued_gauge, (double)core->queued);
    return core->queued > 0;
}

/* ---- requests */

void core_gone(struct core *core, struct ticket *ticket)
{
    (void)core;
    ticket->exchange = NULL;
}

/* The ticket when the request waits, else NULL. */
struct ticket *core_schedule(struct core *core, struct ticket *ticket)
{
    struct member *payer = ticket->member ? ticket->member : &core->anonymous;
    if (!has_share_left(core, payer)) {
        enqueue(core, payer, ticket);
        return ticket;
    }
    return judge_now(core, payer, ticket) ? ticket : NULL;
}
