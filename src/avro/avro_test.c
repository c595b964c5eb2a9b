#include "avro/avro.h"

#include <stdio.h>

#include "base/encode.h"
#include "base/test.h"

static struct error err;

static struct avro_schema *parse(const char *json)
{
    struct avro_schema *schema = NULL;
    if (avro_schema_parse(slice_from(json), &schema, &err) != OK)
        fail_msg("%s: %s", json, err.text);
    return schema;
}

static void expect_json(const struct avro_schema *schema, struct slice binary, const char *json)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    if (avro_to_json(schema, binary, &out, &err) != OK)
        fail_msg("%s: %s", json, err.text);
    assert_string_equal(buf_text(&out), json);
    buf_done(&out);
}

static void expect_hex(const struct avro_schema *schema, const char *json, const char *hex)
{
    char text[512] = "";
    struct buf out;
    buf_init(&out, 256);
    if (avro_from_json(schema, slice_from(json), &out, &err) != OK)
        fail_msg("%s: %s", json, err.text);
    hex_encode(buf_slice(&out), text);
    assert_string_equal(text, hex);
    buf_done(&out);
}

/* The bytes are those of another implementation (fastavro 1.10.0). */
static const struct {
    const char *schema, *json, *hex;
} GOLDEN[] = {
    { "\"long\"", "-1", "01" },
    { "\"long\"", "999999999999999999", "feff9ff6f4acdbe01b" },
    { "\"long\"", "1000000000000000000", "8080a0f6f4acdbe01b" },
    { "\"long\"", "9223372036854775807", "feffffffffffffffff01" },
    { "\"long\"", "-9223372036854775808", "ffffffffffffffffff01" },
    { "\"int\"", "64", "8001" },
    { "\"boolean\"", "true", "01" },
    { "\"double\"", "19.99", "3d0ad7a370fd3340" },
    { "\"float\"", "0.5", "0000003f" },
    { "\"string\"", "\"a\\\"\\né\"", "0a61220ac3a9" },
    { "\"bytes\"", "\"AP8Q\"", "0600ff10" },
    { "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "\"2026-11-26T08:00:00.123Z\"", "f6e1f2edc268" },
    { "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}", "\"1969-12-31T23:59:59.999Z\"", "cf0f" },
    { "{\"type\":\"int\",\"logicalType\":\"date\"}", "\"1969-12-31\"", "01" },
    { "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":20,\"scale\":2}", "-19.99", "04f831" },
    { "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":20,\"scale\":2}", "0.05", "0205" },
    { "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":20,\"scale\":2}", "1.28", "040080" },
    { "{\"type\":\"fixed\",\"name\":\"d\",\"size\":6,\"logicalType\":\"decimal\",\"precision\":12,\"scale\":3}",
      "-1234567.890", "ffffb669fd2e" },
    { "{\"type\":\"fixed\",\"name\":\"f\",\"size\":2}", "\"YWI=\"", "6162" },
    { "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"B\"]}", "\"B\"", "02" },
    { "[\"null\",\"string\"]", "null", "00" },
    { "[\"null\",\"string\"]", "\"x\"", "020278" },
    { "[\"int\",\"string\"]", "\"x\"", "020278" },
    { "{\"type\":\"array\",\"items\":\"int\"}", "[1,-2,3]", "0602030600" },
    { "{\"type\":\"array\",\"items\":\"int\"}", "[]", "00" },
    { "{\"type\":\"map\",\"values\":\"long\"}", "{\"a\":1}", "0202610200" },
    { "{\"type\":\"record\",\"name\":\"n.L\",\"fields\":[{\"name\":\"v\",\"type\":\"int\"},{\"name\":\"next\",\"type\":"
      "[\"null\",\"L\"],\"default\":null}]}",
      "{\"v\":1,\"next\":{\"v\":2,\"next\":null}}", "02020400" },
};

static void test_values_are_as_another_implementation_writes_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(GOLDEN); i++) {
        char bytes[256];
        struct avro_schema *schema = parse(GOLDEN[i].schema);
        assert_true(hex_decode(slice_from(GOLDEN[i].hex), bytes));
        expect_json(schema, slice_of(bytes, strlen(GOLDEN[i].hex) / 2), GOLDEN[i].json);
        expect_hex(schema, GOLDEN[i].json, GOLDEN[i].hex);
        avro_schema_free(schema);
    }
}

