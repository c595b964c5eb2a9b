#include "base/encode.h"

#include "base/test.h"

/* RFC 4648, section 10. */
static const struct {
    const char *plain, *base64, *hex;
} VECTORS[] = {
    { "", "", "" },
    { "f", "Zg==", "66" },
    { "fo", "Zm8=", "666f" },
    { "foo", "Zm9v", "666f6f" },
    { "foob", "Zm9vYg==", "666f6f62" },
    { "fooba", "Zm9vYmE=", "666f6f6261" },
    { "foobar", "Zm9vYmFy", "666f6f626172" },
};

static void test_rfc_4648_vectors_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(VECTORS); i++) {
        struct slice plain = slice_from(VECTORS[i].plain), base64 = slice_from(VECTORS[i].base64);
        char text[32];
        size_t n;
        base64_encode(plain, text);
        assert_true(slice_equal(slice_of(text, BASE64_ENCODED_BYTES(plain.n)), base64));
        assert_true(base64_decode(base64, text, &n));
        assert_true(slice_equal(slice_of(text, n), plain));
        while (base64.n && base64.p[base64.n - 1] == '=')
            base64.n--;
        assert_true(base64_decode(base64, text, &n) && slice_equal(slice_of(text, n), plain));
        hex_encode(plain, text);
        assert_true(slice_equal(slice_of(text, 2 * plain.n), slice_from(VECTORS[i].hex)));
        assert_true(hex_decode(slice_from(VECTORS[i].hex), text));
        assert_memory_equal(text, plain.p, plain.n);
    }
}

static void test_every_byte_survives_and_both_alphabets_are_read(void **state)
{
    (void)state;
    char bytes[256], text[344], back[258];
    size_t n;
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    base64_encode(slice_of(bytes, 256), text);
    assert_true(base64_decode(slice_of(text, 344), back, &n));
    assert_int_equal(n, 256);
    assert_memory_equal(back, bytes, 256);
    assert_true(base64_decode(SLICE("-_-_"), back, &n) && n == 3);
    assert_memory_equal(back, "\xfb\xff\xbf", 3);
}

static void test_malformed_text_is_refused(void **state)
{
    (void)state;
    static const char *const BASE64[] = { "Z", "Zg=", "Zg===", "Z=g=", "Zh==", "Zm9=", "Zm 9v", "=", "====", "Zm9v\n" };
    static const char *const HEX[] = { "6", "6g", "666", "0x66" };
    static const char *const PERCENT[] = { "%", "%4", "%4g", "a%", "%%41" };
    char to[32];
    size_t n;
    for (size_t i = 0; i < COUNT_OF(BASE64); i++)
        if (base64_decode(slice_from(BASE64[i]), to, &n))
            fail_msg("base64 accepted: '%s'", BASE64[i]);
    for (size_t i = 0; i < COUNT_OF(HEX); i++)
        if (hex_decode(slice_from(HEX[i]), to))
            fail_msg("hex accepted: '%s'", HEX[i]);
    for (size_t i = 0; i < COUNT_OF(PERCENT); i++)
        if (percent_decode(slice_from(PERCENT[i]), false, to, &n))
            fail_msg("percent accepted: '%s'", PERCENT[i]);
}

static void test_percent_decoding_in_place(void **state)
{
    (void)state;
    char text[] = "a%20b+c%2B%C3%a9";
    size_t n;
    assert_true(percent_decode(slice_from(text), true, text, &n));
    assert_true(slice_equal(slice_of(text, n), SLICE("a b c+\xc3\xa9")));
    char path[] = "a+b%00";
    assert_true(percent_decode(slice_from(path), false, path, &n));
    assert_true(n == 4 && memcmp(path, "a+b\0", 4) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_4648_vectors_both_ways),
        cmocka_unit_test(test_every_byte_survives_and_both_alphabets_are_read),
        cmocka_unit_test(test_malformed_text_is_refused),
        cmocka_unit_test(test_percent_decoding_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
