#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/test.h"
#include "test/support/keyed_story.h"

#define TEXT_MAX 60

static void row_set(struct story_row *row, uint64_t value)
{
    free(row->text);
    row->value = value;
    row->text_n = value % TEXT_MAX;
    row->text = malloc(row->text_n + 1);
    memset(row->text, (int)(value & 0x7f), row->text_n);
}

static void row_encode(const struct keyed_kind *kind, const void *data, struct buf *to)
{
    const struct story_row *row = data;
    (void)kind;
    buf_add(to, &row->value, sizeof row->value);
    buf_add(to, row->text, row->text_n);
}

static enum status row_decode(const struct keyed_kind *kind, struct slice bytes, void *data, struct error *err)
{
    struct story_row *row = data;
    uint64_t value;
    (void)kind;
    if (bytes.n < sizeof value)
        return error_set(err, ERR_CORRUPT, "a row of %zu bytes", bytes.n);
    memcpy(&value, bytes.p, sizeof value);
    row_set(row, value);
    if (row->text_n != bytes.n - sizeof value || memcmp(row->text, bytes.p + sizeof value, row->text_n) != 0)
        return error_set(err, ERR_CORRUPT, "a row's text is not what its number says");
    return OK;
}

static void row_release(const struct keyed_kind *kind, void *data)
{
    (void)kind;
    free(((struct story_row *)data)->text);
}

static uint64_t row_memory(const struct keyed_kind *kind, const void *data)
{
    (void)kind;
    return ((const struct story_row *)data)->text_n;
}

const struct keyed_kind STORY_KIND = { 7, sizeof(struct story_row), row_encode, row_decode, row_release, row_memory };

static struct slice tenant_name(unsigned pane)
{
    static const char *const names[STORY_TENANTS] = { "acme", "b", "a-tenant-with-a-longer-name" };
    return slice_from(names[pane / STORY_STARTS]);
}

static int64_t start_of(unsigned pane)
{
    return (int64_t)(pane % STORY_STARTS) * 60000 - 60000;
}

static struct slice key_of(unsigned key, char to[64])
{
    return slice_of(to, (size_t)snprintf(to, 64, "key-%u%.*s", key, (int)(key % 12), "............"));
}

static struct id128 id_of(struct slice key)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(key.p, key.n, 99);
    return (struct id128){ hash.low64, hash.high64 };
}

struct keyed_pane *story_pane(struct story *story, unsigned number, bool create)
{
    bool is_new;
    uint32_t tenant = keyed_tenant(story->keyed, tenant_name(number));
    struct keyed_pane *pane = keyed_pane_get(story->keyed, &STORY_KIND, tenant, start_of(number), create, &is_new);
    assert_true(is_new == (pane && !story->now.panes[number].alive));
    if (is_new) {
        story->now.panes[number] = (struct story_pane){ .alive = true, .due_ms = start_of(number) + 60000 };
        keyed_pane_set_due(story->keyed, pane, start_of(number) + 60000);
    }
    assert_true((pane != NULL) == story->now.panes[number].alive);
    return pane;
}

bool story_change_rows(struct story *story)
{
    unsigned number = story_roll(story, STORY_PANES), count = 1 + story_roll(story, 40);
    struct keyed_pane *pane = story_pane(story, number, true);
    struct story_pane *model = &story->now.panes[number];
    struct id128 ids[64];
    unsigned keys[64];
    char text[64];
    for (unsigned i = 0; i < count; i++) {
        keys[i] = story_roll(story, 3) ? story_roll(story, STORY_KEYS) : story_roll(story, 5); /* some are hot */
        ids[i] = id_of(key_of(keys[i], text));
    }
    if (story_roll(story, 2) && keyed_load(story->keyed, pane, ids, count, NULL) != OK)
        return false;
    for (unsigned i = 0; i < count; i++) {
        struct keyed_row *row;
        bool is_new;
        keyed_prefetch(pane, ids[i]);
        keyed_prefetch_row(pane, ids[i]);
        if (keyed_row_get(story->keyed, pane, ids[i], key_of(keys[i], text), &row, &is_new, NULL) != OK)
            return false;
        struct story_row *data = (struct story_row *)row->data;
        assert_true(is_new == (model->values[keys[i]] == 0));
        assert_int_equal(data->value, model->values[keys[i]]);
        assert_int_equal(row->revision, model->revisions[keys[i]]);
        keyed_row_touch(story->keyed, row);
        row_set(data, story->next_value);
        model->rows += is_new;
        model->values[keys[i]] = story->next_value++;
        row->revision = model->revisions[keys[i]] = story_roll(story, 4) ? row->revision : story_roll(story, 1u << 20);
    }
    assert_int_equal(pane->rows, model->rows);
    return true;
}

