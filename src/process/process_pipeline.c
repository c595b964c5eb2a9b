/* A batch is at most PROCESS_BATCH_MAX events, so that its views stay in the second-level cache from stage to stage.
 * Accepted events that no stage changed leave as they came: neighbours in the journal are copied with one memcpy,
 * length prefixes included, so that in the usual case nothing is encoded at all. */
#include "process/process_pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "config/domain.h"
#include "event/dead_letter.h"
#include "event/event_json.h"
#include "process/quality.h"
#include "process/stage_dedup.h"
#include "process/stage_event_type.h"
#include "process/stage_session.h"
#include "process/stage_transform.h"
#include "process/stage_validate.h"
#include "process/stage_window.h"

#define STAGES_MAX 16
#define FRAME_BYTES 4 /* the length before each record in a chunk */
/* A larger record (ingestion allows far smaller ones) might not fit into a commit beside what is made of it. */
#define RECORD_BYTES_MAX (8u << 20)

struct process_pipeline {
    struct process_batch batch;
    struct arena arena;
    const struct domain_set *domains;
    struct process_stage stages[STAGES_MAX];
    size_t stage_count;
    struct stage_validate validate;
    struct stage_dedup dedup;
    struct stage_event_type *event_type; /* NULL: none is declared */
    struct stage_transform *transform;   /* NULL: there are none */
    struct stage_session sessions;
    struct stage_window *windows;
    struct process_metrics *metrics;
    struct quality quality;
    struct buf letter; /* the original of one dead letter, as JSON */
    uint16_t partition;
    bool results_only;
};

static const struct domain_set NO_DOMAINS;

static void add_stage(struct process_pipeline *pipeline, struct process_stage stage)
{
    assert(pipeline->stage_count < STAGES_MAX);
    pipeline->stages[pipeline->stage_count++] = stage;
}

struct process_pipeline *process_pipeline_new(const struct process_pipeline_options *options,
                                              const struct process_memory *memory, struct process_metrics *metrics)
{
    struct process_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline)
        abort();
    arena_init(&pipeline->arena, PROCESS_ARENA_BYTES);
    buf_init(&pipeline->letter, 2 * RECORD_BYTES_MAX);
    pipeline->metrics = metrics;
    pipeline->domains = options->domains ? options->domains : &NO_DOMAINS;
    for (size_t i = 0; i < PROCESS_BATCH_MAX; i++)
        pipeline->batch.domains[i] = &pipeline->domains->others;
    pipeline->partition = options->partition;
    pipeline->results_only = options->results_only;
    pipeline->quality.late_after_ms = options->late_after_ms;
    pipeline->quality.metrics = metrics;
    pipeline->validate.future_skew_ms = options->future_skew_ms;
    pipeline->dedup.dedup = memory->dedup;
    pipeline->dedup.seed = options->seed;
    pipeline->sessions.sessions = memory->sessions;
    pipeline->sessions.seed = options->seed;
    pipeline->sessions.partition = options->partition;
    pipeline->sessions.gap_fixed = options->session_gap_ms != 0;
    const struct stage_window_options windows = { .defs = options->windows,
                                                  .rows = memory->rows,
                                                  .watermarks = memory->watermarks,
                                                  .partition = options->partition,
                                                  .partitions = options->partitions,
                                                  .seed = options->seed,
                                                  .results_max = options->results_max };
    pipeline->windows = stage_window_new(&windows);
    add_stage(pipeline, (struct process_stage){ "validate", &pipeline->validate, stage_validate_run, NULL });
    const struct stage_event_type_options types = { options->domains, options->pii_key, metrics };
    pipeline->event_type = stage_event_type_new(&types);
    if (pipeline->event_type)
        add_stage(pipeline, (struct process_stage){ "event types", pipeline->event_type, stage_event_type_run, NULL });
    pipeline->transform = stage_transform_new(options->domains, metrics->registry);
    if (pipeline->transform)
        add_stage(pipeline, (struct process_stage){ "transform", pipeline->transform, stage_transform_run, NULL });
    /* Behind all that may refuse an event: an id is remembered only with an event that counts, so that a dead letter's
     * may come again, mended. */
    if (!options->ids_unique)
        add_stage(pipeline, (struct process_stage){ "dedup", &pipeline->dedup, stage_dedup_run, NULL });
    add_stage(pipeline,
              (struct process_stage){ "sessions", &pipeline->sessions, stage_session_run, stage_session_flush });
    add_stage(pipeline, (struct process_stage){ "windows", pipeline->windows, stage_window_run, stage_window_flush });
    return pipeline;
}

