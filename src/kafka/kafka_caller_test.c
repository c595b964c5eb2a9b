/* Against librdkafka's own brokers in this process, of which one can be taken away in the middle of a transaction (with
 * real ones: test/scenario/kafka_network_test.py). */
#include "kafka/kafka_caller.h"

#include <dirent.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <time.h>

#include "base/test.h"
#include "world/world.h"

#define ASK_MS 10000
#define SHORT_MS 300
#define TRANSACTIONS 1
#define GROUPS 2

static rd_kafka_t *host; /* of the brokers */
static rd_kafka_mock_cluster_t *brokers;
static struct error err;

static int setup(void **state)
{
    char why[200];
    (void)state;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL);
    host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    brokers = rd_kafka_mock_cluster_new(host, 2);
    assert_int_equal(rd_kafka_mock_topic_create(brokers, "t", 1, 1), 0);
    assert_int_equal(rd_kafka_mock_partition_set_leader(brokers, "t", 0, TRANSACTIONS), 0);
    assert_int_equal(rd_kafka_mock_coordinator_set(brokers, "transaction", "id", TRANSACTIONS), 0);
    assert_int_equal(rd_kafka_mock_coordinator_set(brokers, "group", "g", GROUPS), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rd_kafka_mock_cluster_destroy(brokers);
    rd_kafka_destroy(host);
    return 0;
}

static struct kafka_caller *caller_to(const char *addresses, int grace_ms)
{
    char why[200];
    const char *const settings[][2] = { { "bootstrap.servers", addresses }, { "transactional.id", "id" } };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL);
    for (size_t i = 0; i < COUNT_OF(settings); i++)
        assert_int_equal(rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why), RD_KAFKA_CONF_OK);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    assert_non_null(producer);
    struct kafka_caller *caller;
    assert_int_equal(kafka_caller_new(producer, world_real(), grace_ms, &caller, &err), OK);
    return caller;
}

static void call_well(struct kafka_caller *caller, struct kafka_call call)
{
    rd_kafka_error_t *error;
    call.wait_ms = ASK_MS;
    assert_true(kafka_caller_call(caller, &call, &error));
    if (error)
        fail_msg("call %d: %s", call.what, rd_kafka_error_string(error));
}

static struct kafka_call mark(int wait_ms)
{
    struct kafka_call call = { .what = KAFKA_CALL_MARK,
                               .wait_ms = wait_ms,
                               .offsets = rd_kafka_topic_partition_list_new(1),
                               .group = rd_kafka_consumer_group_metadata_new("g") };
    rd_kafka_topic_partition_list_add(call.offsets, "t", 0)->offset = 7;
    return call;
}

static size_t count_threads(void)
{
    size_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    while (readdir(tasks))
        count++;
    closedir(tasks);
    return count;
}

static void await_threads(size_t count)
{
    for (int i = 0; i < 600 && count_threads() > count; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
    assert_true(count_threads() <= count); /* fewer: one of before was still ending when they were counted */
}

static void transact(struct kafka_caller *caller)
{
    call_well(caller, (struct kafka_call){ .what = KAFKA_CALL_BEGIN });
    assert_int_equal(rd_kafka_producev(kafka_caller_producer(caller), RD_KAFKA_V_TOPIC("t"), RD_KAFKA_V_PARTITION(0),
                                       RD_KAFKA_V_VALUE((void *)(uintptr_t) "v", 1), RD_KAFKA_V_END),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    call_well(caller, mark(ASK_MS));
    call_well(caller, (struct kafka_call){ .what = KAFKA_CALL_COMMIT });
}

static void test_transactions_go_through(void **state)
{
    (void)state;
    size_t threads = count_threads();
    struct kafka_caller *caller = caller_to(rd_kafka_mock_cluster_bootstraps(brokers), ASK_MS);
    call_well(caller, (struct kafka_call){ .what = KAFKA_CALL_INIT });
    for (int i = 0; i < 20; i++)
        transact(caller);
    assert_true(kafka_caller_free(caller));
    await_threads(threads);
}

static void test_librdkafkas_own_answer_comes_back_and_is_asked_for_again_as_long_as_is_said(void **state)
{
    (void)state;
    rd_kafka_error_t *error;
    struct kafka_caller *caller = caller_to("127.0.0.1:1", ASK_MS); /* nobody listens */
    struct kafka_call call = { .what = KAFKA_CALL_INIT, .wait_ms = SHORT_MS, .again_ms = 3 * SHORT_MS };
    const int64_t began_us = world_mono_us(world_real());
    assert_true(kafka_caller_call(caller, &call, &error));
    assert_int_equal(rd_kafka_error_code(error), RD_KAFKA_RESP_ERR__TIMED_OUT);
    assert_true(world_mono_us(world_real()) - began_us >= 3 * SHORT_MS * 1000);
    rd_kafka_error_destroy(error);
    assert_true(kafka_caller_free(caller));
}

/* librdkafka's issue 5456: the limit that it is given is not looked at. Should this fail one day, it is mended. */
static void test_a_call_that_does_not_come_back_is_left_behind_and_another_producer_goes_on(void **state)
{
    (void)state;
    rd_kafka_error_t *error;
    size_t threads = count_threads();
    struct kafka_caller *caller = caller_to(rd_kafka_mock_cluster_bootstraps(brokers), SHORT_MS);
    call_well(caller, (struct kafka_call){ .what = KAFKA_CALL_INIT });
    transact(caller);
    call_well(caller, (struct kafka_call){ .what = KAFKA_CALL_BEGIN });
    assert_int_equal(rd_kafka_mock_broker_set_down(brokers, GROUPS), RD_KAFKA_RESP_ERR_NO_ERROR);
    struct kafka_call call = mark(SHORT_MS);
    assert_false(kafka_caller_call(caller, &call, &error));
    assert_null(error);
    assert_false(kafka_caller_free(caller));

    assert_int_equal(rd_kafka_mock_coordinator_set(brokers, "group", "g", TRANSACTIONS), 0);
    caller = caller_to(rd_kafka_mock_cluster_bootstraps(brokers), ASK_MS);
    call_well(caller, (struct kafka_call){ .what = KAFKA_CALL_INIT });
    transact(caller);
    assert_true(kafka_caller_free(caller));

    assert_int_equal(rd_kafka_mock_broker_set_up(brokers, GROUPS), RD_KAFKA_RESP_ERR_NO_ERROR);
    await_threads(threads); /* it comes back after all, and frees what it had */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_transactions_go_through, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_librdkafkas_own_answer_comes_back_and_is_asked_for_again_as_long_as_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_call_that_does_not_come_back_is_left_behind_and_another_producer_goes_on,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
