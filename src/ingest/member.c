/* Keys: a hit in a small cache of recently seen keys costs one keyed hash and one constant-time comparison; the
 * directory's SHA-256 look-up is done on a miss alone. The cache is emptied when the directory changes, so a withdrawn
 * key ends with it. The hash is seeded with random bytes: nobody can aim for a slot.
 *
 * Metrics: series are looked up once per tenant and type, then counted through the pointer. */
#include "ingest/member.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/log.h"
#include "world/world.h"

#define MEMBER_SLOTS 4096
#define MEMBER_TYPE_SLOTS 64 /* a power of two above MEMBER_TYPES_MAX + 1 */
#define KEY_SLOTS 256
#define REFRESH_INTERVAL_US 100000
#define DAY_MS INT64_C(86400000)

struct member_type {
    uint64_t hash; /* 0: empty */
    struct counter *received;
    struct slice text; /* p is ours */
};

struct cached_key {
    struct member *member; /* NULL: empty */
    size_t n;
    char text[TENANT_KEY_MAX];
};

struct members {
    struct member_options options;
    struct catalog *catalog;
    struct metrics *metrics;
    struct quota_table *quotas;
    struct world *world;
    struct directory *directory;
    uint64_t version;
    int64_t refreshed_us;
    bool any_open;
    uint64_t hash_seed;
    struct log_limit failed_limit;
    struct counter *failures[EVENT_CODE_COUNT]; /* NULL: none yet */
    struct cached_key keys[KEY_SLOTS];
    struct member *slots[MEMBER_SLOTS];
};

/* Rounded up: who has a quota gets something through everywhere. */
static uint64_t part_of(uint64_t per_minute, uint32_t processes)
{
    assert(processes > 0);
    return per_minute == QUOTA_UNLIMITED ? per_minute : per_minute / processes + (per_minute % processes != 0);
}

static void member_learn(struct members *members, struct member *member, const struct tenant *tenant)
{
    const struct member_options *options = &members->options;
    if (!tenant)
        return; /* gone: no key and no name leads here any more */
    memcpy(member->placement, tenant->placement, sizeof member->placement);
    uint64_t per_minute = tenant->quota_per_minute;
    if (per_minute == 0)
        per_minute =
            tenant->tier == TIER_ENTERPRISE ? options->quota_enterprise_per_minute : options->quota_standard_per_minute;
    member->quota_per_minute = part_of(per_minute, options->quota_processes);
    member->retention_days = tenant->retention_days ? tenant->retention_days : options->retention_days;
    member->view = (struct event_tenant){ slice_from(member->id), slice_from(member->placement), INT64_MIN };
}

static void members_set_directory(struct members *members, struct directory *directory, uint64_t version)
{
    directory_free(members->directory);
    members->directory = directory;
    members->version = version;
    members->any_open = false;
    for (size_t i = 0; i < directory_count(directory); i++)
        members->any_open |= directory_at(directory, i)->open;
    for (size_t i = 0; i < MEMBER_SLOTS; i++)
        for (struct member *member = members->slots[i]; member; member = member->next_in_slot)
            member_learn(members, member, directory_find(directory, slice_from(member->id)));
    sodium_memzero(members->keys, sizeof members->keys);
}

static enum status members_read(struct members *members, struct error *err)
{
    /* The version first: what changes in between is seen again with the next look. */
    uint64_t version = members->catalog->backend->version(members->catalog);
    struct directory *directory;
    members->refreshed_us = world_mono_us(members->world);
    enum status s = members->catalog->backend->directory(members->catalog, &directory, err);
    if (s != OK)
        return error_wrap(err, s, "read the directory of tenants");
    members_set_directory(members, directory, version);
    return OK;
}

static bool is_stale(struct members *members)
{
    return members->catalog->backend->version(members->catalog) != members->version;
}

static void members_read_or_keep(struct members *members)
{
    struct error err;
    uint64_t skipped;
    if (members_read(members, &err) != OK &&
        log_limit_pass(&members->failed_limit, world_mono_us(members->world), 10000000, &skipped))
        log_warn("ingest.directory_stale", "%s; going on with the tenants known so far", err.text);
}

