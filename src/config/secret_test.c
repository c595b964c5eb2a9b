#include "config/secret.h"

#include <stdlib.h>

#include "base/test.h"
#include "config/config.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

static struct world_sim sim;
static struct disk_sim *disk;
static struct config config;
static struct problems problems;
static struct error err;

static void put(const char *path, const char *text)
{
    struct error why;
    assert_int_equal(disk_make_dirs(sim.world.disk, "/c/environments", &why), OK);
    assert_int_equal(disk_make_dirs(sim.world.disk, "/secrets", &why), OK);
    assert_int_equal(disk_replace(sim.world.disk, path, text, strlen(text), &why), OK);
}

#define WHERE "secrets: {directory: /secrets, dotenv: /c/.env}\n"

static enum status load(const char *platform, const char *environment)
{
    const struct config_request request = { .directory = "/c", .environment = "dev" };
    put("/c/platform.yaml", platform);
    put("/c/environments/dev.yaml", environment);
    problems_done(&problems);
    problems_init(&problems, false);
    return config_load(&request, &sim.world, &config, &problems, &err);
}

static void expect_problem(const char *part)
{
    if (!strstr(buf_text(&problems.text), part))
        fail_msg("'%s' is not in:\n%s", part, buf_text(&problems.text));
}

static void expect_nowhere(const char *secret)
{
    if (strstr(buf_text(&problems.text), secret) || strstr(buf_text(&problems.json), secret) ||
        strstr(err.text, secret))
        fail_msg("'%s' is shown:\n%s", secret, buf_text(&problems.text));
}

static void expect_password(const char *value)
{
    if (load(WHERE, "kafka.sasl_password: ${secret:kafka_pw}\n") != OK)
        fail_msg("%s%s", buf_text(&problems.text), err.text);
    assert_string_equal(config.settings.kafka_sasl_password, value);
}

static void test_the_first_backend_that_knows_the_name_gives_it(void **state)
{
    (void)state;
    put("/secrets/kafka_pw", "from the file\n");
    expect_password("from the file");
    put("/c/.env", "# mine\n\nother=x\nexport KAFKA_PW = 'from = .env'  \n");
    expect_password("from = .env");
    setenv("KAFKA_PW", "from the environment", 1);
    expect_password("from the environment");
    setenv("kafka_pw", "exactly so", 1);
    expect_password("exactly so");
    unsetenv("KAFKA_PW");
    unsetenv("kafka_pw");
    assert_int_equal(load(WHERE "secrets.backend: file\n", "kafka.sasl_password: ${secret:kafka_pw}\n"), OK);
    assert_string_equal(config.settings.kafka_sasl_password, "from the file");
}

static void test_a_secret_may_be_a_part_and_is_shown_as_stars(void **state)
{
    (void)state;
    char shown[OPTION_TEXT_MAX + 1];
    struct config_row row;
    put("/secrets/user", "anna");
    put("/secrets/team", "blue");
    assert_int_equal(load(WHERE, "kafka.sasl_user: ${secret:user}@${secret:team}!\n"), OK);
    assert_string_equal(config.settings.kafka_sasl_user, "anna@blue!");
    assert_true(config_row(&config, (size_t)(option_find(SETTINGS, SLICE("kafka.sasl_user")) - SETTINGS.rows), &row));
    config_format(&row, shown, sizeof shown);
    assert_string_equal(shown, "***");
}

static void test_all_that_are_missing_are_told_with_where_they_were_looked_for(void **state)
{
    (void)state;
    assert_int_equal(load(WHERE, "kafka:\n  sasl_user: ${secret:nobody}\n  sasl_password: ${secret:nothing}\n"),
                     ERR_INVALID);
    assert_int_equal(problems.count, 2);
    expect_problem("/c/environments/dev.yaml:2:14: the secret 'nobody' is missing: looked for in the environment "
                   "variable NOBODY, /c/.env, the file /secrets/nobody\n");
    expect_problem("     3 |   sasl_password: ${secret:nothing}\n       |                  ^~~~~~~~~~~~~~~~~\n");
}

static void test_a_later_layer_takes_an_earlier_ones_secret_away(void **state)
{
    (void)state;
    assert_int_equal(load(WHERE "kafka.sasl_user: ${secret:nobody}\n", "kafka.sasl_user: anna\n"), OK);
    assert_string_equal(config.settings.kafka_sasl_user, "anna");
}