#define PURCHASE                                                                                                       \
    "{\"type\":\"record\",\"name\":\"purchase\",\"namespace\":\"weir.shop\",\"fields\":["                              \
    "{\"name\":\"event_id\",\"type\":\"string\"},"                                                                     \
    "{\"name\":\"timestamp\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"                      \
    "{\"name\":\"product_id\",\"type\":[\"null\",\"string\"],\"default\":null},"                                       \
    "{\"name\":\"amount_cents\",\"type\":\"long\",\"default\":-1}]}"

static void test_members_come_in_any_order_and_defaults_are_put_in(void **state)
{
    (void)state;
    struct avro_schema *schema = parse(PURCHASE);
    assert_true(slice_equal(avro_schema_name(schema), SLICE("purchase")));
    expect_hex(schema, " {\"amount_cents\": 1999, \"more\": [1], \"timestamp\": 5, \"event_id\": \"e\"} ",
               "02650a009e1f");
    expect_hex(schema, "{\"timestamp\":\"1970-01-01T00:00:00.005Z\",\"event_id\":\"e\",\"product_id\":\"p\"}",
               "02650a02027001");
    expect_json(schema, SLICE("\x02\x65\x0a\x00\x9e\x1f"),
                "{\"event_id\":\"e\",\"timestamp\":\"1970-01-01T00:00:00.005Z\",\"product_id\":null,"
                "\"amount_cents\":1999}");
    avro_schema_free(schema);
}

static void test_names_and_symbols_may_be_written_with_escapes(void **state)
{
    (void)state;
    struct avro_schema *schema =
        parse("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"amount\",\"type\":\"int\",\"default\":0},"
              "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}}]}");
    expect_hex(schema, "{\"\\u0061mount\":7,\"e\":\"\\u0042\"}", "0e02");
    avro_schema_free(schema);
}

static void test_what_does_not_fit_names_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *json, *message;
    } CASES[] = {
        { PURCHASE, "{\"timestamp\":1}", "field event_id: it is missing and has no default" },
        { PURCHASE, "{\"event_id\":\"e\",\"timestamp\":\"yesterday\"}",
          "field timestamp: this is no time: \"yesterday\"" },
        { PURCHASE, "[]", "this is no object: []" },
        { PURCHASE, "", "there is no value" },
        { "{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"b\",\"type\":{\"type\":\"record\",\"name\":"
          "\"c\","
          "\"fields\":[{\"name\":\"d\",\"type\":\"int\"}]}}]}",
          "{\"b\":{\"d\":2147483648}}", "field b.d: this is no int: 2147483648" },
        { "\"int\"", "1.5", "this is no int: 1.5" },
        { "\"long\"", "9223372036854775808", "this is no long: 9223372036854775808" },
        { "\"float\"", "1e39", "this is no float: 1e39" },
        { "\"double\"", "-1e999", "this is no double: -1e999" },
        { "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}", "1.999",
          "this is no decimal of this scale: 1.999" },
        { "[\"int\",\"boolean\",\"null\"]", "\"x\"", "this is no value of any branch of the union: \"x\"" },
        { "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\"]}", "\"B\"", "this is no symbol of the enum: \"B\"" },
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct avro_schema *schema = parse(CASES[i].schema);
        struct buf out;
        buf_init(&out, 256);
        assert_int_equal(avro_from_json(schema, slice_from(CASES[i].json), &out, &err), ERR_INVALID);
        assert_string_equal(err.text, CASES[i].message);
        buf_done(&out);
        avro_schema_free(schema);
    }
}

static void test_broken_bytes_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *hex, *message;
    } CASES[] = {
        { PURCHASE, "0265", "field timestamp: here is no long" },
        { PURCHASE, "04", "field event_id: the record ends within a text" },
        { PURCHASE, "02650a04", "field product_id: here is no branch of the union" },
        { PURCHASE, "02650a009e1f00", "1 bytes are left over behind the value" },
        { "\"long\"", "ffffffffffffffffff02", "here is no long" },
        { "\"int\"", "8080808010", "here is no int" },
        { "\"string\"", "01", "the record ends within a text" },
        { "{\"type\":\"array\",\"items\":\"null\"}", "feffffffffffffffff01",
          "the value is larger than there is room for" },
        { "{\"type\":\"array\",\"items\":\"int\"}", "01", "the record ends within a list" },
        { "{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"a\",\"type\":\"a\"}]}", "",
          "values are nested deeper than 32" },
        { "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "feffffffffffffffff01",
          "this time is outside the years 1900 to 2299" },
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        char bytes[64];
        struct avro_schema *schema = parse(CASES[i].schema);
        struct buf out;
        buf_init(&out, 4096);
        assert_true(hex_decode(slice_from(CASES[i].hex), bytes));
        assert_int_not_equal(avro_to_json(schema, slice_of(bytes, strlen(CASES[i].hex) / 2), &out, &err), OK);
        assert_non_null(strstr(err.text, CASES[i].message));
        buf_done(&out);
        avro_schema_free(schema);
    }
}

