/* What every backend of the catalog promises. To add a backend: a row in BACKENDS; this file must pass for it. That of
 * PostgreSQL needs a server: WEIR_TEST_POSTGRES is the connection string of an empty database, WEIR_TEST_POSTGRES_OTHER
 * that of another one which stays empty (postgres_test.py starts one and runs this). */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/role.h"
#include "base/test.h"
#include "catalog/catalog.h"
#include "test/support/scratch.h"
#include "world/world.h"

static const struct catalog_backend *const BACKENDS[] = { &catalog_sqlite, &catalog_postgres };

static const struct catalog_backend *backend;
static char directory_path[SCRATCH_PATH_MAX];
static struct catalog *catalog;
static struct error err;
static struct world world; /* the real one, but for its wall clock: */
static int64_t ahead_us;

static int64_t wall_us(struct world *self)
{
    (void)self;
    return world_wall_us(world_real()) + ahead_us;
}

static struct catalog_options options_of(const char *owner)
{
    return (struct catalog_options){ .path = directory_path,
                                     .url = getenv("WEIR_TEST_POSTGRES"),
                                     .password = getenv("WEIR_TEST_POSTGRES_PASSWORD"),
                                     .owner = owner,
                                     .connect_timeout_ms = 20000,
                                     .statement_timeout_ms = 20000 };
}

static struct catalog *open_as(const char *owner)
{
    struct catalog *opened;
    const struct catalog_options options = options_of(owner);
    if (backend->open(&options, &world, &opened, &err) != OK)
        fail_msg("%s", err.text);
    return opened;
}

static void open_catalog(void)
{
    catalog = open_as("weir-1");
}

static void forget(void)
{
    PGconn *connection = PQconnectdb(getenv("WEIR_TEST_POSTGRES"));
    PGresult *result = PQexec(connection, "SET client_min_messages = error; DROP SCHEMA IF EXISTS weir CASCADE");
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s", PQerrorMessage(connection));
    PQclear(result);
    PQfinish(connection);
}

static void reopen(void)
{
    backend->close(catalog);
    open_catalog();
}

static int setup(void **state)
{
    backend = *state;
    world = *world_real();
    world.wall_us = wall_us;
    ahead_us = 0;
    scratch_make("catalog", directory_path);
    if (backend == &catalog_postgres)
        forget();
    open_catalog();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    backend->close(catalog);
    return scratch_remove(directory_path);
}

static struct tenant_keys create(const char *id)
{
    struct tenant tenant = { .tier = TIER_STANDARD };
    struct tenant_keys keys = { 0 };
    snprintf(tenant.id, sizeof tenant.id, "%s", id);
    if (backend->tenant_create(catalog, &tenant, &keys, "test", &err) != OK)
        fail_msg("%s", err.text);
    return keys;
}

static struct directory *get_directory(void)
{
    struct directory *directory = NULL;
    assert_int_equal(backend->directory(catalog, &directory, &err), OK);
    return directory;
}

static void test_a_tenant_comes_back_as_it_was_given_also_after_reopening(void **state)
{
    (void)state;
    struct tenant in = { .id = "acme",
                         .placement = "acme",
                         .tier = TIER_ENTERPRISE,
                         .quota_per_minute = UINT64_MAX,
                         .retention_days = -1,
                         .open = true },
                  out;
    struct tenant_keys keys = { 0 };
    assert_int_equal(backend->tenant_create(catalog, &in, &keys, "test", &err), OK);
    assert_true(in.olap_slot >= 1);
    assert_true(in.created_ms > 0);
    reopen();
    assert_int_equal(backend->tenant_get(catalog, SLICE("acme"), &out, &err), OK);
    assert_string_equal(out.id, "acme");
    assert_string_equal(out.placement, "acme");
    assert_int_equal(out.tier, TIER_ENTERPRISE);
    assert_true(out.quota_per_minute == UINT64_MAX);
    assert_int_equal(out.retention_days, -1);
    assert_true(out.open);
    assert_int_equal(out.olap_slot, in.olap_slot);
    assert_int_equal(out.created_ms, in.created_ms);
}

