#include "config/event_type.h"

#include <stdio.h>

#include "test/support/domain_files.h"

static const char WHOLE[] =
    "domain: web\n"
    "event_types:\n"
    "  - name: purchase\n"
    "    unknown_fields: tag\n"
    "    metrics: [{name: amount, type: money, min: 0.01, max: 10000, required: true}, weight]\n"
    "    dimensions: [{name: shop, values: [a, b], default: a}]\n"
    "    attributes: [product_id, {name: mail, format: email, pii: hash, on_failure: reject}]\n"
    "    rules: [{name: paid, expect: properties.amount_cents > properties.weight}]\n"
    "    on_failure: quarantine\n"
    "  - {name: visit, attributes: [{name: since, type: timestamp, min: 2026-01-31T00:00:00Z}]}\n";

static void test_event_types_have_fields_by_role_and_a_plan_of_them(void **state)
{
    (void)state;
    domain_files_expect_fine(WHOLE);
    assert_int_equal(domain_files.set->event_type_count, 2);
    const struct event_type *type = event_type_find(domain_files.set, &domain_files.set->others, SLICE("purchase"));
    assert_ptr_equal(type, &domain_files.set->event_types[0]);
    assert_ptr_equal(event_type_find(domain_files.set, &domain_files.set->others, SLICE("visit")),
                     &domain_files.set->event_types[1]);
    assert_null(event_type_find(domain_files.set, &domain_files.set->others, SLICE("purchas")));
    assert_true(type->strict && type->unknown == EVENT_TAG);
    assert_int_equal(type->field_count, 5);
    static const char *const NAMES[] = { "product_id", "mail", "shop", "amount", "weight" };
    for (size_t i = 0; i < type->field_count; i++) {
        assert_true(slice_equal(type->fields[i].name, slice_from(NAMES[i])));
        assert_true(slice_equal(type->plan->paths[i].names[0], slice_from(NAMES[i])));
    }
    const struct event_field *mail = &type->fields[1], *shop = &type->fields[2], *amount = &type->fields[3];
    assert_int_equal(mail->format, EVENT_EMAIL);
    assert_int_equal(mail->pii, EVENT_PII_HASH);
    assert_int_equal(mail->otherwise, EVENT_REJECT);
    assert_int_equal(shop->role, EVENT_DIMENSION);
    assert_int_equal(shop->otherwise, EVENT_QUARANTINE);
    assert_int_equal(shop->choice_count, 2);
    assert_true(slice_equal(shop->default_value, SLICE("\"a\"")));
    assert_int_equal(amount->kind, EVENT_MONEY);
    assert_true(amount->required && amount->min.is_set && amount->max.is_set);
    assert_int_equal(amount->min.whole, 1);
    assert_int_equal(amount->max.whole, 1000000);
    assert_true(slice_equal(type->plan->paths[amount->cents_place].names[0], SLICE("amount_cents")));
    assert_int_equal(type->fields[4].kind, EVENT_FLOAT);
    assert_int_equal(type->rule_count, 1);
    assert_int_equal(type->rules[0].otherwise, EVENT_QUARANTINE);
    assert_int_equal(domain_files.set->event_types[1].fields[0].min.whole, 1769817600000);
}

