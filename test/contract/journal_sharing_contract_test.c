/* What every journal backend promises to several at once: partitions are shared out among processes, who was followed
 * commits no more, and threads submit and follow without loss. The last one runs the roles on threads. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "test/support/journal_fixture.h"
#include "world/world.h"

/* The zombie: two openings of one journal, as after a pause that the others took for death. */
static void test_who_was_followed_can_commit_no_more(void **state)
{
    (void)state;
    if (!fixture.far)
        skip();
    struct sent sent;
    struct journal *zombie = fixture.journal, *successor;
    struct journal_mark mark;
    sent_init(&sent);
    sent_add_chunk(&sent, TOPIC_ENRICHED, 0, 2, 50, 0);
    sent_add_mark(&sent, "process", 0, 5, "mine");
    assert_int_equal(fixture.journal->backend->own(fixture.journal, "process", 0, NULL), OK);
    sent_expect(&sent, OK);
    journal_fixture_open();
    successor = fixture.journal;
    assert_int_equal(successor->backend->own(successor, "process", 0, NULL), OK);
    fixture.journal = zombie;
    for (int i = 0; i < 2; i++) { /* nor does he take it back by trying again */
        sent.calls = 0;
        sent_expect(&sent, ERR_IO);
    }
    fixture.journal = successor;
    char note[JOURNAL_NOTE_MAX];
    assert_int_equal(fixture.journal->backend->mark(fixture.journal, "process", 0, &mark, note), OK);
    assert_int_equal(mark.position, 5);
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_ENRICHED), 0, JOURNAL_BEGIN, 0), 2);
    sent_done(&sent);
    zombie->backend->drain(zombie);
    zombie->backend->close(zombie);
}

static unsigned places(struct journal_share *share, enum share_place place)
{
    unsigned count = 0;
    for (uint16_t i = 0; i < fixture.journal->partitions; i++)
        count += share->ops->place(share, i) == place;
    return count;
}

static void await_places(struct journal_share *share, enum share_place place, unsigned count)
{
    for (int waited_ms = 0; places(share, place) != count && waited_ms < 30000; waited_ms += 10)
        usleep(10000);
    assert_int_equal(places(share, place), count);
}

/* The second one gets its half only once the first one has left it. */
static void test_partitions_are_shared_out(void **state)
{
    (void)state;
    struct journal_share *first, *second;
    const struct journal_share_options one = { "process", "weir-1" }, two = { "process", "weir-2" };
    assert_int_equal(fixture.journal->backend->share_open(fixture.journal, &one, &first, NULL), OK);
    await_places(first, SHARE_HERE, 4);
    assert_int_equal(first->ops->state(first, NULL), OK);
    if (!fixture.journal->backend->shared) {
        first->ops->close(first);
        return;
    }
    assert_int_equal(fixture.journal->backend->share_open(fixture.journal, &two, &second, NULL), OK);
    await_places(first, SHARE_LEAVING, 2);
    assert_int_equal(places(second, SHARE_HERE), 0);
    for (uint16_t i = 0; i < 4; i++)
        if (first->ops->place(first, i) == SHARE_LEAVING)
            first->ops->left(first, i);
    await_places(second, SHARE_HERE, 2);
    for (uint16_t i = 0; i < 4; i++)
        assert_true((first->ops->place(first, i) == SHARE_HERE) != (second->ops->place(second, i) == SHARE_HERE));
    second->ops->close(second);
    assert_int_equal(fixture.journal->backend->share_open(fixture.journal, &two, &second, NULL), OK);
    await_places(second, SHARE_HERE, 2); /* it is back in time: nothing moves */
    assert_int_equal(places(first, SHARE_HERE), 2);
    second->ops->close(second);
    first->ops->close(first);
}

#define PRODUCERS 3
#define COMMITS_EACH 300

struct producer {
    uint16_t partition;
    pthread_t thread;
};

static void *produce(void *argument)
{
    struct producer *producer = argument;
    for (unsigned i = 0; i < COMMITS_EACH; i++) {
        struct sent sent;
        sent_init(&sent);
        sent_add_chunk(&sent, TOPIC_EVENTS, producer->partition, 2, 300, i * 2);
        while (sent_submit(&sent, NULL) != OK)
            usleep(100);
        while (atomic_load(&sent.calls) == 0)
            usleep(10);
        assert_int_equal(sent.status, OK);
        sent_done(&sent);
    }
    return NULL;
}

static void test_threads_submit_and_follow_without_loss(void **state)
{
    (void)state;
    struct role_thread *threads[2] = { NULL, NULL };
    struct producer producers[PRODUCERS];
    struct bell *bell = bell_new();
    struct journal_reader *reader;
    struct journal_read_options read_options = { TOPIC_BIT(TOPIC_EVENTS), JOURNAL_ALL_PARTITIONS, JOURNAL_BEGIN,
                                                 bell_waker(bell) };
    for (size_t i = 0; i < fixture.role_count; i++)
        assert_int_equal(role_start(&fixture.roles[i], world_real(), &threads[i], NULL), OK);
    assert_int_equal(fixture.backend->reader_open(fixture.journal, &read_options, &reader, NULL), OK);
    for (uint16_t i = 0; i < PRODUCERS; i++) {
        producers[i].partition = i;
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    uint64_t seen[PRODUCERS] = { 0 }, total = 0;
    while (total < PRODUCERS * COMMITS_EACH * 2) {
        struct journal_batch batch;
        assert_int_equal(journal_read(reader, 1 << 20, &batch, NULL), OK);
        if (batch.chunk_count == 0)
            bell_wait(bell, -1);
        for (size_t i = 0; i < batch.chunk_count; i++) {
            const struct journal_chunk *chunk = &batch.chunks[i];
            assert_true(fixture.far || chunk->offset == seen[chunk->partition]);
            assert_int_equal(strtoul(chunk->bytes.p + 4, NULL, 10), seen[chunk->partition]);
            seen[chunk->partition] += chunk->records;
            total += chunk->records;
        }
    }
    for (size_t i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i].thread, NULL);
    fixture.journal->backend->drain(fixture.journal);
    for (size_t i = 0; i < fixture.role_count; i++)
        role_stop(threads[i]);
    fixture.backend->reader_close(reader);
    bell_free(bell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOURNAL_TEST(test_who_was_followed_can_commit_no_more),
        JOURNAL_TEST(test_partitions_are_shared_out),
        JOURNAL_TEST(test_threads_submit_and_follow_without_loss),
    };
    return journal_fixture_run(tests, COUNT_OF(tests));
}
