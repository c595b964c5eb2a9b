#include "process/stage_event_type.h"

#include <stdio.h>

#include "base/json_scan.h"
#include "base/test.h"
#include "test/support/domain_files.h"

static struct stage_event_type *stage;
static struct process_batch batch;
static struct arena arena;
static struct metrics *metrics;
static struct process_metrics counters;

static void use(const char *event_types)
{
    char text[8192];
    snprintf(text, sizeof text, "domain: game\nevent_types:\n%s", event_types);
    const struct stage_event_type_options options = { domain_files_expect_fine(text), SLICE("a secret of the test"),
                                                      &counters };
    stage_event_type_free(stage);
    stage = stage_event_type_new(&options);
    batch.count = batch.live_count = 0;
}

static struct event *add(const char *type, const char *properties)
{
    uint32_t i = (uint32_t)batch.count++;
    batch.events[i] = (struct event){ .customer_id = SLICE("acme"),
                                      .visitor_id = SLICE("v"),
                                      .event_id = SLICE("e-1"),
                                      .event_type = slice_from(type),
                                      .event_name = slice_from(type),
                                      .properties = slice_from(properties),
                                      .context = SLICE("{}") };
    batch.domains[i] = &domain_files.set->others;
    batch.verdicts[i] = PROCESS_ACCEPTED;
    batch.changed[i] = false;
    batch.live[batch.live_count++] = i;
    return &batch.events[i];
}

static void run(void)
{
    struct error err;
    assert_int_equal(stage_event_type_run(stage, &batch, &err), OK);
}

static void expect(struct slice got, const char *wanted)
{
    if (!slice_equal(got, slice_from(wanted)))
        fail_msg("%.*s\n  is not\n%s", SLICE_ARG(got), wanted);
}

/* The event alone in a batch; what becomes of its properties. */
static void expect_properties(const char *type, const char *properties, const char *wanted)
{
    batch.count = batch.live_count = 0;
    struct event *event = add(type, properties);
    run();
    if (batch.verdicts[0] != PROCESS_ACCEPTED)
        fail_msg("%s: %.*s", properties, SLICE_ARG(batch.refusals[0].message));
    expect(event->properties, wanted);
    assert_int_equal(batch.changed[0], strcmp(properties, wanted) != 0);
}

static void expect_dead(const char *type, const char *properties, const char *reason, const char *field)
{
    batch.count = batch.live_count = 0;
    struct event *event = add(type, properties);
    run();
    assert_int_equal(batch.verdicts[0], PROCESS_DEAD);
    assert_string_equal(batch.refusals[0].stage, "validate");
    assert_string_equal(batch.refusals[0].reason, reason);
    expect(batch.refusals[0].field, field);
    expect(event->properties, properties);
}

static void expect_message(const char *wanted)
{
    expect(batch.refusals[0].message, wanted);
}

#define PURCHASE                                                                                                       \
    "  - name: purchase\n"                                                                                             \
    "    attributes: [product_id, {name: coupon, pattern: 'C-*'}, {name: state, values: [new, used]}]\n"               \
    "    dimensions: [{name: country, format: country}]\n"                                                             \
    "    metrics:\n"                                                                                                   \
    "      - {name: amount, type: money, required: true, min: 0, max: 10000}\n"                                        \
    "      - {name: level, type: integer, min: 1, max: 100}\n"                                                         \
    "    rules:\n"                                                                                                     \
    "      - {name: paid, expect: properties.amount_cents > 0 or properties.coupon is not null, message: for "         \
    "nothing}\n"

static void test_a_type_that_nobody_declares_passes_as_it_is(void **state)
{
    (void)state;
    use(PURCHASE);
    expect_properties("page_view", "{\"amount\":\"x\"}", "{\"amount\":\"x\"}");
}

static void test_without_types_there_is_no_stage(void **state)
{
    (void)state;
    const struct stage_event_type_options none = { .domains = domain_files_expect_fine("domain: web\n") };
    assert_null(stage_event_type_new(&none));
    assert_null(stage_event_type_new(&(struct stage_event_type_options){ 0 }));
}

static void test_money_is_kept_in_cents_beside_it(void **state)
{
    (void)state;
    use(PURCHASE);
    expect_properties("purchase", "{\"amount\":19.99}", "{\"amount\":19.99,\"amount_cents\":1999}");
    expect_properties("purchase", "{\"amount\": \"19.99\" }", "{\"amount\": \"19.99\" ,\"amount_cents\":1999}");
    expect_properties("purchase", "{\"x\":1,\"amount\":0.1}", "{\"x\":1,\"amount\":0.1,\"amount_cents\":10}");
}