static void test_what_is_wrong_with_an_event_type_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *type, *problem;
    } CASES[] = {
        { "{attributes: [a]}", "an event type needs a name" },
        { "{name: 'a b'}", "a name here is a letter or _" },
        { "{name: a, attributes: [x], metrics: [x]}", "there is an attribute x already" },
        { "{name: a, attributes: [event_id]}", "every event has event_id already" },
        { "{name: a, attributes: [{name: x, type: intege}]}", "did you mean integer?" },
        { "{name: a, attributes: [{name: x, nam: y}]}", "has no key nam; did you mean name?" },
        { "{name: a, attributes: [{name: x, type: boolean, min: 1}]}", "a boolean has no min" },
        { "{name: a, attributes: [{name: x, max: -1}]}", "max of text is a number of characters" },
        { "{name: a, attributes: [{name: x, type: integer, min: 1.5}]}", "min of integer is a number" },
        { "{name: a, metrics: [{name: x, type: money, min: 3, max: 2.99}]}", "max is below min" },
        { "{name: a, metrics: [{name: x, type: text}]}", "a metric is a number" },
        { "{name: a, metrics: [{name: x, type: money}, x_cents]}", "the money x is kept in x_cents" },
        { "{name: a, attributes: [{name: x, type: integer, format: url}]}", "only text has a format" },
        { "{name: a, attributes: [{name: x, type: integer, values: [1, b]}]}", "'b' is no whole number" },
        { "{name: a, attributes: [{name: x, type: integer, default: b}]}", "the default is no integer" },
        { "{name: a, attributes: [{name: x, values: [y], default: z}]}", "the default is not one of the values" },
        { "{name: a, attributes: [{name: x, required: true, default: z}]}", "a required field has no default" },
        { "{name: a, attributes: x}", "attributes is a list of names" },
        { "{name: a, rules: [{name: r}]}", "a rule has a name, and an expression" },
        { "{name: a, rules: [{name: r, expect: 7}]}", "this must be true or false" },
        { "{name: a, rules: [{name: r, expect: true}, {name: r, expect: true}]}", "there is a rule r already" },
        { "{name: a, unknown_fields: never}", "'never' is not one of reject, quarantine, tag, allow" },
        { "{name: a, retention: 36h}", "whole days are wanted" },
        { "{name: a, retention: 12h}", "retention: 12h is outside 1 d to 36500 d" },
        { "{name: a, on_failure: never}", "'never' is not one of reject, quarantine, tag" },
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        char text[512];
        snprintf(text, sizeof text, "domain: web\nevent_types:\n  - %s\n", CASES[i].type);
        domain_files_expect_wrong(text, CASES[i].problem);
    }
}

static void test_defaults_are_json_however_the_number_was_written(void **state)
{
    (void)state;
    const struct event_type *type = domain_files_expect_fine("domain: web\nevent_types:\n  - name: a\n    attributes:\n"
                                                             "      - {name: f, type: float, default: .5}\n"
                                                             "      - {name: g, type: float, default: +5}\n"
                                                             "      - {name: m, type: money, default: +19.9}\n"
                                                             "      - {name: n, type: money, default: -.05}\n"
                                                             "      - {name: i, type: integer, default: -7}\n")
                                        ->event_types;
    static const char *const WANTED[] = { "0.5", "5", "19.90", "-0.05", "-7" };
    for (size_t i = 0; i < COUNT_OF(WANTED); i++)
        assert_true(slice_equal(type->fields[i].default_value, slice_from(WANTED[i])));
    domain_files_expect_wrong(
        "domain: web\nevent_types: [{name: a, attributes: [{name: x, type: integer, default: 007}]}]\n",
        "the default is no integer");
}

static void test_an_event_type_belongs_to_one_domain_and_has_bounds(void **state)
{
    (void)state;
    static char text[64 << 10];
    domain_files_put("shop.yaml", "domain: shop\nevent_types: [{name: purchase}]\n");
    domain_files_expect_wrong("domain: web\nevent_types: [{name: purchase}]\n",
                              "there is an event type purchase already, in domain shop");
    domain_files_put("shop.yaml", "domain: shop\n");
    size_t n = (size_t)snprintf(text, sizeof text, "domain: web\nevent_types:\n");
    for (int i = 0; i < EVENT_TYPES_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "  - {name: t%d, attributes: [a, b]}\n", i);
    domain_files_expect_fine(text);
    for (int i = 0; i < EVENT_TYPES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        assert_ptr_equal(event_type_find(domain_files.set, &domain_files.set->others, slice_from(name)),
                         &domain_files.set->event_types[i]);
    }
    snprintf(text + n, sizeof text - n, "  - {name: more}\n");
    domain_files_expect_wrong(text, "at most 256 event types");
    n = (size_t)snprintf(text, sizeof text, "domain: web\nevent_types:\n  - name: a\n    attributes:\n");
    for (int i = 0; i <= EVENT_FIELDS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "      - f%d\n", i);
    domain_files_expect_wrong(text, "at most 100 fields");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(test_event_types_have_fields_by_role_and_a_plan_of_them),
        DOMAIN_TEST(test_what_is_wrong_with_an_event_type_is_told),
        DOMAIN_TEST(test_defaults_are_json_however_the_number_was_written),
        DOMAIN_TEST(test_an_event_type_belongs_to_one_domain_and_has_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