static void test_keys_open_their_own_tenant_and_kind_only(void **state)
{
    (void)state;
    struct tenant_keys a = create("a"), b = create("b");
    assert_int_equal(strlen(a.write_key), 35);
    assert_memory_equal(a.write_key, "wk_", 3);
    assert_memory_equal(a.read_key, "rk_", 3);
    assert_string_not_equal(a.write_key + 3, b.write_key + 3);
    reopen();
    struct directory *directory = get_directory();
    assert_string_equal(directory_authenticate(directory, KEY_WRITE, slice_from(a.write_key))->id, "a");
    assert_string_equal(directory_authenticate(directory, KEY_READ, slice_from(b.read_key))->id, "b");
    assert_null(directory_authenticate(directory, KEY_READ, slice_from(a.write_key)));
    assert_null(directory_authenticate(directory, KEY_WRITE, slice_from(a.read_key)));
    assert_null(directory_authenticate(directory, KEY_READ, SLICE("")));
    assert_null(directory_authenticate(directory, KEY_READ, SLICE("rk_")));
    a.read_key[34] = a.read_key[34] == 'a' ? 'b' : 'a';
    assert_null(directory_authenticate(directory, KEY_READ, slice_from(a.read_key)));
    directory_free(directory);
}

static void test_given_keys_are_used_and_belong_to_one_tenant(void **state)
{
    (void)state;
    struct tenant demo = { .id = "demo_tenant", .open = true }, other = { .id = "other" };
    struct tenant_keys keys = { "demo_write", "demo_read" }, same = { "demo_write", "" };
    assert_int_equal(backend->tenant_create(catalog, &demo, &keys, "test", &err), OK);
    assert_string_equal(keys.write_key, "demo_write");
    assert_int_equal(backend->tenant_create(catalog, &other, &same, "test", &err), ERR_FULL);
    struct directory *directory = get_directory();
    assert_string_equal(directory_authenticate(directory, KEY_READ, SLICE("demo_read"))->id, "demo_tenant");
    assert_null(directory_find(directory, SLICE("other"))); /* all or nothing */
    directory_free(directory);
}

static void test_a_second_tenant_of_a_name_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    struct tenant_keys keys = create("acme"), again = { 0 };
    struct tenant tenant = { .id = "acme", .tier = TIER_ENTERPRISE }, out;
    uint64_t version = backend->version(catalog);
    assert_int_equal(backend->tenant_create(catalog, &tenant, &again, "test", &err), ERR_FULL);
    assert_non_null(strstr(err.text, "exists"));
    assert_int_equal(again.write_key[0], 0);
    assert_true(backend->version(catalog) == version);
    assert_int_equal(backend->tenant_get(catalog, SLICE("acme"), &out, &err), OK);
    assert_int_equal(out.tier, TIER_STANDARD);
    struct directory *directory = get_directory();
    assert_non_null(directory_authenticate(directory, KEY_READ, slice_from(keys.read_key)));
    directory_free(directory);
}

static void test_bad_and_reserved_names_are_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",       "A",   "-a",   "_a",          "a b",  "a/b", "a'b", "é",   "default",           "writer",
        "system", "pub", "weir", "reader_0001", "a\nb", "a.b", "..",  "A-B", "information_schema"
    };
    struct tenant_keys keys = { 0 };
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct tenant tenant = { 0 };
        snprintf(tenant.id, sizeof tenant.id, "%s", BAD[i]);
        if (backend->tenant_create(catalog, &tenant, &keys, "test", &err) != ERR_INVALID)
            fail_msg("'%s' was not refused", BAD[i]);
    }
    char longest[TENANT_ID_MAX + 1];
    memset(longest, 'a', TENANT_ID_MAX);
    longest[TENANT_ID_MAX] = '\0';
    create(longest);
    create("0");
}

static void test_an_update_is_seen_and_moves_the_version(void **state)
{
    (void)state;
    create("acme");
    struct tenant tenant, out, nobody = { .id = "nobody" };
    assert_int_equal(backend->tenant_get(catalog, SLICE("acme"), &tenant, &err), OK);
    uint64_t version = backend->version(catalog);
    tenant.quota_per_minute = 5;
    tenant.retention_days = 30;
    tenant.tier = TIER_ENTERPRISE;
    assert_int_equal(backend->tenant_update(catalog, &tenant, "test", &err), OK);
    assert_true(backend->version(catalog) > version);
    assert_int_equal(backend->tenant_get(catalog, SLICE("acme"), &out, &err), OK);
    assert_int_equal(out.quota_per_minute, 5);
    assert_int_equal(out.retention_days, 30);
    assert_int_equal(out.tier, TIER_ENTERPRISE);
    assert_int_equal(out.olap_slot, tenant.olap_slot);
    snprintf(tenant.placement, sizeof tenant.placement, "elsewhere");
    assert_int_equal(backend->tenant_update(catalog, &tenant, "test", &err), ERR_INVALID);
    assert_int_equal(backend->tenant_update(catalog, &nobody, "test", &err), ERR_NOT_FOUND);
    assert_int_equal(backend->tenant_get(catalog, SLICE("nobody"), &out, &err), ERR_NOT_FOUND);
}

