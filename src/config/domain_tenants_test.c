/* Whose events a domain is for: what each tenant has, and which domains may not stand side by side. */
#include <stdio.h>

#include "base/test.h"
#include "config/domain.h"
#include "config/problems.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

static struct domain_set *set;
static char told[8192];

/* Each domain is a file of its own, a.yaml and so on. */
static enum status load(const char *const *files, size_t count)
{
    struct world_sim sim;
    struct problems problems;
    struct error err;
    struct disk_sim *disk = disk_sim_new(3, &sim);
    world_sim_init(&sim, 3, disk_sim_disk(disk));
    problems_init(&problems, false);
    assert_int_equal(disk_make_dirs(sim.world.disk, "/c/domains", &err), OK);
    for (size_t i = 0; i < count; i++) {
        char path[32];
        snprintf(path, sizeof path, "/c/domains/%c.yaml", (char)('a' + i));
        assert_int_equal(disk_replace(sim.world.disk, path, files[i], strlen(files[i]), &err), OK);
    }
    domain_set_free(set);
    set = NULL;
    enum status s = domain_set_load("/c", &sim.world, &set, &problems, &err);
    snprintf(told, sizeof told, "%s", problems_text(&problems));
    problems_done(&problems);
    disk_sim_free(disk);
    return s;
}

static void fine(const char *const *files, size_t count)
{
    if (load(files, count) != OK)
        fail_msg("%s", told);
}

static void refused(const char *const *files, size_t count, const char *what, const char *where)
{
    assert_int_equal(load(files, count), ERR_INVALID);
    if (!strstr(told, what) || !strstr(told, where))
        fail_msg("neither '%s' nor '%s' may be missing in\n%s", what, where, told);
}

static const struct event_type *find(const char *tenant, const char *name)
{
    return event_type_find(set, domain_set_of(set, slice_from(tenant)), slice_from(name));
}

static void expect_domain(const char *tenant, const char *name, const char *domain)
{
    const struct event_type *type = find(tenant, name);
    if (!domain) {
        assert_null(type);
        return;
    }
    assert_non_null(type);
    assert_true(slice_equal(type->domain, slice_from(domain)));
}

#define SHOP                                                                                                           \
    "domain: shop\ntenants: [acme, both]\nsessions: {gap: 10m}\nevent_types: [{name: purchase}, {name: view}]\n"
#define GAME "domain: game\nevent_types: [{name: purchase}]\ntenants: [pixels]\nsessions: {enabled: false}\n"
#define WEB "domain: web\ntenants: others\ntime: {out_of_orderness: 1m}\nevent_types: [{name: purchase}]\n"
#define ALL "domain: all\nevent_types: [{name: ping}]\n"
#define QUALITY "quality: {validity: 0.9}\n"
#define BASE                                                                                                           \
    "domain: base\nfallback: true\nsessions: {gap: 5m, enabled: true}\ntime: {out_of_orderness: 1m}\n"                 \
    "event_types: [{name: purchase}, {name: page}]\n" QUALITY
#define EVERYBODY                                                                                                      \
    "domain: everybody\nsessions: {gap: 10m, enabled: false}\nevent_types: [{name: purchase}, {name: view}]\n"
#define MORE "domain: more\ntenants: [both]\nevent_types: [{name: refund}]\n"

static void test_a_name_means_what_the_tenants_own_domains_say(void **state)
{
    (void)state;
    fine((const char *const[]){ SHOP, GAME, WEB, ALL, MORE }, 5);
    expect_domain("acme", "purchase", "shop");
    expect_domain("both", "purchase", "shop");
    expect_domain("pixels", "purchase", "game");
    expect_domain("anybody", "purchase", "web");
    expect_domain("acme", "view", "shop");
    expect_domain("pixels", "view", NULL);
    expect_domain("anybody", "view", NULL);
    expect_domain("both", "refund", "more");
    expect_domain("acme", "refund", NULL);
    for (size_t i = 0; i < 4; i++)
        expect_domain((const char *const[]){ "acme", "both", "pixels", "" }[i], "ping", "all");
    assert_true(domain_set_of(set, SLICE("a")) == domain_set_of(set, SLICE("b")));
}

static void test_a_key_is_unique_in_all_domains(void **state)
{
    (void)state;
    fine((const char *const[]){ SHOP, GAME, WEB }, 3);
    assert_true(slice_equal(find("acme", "purchase")->key, SLICE("shop.purchase")));
    assert_true(slice_equal(find("pixels", "purchase")->key, SLICE("game.purchase")));
    assert_true(slice_equal(find("anybody", "purchase")->key, SLICE("purchase")));
    assert_ptr_equal(event_type_of_key(set, SLICE("game.purchase")), find("pixels", "purchase"));
}