static void test_a_list_may_come_in_blocks_with_their_sizes(void **state)
{
    (void)state;
    struct avro_schema *schema = parse("{\"type\":\"array\",\"items\":\"int\"}");
    expect_json(schema, SLICE("\x03\x04\x02\x04\x02\x06\x00"), "[1,2,3]");
    avro_schema_free(schema);
}

static void test_names_are_found_within_their_namespace(void **state)
{
    (void)state;
    struct avro_schema *schema =
        parse("{\"type\":\"record\",\"name\":\"a.b.R\",\"fields\":["
              "{\"name\":\"x\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}},"
              "{\"name\":\"y\",\"type\":\"E\"},{\"name\":\"z\",\"type\":\"a.b.E\"},"
              "{\"name\":\"w\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"namespace\":\"c\",\"size\":1}},"
              "{\"name\":\"v\",\"type\":\"c.F\"}]}");
    expect_json(schema, SLICE("\0\0\0ab"), "{\"x\":\"A\",\"y\":\"A\",\"z\":\"A\",\"w\":\"YQ==\",\"v\":\"Yg==\"}");
    assert_true(slice_equal(avro_schema_name(schema), SLICE("R")));
    avro_schema_free(schema);
}

static void test_what_is_no_schema_is_told(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "",
        "{",
        "7",
        "\"strin\"",
        "[]",
        "[[\"int\"]]",
        "{}",
        "{\"type\":\"record\"}",
        "{\"type\":\"record\",\"name\":\"1a\",\"fields\":[]}",
        "{\"type\":\"record\",\"name\":\"a\",\"fields\":{}}",
        "{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"x\"}]}",
        "{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"},{\"name\":\"x\",\"type\":"
        "\"int\"}]}",
        "{\"type\":\"enum\",\"name\":\"a\",\"symbols\":[]}",
        "{\"type\":\"fixed\",\"name\":\"a\",\"size\":-1}",
        "{\"type\":\"array\"}",
        "{\"type\":\"map\",\"values\":\"nothing\"}",
        "[{\"type\":\"fixed\",\"name\":\"a\",\"size\":1},{\"type\":\"fixed\",\"name\":\"a\",\"size\":1}]",
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct avro_schema *schema = NULL;
        assert_int_equal(avro_schema_parse(slice_from(CASES[i]), &schema, &err), ERR_INVALID);
        assert_null(schema);
    }
    char deep[2000];
    size_t n = 0;
    for (int k = 0; k < 70; k++)
        n += (size_t)snprintf(deep + n, sizeof deep - n, "{\"type\":");
    n += (size_t)snprintf(deep + n, sizeof deep - n, "\"int\"");
    for (int k = 0; k < 70; k++)
        n += (size_t)snprintf(deep + n, sizeof deep - n, "}");
    struct avro_schema *schema = NULL;
    assert_int_equal(avro_schema_parse(slice_from(deep), &schema, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "nested deeper than 64"));
}

/* Branches that are tried in vain multiply with each level: the number of steps is bounded. */
static void test_a_union_of_itself_does_not_take_for_ever(void **state)
{
    (void)state;
    struct avro_schema *schema =
        parse("{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"u\",\"type\":[\"int\",\"a\","
              "{\"type\":\"record\",\"name\":\"b\",\"fields\":[{\"name\":\"u\",\"type\":[\"int\",\"a\",\"b\"]}]}]}]}");
    char json[1000];
    size_t n = 0;
    for (int k = 0; k < 15; k++)
        n += (size_t)snprintf(json + n, sizeof json - n, "{\"u\":");
    n += (size_t)snprintf(json + n, sizeof json - n, "true");
    for (int k = 0; k < 15; k++)
        n += (size_t)snprintf(json + n, sizeof json - n, "}");
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(avro_from_json(schema, slice_from(json), &out, &err), ERR_INVALID);
    buf_done(&out);
    avro_schema_free(schema);
}