static void test_money_may_come_as_whole_cents(void **state)
{
    (void)state;
    use(PURCHASE);
    expect_properties("purchase", "{\"amount_cents\":1999}", "{\"amount_cents\":1999}");
    expect_properties("purchase", "{\"amount\":null,\"amount_cents\":1}", "{\"amount\":null,\"amount_cents\":1}");
    expect_dead("purchase", "{\"amount_cents\":19.5}", "bad_type", "properties.amount");
    expect_dead("purchase", "{\"amount_cents\":-1}", "out_of_range", "properties.amount");
    use("  - {name: buy, metrics: [{name: fee, type: money, default: 0.50}]}\n");
    expect_properties("buy", "{\"fee_cents\":7}", "{\"fee_cents\":7}");
}

static void test_the_name_of_the_cents_is_the_streams(void **state)
{
    (void)state;
    use(PURCHASE "  - {name: gift, metrics: [{name: amount, type: money}]}\n");
    expect_properties("purchase", "{\"amount_cents\":1,\"amount\":19.99}", "{\"amount_cents\":1999,\"amount\":19.99}");
    expect_properties("purchase", "{\"amount\":19.99,\"amount\\u005fcents\":null}",
                      "{\"amount\":19.99,\"amount\\u005fcents\":1999}");
    expect_properties("gift", "{\"amount_cents\":1.5,\"amount\":2}", "{\"amount_cents\":200,\"amount\":2}");
    expect_properties("gift", "{\"amount\":null}", "{\"amount\":null}");
    expect_properties("gift", "{}", "{}");
}

static void test_each_fault_has_its_reason_field_and_message(void **state)
{
    (void)state;
    use(PURCHASE);
    expect_dead("purchase", "{\"amount\":\"much\"}", "bad_type", "properties.amount");
    expect_message("purchase.amount is \"much\"; wanted is an amount such as 19.99 (domain game): mend the sender, or "
                   "change the domain; then replay it");
    expect_dead("purchase", "{\"amount\":1,\"product_id\":[7]}", "bad_type", "properties.product_id");
    expect_dead("purchase", "{\"amount\":1,\"coupon\":\"x\"}", "bad_format", "properties.coupon");
    expect_message(
        "purchase.coupon is \"x\"; wanted is the pattern 'C-*' (domain game): mend the sender, or change the "
        "domain; then replay it");
    expect_dead("purchase", "{\"amount\":1,\"country\":\"de\"}", "bad_format", "properties.country");
    expect_dead("purchase", "{\"amount\":1,\"state\":\"old\"}", "not_allowed", "properties.state");
    expect_message("purchase.state is \"old\"; allowed are new, used (domain game): mend the sender, or change the "
                   "domain; then replay it");
    expect_dead("purchase", "{}", "missing_field", "properties.amount");
    expect_message("purchase.amount is missing or null, and required; wanted is an amount such as 19.99 (domain game): "
                   "mend the sender, or change the domain; then replay it");
    expect_dead("purchase", "{\"amount\":null}", "missing_field", "properties.amount");
    expect_dead("purchase", "{\"amount\":10000.01}", "out_of_range", "properties.amount");
    expect_message("purchase.amount is 10000.01; allowed is 0 to 10000 (domain game): mend the sender, or change "
                   "the domain; then replay it");
    expect_dead("purchase", "{\"amount\":0}", "rule_failed", "paid");
    expect_message("purchase breaks the rule paid: for nothing (domain game): mend the sender, or change the domain; "
                   "then replay it");
    expect_properties("purchase", "{\"amount\":0,\"coupon\":\"C-1\"}",
                      "{\"amount\":0,\"coupon\":\"C-1\",\"amount_cents\":0}");
}

static void test_the_steps_come_in_order_whatever_the_order_of_the_fields(void **state)
{
    (void)state;
    use(PURCHASE);
    expect_dead("purchase", "{\"level\":\"x\",\"coupon\":\"x\"}", "bad_format", "properties.coupon");
    expect_dead("purchase", "{\"level\":\"x\"}", "bad_type", "properties.level"); /* before the missing amount */
    expect_dead("purchase", "{\"level\":0}", "missing_field", "properties.amount");
    expect_dead("purchase", "{\"level\":0,\"amount\":0}", "out_of_range", "properties.level");
}