static void test_a_type_is_found_again_under_other_tenants(void **state)
{
    (void)state;
    fine((const char *const[]){ SHOP, GAME, WEB }, 3);
    assert_ptr_equal(event_type_again(set, SLICE("shop"), SLICE("purchase")), find("acme", "purchase"));
    assert_ptr_equal(event_type_again(set, SLICE("web"), SLICE("web.purchase")), find("anybody", "purchase"));
    assert_ptr_equal(event_type_again(set, SLICE("gone"), SLICE("purchase")), find("anybody", "purchase"));
    assert_null(event_type_again(set, SLICE("gone"), SLICE("gone.purchase")));
}

static void test_the_stream_is_cut_as_each_tenants_domains_say(void **state)
{
    (void)state;
    fine((const char *const[]){ SHOP, GAME, WEB }, 3);
    assert_int_equal(domain_set_of(set, SLICE("acme"))->session_gap_ms, 600000);
    assert_int_equal(domain_set_of(set, SLICE("anybody"))->session_gap_ms, 1800000);
    assert_true(domain_set_of(set, SLICE("pixels"))->without_sessions);
    assert_false(domain_set_of(set, SLICE("acme"))->without_sessions);
    assert_int_equal(domain_set_of(set, SLICE("anybody"))->out_of_orderness_ms, 60000);
    assert_int_equal(domain_set_of(set, SLICE("acme"))->out_of_orderness_ms, 600000);
    assert_int_equal(set->session_gap_max_ms, 1800000);
}

static void test_domains_of_one_tenant_may_not_contradict(void **state)
{
    (void)state;
    refused((const char *const[]){ SHOP, "domain: kiosk\ntenants: [both]\nevent_types: [{name: view}]\n" }, 2,
            "b.yaml:3:22", "there is an event type view already, in domain shop (/c/domains/a.yaml:4:40)");
    refused((const char *const[]){ ALL, "domain: kiosk\nevent_types: [{name: ping}]\n" }, 2, "b.yaml:2:22",
            "/c/domains/a.yaml:2:22");
    refused((const char *const[]){ ALL, "domain: kiosk\ntenants: others\nevent_types: [{name: ping}]\n" }, 2,
            "b.yaml:3:22", "`fallback: true` that it yields");
    refused((const char *const[]){ BASE, "domain: kiosk\nfallback: true\nevent_types: [{name: purchase}]\n" }, 2,
            "b.yaml:3:22", "/c/domains/a.yaml:5:22");
    refused((const char *const[]){ WEB, "domain: kiosk\ntenants: others\nevent_types: [{name: purchase}]\n" }, 2,
            "b.yaml:3:22", "/c/domains/a.yaml:4:22");
    refused((const char *const[]){ SHOP, "domain: kiosk\ntenants: [both]\nsessions: {gap: 1h}\n" }, 2,
            "sessions.gap is another one in domain shop (/c/domains/a.yaml:3:17)", "b.yaml:3:17");
    refused((const char *const[]){ ALL QUALITY, "domain: kiosk\nquality: {validity: 0.5}\n",
                                   "domain: more\nquality: {validity: 0.6}\n" },
            3, "quality.validity is another one in domain kiosk (/c/domains/b.yaml:2:21)", "c.yaml:2:21");
    fine((const char *const[]){ SHOP, "domain: kiosk\ntenants: [other]\nsessions: {gap: 1h}\n" }, 2);
}

/* One file with a few lines for a tenant, beside what holds for everybody. */
#define OVERRIDE                                                                                                       \
    "domain: special\nsessions: {gap: 1h}\nevent_types: [{name: purchase}]\nquality: {validity: 0.7}\n"                \
    "tenants: [acme]\n"
static void test_what_the_closest_domain_says_holds_and_the_rest_adds_up(void **state)
{
    (void)state;
    static const char *const ORDERS[2][3] = { { BASE, EVERYBODY, OVERRIDE }, { OVERRIDE, EVERYBODY, BASE } };
    for (size_t i = 0; i < COUNT_OF(ORDERS); i++) {
        fine(ORDERS[i], 3);
        expect_domain("acme", "purchase", "special");
        expect_domain("acme", "view", "everybody");
        expect_domain("acme", "page", "base");
        expect_domain("anybody", "purchase", "everybody");
        expect_domain("anybody", "page", "base");
        const struct tenant_domains *acme = domain_set_of(set, SLICE("acme")),
                                    *others = domain_set_of(set, SLICE("anybody"));
        assert_int_equal(acme->session_gap_ms, 3600000);
        assert_int_equal(others->session_gap_ms, 600000);
        assert_int_equal(acme->out_of_orderness_ms, 60000); /* nobody closer says it */
        assert_int_equal(others->out_of_orderness_ms, 60000);
        assert_true(others->without_sessions);
        assert_int_equal(__builtin_popcountll(acme->domains), 3); /* windows and transforms of all hold */
    }
}

