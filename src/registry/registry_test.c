/* What the other end may answer, from a server that says what it was told to: each answer is the record's fault (a dead
 * letter), trouble that passes (again), or somebody's to mend; never a crash. */
#include "registry/registry.h"

#include <stdio.h>

#include "base/test.h"
#include "test/support/answer_server.h"
#include "world/world.h"

#define GOOD "{\"schema\":\"\\\"long\\\"\"}"

static struct answer_server t;

static int setup(void **state)
{
    (void)state;
    answer_server_start(&t);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    answer_server_stop(&t);
    return 0;
}

static struct registry *open_registry(const char *url)
{
    struct registry *registry;
    struct error err;
    const struct registry_options options = { .url = url };
    assert_int_equal(registry_open(&options, world_real(), &registry, &err), OK);
    return registry;
}

static void expect(const char *answer, enum status status, const char *words)
{
    struct registry *registry = open_registry(t.url);
    const struct avro_schema *schema = NULL;
    struct error err = { 0 };
    t.answer = answer;
    enum status s = registry_schema(registry, 7, &schema, &err);
    if (s != status || !strstr(err.text, words))
        fail_msg("%s gives %d, %s", answer, s, err.text);
    assert_true((s == OK) == (schema != NULL));
    registry_close(registry);
}

static void test_only_the_registrys_own_word_makes_a_dead_letter(void **state)
{
    (void)state;
    expect("200 OK\n" GOOD, OK, "");
    expect("404 Not Found\n{\"error_code\":40403,\"message\":\"Schema 7 not found\"}", ERR_INVALID,
           "the registry has no schema 7");
    expect("200 OK\n{\"schema\":\"nonsense\"}", ERR_INVALID, "schema 7 of the registry: the schema is not Avro");
    expect("200 OK\n{\"schema\":7}", ERR_INVALID, "schema 7 of the registry");
    expect("200 OK\n{\"schemaType\":\"JSON\",\"schema\":\"{}\"}", ERR_INVALID, "is \"JSON\", not Avro");
}

static void test_the_answer_of_somebody_else_is_not_the_records_fault(void **state)
{
    (void)state;
    expect("404 Not Found\n<html>no such page</html>", ERR_IO, "check the address");
    expect("404 Not Found\n{\"error\":\"Not Found\"}", ERR_IO, "check the address");
    expect("200 OK\n<html>please log in</html>", ERR_IO, "check the address");
    expect("200 OK\n[]", ERR_IO, "check the address");
    expect("200 OK\n{\"schema\"", ERR_IO, "check the address");
    expect("200 OK\n", ERR_IO, "check the address");
    expect("204 No Content\n", ERR_IO, "check the address");
    expect("302 Found\n", ERR_IO, "");
    expect("401 Unauthorized\n", ERR_IO, "");
}

static void test_trouble_that_passes_is_waited_for(void **state)
{
    (void)state;
    struct error err;
    const struct avro_schema *schema;
    expect("503 Service Unavailable\n", ERR_RETRY, "");
    expect("429 Too Many Requests\n", ERR_RETRY, "");
    expect("500 Internal Server Error\n{\"error_code\":50001}", ERR_RETRY, "");
    expect("nothing of HTTP\n", ERR_RETRY, "");
    struct registry *nowhere = open_registry("http://registry.invalid:8081"); /* as when the name server is away */
    assert_int_equal(registry_schema(nowhere, 7, &schema, &err), ERR_RETRY);
    assert_non_null(strstr(err.text, "no such host"));
    registry_close(nowhere);
}

static void test_ids_that_nobody_knows_do_not_use_up_the_room(void **state)
{
    (void)state;
    struct registry *registry = open_registry(t.url);
    const struct avro_schema *first, *again;
    struct error err;
    t.answer = "200 OK\n" GOOD;
    assert_int_equal(registry_schema(registry, 1, &first, &err), OK);
    t.answer = "404 Not Found\n{\"error_code\":40403}";
    for (uint32_t id = 2; id < REGISTRY_SCHEMAS_MAX + 50; id++)
        assert_int_equal(registry_schema(registry, id, &again, &err), ERR_INVALID);
    unsigned asked = t.asked;
    assert_int_equal(registry_schema(registry, REGISTRY_SCHEMAS_MAX + 49, &again, &err), ERR_INVALID);
    assert_int_equal(t.asked, asked); /* just asked for */
    assert_int_equal(registry_schema(registry, 1, &again, &err), OK);
    assert_ptr_equal(first, again);
    assert_int_equal(t.asked, asked);
    registry_close(registry);
}

static void register_one(struct registry *registry, const char *answer, enum status status, const char *words)
{
    struct error err = { 0 };
    uint32_t id = 0;
    t.answer = answer;
    enum status s = registry_register(registry, "shop/a b-value", SLICE("\"long\""), &id, &err);
    if (s != status || !strstr(err.text, words))
        fail_msg("%s gives %d, %s", answer, s, err.text);
    assert_int_equal(id, s == OK ? 7 : 0);
}

