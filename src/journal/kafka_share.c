/* Who works on which partition: a consumer group PREFIX.members.WORK that reads nothing. Kafka notices who comes and
 * goes and shares the partitions of PREFIX.input out, moving as few as possible (cooperative, sticky); a member is
 * static, so that one that is started again within kafka.session_timeout gets what it had, and nothing moves.
 *
 *     Kafka says        place        the process
 *     assign            HERE         begins to work on it
 *     revoke            LEAVING      ends its work, then says left; only then Kafka is told, and gives it to another
 *     lost (was away)   LEAVING      the same, but Kafka may have given it away already: the partition's transactional
 *                                    id decides, whoever took it over last alone commits (kafka_writer.c)
 *
 * The group fences a member when another one joins with its name. That may be itself: a request to join that seemed
 * lost and was sent again. So it joins anew; who is fenced again and again shares its name with another process.
 *
 * A thread of its own polls; the places are atomics. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "journal/kafka.h"
#include "world/world.h"

#define POLL_WAIT_MS 100
#define HEARTBEATS_IN_SESSION 5
#define FENCES_MAX 3 /* in a row, within FENCES_WITHIN_US of each other */
#define FENCES_WITHIN_US 60000000
#define JOIN_AGAIN_US 1000000

struct kafka_share {
    struct journal_share share;
    struct kafka *kafka;
    char group[KAFKA_NAME_MAX], member[KAFKA_NAME_MAX];
    unsigned fences;
    int64_t fenced_us, join_at_us; /* the thread's, as what follows */
    rd_kafka_t *consumer;          /* NULL: joins at join_at_us */
    struct bell *bell;
    struct role_thread *thread;
    rd_kafka_topic_partition_list_t *leaving; /* the thread's: to be given back once all of it was left */
    bool closing;
    _Atomic bool joined;
    _Atomic bool fenced;
    _Atomic uint8_t places[]; /* enum share_place */
};

/* Whose rebalance it is: librdkafka's opaque is the journal's, and it calls only from within our own poll or close. */
static _Thread_local struct kafka_share *polling;

static void set_places(struct kafka_share *share, const rd_kafka_topic_partition_list_t *list, enum share_place place)
{
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].partition < share->kafka->journal.partitions)
            atomic_store(&share->places[list->elems[i].partition], (uint8_t)place);
}

static void give_back(struct kafka_share *share, rd_kafka_topic_partition_list_t *list)
{
    /* After a fatal error there is no group any more, and no protocol. */
    bool cooperative = strcmp(rd_kafka_rebalance_protocol(share->consumer), "COOPERATIVE") == 0;
    rd_kafka_error_t *error = cooperative ? rd_kafka_incremental_unassign(share->consumer, list) : NULL;
    if (!cooperative)
        (void)rd_kafka_assign(share->consumer, NULL);
    if (error)
        log_warn("kafka.share", "group=%s give back: %s", share->group, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
}

static void forget_leaving(struct kafka_share *share)
{
    if (share->leaving)
        rd_kafka_topic_partition_list_destroy(share->leaving);
    share->leaving = NULL;
}

static void take(struct kafka_share *share, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_error_t *error = rd_kafka_incremental_assign(share->consumer, list);
    if (error) {
        log_warn("kafka.share", "group=%s take: %s", share->group, rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        return;
    }
    (void)rd_kafka_pause_partitions(share->consumer, list); /* who works on them reads with readers of its own */
    log_info("kafka.share", "group=%s partitions_taken=%d", share->group, list->cnt);
    set_places(share, list, SHARE_HERE);
    atomic_store(&share->joined, true);
}

static void on_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                         void *kafka)
{
    struct kafka_share *share = polling;
    (void)kafka;
    assert(share && share->consumer == consumer);
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        take(share, list);
        return;
    }
    bool lost = rd_kafka_assignment_lost(consumer);
    if (lost)
        atomic_store(&share->joined, false);
    if (!share->closing)
        log_info("kafka.share", "group=%s partitions_%s=%d", share->group, lost ? "lost" : "leaving", list->cnt);
    set_places(share, list, SHARE_LEAVING);
    forget_leaving(share); /* lost while it was being left: this list is all of it */
    if (lost || share->closing)
        give_back(share, list);
    else
        share->leaving = rd_kafka_topic_partition_list_copy(list);
}

static bool all_left(struct kafka_share *share)
{
    for (int i = 0; i < share->leaving->cnt; i++)
        if (atomic_load(&share->places[share->leaving->elems[i].partition]) == SHARE_LEAVING)
            return false;
    return true;
}

static enum status join(struct kafka_share *share, struct error *err);

static void quit(struct kafka_share *share)
{
    share->closing = true;
    polling = share;
    if (share->leaving)
        give_back(share, share->leaving);
    forget_leaving(share);
    if (share->consumer) {
        rd_kafka_consumer_close(share->consumer); /* a static member does not say goodbye: it may be back soon */
        rd_kafka_destroy(share->consumer);
    }
    share->consumer = NULL;
    share->closing = false;
}