static bool opens(enum key_kind kind, const char *key)
{
    struct directory *directory = get_directory();
    bool found = directory_authenticate(directory, kind, slice_from(key)) != NULL;
    directory_free(directory);
    return found;
}

static void test_a_rotated_key_works_for_its_grace_and_then_no_more(void **state)
{
    (void)state;
    struct tenant_keys old = create("acme"), made;
    struct key_choice both = { .write = true, .read = true, .grace_ms = 60000 };
    assert_int_equal(backend->keys_rotate(catalog, SLICE("acme"), &both, &made, "test", &err), OK);
    uint64_t version = backend->version(catalog);
    assert_string_not_equal(made.write_key, old.write_key);
    assert_true(opens(KEY_WRITE, old.write_key) && opens(KEY_READ, old.read_key));
    assert_true(opens(KEY_WRITE, made.write_key) && opens(KEY_READ, made.read_key));
    reopen();
    version = backend->version(catalog);
    assert_true(opens(KEY_WRITE, old.write_key));
    ahead_us = 60001000;
    assert_true(backend->version(catalog) > version); /* so that directories are made anew */
    assert_false(opens(KEY_WRITE, old.write_key) || opens(KEY_READ, old.read_key));
    assert_true(opens(KEY_WRITE, made.write_key) && opens(KEY_READ, made.read_key));
    version = backend->version(catalog);
    assert_true(backend->version(catalog) == version);
}

static void test_one_kind_is_rotated_and_a_later_rotation_lengthens_no_grace(void **state)
{
    (void)state;
    struct tenant_keys first = create("acme"), second, third;
    struct key_choice now = { .write = true }, later = { .write = true, .grace_ms = 60000 };
    assert_int_equal(backend->keys_rotate(catalog, SLICE("acme"), &now, &second, "test", &err), OK);
    assert_string_equal(second.read_key, "");
    assert_true(!opens(KEY_WRITE, first.write_key) && opens(KEY_READ, first.read_key));
    assert_int_equal(backend->keys_rotate(catalog, SLICE("acme"), &later, &third, "test", &err), OK);
    assert_true(!opens(KEY_WRITE, first.write_key) && opens(KEY_WRITE, second.write_key));
    assert_int_equal(backend->keys_rotate(catalog, SLICE("nobody"), &now, &third, "test", &err), ERR_NOT_FOUND);
}

static void test_revoking_ends_replaced_keys_at_once_and_current_ones_when_told(void **state)
{
    (void)state;
    struct tenant_keys old = create("acme"), made;
    struct key_choice choice = { .write = true, .read = true, .grace_ms = 60000 };
    uint64_t count = 99;
    assert_int_equal(backend->keys_revoke(catalog, SLICE("acme"), &choice, &count, "test", &err), OK);
    assert_int_equal(count, 0);
    assert_int_equal(backend->keys_rotate(catalog, SLICE("acme"), &choice, &made, "test", &err), OK);
    assert_int_equal(backend->keys_revoke(catalog, SLICE("acme"), &choice, &count, "test", &err), OK);
    assert_int_equal(count, 2);
    assert_true(!opens(KEY_WRITE, old.write_key) && opens(KEY_WRITE, made.write_key));
    choice = (struct key_choice){ .read = true, .current_too = true };
    assert_int_equal(backend->keys_revoke(catalog, SLICE("acme"), &choice, &count, "test", &err), OK);
    assert_int_equal(count, 1);
    assert_true(!opens(KEY_READ, made.read_key) && opens(KEY_WRITE, made.write_key));
    assert_int_equal(backend->keys_revoke(catalog, SLICE("nobody"), &choice, &count, "test", &err), ERR_NOT_FOUND);
}

static void test_slots_are_never_given_out_twice(void **state)
{
    (void)state;
    char seen[64] = { 0 };
    for (int i = 0; i < 20; i++) {
        char id[16];
        struct tenant tenant;
        snprintf(id, sizeof id, "t%d", i);
        create(id);
        if (i % 5 == 0)
            reopen();
        assert_int_equal(backend->tenant_get(catalog, slice_from(id), &tenant, &err), OK);
        assert_in_range(tenant.olap_slot, 1, sizeof seen - 1);
        assert_int_equal(seen[tenant.olap_slot]++, 0);
    }
}

