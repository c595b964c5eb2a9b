#include "base/uuid.h"

#include "base/test.h"
#include "world/world.h"

/* A world whose dice always show the same byte. */
struct fixed_world {
    struct world world;
    uint8_t byte;
};

static void fixed_random(struct world *world, void *out, size_t n)
{
    memset(out, ((struct fixed_world *)world)->byte, n);
}

/* Dice that repeat from run to run: a linear congruential generator. */
static void seeded_random(struct world *world, void *out, size_t n)
{
    static uint64_t seed = 20261123;
    (void)world;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)out)[i] = (uint8_t)(seed >> 56);
    }
}

static struct world dice = { .random = seeded_random };

static void expect_text(const uint8_t uuid[UUID_BYTES], const char *expected)
{
    char text[UUID_TEXT_BYTES];
    uuid_format(uuid, text);
    assert_true(slice_equal(slice_of(text, sizeof text), slice_from(expected)));
}

/* RFC 9562, appendix A.6: 017F22E2-79B0-7CC3-98C4-DC0C0C07398F, time 0x017F22E279B0. */
static void test_rfc_9562_example_is_read_and_written(void **state)
{
    (void)state;
    uint8_t uuid[UUID_BYTES];
    assert_true(uuid_parse(SLICE("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), uuid));
    expect_text(uuid, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    assert_false(uuid_parse(SLICE("017F22E2-79B0-7CC3-98C4-DC0C0C07398"), uuid));
    assert_false(uuid_parse(SLICE("017F22E2+79B0-7CC3-98C4-DC0C0C07398F"), uuid));
    assert_false(uuid_parse(SLICE("017F22E2-79B0-7CC3-98C4-DC0C0C07398G"), uuid));
}

static void test_time_version_and_variant_stand_where_the_rfc_wants_them(void **state)
{
    (void)state;
    struct fixed_world fixed = { .world = { .random = fixed_random }, .byte = 0xff };
    struct uuid_source source;
    uint8_t uuid[UUID_BYTES];
    uuid_source_init(&source, &fixed.world);
    uuid_v7(&source, 0x017F22E279B0, uuid);
    expect_text(uuid, "017f22e2-79b0-77ff-bfff-ffffffffffff");
    fixed.byte = 0;
    uuid_source_init(&source, &fixed.world);
    uuid_v7(&source, 0x017F22E279B0, uuid);
    expect_text(uuid, "017f22e2-79b0-7000-8000-000000000000");
    uuid_v7(&source, 0x017F22E279B0, uuid);
    expect_text(uuid, "017f22e2-79b0-7000-8000-000000000001");
}

static void test_ids_grow_also_in_one_millisecond_and_when_the_clock_steps_back(void **state)
{
    (void)state;
    struct uuid_source source;
    uint8_t last[UUID_BYTES] = { 0 }, uuid[UUID_BYTES];
    uuid_source_init(&source, &dice);
    for (int i = 0; i < 20000; i++) {
        int64_t now = 1737455400000 + i / 1000 - (i % 7 == 0 ? 9000 : 0);
        uuid_v7(&source, now, uuid);
        assert_true(memcmp(last, uuid, UUID_BYTES) < 0);
        assert_true(uuid[6] >> 4 == 7 && uuid[8] >> 6 == 2);
        memcpy(last, uuid, UUID_BYTES);
    }
}

static void test_full_counter_borrows_from_the_next_millisecond(void **state)
{
    (void)state;
    struct uuid_source source;
    uint8_t first[UUID_BYTES], second[UUID_BYTES];
    uuid_source_init(&source, &dice);
    uuid_v7(&source, 5000, first);
    source.high = 0xfff;
    source.low = 0x3fffffffffffffff;
    uuid_v7(&source, 5000, second);
    assert_int_equal(source.ms, 5001);
    assert_true(memcmp(first, second, UUID_BYTES) < 0);
}

static void test_a_clock_that_was_far_ahead_is_not_followed_for_ever(void **state)
{
    (void)state;
    struct uuid_source source;
    uint8_t uuid[UUID_BYTES];
    uuid_source_init(&source, &dice);
    uuid_v7(&source, 4000000000000, uuid);
    uuid_v7(&source, 1737455400000, uuid);
    assert_int_equal(source.ms, 1737455400000);
    uuid_v7(&source, -5, uuid);
    assert_int_equal(source.ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_9562_example_is_read_and_written),
        cmocka_unit_test(test_time_version_and_variant_stand_where_the_rfc_wants_them),
        cmocka_unit_test(test_ids_grow_also_in_one_millisecond_and_when_the_clock_steps_back),
        cmocka_unit_test(test_full_counter_borrows_from_the_next_millisecond),
        cmocka_unit_test(test_a_clock_that_was_far_ahead_is_not_followed_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