void members_refresh(struct members *members)
{
    if (is_stale(members) && world_mono_us(members->world) - members->refreshed_us >= REFRESH_INTERVAL_US)
        members_read_or_keep(members);
}

enum status members_new(const struct member_options *options, struct catalog *catalog, struct metrics *metrics,
                        struct quota_table *quotas, struct world *world, struct members **out, struct error *err)
{
    struct members *members = calloc(1, sizeof *members);
    if (!members)
        return error_set(err, ERR_FULL, "out of memory");
    members->options = *options;
    members->catalog = catalog;
    members->metrics = metrics;
    members->quotas = quotas;
    members->world = world;
    world->random(world, &members->hash_seed, sizeof members->hash_seed);
    enum status s = members_read(members, err);
    if (s != OK) {
        members_free(members);
        return s;
    }
    *out = members;
    return OK;
}

void members_free(struct members *members)
{
    if (!members)
        return;
    for (size_t i = 0; i < MEMBER_SLOTS; i++) {
        struct member *member = members->slots[i];
        while (member) {
            struct member *next = member->next_in_slot;
            for (size_t t = 0; member->types && t < MEMBER_TYPE_SLOTS; t++)
                free((char *)member->types[t].text.p);
            free(member->types);
            free(member);
            member = next;
        }
    }
    directory_free(members->directory);
    sodium_memzero(members->keys, sizeof members->keys);
    free(members);
}

bool members_any_open(const struct members *members)
{
    return members->any_open;
}

static void member_make_series(struct members *members, struct member *member)
{
    static const char *const REASONS[DROP_REASONS] = { "invalid", "quota", "journal_full" };
    struct buf labels;
    buf_init(&labels, 512);
    metrics_label(&labels, "customer_id", slice_from(member->id));
    member->latency =
        metrics_histogram(members->metrics, "ingestion_latency_seconds",
                          "From the whole request to its answer, after the events are durable.", buf_text(&labels));
    member->warnings = metrics_counter(members->metrics, "ingest_quota_warnings_total",
                                       "Minutes in which a tenant reached 80 % of its quota.", buf_text(&labels));
    size_t n = labels.n;
    for (size_t i = 0; i < DROP_REASONS; i++) {
        labels.n = n;
        buf_add_char(&labels, ',');
        metrics_label(&labels, "reason", slice_from(REASONS[i]));
        member->dropped[i] = metrics_counter(members->metrics, "events_dropped_total",
                                             "Events that were not accepted, by reason.", buf_text(&labels));
    }
    buf_done(&labels);
}

/* The member of a tenant of the current directory; NULL when out of memory. */
static struct member *member_of(struct members *members, const struct tenant *tenant)
{
    struct slice id = slice_from(tenant->id);
    struct member **slot = &members->slots[XXH3_64bits_withSeed(id.p, id.n, members->hash_seed) % MEMBER_SLOTS];
    for (struct member *member = *slot; member; member = member->next_in_slot)
        if (strcmp(member->id, tenant->id) == 0)
            return member;
    struct member *member = calloc(1, sizeof *member);
    struct quota *quota = quota_of(members->quotas, id);
    if (!member || !quota) {
        free(member);
        return NULL;
    }
    memcpy(member->id, tenant->id, sizeof member->id);
    member->quota = quota;
    member_learn(members, member, tenant);
    member_make_series(members, member);
    member->next_in_slot = *slot;
    *slot = member;
    return member;
}

static enum key_verdict authenticate_once(struct members *members, struct slice key, struct member **out)
{
    struct cached_key *cached = &members->keys[XXH3_64bits_withSeed(key.p, key.n, members->hash_seed) % KEY_SLOTS];
    if (cached->member && cached->n == key.n && sodium_memcmp(cached->text, key.p, key.n) == 0) {
        *out = cached->member;
        return KEY_GOOD;
    }
    const struct tenant *tenant = directory_authenticate(members->directory, KEY_WRITE, key);
    if (!tenant)
        return directory_authenticate(members->directory, KEY_READ, key) ? KEY_IS_READ_KEY : KEY_UNKNOWN;
    struct member *member = member_of(members, tenant);
    if (!member)
        return KEY_UNKNOWN;
    cached->member = member;
    cached->n = key.n;
    memcpy(cached->text, key.p, key.n);
    *out = member;
    return KEY_GOOD;
}

