/* Two open-addressing tables, at most half full, of 32-bit indices into plain arrays: index + 1, 0 for empty.
 * A key is looked up by the first eight bytes of its SHA-256: they are as good as random, and how long the search takes
 * tells about the hash of a guess, never about a stored key. The whole hash is then compared in constant time. */
#include "catalog/directory.h"

#include <sodium.h>
#include <stdlib.h>
#include <xxhash.h>

#include "world/world.h"

struct directory {
    struct tenant *tenants;
    struct directory_key *keys;
    uint32_t *by_id, *by_key;
    size_t tenant_count, tenants_max, key_count, keys_max, id_mask, key_mask;
};

void key_hash(struct slice key, unsigned char out[KEY_HASH_BYTES])
{
    static_assert(KEY_HASH_BYTES == crypto_hash_sha256_BYTES, "the hash is SHA-256");
    crypto_hash_sha256(out, (const unsigned char *)key.p, key.n);
}

void key_make(enum key_kind kind, struct world *world, char out[TENANT_KEY_MAX + 1])
{
    static const char ALPHABET[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char bytes[20];
    world->random(world, bytes, sizeof bytes);
    memcpy(out, kind == KEY_WRITE ? "wk_" : "rk_", 3);
    for (size_t i = 0; i < 32; i++) {
        size_t bit = i * 5, at = bit / 8;
        unsigned pair = (unsigned)bytes[at] << 8 | (at + 1 < sizeof bytes ? bytes[at + 1] : 0u);
        out[3 + i] = ALPHABET[pair >> (11 - bit % 8) & 31];
    }
    out[35] = '\0';
    sodium_memzero(bytes, sizeof bytes);
}

static size_t table_size(size_t items)
{
    size_t size = 16;
    while (size < items * 2)
        size *= 2;
    return size;
}

struct directory *directory_new(size_t tenants_max, size_t keys_max)
{
    struct directory *directory = calloc(1, sizeof *directory);
    if (!directory)
        return NULL;
    size_t ids = table_size(tenants_max), keys = table_size(keys_max);
    directory->tenants_max = tenants_max;
    directory->keys_max = keys_max;
    directory->id_mask = ids - 1;
    directory->key_mask = keys - 1;
    directory->tenants = calloc(tenants_max + 1, sizeof *directory->tenants);
    directory->keys = calloc(keys_max + 1, sizeof *directory->keys);
    directory->by_id = calloc(ids, sizeof *directory->by_id);
    directory->by_key = calloc(keys, sizeof *directory->by_key);
    if (!directory->tenants || !directory->keys || !directory->by_id || !directory->by_key) {
        directory_free(directory);
        return NULL;
    }
    return directory;
}

void directory_free(struct directory *directory)
{
    if (!directory)
        return;
    free(directory->tenants);
    free(directory->keys);
    free(directory->by_id);
    free(directory->by_key);
    free(directory);
}

/* The slot that holds the tenant, or the empty one where it belongs. */
static size_t id_slot(const struct directory *directory, struct slice id)
{
    size_t slot = XXH3_64bits(id.p, id.n) & directory->id_mask;
    while (directory->by_id[slot] && !slice_equal(slice_from(directory->tenants[directory->by_id[slot] - 1].id), id))
        slot = (slot + 1) & directory->id_mask;
    return slot;
}

void directory_add_tenant(struct directory *directory, const struct tenant *tenant)
{
    assert(directory->tenant_count < directory->tenants_max);
    size_t slot = id_slot(directory, slice_from(tenant->id));
    assert(directory->by_id[slot] == 0);
    directory->tenants[directory->tenant_count++] = *tenant;
    directory->by_id[slot] = (uint32_t)directory->tenant_count;
}

static size_t hash_slot(const struct directory *directory, const unsigned char *hash)
{
    uint64_t first;
    memcpy(&first, hash, sizeof first);
    return first & directory->key_mask;
}

void directory_add_key(struct directory *directory, enum key_kind kind, const unsigned char hash[KEY_HASH_BYTES],
                       int64_t end_ms, struct slice tenant_id)
{
    assert(directory->key_count < directory->keys_max);
    uint32_t tenant = directory->by_id[id_slot(directory, tenant_id)];
    assert(tenant);
    struct directory_key *key = &directory->keys[directory->key_count++];
    memcpy(key->hash, hash, KEY_HASH_BYTES);
    key->kind = kind;
    key->end_ms = end_ms;
    key->tenant = tenant - 1;
    size_t slot = hash_slot(directory, hash);
    while (directory->by_key[slot])
        slot = (slot + 1) & directory->key_mask;
    directory->by_key[slot] = (uint32_t)directory->key_count;
}

size_t directory_key_count(const struct directory *directory)
{
    return directory->key_count;
}

const struct directory_key *directory_key_at(const struct directory *directory, size_t index)
{
    assert(index < directory->key_count);
    return &directory->keys[index];
}

size_t directory_count(const struct directory *directory)
{
    return directory->tenant_count;
}

const struct tenant *directory_at(const struct directory *directory, size_t index)
{
    assert(index < directory->tenant_count);
    return &directory->tenants[index];
}

const struct tenant *directory_find(const struct directory *directory, struct slice id)
{
    uint32_t found = directory->by_id[id_slot(directory, id)];
    return found ? &directory->tenants[found - 1] : NULL;
}

const struct tenant *directory_authenticate(const struct directory *directory, enum key_kind kind, struct slice key)
{
    unsigned char hash[KEY_HASH_BYTES];
    if (key.n == 0 || key.n > TENANT_KEY_MAX)
        return NULL;
    key_hash(key, hash);
    for (size_t slot = hash_slot(directory, hash); directory->by_key[slot]; slot = (slot + 1) & directory->key_mask) {
        const struct directory_key *known = &directory->keys[directory->by_key[slot] - 1];
        if (known->kind == kind && sodium_memcmp(known->hash, hash, KEY_HASH_BYTES) == 0)
            return &directory->tenants[known->tenant];
    }
    return NULL;
}
