/* How a backend builds the directory that catalog.h describes. Filled by one thread, then immutable and usable from
 * any. Size: about 250 bytes a tenant and 120 a key. */
#pragma once
#include "catalog/catalog.h"

#define KEY_HASH_BYTES 32

/* SHA-256 of the key's text: all that is ever stored of it. */
void key_hash(struct slice key, unsigned char out[KEY_HASH_BYTES]);
/* "wk_" or "rk_" and 32 characters of base32 (160 random bits), terminated. */
void key_make(enum key_kind kind, struct world *world, char out[TENANT_KEY_MAX + 1]);

struct directory *directory_new(size_t tenants_max, size_t keys_max); /* NULL: out of memory */
void directory_add_tenant(struct directory *directory, const struct tenant *tenant);
/* tenant_id must have been added. end_ms: when a replaced key stops working; KEY_NO_END. */
#define KEY_NO_END INT64_MAX
void directory_add_key(struct directory *directory, enum key_kind kind, const unsigned char hash[KEY_HASH_BYTES],
                       int64_t end_ms, struct slice tenant_id);

struct directory_key {
    unsigned char hash[KEY_HASH_BYTES];
    enum key_kind kind;
    uint32_t tenant; /* index for directory_at */
    int64_t end_ms;
};
size_t directory_key_count(const struct directory *directory);
const struct directory_key *directory_key_at(const struct directory *directory, size_t index);
