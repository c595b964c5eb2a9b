#include "base/retry.h"

#include "base/test.h"
#include "world/world.h"

static uint8_t dice_byte;

static int64_t mono_zero(struct world *world)
{
    return 0;
}

static void dice(struct world *world, void *out, size_t n)
{
    memset(out, dice_byte, n);
}

static struct world still = { .mono_us = mono_zero, .random = dice };

static void test_pauses_double_up_to_the_bound(void **state)
{
    struct retry retry = { .first_ms = 100, .most_ms = 1000 };
    dice_byte = 0;
    const int64_t half_ms[] = { 50, 100, 200, 400, 500, 500 };
    for (size_t i = 0; i < COUNT_OF(half_ms); i++)
        assert_int_equal(retry_next_us(&retry, &still), half_ms[i] * 1000);
    assert_int_equal(retry.attempts, 6);
    retry_reset(&retry);
    assert_int_equal(retry_next_us(&retry, &still), 50000);
}

static void test_chance_stays_within_the_pause(void **state)
{
    for (int byte = 0; byte < 256; byte++) {
        struct retry retry = { .first_ms = 100, .most_ms = 1000 };
        dice_byte = (uint8_t)byte;
        int64_t us = retry_next_us(&retry, &still);
        assert_true(us >= 50000 && us <= 100000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pauses_double_up_to_the_bound),
        cmocka_unit_test(test_chance_stays_within_the_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