void process_pipeline_free(struct process_pipeline *pipeline)
{
    if (!pipeline)
        return;
    stage_event_type_free(pipeline->event_type);
    stage_transform_free(pipeline->transform);
    stage_window_free(pipeline->windows);
    arena_done(&pipeline->arena);
    buf_done(&pipeline->letter);
    free(pipeline);
}

bool process_pipeline_add(struct process_pipeline *pipeline, struct slice record)
{
    struct process_batch *batch = &pipeline->batch;
    if (batch->count == PROCESS_BATCH_MAX)
        return false;
    batch->records[batch->count++] = record;
    return true;
}

size_t process_pipeline_count(const struct process_pipeline *pipeline)
{
    return pipeline->batch.count;
}

static void decode(struct process_batch *batch, int64_t *io_oldest_us)
{
    batch->live_count = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct event *event = &batch->events[i];
        batch->changed[i] = false;
        batch->values[i] = (struct process_values){ 0 };
        batch->verdicts[i] = PROCESS_ACCEPTED;
        if (i + 4 < batch->count)
            __builtin_prefetch(batch->records[i + 4].p);
        if (UNLIKELY(event_decode(batch->records[i], event, NULL) != OK)) {
            *event = (struct event){ .received_ms = batch->now_ms };
            process_refuse(batch, i, "decode", "corrupt_record", (struct slice){ 0 },
                           SLICE("these bytes are not an event record that this weir can read"));
            continue;
        }
        if (UNLIKELY(batch->records[i].n > RECORD_BYTES_MAX)) {
            process_refuse(batch, i, "decode", "event_too_large", (struct slice){ 0 },
                           SLICE("events of more than 8 MiB cannot be processed; the first 8 MiB are here"));
            continue;
        }
        if (event->ingested_us < *io_oldest_us)
            *io_oldest_us = event->ingested_us;
        batch->live[batch->live_count++] = i;
    }
}

/* One look for each tenant while its events stand together. Where no domain names anybody, all have the same. */
static void find_domains(const struct domain_set *domains, struct process_batch *batch)
{
    struct slice tenant = { 0 };
    const struct tenant_domains *has = &domains->others;
    for (size_t n = 0; domains->tenant_count && n < batch->live_count; n++) {
        const uint32_t i = batch->live[n];
        if (!slice_equal(tenant, batch->events[i].customer_id)) {
            tenant = batch->events[i].customer_id;
            has = domain_set_of(domains, tenant);
        }
        batch->domains[i] = has;
    }
}

/* Takes out of `live` what the stage decided against. */
static void keep_accepted(struct process_batch *batch)
{
    size_t kept = 0;
    for (size_t n = 0; n < batch->live_count; n++) {
        uint32_t i = batch->live[n];
        batch->live[kept] = i;
        kept += batch->verdicts[i] == PROCESS_ACCEPTED;
    }
    batch->live_count = kept;
}

/* ---- writing ---- */

static void write_changed(const struct event *event, struct process_stream *stream)
{
    char *to = process_stream_record(stream, event_encoded_size(event));
    if (to)
        event_encode(event, to);
}

