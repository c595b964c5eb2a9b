#include "base/queue.h"

#include "base/test.h"

static void test_items_come_out_in_order_and_the_bound_holds(void **state)
{
    (void)state;
    int items[3];
    struct queue *queue = queue_new("test", 2, (struct waker){ 0 });
    assert_int_equal(queue_push(queue, &items[0]), OK);
    assert_int_equal(queue_push(queue, &items[1]), OK);
    assert_int_equal(queue_push(queue, &items[2]), ERR_FULL);
    assert_int_equal(queue_full_count(queue), 1);
    assert_ptr_equal(queue_pop(queue), &items[0]);
    assert_int_equal(queue_push(queue, &items[2]), OK);
    void *out[4];
    assert_int_equal(queue_pop_many(queue, out, 4), 2);
    assert_ptr_equal(out[0], &items[1]);
    assert_ptr_equal(out[1], &items[2]);
    queue_free(queue);
}

static void test_a_closed_queue_is_drained_before_it_is_finished(void **state)
{
    (void)state;
    int item;
    struct queue *queue = queue_new("test", 2, (struct waker){ 0 });
    assert_int_equal(queue_push(queue, &item), OK);
    queue_close(queue);
    assert_int_equal(queue_push(queue, &item), ERR_CLOSED);
    assert_false(queue_is_finished(queue));
    assert_ptr_equal(queue_pop(queue), &item);
    assert_true(queue_is_finished(queue));
    queue_free(queue);
}

static void test_a_ring_before_the_wait_is_not_lost(void **state)
{
    (void)state;
    struct bell *bell = bell_new();
    bell_ring(bell);
    assert_true(bell_wait(bell, -1));
    assert_false(bell_wait(bell, 1000));
    bell_free(bell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_come_out_in_order_and_the_bound_holds),
        cmocka_unit_test(test_a_closed_queue_is_drained_before_it_is_finished),
        cmocka_unit_test(test_a_ring_before_the_wait_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