static void test_a_directory_finds_all_of_many_tenants_and_does_not_change(void **state)
{
    (void)state;
    create("first");
    struct directory *before = get_directory();
    for (int i = 0; i < 100; i++) {
        char id[16];
        snprintf(id, sizeof id, "t%d", i);
        create(id);
    }
    struct directory *after = get_directory();
    assert_int_equal(directory_count(before), 1);
    assert_int_equal(directory_count(after), 101);
    assert_null(directory_find(before, SLICE("t5")));
    for (int i = 0; i < 100; i++) {
        char id[16];
        snprintf(id, sizeof id, "t%d", i);
        assert_string_equal(directory_find(after, slice_from(id))->id, id);
    }
    assert_null(directory_find(after, SLICE("t100")));
    directory_free(before);
    directory_free(after);
    directory_free(NULL);
}

static void test_the_audit_log_takes_what_it_is_given(void **state)
{
    (void)state;
    assert_int_equal(backend->audit(catalog, "ann'; DROP TABLE tenants;--", "rule", "r1", "update", SLICE("{\"a\":1}"),
                                    SLICE("{\"a\":2}"), &err),
                     OK);
    create("still_works");
}

/* ---- what is deployed ---- */

static const struct catalog_item HTTP = { .kind = CATALOG_SOURCE,
                                          .name = SLICE("http"),
                                          .type = SLICE("api"),
                                          .body = SLICE("{}") },
                                 PURCHASE = { .kind = CATALOG_EVENT_TYPE,
                                              .name = SLICE("purchase"),
                                              .domain = SLICE("shop"),
                                              .description = SLICE("somebody paid"),
                                              .body = SLICE("{\"name\":\"purchase\"}") },
                                 PAID = { .kind = CATALOG_RULE,
                                          .name = SLICE("paid"),
                                          .domain = SLICE("shop"),
                                          .type = SLICE("validation"),
                                          .event_type = SLICE("purchase"),
                                          .source = SLICE("http"),
                                          .body = SLICE("{\"expect\":\"a > 0\"}") };

static uint64_t deploy(const struct catalog_item *items, size_t count)
{
    uint64_t changes = UINT64_MAX;
    if (backend->deploy(catalog, items, count, "test", &changes, &err) != OK)
        fail_msg("%s", err.text);
    return changes;
}

struct seen {
    char text[4096];
};

static void see_item(void *self, const struct catalog_item *item)
{
    struct seen *seen = self;
    size_t n = strlen(seen->text);
    snprintf(seen->text + n, sizeof seen->text - n, "%.*s %.*s%s%.*s %u%s %.*s|", SLICE_ARG(item->name),
             SLICE_ARG(item->domain), item->event_type.n ? "." : "", SLICE_ARG(item->event_type), item->version,
             item->active ? "" : " out", SLICE_ARG(item->body));
    assert_true(item->changed_ms > 0);
}

static void expect_items(enum catalog_kind kind, const char *wanted)
{
    struct seen seen = { "" };
    assert_int_equal(backend->items(catalog, kind, see_item, &seen, &err), OK);
    assert_string_equal(seen.text, wanted);
}

static void see_line(void *self, const struct audit_line *line)
{
    struct seen *seen = self;
    size_t n = strlen(seen->text);
    const char *old = line->old_value.n ? strstr(line->old_value.p, "\"version\":") : NULL,
               *now = line->new_value.n ? strstr(line->new_value.p, "\"version\":") : NULL;
    snprintf(seen->text + n, sizeof seen->text - n, "%.*s %.*s %c>%c|", SLICE_ARG(line->action),
             SLICE_ARG(line->entity_id), old ? old[10] : '-', now ? now[10] : '-');
    assert_true(slice_equal(line->actor, SLICE("test")));
}

static void expect_audit(const char *entity_type, const char *entity_id, const char *wanted)
{
    struct seen seen = { "" };
    const struct audit_query query = { slice_from(entity_type), slice_from(entity_id), 0, 100 };
    assert_int_equal(backend->audit_read(catalog, &query, see_line, &seen, &err), OK);
    assert_string_equal(seen.text, wanted);
}