static void write_accepted(const struct process_batch *batch, struct process_stream *stream)
{
    struct slice run = { 0 }; /* neighbours, with their length prefixes */
    uint32_t run_records = 0;
    for (size_t n = 0; n < batch->live_count; n++) {
        uint32_t i = batch->live[n];
        struct slice framed = { batch->records[i].p - FRAME_BYTES, batch->records[i].n + FRAME_BYTES };
        bool goes_on = !batch->changed[i] && run_records && run.p + run.n == framed.p;
        if (goes_on) {
            run.n += framed.n;
            run_records++;
            continue;
        }
        process_stream_copy(stream, run, run_records);
        run = (struct slice){ 0 };
        run_records = 0;
        if (batch->changed[i]) {
            write_changed(&batch->events[i], stream);
        } else {
            run = framed;
            run_records = 1;
        }
    }
    process_stream_copy(stream, run, run_records);
}

/* The event as it came, in the words of /track; bytes that are no event stay as they are. */
static struct slice original_of(struct process_pipeline *pipeline, struct slice record, struct slice context)
{
    struct event event;
    buf_reset(&pipeline->letter);
    if (record.n <= RECORD_BYTES_MAX && event_decode(record, &event, NULL) == OK) {
        event.context = context.p ? context : event.context;
        event_json_add(&pipeline->letter, &event);
    }
    if (pipeline->letter.n && !pipeline->letter.full)
        return buf_slice(&pipeline->letter);
    return slice_of(record.p, record.n < RECORD_BYTES_MAX ? record.n : RECORD_BYTES_MAX);
}

static void write_dead(struct process_pipeline *pipeline, uint32_t i, struct process_stream *stream)
{
    const struct process_batch *batch = &pipeline->batch;
    const struct process_refusal *refusal = &batch->refusals[i];
    struct dead_letter letter = {
        .customer_id = batch->events[i].customer_id,
        .stage = slice_from(refusal->stage),
        .reason = slice_from(refusal->reason),
        .field = refusal->field,
        .event_id = batch->events[i].event_id,
        .message = refusal->message,
        .original = original_of(pipeline, batch->records[i], refusal->context),
        .received_ms = batch->events[i].received_ms,
    };
    char *to = process_stream_record(stream, dead_letter_encoded_size(&letter));
    if (to)
        dead_letter_encode(&letter, to);
    process_metrics_dead(pipeline->metrics, refusal->stage, refusal->reason);
}

static void count_live(const struct process_batch *batch, struct live_gather *live)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct event *event = &batch->events[i];
        struct live_count *count = live_gather_count(live, event->customer_id, event->event_type);
        count->accepted += batch->verdicts[i] == PROCESS_ACCEPTED;
        count->duplicates += batch->verdicts[i] == PROCESS_DUPLICATE;
        count->dead += batch->verdicts[i] == PROCESS_DEAD;
        if (UNLIKELY(batch->verdicts[i] == PROCESS_DEAD))
            live_gather_dead(live, event->customer_id, batch->refusals[i].reason, 1);
    }
}

/* The newest accepted events, but not all of one tenant's. */
static void sample_live(const struct process_batch *batch, struct live_gather *live)
{
    uint32_t chosen[LIVE_EVENTS_MAX];
    size_t count = 0, looked_at = 0;
    for (size_t n = batch->live_count; n-- > 0 && count < LIVE_EVENTS_MAX && looked_at < 2 * LIVE_EVENTS_MAX;) {
        uint32_t i = batch->live[n];
        size_t of_tenant = 0;
        for (size_t c = 0; c < count; c++)
            of_tenant += slice_equal(batch->events[chosen[c]].customer_id, batch->events[i].customer_id);
        if (of_tenant < LIVE_EVENTS_OF_TENANT_MAX)
            chosen[count++] = i;
        looked_at++;
    }
    while (count > 0)
        live_gather_event(live, &batch->events[chosen[--count]]);
}

