#include "base/crc32c.h"

#include "base/test.h"

static void test_known_values_are_met(void **state)
{
    (void)state;
    /* RFC 3720, B.4 */
    unsigned char bytes[32];
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aau);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43u);
}

static void test_pieces_give_the_same_as_the_whole(void **state)
{
    (void)state;
    static unsigned char bytes[10007];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 131 + i / 7);
    uint32_t slow = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        slow = crc32c(slow, bytes + i, 1);
    assert_int_equal(crc32c(0, bytes, sizeof bytes), slow);
    assert_int_equal(crc32c(crc32c(0, bytes, 3333), bytes + 3333, sizeof bytes - 3333), slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values_are_met),
        cmocka_unit_test(test_pieces_give_the_same_as_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
