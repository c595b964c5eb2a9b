/* A Kafka topic: each record once for readers of what is committed. A batch is a transaction that carries its records
 * and the place in our journal at which it ends, as the offset of a consumer group: both are there or none. After
 * anything unclear the producer is thrown away; the next one, under the same transactional id, makes the brokers end
 * what was open, and the group's offset says what became of it (decision 0025).
 *
 * The id is made of the sink's name and the journal's: a zombie of the same weir is fenced, another weir with a sink of
 * the same name is left alone. */
#include "deliver/target_kafka.h"

#include <stdio.h>
#include <stdlib.h>

#include "world/world.h"

#define VALUE_BYTES_MAX (128u << 20)

static struct kafka_target *of(struct target *target)
{
    return (struct kafka_target *)target;
}

static enum status kafka_open(const struct target_options *options, struct world *world, struct target **out,
                              struct error *err)
{
    struct result_avro *avro = NULL;
    if (!options->kafka.brokers[0])
        return error_set(err, ERR_INVALID, "brokers must be said, HOST:PORT,…, here or as kafka.brokers");
    if (!options->kafka.topic[0])
        return error_set(err, ERR_INVALID, "topic must name the topic that results go to");
    if (strlen(options->kafka.id_prefix) > KAFKA_ID_PREFIX_MAX)
        return error_set(err, ERR_INVALID, "id_prefix has at most %d bytes", KAFKA_ID_PREFIX_MAX);
    enum status s = result_avro_open(&options->avro, options->kafka.topic, world, &avro, err);
    if (s != OK)
        return s;
    struct kafka_target *target = calloc(1, sizeof *target);
    if (!target)
        abort();
    target->target.backend = &target_kafka;
    target->avro = avro;
    buf_init(&target->value, VALUE_BYTES_MAX);
    target->options = *options;
    target->world = world;
    int n = snprintf(target->id, sizeof target->id, "%s.%s.%s.%u", options->kafka.id_prefix, options->sink,
                     options->journal, options->order);
    assert(n < (int)sizeof target->id); /* cut off, several orders would be one */
    *out = &target->target;
    return OK;
}

static enum status connect_producer(struct kafka_target *target, const char *linger_ms, struct error *err)
{
    kafka_target_disconnect(target);
    enum status s = kafka_target_connect(target, linger_ms, err);
    if (s == OK)
        s = kafka_target_insist(target, rd_kafka_init_transactions, KAFKA_ASK_MS, "begin with transactions", err);
    return s;
}

static enum status check_once(struct kafka_target *target, struct error *err)
{
    if (target->checked)
        return OK;
    enum status s = connect_producer(target, KAFKA_LINGER_UNSENT, err);
    if (s == OK)
        s = kafka_target_find_topic(target, err);
    if (s == OK)
        s = kafka_target_check_rights(target, err);
    target->checked = s == OK;
    return s;
}

static enum status begin_again(struct kafka_target *target, uint64_t *io_position, struct error *err)
{
    enum status s = check_once(target, err);
    if (s == OK)
        s = connect_producer(target, KAFKA_LINGER, err);
    if (s == OK)
        s = kafka_target_find_topic(target, err);
    return s == OK ? kafka_target_find_place(target, io_position, err) : s;
}

static enum status kafka_resume(struct target *self, char io_note[TARGET_NOTE_MAX], uint64_t *io_position,
                                struct error *err)
{
    struct kafka_target *target = of(self);
    (void)io_note; /* the brokers know */
    enum status s = result_avro_register(target->avro, target->options.stopping, err);
    if (s == OK)
        s = begin_again(target, io_position, err);
    if (s != OK)
        kafka_target_disconnect(target);
    return s;
}

static rd_kafka_resp_err_t produce(struct kafka_target *target, const struct target_record *record, struct slice value)
{
    /* JSON is neither copied nor freed: the batch outlives the transaction, or the producer is thrown away first. */
    rd_kafka_error_t *error = rd_kafka_produceva(
        target->producer,
        (rd_kafka_vu_t[]){
            { .vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = target->topic },
            { .vtype = RD_KAFKA_VTYPE_KEY, .u.mem = { (void *)(uintptr_t)record->key.p, record->key.n } },
            { .vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = { (void *)(uintptr_t)value.p, value.n } },
            { .vtype = RD_KAFKA_VTYPE_HEADER, .u.header = { "weir-id", record->id.p, (ssize_t)record->id.n } },
            { .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = target->avro ? RD_KAFKA_MSG_F_COPY : 0 },
        },
        5);
    rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (error)
        rd_kafka_error_destroy(error);
    return code;
}

/* *out: until the next one. */
static enum status value_of(struct kafka_target *target, const struct target_record *record, struct slice *out,
                            struct error *err)
{
    if (!target->avro) {
        *out = record->value;
        return OK;
    }
    buf_reset(&target->value);
    enum status s = result_avro_add(target->avro, record, &target->value, err);
    *out = buf_slice(&target->value);
    return s;
}

static enum status produce_all(struct kafka_target *target, const struct target_batch *batch, struct error *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        rd_kafka_resp_err_t code;
        int waited_ms = 0;
        struct slice value;
        enum status s = value_of(target, &batch->records[i], &value, err);
        if (s != OK)
            return s;
        while ((code = produce(target, &batch->records[i], value)) == RD_KAFKA_RESP_ERR__QUEUE_FULL &&
               waited_ms < KAFKA_DELIVERY_MS && !atomic_load(target->options.stopping)) {
            rd_kafka_poll(target->producer, 10);
            waited_ms += 10;
        }
        if (code)
            return kafka_target_error(target, err, code, "write to topic %s", target->options.kafka.topic);
    }
    return OK;
}

static enum status kafka_write(struct target *self, const struct target_batch *batch, char io_note[TARGET_NOTE_MAX],
                               struct error *err)
{
    struct kafka_target *target = of(self);
    (void)io_note;
    assert(target->producer && batch->to > batch->from);
    enum status s = kafka_target_take(target, err, rd_kafka_begin_transaction(target->producer), "begin a transaction");
    if (s == OK)
        s = produce_all(target, batch, err);
    if (s == OK)
        s = kafka_target_move_place(target, batch->to, err);
    if (s == OK)
        s = kafka_target_insist(target, rd_kafka_commit_transaction, 2 * KAFKA_DELIVERY_MS, "commit a transaction",
                                err);
    if (s != OK)
        kafka_target_disconnect(target);
    return s;
}

static void kafka_close(struct target *self)
{
    struct kafka_target *target = of(self);
    if (!target)
        return;
    kafka_target_disconnect(target);
    result_avro_close(target->avro);
    buf_done(&target->value);
    free(target);
}

const struct target_backend target_kafka = {
    TARGET_VERSION, "kafka", kafka_open, kafka_resume, kafka_write, kafka_close
};