static void test_a_secret_in_a_file_is_refused_and_never_shown(void **state)
{
    (void)state;
    assert_int_equal(load("", "kafka: {sasl_password: hunter2, prt: 1}\n"), ERR_INVALID);
    assert_int_equal(problems.count, 2);
    expect_problem("kafka.sasl_password does not stand in a file: write ${secret:NAME}");
    expect_nowhere("hunter2");
    assert_int_equal(load("", "kafka.sasl_password:\n  hunter2\n"), ERR_INVALID);
    expect_nowhere("hunter2");
    static const char *const MORE[] = {
        "kafka.sasl_password: hunter2 }\n  - {\n",
        "kafka:\n  sasl_pasword: hunter2\n",
        "kafka: {sasl_password: hunter2, sasl_user: '${secret:nobody}'}\n",
        "kafka: {sasl_password: '${secret:nobody}', prt: 1, sasl_password: hunter2}\n",
        "kafka.sasl_password: hunter2${secret:nobody}\n",
        "kafka.sasl_password: ${secret:nobody}hunter2\n",
    };
    for (size_t i = 0; i < COUNT_OF(MORE); i++) {
        assert_int_equal(load("", MORE[i]), ERR_INVALID);
        expect_nowhere("hunter2");
    }
    char large[400];
    memset(large, 'q', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    put("/secrets/large", large);
    assert_int_equal(load(WHERE, "kafka.sasl_password: ${secret:large}\n"), ERR_INVALID);
    expect_problem("at most 255 bytes");
    expect_nowhere("qqqq");
}

static void test_what_cannot_be_a_secret_says_so(void **state)
{
    (void)state;
    assert_int_equal(load("secrets.vault.url: ${secret:where}\n",
                          "ingest.port: ${secret:port}\nkafka.sasl_user: ${secret:a b}\napi.host: ${secret:open\n"),
                     ERR_INVALID);
    expect_problem("secrets.vault.url cannot be a secret: it says where secrets are");
    expect_problem("ingest.port cannot be a secret");
    expect_problem("dev.yaml:2:18: a secret is written ${secret:NAME}");
    expect_problem("dev.yaml:3:11: a secret is written ${secret:NAME}");
    assert_int_equal(load("secrets.backend: env, valut\n", ""), ERR_INVALID);
    expect_problem("platform.yaml:1:18: secrets.backend: 'valut' is not one of env, dotenv, file, vault");
}

static void test_names_stay_within_their_directory(void **state)
{
    (void)state;
    put("/c/outside", "no");
    assert_int_equal(load(WHERE "secrets.backend: file\n", "kafka.sasl_user: ${secret:../c/outside}\n"), ERR_INVALID);
    expect_problem("is missing");
    assert_true(secret_is_name(SLICE("team/db#password")));
    assert_false(secret_is_name(SLICE("a#b#c")) || secret_is_name(SLICE("#b")) || secret_is_name(SLICE("b#")) ||
                 secret_is_name(SLICE("")) || secret_is_name(slice_of("a\0b", 3)) || secret_is_name(SLICE("a$b")));
}

static void test_vault_without_an_address_or_a_token_says_what_is_missing(void **state)
{
    (void)state;
    unsetenv("VAULT_ADDR");
    unsetenv("VAULT_TOKEN");
    assert_int_equal(load("secrets.backend: vault\n", "kafka.sasl_user: ${secret:x}\n"), ERR_INVALID);
    expect_problem("where is Vault? Set secrets.vault.url");
    assert_int_equal(
        load("secrets: {backend: vault, vault.url: 'http://127.0.0.1:1'}\n", "kafka.sasl_user: ${secret:x}\n"),
        ERR_INVALID);
    expect_problem("Vault wants a token");
    setenv("VAULT_TOKEN", "t0ken", 1);
    assert_int_equal(
        load("secrets: {backend: vault, vault.url: 'http://127.0.0.1:1'}\n", "kafka.sasl_user: ${secret:x}\n"),
        ERR_INVALID);
    expect_problem("Vault does not answer at http://127.0.0.1:1/v1/secret/data/weir");
    expect_nowhere("t0ken");
    unsetenv("VAULT_TOKEN");
}

static int begin(void **state)
{
    (void)state;
    disk = disk_sim_new(7, &sim);
    world_sim_init(&sim, 7, disk_sim_disk(disk));
    problems_init(&problems, false);
    return 0;
}

static int end(void **state)
{
    (void)state;
    problems_done(&problems);
    disk_sim_free(disk);
    return 0;
}

static void test_without_the_environments_file_platform_alone_is_whole(void **state)
{
    (void)state;
    const struct config_request request = { .directory = "/c", .environment = "dev", .may_be_missing = true };
    problems_done(&problems);
    problems_init(&problems, false);
    assert_int_equal(config_load(&request, &sim.world, &config, &problems, &err), OK);
    assert_int_equal(config.settings.api_port, 8001);
    put("/secrets/kafka_pw", "from the file\n");
    put("/c/platform.yaml", WHERE "kafka.sasl_password: ${secret:kafka_pw}\n");
    assert_int_equal(config_load(&request, &sim.world, &config, &problems, &err), OK);
    assert_string_equal(config.settings.kafka_sasl_password, "from the file");
    put("/c/platform.yaml", WHERE "kafka.sasl_password: ${secret:kafka_pw}\nkafka.brokerz: x\n");
    assert_int_equal(config_load(&request, &sim.world, &config, &problems, &err), ERR_INVALID);
    expect_problem("there is no setting kafka.brokerz; did you mean kafka.brokers?");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_first_backend_that_knows_the_name_gives_it),
        TEST(test_a_secret_may_be_a_part_and_is_shown_as_stars),
        TEST(test_all_that_are_missing_are_told_with_where_they_were_looked_for),
        TEST(test_a_later_layer_takes_an_earlier_ones_secret_away),
        TEST(test_a_secret_in_a_file_is_refused_and_never_shown),
        TEST(test_what_cannot_be_a_secret_says_so),
        TEST(test_names_stay_within_their_directory),
        TEST(test_without_the_environments_file_platform_alone_is_whole),
        TEST(test_vault_without_an_address_or_a_token_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
