/* The catalog published by one process and followed by another, through a journal in memory that is stepped by hand. */
#include "catalog/catalog_journal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/test.h"
#include "test/support/scratch.h"
#include "world/world.h"

static struct error err;
static char path[SCRATCH_PATH_MAX];
static struct world world;
static int64_t wall_ms, mono_ms;
static struct catalog *owner, *follower;
static struct journal *journal;
static struct role roles[2];

static int64_t wall_us(struct world *self)
{
    (void)self;
    return wall_ms * 1000;
}

static int64_t mono_us(struct world *self)
{
    (void)self;
    return mono_ms * 1000;
}

static int setup(void **state)
{
    (void)state;
    scratch_make("follow", path);
    world = *world_real();
    world.wall_us = wall_us;
    world.mono_us = mono_us;
    wall_ms = 1700000000000;
    mono_ms = 1000;
    assert_int_equal(catalog_sqlite.open(&(struct catalog_options){ .path = path }, &world, &owner, &err), OK);
    const struct journal_options options = { .partitions = 2, .queue_bytes_max = 1 << 24 };
    assert_int_equal(journal_memory.open(&options, &world, NULL, &journal, &err), OK);
    assert_int_equal(journal_memory.roles(journal, roles), 1);
    assert_int_equal(follower_open(journal, &world, &follower, &err), OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    follower->backend->close(follower);
    journal_memory.close(journal);
    catalog_sqlite.close(owner);
    return scratch_remove(path);
}

static void step(struct role role)
{
    int64_t wake_us = WAKE_NEVER;
    for (int i = 0; i < 100 && role.step(role.self, &world, &wake_us); i++)
        wake_us = WAKE_NEVER;
}

static void publish(struct catalog_publisher *publisher)
{
    for (int i = 0; i < 3; i++) {
        step(publisher_role(publisher));
        step(roles[0]);
    }
    step(publisher_role(publisher));
    assert_true(publisher_is_idle(publisher));
    step(follower_role(follower));
}

static struct catalog_publisher *open_publisher(void)
{
    struct catalog_publisher *publisher;
    assert_int_equal(publisher_open(owner, journal, "weir-1", &world, &publisher, &err), OK);
    return publisher;
}

static bool knows(enum key_kind kind, const char *key)
{
    struct directory *directory;
    assert_int_equal(follower->backend->directory(follower, &directory, &err), OK);
    bool known = directory_authenticate(directory, kind, slice_from(key)) != NULL;
    directory_free(directory);
    return known;
}

static void test_nothing_is_known_before_the_owner_has_spoken(void **state)
{
    (void)state;
    struct directory *directory;
    step(follower_role(follower));
    assert_int_equal(follower->backend->directory(follower, &directory, &err), ERR_RETRY);
    assert_non_null(strstr(err.text, "weir serve"));
}

static void test_changes_arrive_and_keys_end_by_themselves(void **state)
{
    (void)state;
    struct catalog_publisher *publisher = open_publisher();
    struct tenant acme = { .id = "acme", .quota_per_minute = 77 }, got;
    struct tenant_keys keys = { 0 }, rotated;
    assert_int_equal(catalog_sqlite.tenant_create(owner, &acme, &keys, "ann", &err), OK);
    publish(publisher);
    uint64_t version = follower->backend->version(follower);
    assert_true(knows(KEY_WRITE, keys.write_key) && knows(KEY_READ, keys.read_key));
    assert_int_equal(follower->backend->tenant_get(follower, SLICE("acme"), &got, &err), OK);
    assert_int_equal(got.quota_per_minute, 77);
    assert_int_equal(got.olap_slot, acme.olap_slot);

    const struct key_choice choice = { .write = true, .grace_ms = 1000 };
    assert_int_equal(catalog_sqlite.keys_rotate(owner, SLICE("acme"), &choice, &rotated, "ann", &err), OK);
    publish(publisher);
    assert_true(follower->backend->version(follower) > version);
    version = follower->backend->version(follower);
    assert_true(knows(KEY_WRITE, keys.write_key) && knows(KEY_WRITE, rotated.write_key));
    wall_ms += 1000; /* the owner may be away: nobody has to run for it */
    assert_true(follower->backend->version(follower) > version);
    assert_false(knows(KEY_WRITE, keys.write_key));
    assert_true(knows(KEY_WRITE, rotated.write_key));
    publisher_close(publisher);
}

static void see_type(void *self, const struct catalog_item *item)
{
    struct buf *seen = self;
    buf_add_format(seen, "%.*s %.*s %u %d %.*s\n", SLICE_ARG(item->domain), SLICE_ARG(item->name), item->version,
                   item->active, SLICE_ARG(item->body));
}

static void expect_types(const char *text)
{
    struct buf seen;
    buf_init(&seen, 4096);
    assert_int_equal(follower->backend->items(follower, CATALOG_EVENT_TYPE, see_type, &seen, &err), OK);
    assert_string_equal(buf_text(&seen), text);
    buf_done(&seen);
}

static void test_event_types_that_are_deployed_arrive_with_their_versions(void **state)
{
    (void)state;
    uint64_t changes;
    struct catalog_publisher *publisher = open_publisher();
    struct catalog_item items[] = {
        { .kind = CATALOG_SOURCE, .name = SLICE("http"), .type = SLICE("api"), .body = SLICE("{}") },
        { .kind = CATALOG_EVENT_TYPE,
          .name = SLICE("buy"),
          .domain = SLICE("shop"),
          .body = SLICE("{\"name\":\"buy\"}") }
    };
    publish(publisher);
    expect_types("");
    assert_int_equal(catalog_sqlite.deploy(owner, items, 2, "ann", &changes, &err), OK);
    publish(publisher);
    expect_types("shop buy 1 1 {\"name\":\"buy\"}\n");
    items[1].body = SLICE("{\"name\":\"buy\",\"a\":1}");
    assert_int_equal(catalog_sqlite.deploy(owner, items, 2, "ann", &changes, &err), OK);
    publish(publisher);
    expect_types("shop buy 2 1 {\"name\":\"buy\",\"a\":1}\n");
    assert_int_equal(catalog_sqlite.deploy(owner, items, 1, "ann", &changes, &err), OK);
    publish(publisher);
    expect_types("shop buy 2 0 {\"name\":\"buy\",\"a\":1}\n");
    assert_true(follower_is_current(follower));
    publisher_close(publisher);
}

static void test_who_follows_later_finds_the_newest(void **state)
{
    (void)state;
    struct catalog_publisher *publisher = open_publisher();
    for (int i = 0; i < 5; i++) {
        struct tenant tenant = { 0 };
        struct tenant_keys keys = { 0 };
        snprintf(tenant.id, sizeof tenant.id, "t%d", i);
        assert_int_equal(catalog_sqlite.tenant_create(owner, &tenant, &keys, "ann", &err), OK);
        publish(publisher);
    }
    struct catalog *late;
    struct directory *directory;
    assert_int_equal(follower_open(journal, &world, &late, &err), OK);
    step(follower_role(late));
    assert_int_equal(late->backend->directory(late, &directory, &err), OK);
    assert_int_equal(directory_count(directory), 5);
    directory_free(directory);
    late->backend->close(late);
    publisher_close(publisher);
}

static int claims;

static enum status own_counted(struct journal *self, const char *group, uint16_t partition, struct error *e)
{
    claims++;
    return journal_memory.own(self, group, partition, e);
}

static void test_the_catalog_of_another_directory_is_not_overwritten(void **state)
{
    (void)state;
    struct catalog_publisher *publisher = open_publisher(), *other;
    publish(publisher);
    publisher_close(publisher);
    struct journal_backend counting = journal_memory;
    counting.own = own_counted;
    journal->backend = &counting;
    claims = 0;
    assert_int_equal(publisher_open(owner, journal, "weir-2", &world, &other, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "weir-1"));
    assert_int_equal(claims, 0); /* and its owner is not fenced by the look */
    publisher_close(open_publisher());
    assert_int_equal(claims, 1);
    journal->backend = &journal_memory;
}

/* As Kafka answers who was taken over. */
static enum status submit_fenced(struct journal *self, struct journal_commit *commit, struct error *e)
{
    (void)self, (void)e;
    commit->done(commit, ERR_IO, "another process has taken this partition over");
    return OK;
}

static void test_of_two_directories_that_begin_at_once_one_publishes(void **state)
{
    (void)state;
    struct catalog_publisher *first = open_publisher(), *second;
    assert_int_equal(publisher_open(owner, journal, "weir-2", &world, &second, &err), OK);
    publish(second);
    struct journal_backend fencing = journal_memory;
    fencing.submit = submit_fenced;
    journal->backend = &fencing;
    step(publisher_role(first));
    journal->backend = &journal_memory;
    for (int i = 0; i < 3; i++) { /* its retries */
        step(publisher_role(first));
        step(roles[0]);
        mono_ms += 10000;
    }
    assert_false(publisher_is_idle(first));
    publisher_close(first);
    publisher_close(second);
    assert_int_equal(publisher_open(owner, journal, "weir-2", &world, &second, &err), OK);
    publisher_close(second);
}

static void test_who_follows_changes_nothing(void **state)
{
    (void)state;
    struct tenant tenant = { .id = "acme" };
    struct tenant_keys keys = { 0 };
    assert_int_equal(follower->backend->tenant_create(follower, &tenant, &keys, "ann", &err), ERR_INVALID);
    assert_int_equal(follower->backend->tenant_update(follower, &tenant, "ann", &err), ERR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_is_known_before_the_owner_has_spoken),
        TEST(test_changes_arrive_and_keys_end_by_themselves),
        TEST(test_event_types_that_are_deployed_arrive_with_their_versions),
        TEST(test_who_follows_later_finds_the_newest),
        TEST(test_the_catalog_of_another_directory_is_not_overwritten),
        TEST(test_of_two_directories_that_begin_at_once_one_publishes),
        TEST(test_who_follows_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
