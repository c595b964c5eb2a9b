#include "world/world.h"

#include <assert.h>
#include <pthread.h>

#include "base/test.h"
#include "world/disk.h"

static void *use_world(void *context)
{
    (void)context;
    struct world *world = world_real();
    for (int i = 0; i < 1000; i++) {
        assert(world_real() == world && world->disk == disk_real());
        assert(world->mono_us(world) > 0);
    }
    return NULL;
}

/* tools/tsan.sh says whether asking for it writes what the other thread reads. */
static void test_any_thread_may_ask_for_the_real_world(void **state)
{
    (void)state;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_world, NULL), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_any_thread_may_ask_for_the_real_world) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