static void test_types_of_a_name_have_keys_of_their_own(void **state)
{
    (void)state;
    fine((const char *const[]){ BASE, EVERYBODY, OVERRIDE }, 3);
    assert_true(slice_equal(find("acme", "purchase")->key, SLICE("special.purchase")));
    assert_true(slice_equal(find("anybody", "purchase")->key, SLICE("purchase")));
    const struct event_type *base = event_type_of_key(set, SLICE("base.purchase"));
    assert_non_null(base);
    assert_true(event_type_yields(set, base, find("anybody", "purchase")));
    assert_true(event_type_yields(set, base, find("acme", "purchase")));
    assert_false(event_type_yields(set, find("acme", "purchase"), base));
    assert_false(event_type_yields(set, find("anybody", "page"), base));
}

static int64_t target(const char *tenant, const char *type)
{
    return domain_quality_target(set, domain_set_of(set, slice_from(tenant)), slice_from(type), QUALITY_VALIDITY);
}

static void test_a_target_is_that_of_the_closest_domain_that_has_one_for_the_type(void **state)
{
    (void)state;
    fine((const char *const[]){ BASE, EVERYBODY, OVERRIDE }, 3);
    assert_int_equal(target("acme", "purchase"), 700000);
    assert_int_equal(target("acme", "page"), 900000);
    assert_int_equal(target("anybody", "purchase"), 900000); /* everybody's declares it too, and says nothing */
    assert_int_equal(target("anybody", "view"), -1);
    assert_int_equal(target("anybody", "unheard_of"), -1);
    /* A domain without event types speaks of all of its tenants' events, unless an equally close one knows better. */
    fine((const char *const[]){ BASE, "domain: strict\ntenants: [acme]\nquality: {validity: 1}\n", OVERRIDE }, 3);
    assert_int_equal(target("acme", "purchase"), 700000);
    assert_int_equal(target("acme", "page"), 1000000);
    assert_int_equal(target("acme", "unheard_of"), 1000000);
    assert_int_equal(target("anybody", "page"), 900000);
}

static void test_two_views_may_not_have_one_name(void **state)
{
    (void)state;
    refused((const char *const[]){ SHOP, "domain: kiosk\nevent_types: [{name: shop_view}]\n" }, 2,
            "its view would have the name of that of shop.view", "/c/domains/a.yaml:4:40");
}

static void test_tenants_that_are_none_are_told(void **state)
{
    (void)state;
    refused((const char *const[]){ "domain: a\ntenants: acme\n" }, 1, "a.yaml:2:10", "tenants are a list");
    refused((const char *const[]){ "domain: a\ntenants: []\n" }, 1, "a.yaml:2:1", "1 to 1000 tenants");
    refused((const char *const[]){ "domain: a\ntenants: [x, x]\n" }, 1, "a.yaml:2:14", "twice");
    refused(
        (const char *const[]){
            "domain: a\ntenants: [a-name-that-is-longer-than-any-tenant-can-have-here-by-a-byte-or-more]\n" },
        1, "a.yaml:2:11", "1 to 64 bytes");
    refused((const char *const[]){ "domain: a\ntenants: {x: y}\n" }, 1, "a.yaml:2", "tenants are a list");
    refused((const char *const[]){ "domain: a\ntenants: [x]\nwindows:\n  - {name: w, size: 1m, measures: {n: count()}, "
                                   "tenants: [y]}\n" },
            1, "the domain is not for y", "a.yaml:4");
}

static void test_as_many_tenants_as_there_may_be(void **state)
{
    static char text[64u << 10];
    size_t n = (size_t)snprintf(text, sizeof text, "domain: many\nevent_types: [{name: x}]\ntenants:\n");
    (void)state;
    for (int i = 0; i < DOMAIN_TENANTS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "  - t%d\n", i);
    fine((const char *const[]){ text }, 1);
    for (int i = 0; i < DOMAIN_TENANTS_MAX; i++) {
        char tenant[16];
        snprintf(tenant, sizeof tenant, "t%d", i);
        expect_domain(tenant, "x", "many");
    }
    expect_domain("t1000", "x", NULL);
    snprintf(text + n, sizeof text - n, "  - more\n");
    refused((const char *const[]){ text }, 1, "a.yaml:3:1", "1 to 1000 tenants");
}

static int done(void **state)
{
    (void)state;
    domain_set_free(set);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_means_what_the_tenants_own_domains_say),
        cmocka_unit_test(test_a_key_is_unique_in_all_domains),
        cmocka_unit_test(test_a_type_is_found_again_under_other_tenants),
        cmocka_unit_test(test_the_stream_is_cut_as_each_tenants_domains_say),
        cmocka_unit_test(test_domains_of_one_tenant_may_not_contradict),
        cmocka_unit_test(test_what_the_closest_domain_says_holds_and_the_rest_adds_up),
        cmocka_unit_test(test_types_of_a_name_have_keys_of_their_own),
        cmocka_unit_test(test_a_target_is_that_of_the_closest_domain_that_has_one_for_the_type),
        cmocka_unit_test(test_two_views_may_not_have_one_name),
        cmocka_unit_test(test_tenants_that_are_none_are_told),
        cmocka_unit_test(test_as_many_tenants_as_there_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, done);
}
