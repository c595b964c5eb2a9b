/* Commits without marks: what ingestion accepted. One idempotent producer for all of them; a chunk is a message, and
 * the commit is done when the brokers have acknowledged each (acks=all). They are not a transaction: that would cost
 * every client tens of milliseconds, and buy nothing, since a client whose request failed sends it again and repeats
 * are known by their ids. So of a commit that failed, some chunks may be there.
 *
 * A producer may fail for good: a broker that comes back knows less of its sequence than it does. Then the role makes
 * another one; what the first had is answered as failed, and it is freed when nobody can be using it any more. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "journal/kafka.h"
#include "world/world.h"

struct sent { /* a commit on its way */
    struct kafka *kafka;
    struct journal_commit *commit;
    _Atomic size_t unanswered;
    enum status status; /* the journal's thread alone */
    rd_kafka_resp_err_t code;
    bool cut; /* the producer did not take all chunks; the submitter's, until it has counted those out */
};

void kafka_finish(struct kafka *kafka, struct journal_commit *commit, enum status s, const char *reason)
{
    size_t n = commit_bytes(commit);
    commit->done(commit, s, reason); /* its memory is the submitter's again */
    atomic_fetch_sub(&kafka->queued_bytes, n);
    atomic_fetch_sub(&kafka->unfinished, 1);
}

static void on_delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *self)
{
    (void)producer;
    (void)self;
    struct sent *sent = message->_private;
    if (message->err) {
        sent->code = message->err;
        sent->status = message->err == RD_KAFKA_RESP_ERR__QUEUE_FULL ? ERR_FULL : ERR_IO;
    }
    if (atomic_fetch_sub(&sent->unanswered, 1) > 1)
        return;
    char reason[200] = "";
    if (sent->cut && sent->status == OK) { /* what was taken is there, the rest is not */
        sent->code = RD_KAFKA_RESP_ERR__QUEUE_FULL;
        sent->status = ERR_FULL;
    }
    if (sent->status != OK)
        snprintf(reason, sizeof reason, "kafka: %s", rd_kafka_err2str(sent->code));
    kafka_finish(sent->kafka, sent->commit, sent->status, sent->status == OK ? NULL : reason);
    free(sent);
}

static void on_events(rd_kafka_t *producer, void *self)
{
    (void)producer;
    bell_ring(((struct kafka *)self)->bell);
}

static enum status open_producer(struct kafka *kafka, rd_kafka_t **out, struct error *err)
{
    char linger[24], batch[24], wait[24], queue[24];
    snprintf(linger, sizeof linger, "%u", kafka->options.kafka.linger_ms);
    snprintf(batch, sizeof batch, "%u", kafka->options.kafka.batch_bytes);
    snprintf(wait, sizeof wait, "%d", KAFKA_DELIVERY_WAIT_MS);
    uint64_t kilobytes = kafka->options.queue_bytes_max / 1024 + 65536; /* our own bound is met first */
    snprintf(queue, sizeof queue, "%llu", (unsigned long long)(kilobytes > 2000000 ? 2000000 : kilobytes));
    const struct kafka_setting settings[] = { { "enable.idempotence", "true" },
                                              { "acks", "all" },
                                              { "compression.type", kafka->options.kafka.compression },
                                              { "linger.ms", linger },
                                              { "batch.size", batch },
                                              { "message.timeout.ms", wait },
                                              { "queue.buffering.max.kbytes", queue },
                                              { NULL, NULL } };
    enum status s = kafka_client_new(kafka, RD_KAFKA_PRODUCER, settings, on_delivered, out, err);
    if (s == OK)
        kafka_client_find(*out, kafka, kafka->writes);
    return s;
}

static void watch_events(struct kafka *kafka, rd_kafka_t *producer)
{
    kafka->input_events = rd_kafka_queue_get_main(producer);
    rd_kafka_queue_cb_event_enable(kafka->input_events, on_events, kafka);
}

static void stop_watching(struct kafka *kafka)
{
    if (!kafka->input_events)
        return;
    rd_kafka_queue_cb_event_enable(kafka->input_events, NULL, NULL);
    rd_kafka_queue_destroy(kafka->input_events);
    kafka->input_events = NULL;
}

enum status kafka_input_open(struct kafka *kafka, struct error *err)
{
    rd_kafka_t *producer;
    enum status s = open_producer(kafka, &producer, err);
    if (s != OK)
        return s;
    atomic_store(&kafka->input, producer);
    watch_events(kafka, producer);
    return OK;
}

