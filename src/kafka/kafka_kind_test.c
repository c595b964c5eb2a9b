#include "kafka/kafka_kind.h"

#include "base/test.h"

static void test_a_refusal_is_final_and_a_missing_right_is_final_but_no_refusal(void **state)
{
    (void)state;
    const rd_kafka_resp_err_t refusals[] = { RD_KAFKA_RESP_ERR__SSL, RD_KAFKA_RESP_ERR__AUTHENTICATION,
                                             RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED };
    const rd_kafka_resp_err_t rights[] = { RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                                           RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
                                           RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
                                           RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        assert_true(kafka_is_refusal(refusals[i]) && kafka_is_final(refusals[i]));
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++)
        assert_true(!kafka_is_refusal(rights[i]) && kafka_is_final(rights[i]));
}

static void test_what_passes_by_itself_is_not_final(void **state)
{
    (void)state;
    const rd_kafka_resp_err_t passing[] = { RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR__TRANSPORT,
                                            RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                                            RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR__FENCED };
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        assert_true(!kafka_is_refusal(passing[i]) && !kafka_is_final(passing[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_refusal_is_final_and_a_missing_right_is_final_but_no_refusal),
        cmocka_unit_test(test_what_passes_by_itself_is_not_final),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