enum key_verdict members_authenticate(struct members *members, struct slice key, struct member **out)
{
    if (key.n > TENANT_KEY_MAX)
        return KEY_UNKNOWN;
    enum key_verdict verdict = authenticate_once(members, key, out);
    if (verdict != KEY_GOOD && is_stale(members)) {
        members_read_or_keep(members);
        verdict = authenticate_once(members, key, out);
    }
    return verdict;
}

struct member *members_find_open(struct members *members, struct slice id)
{
    if (id.n > TENANT_ID_MAX)
        return NULL;
    const struct tenant *tenant = directory_find(members->directory, id);
    if (!tenant && is_stale(members)) {
        members_read_or_keep(members);
        tenant = directory_find(members->directory, id);
    }
    return tenant && tenant->open ? member_of(members, tenant) : NULL;
}

static struct counter *type_series(struct members *members, struct member *member, struct slice type)
{
    struct buf labels;
    buf_init(&labels, 1024);
    metrics_label(&labels, "customer_id", slice_from(member->id));
    buf_add_char(&labels, ',');
    metrics_label(&labels, "event_type", type);
    struct counter *counter = metrics_counter(members->metrics, "events_received_total",
                                              "Events that came in, accepted or not, by type.", buf_text(&labels));
    buf_done(&labels);
    return counter;
}

static struct member_type *type_fill(struct members *members, struct member *member, struct member_type *at,
                                     uint64_t hash, struct slice type)
{
    at->received = type_series(members, member, type);
    char *text = malloc(type.n + 1);
    if (!text)
        abort();
    memcpy(text, type.p, type.n);
    at->text = slice_of(text, type.n);
    at->hash = hash;
    member->type_count++;
    return at;
}

static struct member_type *type_of(struct members *members, struct member *member, struct slice type)
{
    if (type.n > EVENT_TYPE_MAX)
        type = SLICE("other");
    if (!member->types && !(member->types = calloc(MEMBER_TYPE_SLOTS, sizeof *member->types)))
        abort();
    uint64_t hash = XXH3_64bits_withSeed(type.p, type.n, members->hash_seed) | 1;
    size_t i = hash / 2 % MEMBER_TYPE_SLOTS;
    for (; member->types[i].hash; i = (i + 1) % MEMBER_TYPE_SLOTS)
        if (member->types[i].hash == hash && slice_equal(member->types[i].text, type))
            return &member->types[i];
    if (member->type_count < MEMBER_TYPES_MAX)
        return type_fill(members, member, &member->types[i], hash, type);
    if (!member->type_other)
        member->type_other = type_fill(members, member, &member->types[i], 0, SLICE("other"));
    return member->type_other;
}

void member_count_type(struct members *members, struct member *member, struct slice type, uint64_t count)
{
    struct member_type *last = member->type_last;
    if (!last || !slice_equal(last->text, type))
        last = member->type_last = type_of(members, member, type);
    counter_add(last->received, count);
}

/* Of all tenants together. */
static struct counter *failures_of(struct members *members, enum event_code code)
{
    struct counter **failures = &members->failures[code];
    if (!*failures) {
        char labels[160];
        snprintf(labels, sizeof labels, "stage=\"ingest\",reason=\"%s\"", event_code_name(code));
        *failures = metrics_counter(members->metrics, "validation_failures_total",
                                    "Events refused for what they are, by stage and reason.", labels);
    }
    return *failures;
}

void member_count_letter(struct members *members, struct member *member, enum event_code code)
{
    struct counter **letters = &member->letters[code];
    if (!*letters) {
        struct buf labels;
        buf_init(&labels, 512);
        metrics_label(&labels, "customer_id", slice_from(member->id));
        buf_add_char(&labels, ',');
        metrics_label(&labels, "reason", slice_from(event_code_name(code)));
        *letters = metrics_counter(members->metrics, "ingest_dead_letters_total",
                                   "Events that ingestion kept as dead letters, by reason.", buf_text(&labels));
        buf_done(&labels);
    }
    counter_add(*letters, 1);
    counter_add(failures_of(members, code), 1);
}
