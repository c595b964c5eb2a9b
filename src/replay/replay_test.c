/* What is refused at once, one at a time per tenant, and what a stop leaves behind. There is no engine here. */
#include "replay/replay.h"

#include <stdio.h>
#include <string.h>

#include "base/test.h"
#include "config/domain.h"
#include "process/state/kv.h"
#include "world/world.h"

static const struct slice ACME[] = { SLICE("acme") };
static const struct window WINDOWS[] = {
    { .id = 1, .name = SLICE("hours"), .kind = WINDOW_TUMBLING, .size_ms = 3600000, .slide_ms = 3600000 },
    { .id = 2, .name = SLICE("visits"), .kind = WINDOW_SESSION, .gap_ms = 60000 },
    { .id = 3, .name = SLICE("clock"), .kind = WINDOW_TUMBLING, .size_ms = 60000, .processing_time = true },
    { .id = 4,
      .name = SLICE("own"),
      .kind = WINDOW_SLIDING,
      .size_ms = 20,
      .slide_ms = 10,
      .tenants = ACME,
      .tenant_count = 1 },
    { .id = 5, .name = SLICE("visits_by_clock"), .kind = WINDOW_SESSION, .gap_ms = 60000, .processing_time = true },
};
static const struct domain_set DOMAINS = { .windows = WINDOWS,
                                           .window_count = COUNT_OF(WINDOWS),
                                           .others = { .domains = 1 } };

static struct replayer *open_replayer(const struct domain_set *domains)
{
    const struct replayer_options options = { .domains = domains,
                                              .engine_url = "http://127.0.0.1:1",
                                              .user = "writer",
                                              .password = "",
                                              .scratch_path = "/tmp/weir-replay-none" };
    return replayer_new(&options, world_real());
}

static struct replay_request request_of(const char *tenant, const char *window, int64_t from_ms, int64_t to_ms)
{
    struct replay_request request = { .from_ms = from_ms, .to_ms = to_ms, .kept_from_ms = INT64_MIN };
    snprintf(request.tenant, sizeof request.tenant, "%s", tenant);
    snprintf(request.window, sizeof request.window, "%s", window);
    return request;
}

static void refuse(struct replayer *replayer, struct replay_request request, enum status want, const char *words)
{
    struct error err = { 0 };
    struct replay_report report;
    uint64_t id;
    assert_int_equal(replayer_begin(replayer, &request, &id, &err), want);
    assert_non_null(strstr(err.text, words));
    assert_false(replayer_at(replayer, 0, &report));
}

static void test_what_makes_no_sense_is_refused_with_words(void **state)
{
    (void)state;
    struct replayer *replayer = open_replayer(&DOMAINS);
    refuse(replayer, request_of("acme", "", 5, 5), ERR_INVALID, "from must be before to");
    refuse(replayer, request_of("acme", "nope", 5, 6), ERR_NOT_FOUND, "no window 'nope'");
    refuse(replayer, request_of("other", "own", 5, 6), ERR_NOT_FOUND, "no window 'own' for other");
    refuse(replayer, request_of("acme", "clock", 5, 6), ERR_INVALID, "by the clock");
    refuse(replayer, request_of("acme", "visits_by_clock", 5, 6), ERR_INVALID, "by the clock");
    struct replay_request old = request_of("acme", "", 5, 60000);
    old.kept_from_ms = 3600000;
    refuse(replayer, old, ERR_INVALID, "1970-01-01T01:00:00.000Z");
    replayer_free(replayer);
    replayer = open_replayer(NULL);
    refuse(replayer, request_of("acme", "", 5, 6), ERR_NOT_FOUND, "no window is declared");
    replayer_free(replayer);
}

static void test_a_tenant_has_one_and_a_stop_gives_it_up(void **state)
{
    (void)state;
    struct replayer *replayer = open_replayer(&DOMAINS);
    struct role role = replayer_role(replayer);
    struct replay_request acme = request_of("acme", "", 5, REPLAY_NEWEST), other = request_of("other", "", 5, 600);
    struct replay_report report;
    struct error err;
    uint64_t first, second, none;
    int64_t wake_us = WAKE_NEVER;
    assert_int_equal(replayer_begin(replayer, &acme, &first, &err), OK);
    assert_int_equal(replayer_begin(replayer, &acme, &none, &err), ERR_RETRY);
    assert_int_equal(replayer_begin(replayer, &other, &second, &err), OK);
    assert_true(first != second && replayer_at(replayer, 0, &report));
    assert_int_equal(report.state, REPLAY_WAITING);
    assert_int_equal(report.window_count, 3);
    assert_true(slice_equal(*report.names[1], SLICE("visits")) && slice_equal(*report.names[2], SLICE("own")));
    assert_true(role.step(role.self, world_real(), &wake_us));  /* takes it up … */
    assert_false(role.step(role.self, world_real(), &wake_us)); /* … and waits for the engine */
    assert_true(wake_us != WAKE_NEVER && replayer_at(replayer, 0, &report));
    assert_int_equal(report.state, REPLAY_RUNNING);
    assert_string_equal(report.error, "");
    replayer_stop(replayer);
    assert_false(role.step(role.self, world_real(), &wake_us));
    assert_true(replayer_at(replayer, 0, &report));
    assert_int_equal(report.state, REPLAY_FAILED);
    assert_non_null(strstr(report.error, "nothing was replaced"));
    assert_int_equal(report.generation, 0);
    assert_int_equal(replayer_begin(replayer, &acme, &none, &err), OK); /* its place is free again */
    replayer_free(replayer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_makes_no_sense_is_refused_with_words),
        cmocka_unit_test(test_a_tenant_has_one_and_a_stop_gives_it_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
