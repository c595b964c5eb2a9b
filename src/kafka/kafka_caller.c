/* A call goes to the thread and back by the state alone: whoever moves it owns the rest. Whoever frees a caller whose
 * call is out makes the thread its owner. */
#include "kafka/kafka_caller.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/bell.h"
#include "world/world.h"

#define FLUSH_WAIT_MS 5000

enum state {
    IDLE,
    ASKED,    /* the call is with the thread */
    ANSWERED, /* error is what it brought */
    ENDING,   /* there will be no further call */
    LEFT,     /* nobody waits any more: the thread frees everything when the call comes back */
};

struct kafka_caller {
    rd_kafka_t *producer;
    struct world *world;
    int grace_ms;
    pthread_t thread;
    struct bell *asked, *answered;
    _Atomic int state;
    struct kafka_call call;
    rd_kafka_error_t *error;
};

static rd_kafka_error_t *call_once(rd_kafka_t *producer, const struct kafka_call *call)
{
    switch (call->what) {
    case KAFKA_CALL_INIT:
        return rd_kafka_init_transactions(producer, call->wait_ms);
    case KAFKA_CALL_BEGIN:
        return rd_kafka_begin_transaction(producer);
    case KAFKA_CALL_MARK:
        return rd_kafka_send_offsets_to_transaction(producer, call->offsets, call->group, call->wait_ms);
    case KAFKA_CALL_COMMIT:
        break;
    }
    return rd_kafka_commit_transaction(producer, call->wait_ms);
}

static rd_kafka_error_t *make_call(const struct kafka_caller *caller)
{
    const int64_t end_us = world_mono_us(caller->world) + caller->call.again_ms * INT64_C(1000);
    rd_kafka_error_t *error;
    while ((error = call_once(caller->producer, &caller->call)) && rd_kafka_error_is_retriable(error) &&
           world_mono_us(caller->world) < end_us)
        rd_kafka_error_destroy(error);
    return error;
}

static void drop_call(struct kafka_call *call)
{
    if (call->offsets)
        rd_kafka_topic_partition_list_destroy(call->offsets);
    if (call->group)
        rd_kafka_consumer_group_metadata_destroy(call->group);
    *call = (struct kafka_call){ 0 };
}

static void drop_all(struct kafka_caller *caller)
{
    drop_call(&caller->call);
    rd_kafka_error_destroy(caller->error);
    rd_kafka_destroy(caller->producer);
    bell_free(caller->asked);
    bell_free(caller->answered);
    free(caller);
}

static bool moved(struct kafka_caller *caller, int from, int to)
{
    return atomic_compare_exchange_strong(&caller->state, &from, to);
}

static void *caller_run(void *self)
{
    struct kafka_caller *caller = self;
    for (;;) {
        int state = atomic_load(&caller->state);
        if (state == ENDING)
            return NULL;
        if (state != ASKED) {
            bell_wait(caller->asked, -1);
            continue;
        }
        caller->error = make_call(caller);
        if (!moved(caller, ASKED, ANSWERED))
            break;
        bell_ring(caller->answered);
    }
    pthread_detach(pthread_self());
    drop_all(caller);
    return NULL;
}

enum status kafka_caller_new(rd_kafka_t *producer, struct world *world, int grace_ms, struct kafka_caller **out,
                             struct error *err)
{
    struct kafka_caller *caller = calloc(1, sizeof *caller);
    if (!caller)
        abort();
    caller->producer = producer;
    caller->world = world;
    caller->grace_ms = grace_ms;
    caller->asked = bell_new();
    caller->answered = bell_new();
    /* Signals belong to the main thread. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&caller->thread, NULL, caller_run, caller);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        drop_all(caller);
        return error_errno(err, ERR_FULL, failed, "start a thread for transactions");
    }
    pthread_setname_np(caller->thread, "kafka-caller");
    *out = caller;
    return OK;
}

rd_kafka_t *kafka_caller_producer(struct kafka_caller *caller)
{
    return caller->producer;
}

bool kafka_caller_call(struct kafka_caller *caller, const struct kafka_call *call, rd_kafka_error_t **out)
{
    const int64_t most_ms = (int64_t)call->wait_ms + call->again_ms + caller->grace_ms;
    const int64_t end_us = world_mono_us(caller->world) + most_ms * 1000;
    assert(atomic_load(&caller->state) == IDLE);
    caller->call = *call;
    *out = NULL;
    atomic_store(&caller->state, ASKED);
    bell_ring(caller->asked);
    int64_t left_us;
    while (atomic_load(&caller->state) == ASKED && (left_us = end_us - world_mono_us(caller->world)) > 0)
        bell_wait(caller->answered, left_us);
    if (atomic_load(&caller->state) != ANSWERED)
        return false;
    *out = caller->error;
    caller->error = NULL;
    drop_call(&caller->call);
    atomic_store(&caller->state, IDLE);
    return true;
}

/* So that nothing points into the memory of whoever produced: most messages have been answered or have timed out by
 * now; what has not is taken back, and a connection that has sent half of it is closed by librdkafka. */
static void settle_messages(rd_kafka_t *producer)
{
    if (rd_kafka_flush(producer, FLUSH_WAIT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(producer, FLUSH_WAIT_MS);
}

bool kafka_caller_free(struct kafka_caller *caller)
{
    if (!caller)
        return true;
    if (atomic_load(&caller->state) == ASKED)
        settle_messages(caller->producer);
    if (moved(caller, ASKED, LEFT)) /* it may have come back meanwhile */
        return false;
    atomic_store(&caller->state, ENDING);
    bell_ring(caller->asked);
    pthread_join(caller->thread, NULL);
    drop_all(caller);
    return true;
}
