#include "ingest/inflate.h"

#include <libdeflate.h>
#include <stdlib.h>

#include "base/test.h"

static const struct inflate_limits LIMITS = { .output_bytes_max = 4u << 20,
                                              .ratio_max = 200,
                                              .ratio_free_bytes = 1u << 20 };

enum wrapping { GZIP, ZLIB, RAW };

static struct slice packed(enum wrapping wrapping, struct slice in)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    size_t max = libdeflate_gzip_compress_bound(compressor, in.n), n = 0;
    char *out = malloc(max);
    assert_non_null(out);
    if (wrapping == GZIP)
        n = libdeflate_gzip_compress(compressor, in.p, in.n, out, max);
    else if (wrapping == ZLIB)
        n = libdeflate_zlib_compress(compressor, in.p, in.n, out, max);
    else
        n = libdeflate_deflate_compress(compressor, in.p, in.n, out, max);
    libdeflate_free_compressor(compressor);
    assert_true(n > 0);
    return slice_of(out, n);
}

/* Text that compresses about as events do. */
static struct slice text_of(size_t n)
{
    char *text = malloc(n);
    assert_non_null(text);
    uint32_t seed = 7;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        text[i] = i % 8 == 0 ? (char)('a' + (seed >> 24) % 26) : "\"event\":"[i % 8];
    }
    return slice_of(text, n);
}

static void test_all_wrappings_and_sizes(void **state)
{
    (void)state;
    const size_t sizes[] = { 0, 1, 300, 5000, 100000, 3u << 20 };
    struct inflate *inflate = inflate_new(&LIMITS);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (enum wrapping wrapping = GZIP; wrapping <= RAW; wrapping++) {
            struct slice text = text_of(sizes[i] ? sizes[i] : 1), in, out;
            text.n = sizes[i];
            in = packed(wrapping, text);
            assert_int_equal(inflate_run(inflate, wrapping == GZIP ? INFLATE_GZIP : INFLATE_DEFLATE, in, &out, NULL),
                             OK);
            assert_true(slice_equal(out, text));
            for (size_t p = 0; p < 64; p++)
                assert_int_equal(out.p[out.n + p], 0);
            free((char *)text.p);
            free((char *)in.p);
        }
    }
    inflate_free(inflate);
}

static void test_several_gzip_members_are_one_body(void **state)
{
    (void)state;
    struct inflate *inflate = inflate_new(&LIMITS);
    struct slice a = packed(GZIP, SLICE("{\"a\":1}\n")), b = packed(GZIP, SLICE("{\"b\":2}\n")), out;
    char *both = malloc(a.n + b.n);
    assert_non_null(both);
    memcpy(both, a.p, a.n);
    memcpy(both + a.n, b.p, b.n);
    assert_int_equal(inflate_run(inflate, INFLATE_GZIP, slice_of(both, a.n + b.n), &out, NULL), OK);
    assert_true(slice_equal(out, SLICE("{\"a\":1}\n{\"b\":2}\n")));
    free(both);
    free((char *)a.p);
    free((char *)b.p);
    inflate_free(inflate);
}

static void test_truncated_and_corrupt_are_invalid_at_every_length(void **state)
{
    (void)state;
    struct inflate *inflate = inflate_new(&LIMITS);
    struct slice text = text_of(2000), in = packed(GZIP, text), out;
    struct error err;
    for (size_t n = 0; n < in.n; n++) {
        char *cut = malloc(n + 1); /* of its own, so that reading behind it shows */
        assert_non_null(cut);
        memcpy(cut, in.p, n);
        assert_int_equal(inflate_run(inflate, INFLATE_GZIP, slice_of(cut, n), &out, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "truncated"));
        free(cut);
    }
    char *wrong = (char *)in.p;
    wrong[in.n / 2] ^= 0x55;
    assert_int_equal(inflate_run(inflate, INFLATE_GZIP, in, &out, &err), ERR_INVALID);
    assert_int_equal(inflate_run(inflate, INFLATE_DEFLATE, SLICE("no deflate"), &out, &err), ERR_INVALID);
    free((char *)text.p);
    free(wrong);
    inflate_free(inflate);
}

static void test_bombs_are_refused(void **state)
{
    (void)state;
    struct inflate *inflate = inflate_new(&LIMITS);
    char *zeros = calloc(1, 64u << 20);
    assert_non_null(zeros);
    struct slice out, in = packed(GZIP, slice_of(zeros, 64u << 20));
    struct error err;
    assert_int_equal(inflate_run(inflate, INFLATE_GZIP, in, &out, &err), ERR_FULL);
    free((char *)in.p);
    /* Within the hard bound, beyond the ratio: 3 MiB out of 3 kB. */
    in = packed(ZLIB, slice_of(zeros, 3u << 20));
    assert_true(in.n * LIMITS.ratio_max < 3u << 20);
    assert_int_equal(inflate_run(inflate, INFLATE_DEFLATE, in, &out, &err), ERR_FULL);
    free((char *)in.p);
    /* A small one may be as empty as it likes. */
    in = packed(GZIP, slice_of(zeros, 1u << 19));
    assert_int_equal(inflate_run(inflate, INFLATE_GZIP, in, &out, &err), OK);
    assert_int_equal(out.n, 1u << 19);
    free((char *)in.p);
    free(zeros);
    inflate_free(inflate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_wrappings_and_sizes),
        cmocka_unit_test(test_several_gzip_members_are_one_body),
        cmocka_unit_test(test_truncated_and_corrupt_are_invalid_at_every_length),
        cmocka_unit_test(test_bombs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
