#include "catalog/snapshot.h"

#include "base/test.h"

static struct error err;

static struct directory *make(void)
{
    struct directory *directory = directory_new(2, 3);
    unsigned char hash[KEY_HASH_BYTES];
    struct tenant acme = { .id = "acme",
                           .placement = "acme",
                           .tier = TIER_ENTERPRISE,
                           .quota_per_minute = UINT64_MAX,
                           .retention_days = -1,
                           .olap_slot = 7,
                           .created_ms = 1700000000000 };
    struct tenant demo = { .id = "demo_tenant", .quota_per_minute = 5, .open = true, .olap_slot = 1 };
    directory_add_tenant(directory, &acme);
    directory_add_tenant(directory, &demo);
    key_hash(SLICE("wk_1"), hash);
    directory_add_key(directory, KEY_WRITE, hash, KEY_NO_END, SLICE("acme"));
    key_hash(SLICE("wk_0"), hash);
    directory_add_key(directory, KEY_WRITE, hash, 5000, SLICE("acme"));
    key_hash(SLICE("rk_1"), hash);
    directory_add_key(directory, KEY_READ, hash, KEY_NO_END, SLICE("demo_tenant"));
    return directory;
}

static void write_it(struct buf *out)
{
    struct directory *directory = make();
    buf_init(out, 1 << 16);
    snapshot_write(directory, "weir-1", out);
    directory_free(directory);
}

static void test_a_directory_comes_back_as_it_was(void **state)
{
    (void)state;
    AUTO(buf) struct buf text;
    struct directory *back;
    int64_t next_end_ms;
    char owner[SNAPSHOT_OWNER_MAX + 1];
    write_it(&text);
    assert_true(snapshot_owner(buf_slice(&text), owner));
    assert_string_equal(owner, "weir-1");
    assert_int_equal(snapshot_read(buf_slice(&text), 4999, &back, &next_end_ms, &err), OK);
    assert_int_equal(next_end_ms, 5000);
    assert_int_equal(directory_count(back), 2);
    const struct tenant *acme = directory_authenticate(back, KEY_WRITE, SLICE("wk_1"));
    assert_non_null(acme);
    assert_string_equal(acme->id, "acme");
    assert_string_equal(acme->placement, "acme");
    assert_int_equal(acme->tier, TIER_ENTERPRISE);
    assert_true(acme->quota_per_minute == UINT64_MAX);
    assert_int_equal(acme->retention_days, -1);
    assert_int_equal(acme->olap_slot, 7);
    assert_int_equal(acme->created_ms, 1700000000000);
    assert_false(acme->open);
    assert_ptr_equal(directory_authenticate(back, KEY_WRITE, SLICE("wk_0")), acme);
    assert_null(directory_authenticate(back, KEY_READ, SLICE("wk_1")));
    const struct tenant *demo = directory_authenticate(back, KEY_READ, SLICE("rk_1"));
    assert_non_null(demo);
    assert_true(demo->open);
    assert_string_equal(demo->placement, "");
    directory_free(back);
}

static void test_a_key_that_has_ended_is_left_out(void **state)
{
    (void)state;
    AUTO(buf) struct buf text;
    struct directory *back;
    int64_t next_end_ms;
    write_it(&text);
    assert_int_equal(snapshot_read(buf_slice(&text), 5000, &back, &next_end_ms, &err), OK);
    assert_true(next_end_ms == KEY_NO_END);
    assert_null(directory_authenticate(back, KEY_WRITE, SLICE("wk_0")));
    assert_int_equal(directory_key_count(back), 2);
    directory_free(back);
}

/* Wherever it is cut and whatever byte is another one: refused, or the same number of tenants. */
static void test_what_is_cut_off_or_damaged_is_refused_or_harmless(void **state)
{
    (void)state;
    AUTO(buf) struct buf text;
    struct directory *back;
    int64_t next_end_ms;
    write_it(&text);
    for (size_t n = 0; n < text.n; n++)
        assert_int_equal(snapshot_read(slice_of(text.p, n), 0, &back, &next_end_ms, &err), ERR_CORRUPT);
    for (size_t i = 0; i < text.n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            text.p[i] ^= (char)(1 << bit);
            if (snapshot_read(buf_slice(&text), 0, &back, &next_end_ms, &err) == OK) {
                assert_int_equal(directory_count(back), 2);
                directory_free(back);
            }
            text.p[i] ^= (char)(1 << bit);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_directory_comes_back_as_it_was),
        cmocka_unit_test(test_a_key_that_has_ended_is_left_out),
        cmocka_unit_test(test_what_is_cut_off_or_damaged_is_refused_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