static void test_what_is_deployed_comes_back_and_a_second_time_changes_nothing(void **state)
{
    (void)state;
    const struct catalog_item items[] = { PAID, PURCHASE, HTTP }; /* in whatever order */
    assert_int_equal(deploy(items, 3), 3);
    reopen();
    assert_int_equal(deploy(items, 3), 0);
    expect_items(CATALOG_SOURCE, "http  1 {}|");
    expect_items(CATALOG_EVENT_TYPE, "purchase shop 1 {\"name\":\"purchase\"}|");
    expect_items(CATALOG_RULE, "paid shop.purchase 1 {\"expect\":\"a > 0\"}|");
    expect_audit("event_type", "", "create purchase ->1|");
    expect_audit("rule", "", "create purchase.paid ->1|");
}

static void test_a_change_is_a_new_version_with_both_values_in_the_audit_log(void **state)
{
    (void)state;
    struct catalog_item items[] = { HTTP, PURCHASE, PAID };
    deploy(items, 3);
    items[1].body = SLICE("{\"name\":\"purchase\",\"strict\":true}");
    assert_int_equal(deploy(items, 3), 1);
    items[1].domain = items[2].domain = SLICE("store"); /* a rule of another domain is another rule */
    assert_int_equal(deploy(items, 3), 3);
    expect_items(CATALOG_EVENT_TYPE, "purchase store 3 {\"name\":\"purchase\",\"strict\":true}|");
    expect_audit("event_type", "purchase", "update purchase 2>3|update purchase 1>2|create purchase ->1|");
}

static void test_what_is_not_named_any_more_is_out_of_use_and_comes_back_as_a_new_version(void **state)
{
    (void)state;
    const struct catalog_item items[] = { HTTP, PURCHASE, PAID };
    deploy(items, 3);
    assert_int_equal(deploy(items, 1), 2);
    assert_int_equal(deploy(items, 1), 0);
    expect_items(CATALOG_EVENT_TYPE, "purchase shop 1 out {\"name\":\"purchase\"}|");
    assert_int_equal(deploy(items, 3), 2);
    expect_items(CATALOG_EVENT_TYPE, "purchase shop 2 {\"name\":\"purchase\"}|");
    expect_audit("event_type", "purchase", "restore purchase 1>2|retire purchase 1>1|create purchase ->1|");
}

static void test_a_rule_of_nothing_or_a_source_of_no_kind_is_refused_and_nothing_changes(void **state)
{
    (void)state;
    struct catalog_item items[] = { HTTP, PURCHASE, PAID };
    uint64_t changes;
    items[2].source = SLICE("nowhere");
    assert_int_equal(backend->deploy(catalog, items, 3, "test", &changes, &err), ERR_INVALID);
    items[2] = PAID;
    items[2].event_type = SLICE("nobody");
    assert_int_equal(backend->deploy(catalog, items, 3, "test", &changes, &err), ERR_INVALID);
    items[0].type = SLICE("pigeon");
    assert_int_equal(backend->deploy(catalog, items, 1, "test", &changes, &err), ERR_INVALID);
    expect_items(CATALOG_EVENT_TYPE, "");
    expect_items(CATALOG_SOURCE, "");
    expect_audit("", "", "");
}

static void test_a_reader_sees_what_another_writes_and_changes_nothing(void **state)
{
    (void)state;
    struct catalog_options options = options_of("weir-1"), nowhere = options;
    struct catalog *writer = catalog, *reader;
    uint64_t changes;
    options.read_only = nowhere.read_only = true;
    assert_int_equal(backend->open(&options, world_real(), &reader, &err), OK);
    deploy(&HTTP, 1);
    catalog = reader;
    expect_items(CATALOG_SOURCE, "http  1 {}|");
    assert_int_not_equal(backend->deploy(reader, &PURCHASE, 1, "test", &changes, &err), OK);
    catalog = writer;
    backend->close(reader);
    expect_items(CATALOG_SOURCE, "http  1 {}|");
    nowhere.path = "/tmp/weir-there-is-no-such";
    nowhere.url = getenv("WEIR_TEST_POSTGRES_OTHER");
    assert_int_equal(backend->open(&nowhere, world_real(), &reader, &err), ERR_NOT_FOUND);
    assert_int_not_equal(access(nowhere.path, F_OK), 0);
}

/* ---- several processes on one catalog ---- */

static void step_until_version_moves(struct catalog *follower, uint64_t version)
{
    struct role role;
    assert_true(backend->role(follower, &role));
    for (int i = 0; i < 200 && backend->version(follower) == version; i++) {
        int64_t wake_us;
        role.step(role.self, world_real(), &wake_us);
        usleep(50000);
    }
    assert_true(backend->version(follower) > version);
}