static void test_a_strict_type_has_declared_fields_alone(void **state)
{
    (void)state;
    use("  - name: buy\n    unknown_fields: reject\n    attributes: [a, b]\n"
        "    metrics: [{name: amount, type: money}]\n"
        "    rules: [{name: r, expect: properties.c.d is null and properties.e is null}]\n");
    expect_properties("buy", "{\"a\":\"1\",\"\\u0062\":\"2\"}", "{\"a\":\"1\",\"\\u0062\":\"2\"}");
    expect_properties("buy", "{\"amount_cents\":1,\"amount\":1}", "{\"amount_cents\":100,\"amount\":1}");
    expect_dead("buy", "{\"a\":\"1\",\"b\":\"2\",\"amount\":1,\"amount_cents\":1,\"x\":{\"a\":1}}", "unknown_field",
                "properties.x");
    expect_message("buy has no field x (domain game): leave it out, or change the domain; then replay it");
    expect_dead("buy", "{\"c\":{}}", "unknown_field", "properties.c");
    expect_dead("buy", "{\"e\":1}", "unknown_field", "properties.e");
    expect_dead("buy", "{\"\":1}", "unknown_field", "properties.");
    expect_dead("buy", "{\"y\":1,\"a\":1}", "bad_type", "properties.a");
}

static void test_faults_that_are_tagged_are_named_in_the_context(void **state)
{
    (void)state;
    use("  - name: buy\n    on_failure: tag\n    unknown_fields: tag\n    attributes: [{name: a, max: 2}]\n"
        "    metrics: [{name: amount, type: money, required: true}]\n"
        "    rules: [{name: r, expect: properties.a == 'x'}]\n");
    struct event *event = add("buy", "{\"a\":\"abc\",\"z\":1}");
    event->context = SLICE("{\"ip\":\"10.0.0.1\",\"weir_faults\":[\"none\"]}");
    run();
    assert_int_equal(batch.verdicts[0], PROCESS_ACCEPTED);
    expect(event->properties, "{\"a\":\"abc\",\"z\":1}");
    expect(event->context, "{\"ip\":\"10.0.0.1\",\"weir_faults\":[\"z: unknown_field\",\"amount: missing_field\","
                           "\"a: out_of_range\",\"r: rule_failed\"]}");
    assert_true(batch.changed[0]);
}

static void test_tags_are_bounded(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 8192);
    buf_add_text(&text, "  - name: many\n    on_failure: tag\n    attributes:\n");
    for (int i = 0; i < 40; i++)
        buf_add_format(&text, "      - {name: f%d, required: true}\n", i);
    use(buf_text(&text));
    buf_done(&text);
    struct event *event = add("many", "{}");
    run();
    struct slice faults;
    struct json_walk walk;
    size_t count = 0;
    assert_true(json_find(event->context, "weir_faults", &faults));
    for (json_walk_begin(&walk, faults); json_walk_next(&walk);)
        count++;
    assert_int_equal(count, 16);
}

static void test_a_reject_wins_over_a_quarantine_and_a_quarantine_over_a_tag(void **state)
{
    (void)state;
    use("  - name: buy\n    attributes: [{name: a, max: 2, on_failure: tag}, {name: b, max: 2, on_failure: "
        "quarantine}]\n"
        "    rules: [{name: r, expect: properties.c is null}]\n");
    expect_dead("buy", "{\"a\":\"abc\",\"b\":\"abc\",\"c\":1}", "rule_failed", "r");
    batch.count = batch.live_count = 0;
    struct event *event = add("buy", "{\"a\":\"abc\",\"b\":\"abc\"}");
    run();
    assert_string_equal(batch.refusals[0].stage, "quarantine");
    assert_string_equal(batch.refusals[0].reason, "out_of_range");
    expect(batch.refusals[0].field, "properties.b");
    expect(event->context, "{}");
}

/* What a replay does: the letter's original comes again. */
static struct slice quarantined_context(const char *properties)
{
    batch.count = batch.live_count = 0;
    (void)add("buy", properties);
    run();
    assert_int_equal(batch.verdicts[0], PROCESS_DEAD);
    assert_string_equal(batch.refusals[0].stage, "quarantine");
    return batch.refusals[0].context;
}

static void test_a_released_event_passes_and_says_what_is_wrong(void **state)
{
    (void)state;
    static const char PROPERTIES[] = "{\"b\":\"abc\"}";
    use("  - {name: buy, attributes: [{name: b, max: 2, on_failure: quarantine}, {name: c, max: 2}]}\n");
    struct slice context = quarantined_context(PROPERTIES);
    assert_true(slice_starts(context, SLICE("{\"weir_released\":\"")));
    batch.count = batch.live_count = 0;
    struct event *again = add("buy", PROPERTIES), *other = add("buy", PROPERTIES), *worse = add("buy", PROPERTIES);
    again->context = other->context = worse->context = context;
    other->event_id = SLICE("e-2");
    worse->properties = SLICE("{\"b\":\"abc\",\"c\":\"abc\"}");
    run();
    assert_int_equal(batch.verdicts[0], PROCESS_ACCEPTED);
    assert_non_null(memmem(again->context.p, again->context.n, "[\"b: out_of_range\"]", 19));
    assert_string_equal(batch.refusals[1].stage, "quarantine"); /* the proof is of another event */
    assert_string_equal(batch.refusals[2].stage, "validate");   /* nothing releases from a reject */
}