#define RECORD(fields) "{\"type\":\"record\",\"name\":\"a.r\",\"fields\":[" fields "]}"
#define FIELD(type) RECORD("{\"name\":\"x\",\"type\":" type "}")

static const struct {
    const char *reader, *writer, *why; /* why: NULL where it can */
} RESOLUTIONS[] = {
    { "\"long\"", "\"int\"", NULL },
    { "\"double\"", "\"long\"", NULL },
    { "\"int\"", "\"long\"", "who reads int cannot take long" },
    { "\"float\"", "\"double\"", "cannot take double" },
    { "\"string\"", "\"bytes\"", NULL },
    { "\"bytes\"", "\"string\"", NULL },
    { "\"long\"", "\"string\"", "cannot take string" },
    { "[\"null\",\"string\"]", "\"string\"", NULL },
    { "\"string\"", "[\"null\",\"string\"]", "cannot take null" },
    { "[\"null\",\"double\"]", "[\"int\",\"null\"]", NULL },
    { "[\"null\",\"long\"]", "[\"null\",\"string\"]", "who reads union cannot take string" },
    { RECORD(""), FIELD("\"string\""), NULL },
    { FIELD("\"string\""), RECORD(""), "field x: who writes has no such field, and it has no default" },
    { RECORD("{\"name\":\"x\",\"type\":\"string\",\"default\":\"\"}"), RECORD(""), NULL },
    { FIELD("\"string\""), FIELD("\"long\""), "field x: who reads string cannot take long" },
    { "{\"type\":\"record\",\"name\":\"b.r\",\"fields\":[]}", RECORD(""), NULL },
    { "{\"type\":\"record\",\"name\":\"a.s\",\"fields\":[]}", RECORD(""), "who reads a.s cannot take a.r" },
    { FIELD("{\"type\":\"array\",\"items\":[\"null\",\"a.r\"]}"), FIELD("{\"type\":\"array\",\"items\":\"a.r\"}"),
      NULL },
    { FIELD("{\"type\":\"map\",\"values\":\"int\"}"), FIELD("{\"type\":\"map\",\"values\":\"long\"}"),
      "field x: who reads int" },
    { "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"B\"]}",
      "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"B\"]}", NULL },
    { "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"B\"]}",
      "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"B\"]}", "does not know the symbol A" },
    { "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"B\"],\"default\":\"B\"}",
      "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"B\"]}", NULL },
    { "{\"type\":\"fixed\",\"name\":\"f\",\"size\":4}", "{\"type\":\"fixed\",\"name\":\"f\",\"size\":8}",
      "cannot take fixed" },
};

static void test_who_can_read_whose_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(RESOLUTIONS); i++) {
        struct avro_schema *reader = parse(RESOLUTIONS[i].reader), *writer = parse(RESOLUTIONS[i].writer);
        const enum status s = avro_can_read(reader, writer, &err);
        if (RESOLUTIONS[i].why ? s != ERR_INVALID || !strstr(err.text, RESOLUTIONS[i].why) : s != OK)
            fail_msg("%s from %s: %d %s", RESOLUTIONS[i].reader, RESOLUTIONS[i].writer, s, err.text);
        assert_int_equal(avro_can_read(reader, reader, &err), OK);
        avro_schema_free(reader);
        avro_schema_free(writer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_as_another_implementation_writes_them),
        cmocka_unit_test(test_members_come_in_any_order_and_defaults_are_put_in),
        cmocka_unit_test(test_names_and_symbols_may_be_written_with_escapes),
        cmocka_unit_test(test_what_does_not_fit_names_the_field),
        cmocka_unit_test(test_broken_bytes_are_told),
        cmocka_unit_test(test_a_list_may_come_in_blocks_with_their_sizes),
        cmocka_unit_test(test_names_are_found_within_their_namespace),
        cmocka_unit_test(test_what_is_no_schema_is_told),
        cmocka_unit_test(test_a_union_of_itself_does_not_take_for_ever),
        cmocka_unit_test(test_who_can_read_whose_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