static void test_what_one_changes_the_other_learns_and_both_keep_the_rules(void **state)
{
    (void)state;
    struct tenant tenant = { .id = "acme" }, out;
    struct tenant_keys none = { 0 }, made, of_other;
    if (!backend->shared)
        return;
    struct catalog *first = catalog, *second = open_as("weir-2");
    made = create("acme");
    assert_int_equal(backend->tenant_create(second, &tenant, &none, "test", &err), ERR_FULL);
    step_until_version_moves(second, backend->version(second));
    catalog = second;
    assert_true(opens(KEY_WRITE, made.write_key));
    of_other = create("beta");
    assert_int_equal(backend->tenant_get(second, SLICE("beta"), &out, &err), OK);
    assert_int_equal(out.olap_slot, 2);
    const struct key_choice now = { .write = true };
    assert_int_equal(backend->keys_rotate(second, SLICE("acme"), &now, &none, "test", &err), OK);
    catalog = first;
    step_until_version_moves(first, backend->version(first));
    assert_true(opens(KEY_READ, of_other.read_key) && opens(KEY_WRITE, none.write_key));
    assert_false(opens(KEY_WRITE, made.write_key));
    backend->close(second);
}

static void test_what_another_has_deployed_stays_in_use(void **state)
{
    (void)state;
    const struct catalog_item ours[] = { HTTP, PURCHASE, PAID };
    uint64_t changes;
    if (!backend->shared)
        return;
    struct catalog *second = open_as("weir-2");
    assert_int_equal(deploy(ours, 3), 3);
    assert_int_equal(backend->deploy(second, ours, 2, "test", &changes, &err), OK);
    assert_int_equal(changes, 0); /* the rule is still the first one's */
    expect_items(CATALOG_RULE, "paid shop.purchase 1 {\"expect\":\"a > 0\"}|");
    assert_int_equal(deploy(ours, 1), 1); /* and the event type is still the second one's */
    expect_items(CATALOG_EVENT_TYPE, "purchase shop 1 {\"name\":\"purchase\"}|");
    assert_int_equal(backend->deploy(second, ours, 1, "test", &changes, &err), OK);
    assert_int_equal(changes, 1);
    expect_items(CATALOG_EVENT_TYPE, "purchase shop 1 out {\"name\":\"purchase\"}|");
    backend->close(second);
}

#define TEST(function)                                                                                                 \
    {                                                                                                                  \
#function, function, setup, teardown, (void *)BACKENDS[i]                                                      \
    }

int main(void)
{
    int failed = 0;
    for (size_t i = 0; i < COUNT_OF(BACKENDS); i++) {
        if (BACKENDS[i] == &catalog_postgres && !getenv("WEIR_TEST_POSTGRES"))
            continue;
        print_message("backend %s\n", BACKENDS[i]->name);
        const struct CMUnitTest tests[] = {
            TEST(test_a_tenant_comes_back_as_it_was_given_also_after_reopening),
            TEST(test_keys_open_their_own_tenant_and_kind_only),
            TEST(test_given_keys_are_used_and_belong_to_one_tenant),
            TEST(test_a_second_tenant_of_a_name_is_refused_and_changes_nothing),
            TEST(test_bad_and_reserved_names_are_refused),
            TEST(test_an_update_is_seen_and_moves_the_version),
            TEST(test_a_rotated_key_works_for_its_grace_and_then_no_more),
            TEST(test_one_kind_is_rotated_and_a_later_rotation_lengthens_no_grace),
            TEST(test_revoking_ends_replaced_keys_at_once_and_current_ones_when_told),
            TEST(test_slots_are_never_given_out_twice),
            TEST(test_a_directory_finds_all_of_many_tenants_and_does_not_change),
            TEST(test_the_audit_log_takes_what_it_is_given),
            TEST(test_what_is_deployed_comes_back_and_a_second_time_changes_nothing),
            TEST(test_a_change_is_a_new_version_with_both_values_in_the_audit_log),
            TEST(test_what_is_not_named_any_more_is_out_of_use_and_comes_back_as_a_new_version),
            TEST(test_a_rule_of_nothing_or_a_source_of_no_kind_is_refused_and_nothing_changes),
            TEST(test_a_reader_sees_what_another_writes_and_changes_nothing),
            TEST(test_what_one_changes_the_other_learns_and_both_keep_the_rules),
            TEST(test_what_another_has_deployed_stays_in_use),
        };
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}