static void test_defaults_are_put_in_behind_the_rules(void **state)
{
    (void)state;
    use("  - name: buy\n    attributes: [{name: a, default: none}, {name: b, type: integer, default: 5}]\n"
        "    metrics: [{name: fee, type: money, default: 0.5}]\n"
        "    rules: [{name: r, expect: properties.a is null or properties.a != 'none', on_failure: tag}]\n");
    expect_properties("buy", "{}", "{\"a\":\"none\",\"b\":5,\"fee\":0.50,\"fee_cents\":50}");
    expect_properties("buy", "{\"a\":null,\"fee\":1}", "{\"a\":\"none\",\"fee\":1,\"b\":5,\"fee_cents\":100}");
    expect(batch.events[0].context, "{}");
}

static void test_what_is_of_persons_is_hidden(void **state)
{
    (void)state;
    char before[512];
    use("  - name: login\n    attributes: [{name: email, pii: hash}, {name: phone, pii: drop}, {name: n, pii: hash, "
        "type: "
        "integer}]\n");
    /* python3: k = hmac(b"a secret of the test", b"hash\0acme"); hmac(k, b"ann@example.org"), hmac(k, b"7") */
    expect_properties("login", "{\"email\":\"ann@example.org\",\"x\":1,\"phone\":\"555\",\"n\":7}",
                      "{\"email\":\"83e1de655545549862edd6c9b24342c238be1db0a5d7010bb90623fae0a36709\",\"x\":1,\"n\":"
                      "\"ba8d2e5f01f6f41a33da364611e20fb9596a957679511028d3abcfb1bacb5c1f\"}");
    snprintf(before, sizeof before, "%.*s", SLICE_ARG(batch.events[0].properties));
    batch.count = batch.live_count = 0;
    struct event *twice = add("login", "{\"email\":\"ann@example.org\",\"x\":1,\"email\":\"bob@example.org\",\"n\":7}"),
                 *other = add("login", "{\"email\":\"ann@example.org\",\"x\":1,\"n\":7}");
    other->customer_id = SLICE("other");
    run();
    expect(twice->properties, before);
    assert_false(slice_equal(other->properties, slice_from(before)));
    expect_properties("login", "{\"email\":null,\"phone\":null}", "{\"email\":null,\"phone\":null}");
}

/* The first of two counts, and the second is of a person all the same. */
static void test_a_null_hides_nothing_that_stands_behind_it(void **state)
{
    (void)state;
    use("  - name: login\n    attributes: [{name: email, pii: hash}, {name: phone, pii: drop}, {name: id, pii: "
        "encrypt}]\n    metrics: [{name: wage, type: money, pii: hash}]\n");
    expect_properties("login", "{\"email\":null,\"a\":1,\"em\\u0061il\":\"ann@example.org\"}",
                      "{\"email\":null,\"a\":1}");
    expect_properties("login", "{\"phone\":null,\"id\":null,\"phone\":\"555\",\"id\":\"7\"}",
                      "{\"phone\":null,\"id\":null}");
    expect_properties("login", "{\"wage\":null,\"wage\":5,\"wage_cents\":null,\"wage_cents\":500}", "{\"wage\":null}");
}

static void test_messages_never_show_what_is_of_persons(void **state)
{
    (void)state;
    use("  - {name: login, attributes: [{name: email, pii: hash, format: email}]}\n");
    expect_dead("login", "{\"email\":\"secret\"}", "bad_format", "properties.email");
    assert_null(memmem(batch.refusals[0].message.p, batch.refusals[0].message.n, "secret", 6));
}

