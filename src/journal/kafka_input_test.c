/* A commit that the producer's queue takes only in part, against librdkafka's own brokers in this process (the
 * journal's promises on real ones: test/contract/journal_contract_test.c). */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "journal/kafka.h"
#include "world/world.h"

#define QUEUE_MESSAGES 100000 /* librdkafka's bound */
#define WHOLE (QUEUE_MESSAGES / JOURNAL_CHUNKS_MAX)
#define WAIT_US 30000000

static struct kafka kafka;
static rd_kafka_t *host; /* of the brokers */
static rd_kafka_mock_cluster_t *brokers;
static struct error err;
static struct journal_chunk chunks[JOURNAL_CHUNKS_MAX];
static enum status answers[WHOLE + 1];
static size_t answered;

static void on_done(struct journal_commit *commit, enum status s, const char *reason)
{
    *(enum status *)commit->context = s;
    assert_true((s == OK) == (reason == NULL));
    answered++;
}

static void await_answers(size_t count)
{
    int64_t end_us = world_mono_us(kafka.world) + WAIT_US;
    while (answered < count && world_mono_us(kafka.world) < end_us)
        kafka_input_step(&kafka, 20);
    assert_int_equal(answered, count);
}

static int setup(void **state)
{
    char why[200];
    (void)state;
    answered = 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL);
    host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    brokers = rd_kafka_mock_cluster_new(host, 1);
    kafka = (struct kafka){ .journal = { &journal_kafka, 1, 1 }, .world = world_real(), .bell = bell_new() };
    kafka.options.queue_bytes_max = 64 << 20;
    kafka.options.kafka = (struct journal_kafka_options){ .brokers = rd_kafka_mock_cluster_bootstraps(brokers),
                                                          .linger_ms = 5,
                                                          .batch_bytes = 1 << 20 };
    snprintf(kafka.topics[LANE_INPUT], sizeof kafka.topics[LANE_INPUT], "t.input");
    assert_int_equal(rd_kafka_mock_topic_create(brokers, kafka.topics[LANE_INPUT], 1, 1), 0);
    assert_int_equal(kafka_input_open(&kafka, &err), OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kafka_input_close(&kafka);
    bell_free(kafka.bell);
    rd_kafka_mock_cluster_destroy(brokers);
    rd_kafka_destroy(host);
    return 0;
}

/* Nothing is answered before the queue is full: librdkafka counts a message out when its answer is served. */
static void test_a_commit_that_the_producer_takes_in_part_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < JOURNAL_CHUNKS_MAX; i++)
        chunks[i] = (struct journal_chunk){ .topic = TOPIC_EVENTS, .records = 1, .bytes = SLICE("\1\0\0\0e") };
    struct journal_commit commits[WHOLE + 1];
    for (size_t i = 0; i <= WHOLE; i++) {
        commits[i] = (struct journal_commit){
            .chunks = chunks, .chunk_count = JOURNAL_CHUNKS_MAX, .done = on_done, .context = &answers[i]
        };
        assert_int_equal(kafka_input_submit(&kafka, &commits[i], &err), OK);
    }
    await_answers(WHOLE + 1);
    for (size_t i = 0; i < WHOLE; i++)
        assert_int_equal(answers[i], OK);
    assert_int_equal(answers[WHOLE], ERR_FULL);

    answered = 0; /* and it goes on */
    assert_int_equal(kafka_input_submit(&kafka, &commits[0], &err), OK);
    await_answers(1);
    assert_int_equal(answers[0], OK);
}

static void test_a_producer_that_failed_for_good_is_replaced(void **state)
{
    (void)state;
    chunks[0] = (struct journal_chunk){ .topic = TOPIC_EVENTS, .records = 1, .bytes = SLICE("\1\0\0\0e") };
    struct journal_commit commit = { .chunks = chunks, .chunk_count = 1, .done = on_done, .context = &answers[0] };
    for (int times = 0; times < 3; times++) {
        answered = 0;
        rd_kafka_t *failed = atomic_load(&kafka.input);
        assert_int_equal(rd_kafka_test_fatal_error(failed, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "a test"),
                         0);
        assert_int_equal(kafka_input_submit(&kafka, &commit, &err), ERR_RETRY);
        kafka_input_step(&kafka, 0);
        assert_int_equal(kafka_input_submit(&kafka, &commit, &err), OK);
        await_answers(1);
        assert_int_equal(answers[0], OK);
        for (int i = 0; i < 100 && kafka.input_before; i++)
            kafka_input_step(&kafka, 20);
        assert_null(kafka.input_before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_commit_that_the_producer_takes_in_part_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_producer_that_failed_for_good_is_replaced, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