static void write_outputs(struct process_pipeline *pipeline, struct process_outputs *outputs)
{
    struct process_batch *batch = &pipeline->batch;
    uint64_t duplicates = 0, dead = 0;
    if (!pipeline->results_only)
        write_accepted(batch, process_outputs_stream(outputs, TOPIC_ENRICHED, pipeline->partition));
    for (uint32_t i = 0; i < batch->count; i++) {
        duplicates += batch->verdicts[i] == PROCESS_DUPLICATE;
        dead += batch->verdicts[i] == PROCESS_DEAD;
    }
    if (dead) {
        struct process_stream *stream = process_outputs_stream(outputs, TOPIC_DEAD_LETTERS, pipeline->partition);
        for (uint32_t i = 0; i < batch->count; i++)
            if (batch->verdicts[i] == PROCESS_DEAD)
                write_dead(pipeline, i, stream);
    }
    if (!pipeline->results_only)
        quality_count_batch(&pipeline->quality, batch,
                            process_outputs_stream(outputs, TOPIC_QUALITY, pipeline->partition));
    counter_add(pipeline->metrics->processed, batch->count);
    counter_add(pipeline->metrics->duplicates, duplicates);
}

enum status process_pipeline_run(struct process_pipeline *pipeline, int64_t now_ms, struct process_outputs *outputs,
                                 struct live_gather *live, int64_t *io_oldest_us, struct error *err)
{
    struct process_batch *batch = &pipeline->batch;
    batch->now_ms = now_ms;
    batch->arena = &pipeline->arena;
    batch->outputs = outputs;
    decode(batch, io_oldest_us);
    find_domains(pipeline->domains, batch);
    for (size_t s = 0; s < pipeline->stage_count; s++) {
        enum status status = pipeline->stages[s].run(pipeline->stages[s].self, batch, err);
        if (status != OK)
            return error_wrap(err, status, "%s", pipeline->stages[s].name);
        keep_accepted(batch);
    }
    write_outputs(pipeline, outputs);
    count_live(batch, live);
    sample_live(batch, live);
    arena_reset(&pipeline->arena);
    batch->count = 0;
    if (process_outputs_full(outputs))
        return error_set(err, ERR_FULL, "the outputs of a batch exceed a commit of %u bytes", JOURNAL_COMMIT_BYTES_MAX);
    return OK;
}

enum status process_pipeline_flush(struct process_pipeline *pipeline, struct process_outputs *outputs,
                                   struct error *err)
{
    for (size_t i = 0; i < pipeline->stage_count; i++) {
        const struct process_stage *stage = &pipeline->stages[i];
        enum status s = stage->flush ? stage->flush(stage->self, outputs, err) : OK;
        if (s != OK)
            return error_wrap(err, s, "%s", stage->name);
    }
    quality_flush(&pipeline->quality, process_outputs_stream(outputs, TOPIC_QUALITY, pipeline->partition));
    return OK;
}

enum status process_pipeline_partial(struct process_pipeline *pipeline, struct slice record, int64_t now_ms,
                                     struct process_outputs *outputs, struct error *err)
{
    return stage_window_partial(pipeline->windows, record, now_ms, outputs, err);
}

bool process_pipeline_is_full(const struct process_pipeline *pipeline)
{
    return stage_window_is_full(pipeline->windows);
}

bool process_pipeline_is_closing(const struct process_pipeline *pipeline)
{
    return stage_window_is_closing(pipeline->windows);
}

bool process_pipeline_tick(struct process_pipeline *pipeline, int64_t now_ms, int64_t *out_wake_ms)
{
    bool wanted = stage_window_tick(pipeline->windows, now_ms);
    *out_wake_ms = stage_window_wake_ms(pipeline->windows);
    return stage_session_tick(&pipeline->sessions, now_ms, out_wake_ms) || wanted;
}

void process_pipeline_hurry(struct process_pipeline *pipeline)
{
    session_state_hurry(pipeline->sessions.sessions);
}