static void test_encrypted_is_another_text_in_each_event(void **state)
{
    (void)state;
    use("  - {name: login, attributes: [{name: email, pii: encrypt}]}\n");
    batch.count = batch.live_count = 0;
    struct event *one = add("login", "{\"email\":\"ann@example.org\"}"),
                 *same = add("login", "{\"email\":\"ann@example.org\"}"),
                 *other = add("login", "{\"email\":\"ann@example.org\"}");
    other->event_id = SLICE("e-2");
    run();
    expect(one->properties, "{\"email\":\"weir1:ECM08ZnIRpPZWBypjzIQ2WB8wzLLhMN1MO1WLwvcYz3gAsvhKv0I99oLHQ==\"}");
    expect(same->properties, "{\"email\":\"weir1:ECM08ZnIRpPZWBypjzIQ2WB8wzLLhMN1MO1WLwvcYz3gAsvhKv0I99oLHQ==\"}");
    assert_false(slice_equal(one->properties, other->properties));
}

static void test_hidden_money_has_no_cents(void **state)
{
    (void)state;
    use("  - {name: pay, metrics: [{name: wage, type: money, pii: drop}]}\n");
    expect_properties("pay", "{\"wage\":100,\"a\":1,\"wage_cents\":10000}", "{\"a\":1}");
}

static void test_properties_that_are_no_object_are_refused(void **state)
{
    (void)state;
    use("  - {name: buy, attributes: [{name: a, default: x}]}\n");
    expect_dead("buy", "[1]", "bad_type", "properties");
    expect_properties("buy", "", "{\"a\":\"x\"}");
}

static int begin(void **state)
{
    metrics = metrics_new(1000);
    process_metrics_init(&counters, metrics, 0);
    arena_init(&arena, 1 << 20);
    batch.arena = &arena;
    return domain_files_begin(state);
}

static int end(void **state)
{
    stage_event_type_free(stage);
    stage = NULL;
    arena_done(&arena);
    metrics_free(metrics);
    return domain_files_end(state);
}

static void expect_values(const char *properties, struct process_values wanted)
{
    batch.count = batch.live_count = 0;
    add("order", properties);
    batch.values[0] = (struct process_values){ 0 };
    run();
    const struct process_values *got = &batch.values[0];
    if (got->required != wanted.required || got->required_missing != wanted.required_missing ||
        got->optional != wanted.optional || got->optional_missing != wanted.optional_missing ||
        got->tagged != wanted.tagged)
        fail_msg("%s: %u of %u, %u of %u, %d", properties, got->required_missing, got->required, got->optional_missing,
                 got->optional, got->tagged);
}

/* Not the deprecated one, nor the one with a default; an amount's cents are the amount; a wrong value is a value. */
static void test_values_are_asked_for_and_missed(void **state)
{
    (void)state;
    use("  - name: order\n"
        "    attributes: [{name: id, required: true, on_failure: tag}, {name: old, deprecated: use id},\n"
        "                 {name: way, default: web}, note]\n"
        "    metrics: [{name: amount, type: money, required: true}]\n");
    expect_values("{\"id\":\"x\",\"amount\":1,\"note\":\"y\",\"way\":\"a\"}",
                  (struct process_values){ 2, 0, 1, 0, false });
    expect_values("{\"id\":\"x\",\"amount_cents\":1,\"note\":null,\"way\":\"a\"}",
                  (struct process_values){ 2, 0, 1, 1, false });
    expect_values("{\"id\":null,\"amount\":1,\"way\":\"a\"}", (struct process_values){ 2, 1, 1, 1, true });
    expect_values("{\"amount\":\"x\",\"note\":\"y\"}", (struct process_values){ 2, 1, 1, 0, false });
    expect_values("{}", (struct process_values){ 2, 2, 1, 1, false });
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_type_that_nobody_declares_passes_as_it_is),
        TEST(test_without_types_there_is_no_stage),
        TEST(test_money_is_kept_in_cents_beside_it),
        TEST(test_money_may_come_as_whole_cents),
        TEST(test_the_name_of_the_cents_is_the_streams),
        TEST(test_each_fault_has_its_reason_field_and_message),
        TEST(test_the_steps_come_in_order_whatever_the_order_of_the_fields),
        TEST(test_a_strict_type_has_declared_fields_alone),
        TEST(test_faults_that_are_tagged_are_named_in_the_context),
        TEST(test_tags_are_bounded),
        TEST(test_a_reject_wins_over_a_quarantine_and_a_quarantine_over_a_tag),
        TEST(test_a_released_event_passes_and_says_what_is_wrong),
        TEST(test_defaults_are_put_in_behind_the_rules),
        TEST(test_what_is_of_persons_is_hidden),
        TEST(test_a_null_hides_nothing_that_stands_behind_it),
        TEST(test_messages_never_show_what_is_of_persons),
        TEST(test_encrypted_is_another_text_in_each_event),
        TEST(test_hidden_money_has_no_cents),
        TEST(test_properties_that_are_no_object_are_refused),
        TEST(test_values_are_asked_for_and_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