static void test_a_schema_is_registered_once_and_a_refusal_says_what_to_do(void **state)
{
    (void)state;
    struct registry *registry = open_registry(t.url);
    register_one(registry, "409 Conflict\n{\"error_code\":409,\"message\":\"x was removed\"}", ERR_INVALID,
                 "subject shop/a b-value: x was removed");
    register_one(registry, "422 No\n{\"error_code\":42201,\"message\":\"bad schema\"}", ERR_INVALID, "bad schema");
    register_one(registry, "401 Unauthorized\n", ERR_IO, "user and password");
    register_one(registry, "404 Not Found\n<html>", ERR_IO, "check the address");
    register_one(registry, "503 Busy\n", ERR_RETRY, t.url);
    register_one(registry, "200 OK\n{\"version\":1}", ERR_IO, "none of Confluent's API");
    register_one(registry, "200 OK\n{\"id\":7}", OK, "");
    unsigned asked = t.asked;
    register_one(registry, "503 Busy\n", OK, "");
    assert_int_equal(t.asked, asked);
    registry_close(registry);
}

static void test_a_verdict_has_the_reason_of_either_registry(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum status status;
        const char *words;
    } CASES[] = {
        { "200 OK\n{\"is_compatible\":true}", OK, "" },
        { "200 OK\n{\"is_compatible\":false}", ERR_INVALID, "incompatible with the latest version" },
        { "200 OK\n{\"is_compatible\":false,\"messages\":[\"one\",\"two\"]}", ERR_INVALID, ": one; two" },
        { "200 OK\n{\"is_compatible\":false,\"reason\":\"three\"}", ERR_INVALID, ": three" },
        { "200 OK\n{\"is_compatible\":false,\"reason\":null}", ERR_INVALID, "incompatible" },
        { "200 OK\n[]", ERR_IO, "none of Confluent's API" },
        { "404 Not Found\n{\"error_code\":40401}", OK, "" }, /* nothing that it could be incompatible with */
        { "404 Not Found\n", ERR_IO, "check the address" },
    };
    struct registry *registry = open_registry(t.url);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct error err = { 0 };
        t.answer = CASES[i].answer;
        enum status s = registry_check(registry, "s", SLICE("\"long\""), "BACKWARD", &err);
        if (s != CASES[i].status || !strstr(err.text, CASES[i].words))
            fail_msg("%s gives %d, %s", CASES[i].answer, s, err.text);
    }
    registry_close(registry);
}

static void test_a_subjects_level_is_its_own_or_the_registrys_or_not_said(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum status status;
        const char *level; /* or what is said */
    } CASES[] = {
        { "200 OK\n{\"compatibilityLevel\":\"FULL_TRANSITIVE\"}", OK, "FULL_TRANSITIVE" },
        { "404 Not Found\n{\"error_code\":40408}", OK, "" },
        { "404 Not Found\n<html>", ERR_IO, "check the address" },
        { "200 OK\n{}", ERR_IO, "none of Confluent's API" },
        { "200 OK\n{\"compatibilityLevel\":7}", ERR_IO, "none of Confluent's API" },
        { "503 Busy\n", ERR_RETRY, t.url },
    };
    struct registry *registry = open_registry(t.url);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct error err = { 0 };
        char level[REGISTRY_LEVEL_MAX] = "unset";
        t.answer = CASES[i].answer;
        enum status s = registry_compatibility(registry, "s", level, &err);
        if (s != CASES[i].status || (s == OK ? strcmp(level, CASES[i].level) != 0 : !strstr(err.text, CASES[i].level)))
            fail_msg("%s gives %d, %s, %s", CASES[i].answer, s, level, err.text);
    }
    registry_close(registry);
    assert_true(registry_compares_all("BACKWARD_TRANSITIVE") && !registry_compares_all("BACKWARD"));
}

static void expect_subject(enum subject_strategy strategy, const char *schema, const char *subject)
{
    char name[REGISTRY_SUBJECT_MAX] = "";
    struct error err;
    enum status s = subject_name(strategy, "t", slice_from(schema), name, &err);
    assert_int_equal(s, subject ? OK : ERR_INVALID);
    assert_string_equal(name, subject ? subject : "");
}

static void test_subjects_are_named_as_confluents_clients_do_it(void **state)
{
    (void)state;
    const char *record = "{\"type\":\"record\",\"name\":\"paid\",\"namespace\":\"weir.shop\",\"fields\":[]}";
    expect_subject(subject_strategy_of("topic"), record, "t-value");
    expect_subject(subject_strategy_of("record"), record, "weir.shop.paid");
    expect_subject(subject_strategy_of("topic-record"), record, "t-weir.shop.paid");
    expect_subject(SUBJECT_RECORD, "{\"type\":\"record\",\"name\":\"paid\"}", "paid");
    expect_subject(SUBJECT_RECORD, "\"long\"", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_registrys_own_word_makes_a_dead_letter),
        cmocka_unit_test(test_the_answer_of_somebody_else_is_not_the_records_fault),
        cmocka_unit_test(test_trouble_that_passes_is_waited_for),
        cmocka_unit_test(test_ids_that_nobody_knows_do_not_use_up_the_room),
        cmocka_unit_test(test_a_schema_is_registered_once_and_a_refusal_says_what_to_do),
        cmocka_unit_test(test_a_verdict_has_the_reason_of_either_registry),
        cmocka_unit_test(test_a_subjects_level_is_its_own_or_the_registrys_or_not_said),
        cmocka_unit_test(test_subjects_are_named_as_confluents_clients_do_it),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