void story_drop_pane(struct story *story, unsigned number)
{
    keyed_pane_drop(story->keyed, story_pane(story, number, false));
    story->now.panes[number] = (struct story_pane){ 0 };
}

void story_change_pane(struct story *story)
{
    unsigned number = story_roll(story, STORY_PANES);
    struct keyed_pane *pane = story_pane(story, number, false);
    struct story_pane *model = &story->now.panes[number];
    if (!pane)
        return;
    if (story_roll(story, 4) == 0) {
        story_drop_pane(story, number);
        return;
    }
    model->words[story_roll(story, KEYED_WORDS)] = story_roll(story, 1u << 30);
    memcpy(pane->words, model->words, sizeof model->words);
    keyed_pane_touch(story->keyed, pane);
    model->due_ms = story_roll(story, 3) ? (int64_t)story_roll(story, 1000) : KEYED_NEVER;
    keyed_pane_set_due(story->keyed, pane, model->due_ms);
}

struct visit {
    const struct story_pane *model;
    struct id128 last;
    bool seen[STORY_KEYS];
    unsigned count;
};

static void visit_row(void *self, struct keyed_row *row)
{
    struct visit *visit = self;
    char text[64], name[40];
    snprintf(name, sizeof name, "%.*s", (int)row->key_n, row->key);
    unsigned key = (unsigned)strtoul(name + 4, NULL, 10);
    assert_true(key < STORY_KEYS && !visit->seen[key]);
    assert_true(slice_equal(slice_of(row->key, row->key_n), key_of(key, text)));
    assert_true(visit->count == 0 || row->id.hi > visit->last.hi ||
                (row->id.hi == visit->last.hi && row->id.lo > visit->last.lo));
    assert_int_equal(((struct story_row *)row->data)->value, visit->model->values[key]);
    assert_int_equal(row->revision, visit->model->revisions[key]);
    visit->seen[key] = true;
    visit->last = row->id;
    visit->count++;
}

bool story_walk(struct story *story, unsigned number)
{
    struct keyed_pane *pane = story_pane(story, number, false);
    struct visit visit = { .model = &story->now.panes[number] };
    struct id128 cursor = { 0, 0 };
    bool all = false;
    struct error err = { 0 };
    while (pane && !all) {
        enum status s =
            keyed_pane_walk(story->keyed, pane, &cursor, 1 + story_roll(story, 30), visit_row, &visit, &all, &err);
        if (s != OK) {
            story->why = s == ERR_CORRUPT ? "corrupt" : "disk";
            return false;
        }
        if (story_roll(story, 2))
            story_maintain(story);
    }
    assert_int_equal(visit.count, visit.model->rows);
    return true;
}

void story_expect_due(struct story *story)
{
    unsigned tenant = story_roll(story, STORY_TENANTS);
    int64_t watermark_ms = story_roll(story, 1000), best_ms = KEYED_NEVER;
    for (unsigned i = tenant * STORY_STARTS; i < (tenant + 1) * STORY_STARTS; i++)
        if (story->now.panes[i].alive && story->now.panes[i].due_ms < best_ms)
            best_ms = story->now.panes[i].due_ms;
    uint32_t number = keyed_tenant(story->keyed, tenant_name(tenant * STORY_STARTS));
    struct keyed_pane *pane = keyed_pane_next_due(story->keyed, number, watermark_ms);
    assert_int_equal(keyed_due_ms(story->keyed, number), best_ms);
    assert_true((pane != NULL) == (best_ms <= watermark_ms));
    if (pane)
        assert_int_equal(pane->due_ms, best_ms);
}

bool story_expect_all(struct story *story)
{
    for (unsigned number = 0; number < STORY_PANES; number++) {
        struct keyed_pane *pane = story_pane(story, number, false);
        if (pane) {
            assert_memory_equal(pane->words, story->now.panes[number].words, sizeof pane->words);
            assert_int_equal(pane->due_ms, story->now.panes[number].due_ms);
            assert_int_equal(pane->rows, story->now.panes[number].rows);
        }
        if (!story_walk(story, number))
            return false;
    }
    return true;
}