static void on_fenced(struct kafka_share *share, const char *why, int64_t now_us)
{
    share->fences = now_us - share->fenced_us < FENCES_WITHIN_US ? share->fences + 1 : 1;
    share->fenced_us = now_us;
    share->join_at_us = now_us + JOIN_AGAIN_US;
    log_warn("kafka.share_fenced", "group=%s times=%u %s", share->group, share->fences, why);
    atomic_store(&share->joined, false);
    for (uint16_t i = 0; i < share->kafka->journal.partitions; i++) {
        uint8_t here = SHARE_HERE;
        atomic_compare_exchange_strong(&share->places[i], &here, SHARE_LEAVING);
    }
    quit(share);
    if (share->fences >= FENCES_MAX)
        atomic_store(&share->fenced, true);
}

static void join_again(struct kafka_share *share, int64_t now_us, int64_t *wake_us)
{
    struct error err;
    *wake_us = share->join_at_us;
    if (now_us < share->join_at_us || atomic_load(&share->fenced))
        return;
    if (join(share, &err) == OK)
        return;
    quit(share);
    log_warn("kafka.share", "group=%s join again: %s", share->group, err.text);
    *wake_us = share->join_at_us = now_us + JOIN_AGAIN_US;
}

static bool share_step(void *self, struct world *world, int64_t *wake_us)
{
    struct kafka_share *share = self;
    polling = share;
    if (!share->consumer) {
        join_again(share, world_mono_us(world), wake_us);
        if (atomic_load(&share->fenced))
            *wake_us = WAKE_NEVER;
        return false;
    }
    rd_kafka_message_t *message = rd_kafka_consumer_poll(share->consumer, POLL_WAIT_MS);
    if (message)
        rd_kafka_message_destroy(message);
    if (share->leaving && all_left(share)) {
        give_back(share, share->leaving);
        forget_leaving(share);
    }
    char why[200];
    if (rd_kafka_fatal_error(share->consumer, why, sizeof why))
        on_fenced(share, why, world_mono_us(world));
    *wake_us = world_mono_us(world); /* at once, unless the thread is to end */
    return false;
}

static enum share_place kafka_share_place(struct journal_share *self, uint16_t partition)
{
    struct kafka_share *share = (struct kafka_share *)self;
    return (enum share_place)atomic_load(&share->places[partition]);
}

static void kafka_share_left(struct journal_share *self, uint16_t partition)
{
    uint8_t leaving = SHARE_LEAVING; /* it may be here again already */
    atomic_compare_exchange_strong(&((struct kafka_share *)self)->places[partition], &leaving, SHARE_ELSEWHERE);
}

static enum status kafka_share_state(struct journal_share *self, struct error *err)
{
    struct kafka_share *share = (struct kafka_share *)self;
    if (atomic_load(&share->fenced))
        return error_set(err, ERR_CLOSED,
                         "another process joins the group %s with this one's identity: each needs a data "
                         "directory of its own (--data), a copied one must lose its file `instance`",
                         share->group);
    return atomic_load(&share->joined) ? OK : error_set(err, ERR_RETRY, "waiting for the group %s", share->group);
}

static void kafka_share_close(struct journal_share *self)
{
    struct kafka_share *share = (struct kafka_share *)self;
    if (!share)
        return;
    role_stop(share->thread);
    quit(share);
    bell_free(share->bell);
    free(share);
}

static enum status join(struct kafka_share *share, struct error *err)
{
    char session[16], heartbeat[16];
    uint32_t session_ms = share->kafka->options.kafka.session_ms;
    assert(session_ms);
    snprintf(session, sizeof session, "%u", session_ms);
    snprintf(heartbeat, sizeof heartbeat, "%u", session_ms / HEARTBEATS_IN_SESSION);
    const struct kafka_setting settings[] = { { "group.id", share->group },
                                              { "group.instance.id", share->member },
                                              { "partition.assignment.strategy", "cooperative-sticky" },
                                              { "session.timeout.ms", session },
                                              { "heartbeat.interval.ms", heartbeat },
                                              { "enable.auto.commit", "false" },
                                              { "enable.auto.offset.store", "false" },
                                              { "auto.offset.reset", "latest" },
                                              { NULL, NULL } };
    enum status s = kafka_client_of_group(share->kafka, settings, on_rebalance, &share->consumer, err);
    if (s != OK)
        return s;
    rd_kafka_poll_set_consumer(share->consumer);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, share->kafka->topics[LANE_INPUT], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(share->consumer, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return code ? kafka_error(err, code, "join the group %s", share->group) : OK;
}

enum status kafka_share_open(struct journal *journal, const struct journal_share_options *options,
                             struct journal_share **out, struct error *err)
{
    static const struct journal_share_ops OPS = { kafka_share_place, kafka_share_left, kafka_share_state,
                                                  kafka_share_close };
    struct kafka *kafka = kafka_of(journal);
    struct kafka_share *share = calloc(1, sizeof *share + journal->partitions);
    if (!share)
        return error_set(err, ERR_FULL, "share the partitions out: out of memory");
    share->share = (struct journal_share){ &OPS, 3000000 };
    share->kafka = kafka;
    share->bell = bell_new();
    snprintf(share->member, sizeof share->member, "%s", options->member);
    char work[KAFKA_NAME_MAX];
    snprintf(work, sizeof work, "members.%s", options->work);
    kafka_group_name(kafka, work, 0, share->group, sizeof share->group);
    enum status s = join(share, err);
    struct role role = { "kafka-share", share, share_step, share->bell, 0 };
    if (s == OK)
        s = role_start(&role, kafka->world, &share->thread, err);
    if (s != OK) {
        kafka_share_close(&share->share);
        return s;
    }
    *out = &share->share;
    return OK;
}