static void replace_failed(struct kafka *kafka)
{
    rd_kafka_t *failed = atomic_load(&kafka->input), *producer;
    char why[200];
    struct error err;
    if (kafka->input_before || !rd_kafka_fatal_error(failed, why, sizeof why) ||
        open_producer(kafka, &producer, &err) != OK)
        return; /* again at the next step */
    log_warn("kafka.producer_replaced", "coped=\"what it had is to be sent again\" error=\"%s\"", why);
    stop_watching(kafka);
    atomic_store(&kafka->input, producer);
    watch_events(kafka, producer);
    rd_kafka_purge(failed, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    kafka->input_before = failed;
}

/* Whoever came into a submit before the other one was there may have it still. */
static void end_failed(struct kafka *kafka)
{
    if (!kafka->input_before)
        return;
    bool unused = atomic_load(&kafka->input_users) == 0;
    rd_kafka_poll(kafka->input_before, 0);
    if (!unused || rd_kafka_outq_len(kafka->input_before))
        return;
    rd_kafka_destroy(kafka->input_before);
    kafka->input_before = NULL;
}

rd_kafka_resp_err_t kafka_produce(rd_kafka_t *producer, const struct kafka *kafka, const struct journal_chunk *chunk,
                                  uint64_t numbered, void *opaque)
{
    const enum kafka_lane lane = kafka_lane_of(chunk->topic);
    const bool one = kafka_lane_is_compacted(lane);
    struct kafka_key key = { KAFKA_KEY_VERSION, (uint8_t)chunk->topic, one ? chunk->partition : 0, chunk->records,
                             numbered };
    void *value = chunk->bytes.n ? (void *)(uintptr_t)chunk->bytes.p : NULL; /* NULL: the key is to be forgotten */
    const rd_kafka_vu_t parts[] = {
        { .vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = kafka->topics[lane] },
        { .vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = one ? 0 : chunk->partition },
        { .vtype = RD_KAFKA_VTYPE_KEY, .u.mem = { &key, sizeof key } },
        { .vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = { value, chunk->bytes.n } },
        { .vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = opaque },
    };
    rd_kafka_error_t *error = rd_kafka_produceva(producer, parts, COUNT_OF(parts));
    rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_error_destroy(error);
    return code;
}

/* How many chunks the producer took. */
static size_t produce_all(struct kafka *kafka, struct sent *sent, rd_kafka_resp_err_t *out_code)
{
    const struct journal_commit *commit = sent->commit;
    const size_t n = commit->chunk_count; /* the commit may be done before this ends */
    size_t taken = 0;
    *out_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    atomic_fetch_add(&kafka->input_users, 1);
    rd_kafka_t *producer = atomic_load(&kafka->input);
    for (; taken < n && !*out_code; taken += !*out_code)
        *out_code = kafka_produce(producer, kafka, &commit->chunks[taken], KAFKA_UNNUMBERED, sent);
    atomic_fetch_sub(&kafka->input_users, 1);
    return taken;
}

enum status kafka_input_submit(struct kafka *kafka, struct journal_commit *commit, struct error *err)
{
    struct sent *sent = malloc(sizeof *sent);
    if (!sent)
        return error_set(err, ERR_FULL, "commit: out of memory");
    const size_t n = commit->chunk_count;
    rd_kafka_resp_err_t code;
    *sent = (struct sent){ .kafka = kafka, .commit = commit, .unanswered = n };
    const size_t taken = produce_all(kafka, sent, &code);
    if (taken == n)
        return OK;
    if (taken == 0) {
        free(sent);
        bell_ring(kafka->bell); /* when it failed for good, the role makes another one */
        return kafka_error(err, code, "commit");
    }
    /* The others have no answer to wait for. The commit is refused when the others' answers are there; done
     * is never called from within a submit. */
    size_t missing = n - taken;
    sent->cut = true;
    if (atomic_fetch_sub(&sent->unanswered, missing) == missing) {
        bool was_empty;
        free(sent);
        commit_list_push(&kafka->refused, commit, &was_empty);
        bell_ring(kafka->bell);
    }
    return OK;
}

void kafka_input_step(struct kafka *kafka, int wait_ms)
{
    struct journal_commit *commit = commit_list_take(&kafka->refused), *next;
    for (; commit; commit = next) {
        next = commit->next;
        kafka_finish(kafka, commit, ERR_FULL, "kafka: the producer's queue is full");
    }
    replace_failed(kafka);
    end_failed(kafka);
    rd_kafka_poll(atomic_load(&kafka->input), wait_ms);
}

static void close_producer(rd_kafka_t *producer)
{
    if (!producer)
        return;
    rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(producer, 1000);
    rd_kafka_destroy(producer);
}

void kafka_input_close(struct kafka *kafka)
{
    stop_watching(kafka);
    close_producer(kafka->input_before);
    close_producer(atomic_load(&kafka->input));
}
