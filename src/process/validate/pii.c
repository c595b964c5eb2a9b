/* The keys of the tenants that were met last wait in a small table, the hash's with its first block done, so that a
 * hash is three blocks of SHA-256 and no derivation. */
#include "process/validate/pii.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <xxhash.h>

#define TENANTS_KEPT 64
#define TENANT_BYTES_MAX 255
#define MAC_BYTES crypto_auth_hmacsha256_BYTES
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define PREFIX "weir1:"

struct tenant_keys {
    uint8_t name_bytes;
    char name[TENANT_BYTES_MAX];
    bool known;
    crypto_auth_hmacsha256_state hash, nonce, release;
    uint8_t encrypt[MAC_BYTES];
};

struct pii {
    crypto_auth_hmacsha256_state secret;
    struct tenant_keys tenants[TENANTS_KEPT];
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *context;
};

struct pii *pii_new(struct slice secret)
{
    struct pii *pii = calloc(1, sizeof *pii);
    if (!pii || sodium_init() < 0)
        abort();
    pii->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    pii->context = EVP_CIPHER_CTX_new();
    if (!pii->cipher || !pii->context || EVP_EncryptInit_ex2(pii->context, pii->cipher, NULL, NULL, NULL) != 1)
        abort();
    crypto_auth_hmacsha256_init(&pii->secret, (const uint8_t *)(secret.n ? secret.p : ""), secret.n);
    return pii;
}

void pii_free(struct pii *pii)
{
    if (!pii)
        return;
    EVP_CIPHER_CTX_free(pii->context);
    EVP_CIPHER_free(pii->cipher);
    sodium_memzero(pii, sizeof *pii);
    free(pii);
}

/* A state of its own is continued: what is kept stays as it is. */
static void mac(crypto_auth_hmacsha256_state state, const struct slice *parts, size_t count, uint8_t out[MAC_BYTES])
{
    for (size_t i = 0; i < count; i++) {
        if (i)
            crypto_auth_hmacsha256_update(&state, (const uint8_t *)"", 1);
        if (parts[i].n)
            crypto_auth_hmacsha256_update(&state, (const uint8_t *)parts[i].p, parts[i].n);
    }
    crypto_auth_hmacsha256_final(&state, out);
}

static void derive(const struct pii *pii, struct slice purpose, struct slice tenant, uint8_t out[MAC_BYTES])
{
    const struct slice parts[] = { purpose, tenant };
    mac(pii->secret, parts, COUNT_OF(parts), out);
}

static void derive_state(const struct pii *pii, struct slice purpose, struct slice tenant,
                         crypto_auth_hmacsha256_state *out)
{
    uint8_t key[MAC_BYTES];
    derive(pii, purpose, tenant, key);
    crypto_auth_hmacsha256_init(out, key, sizeof key);
    sodium_memzero(key, sizeof key);
}

static const struct tenant_keys *keys_of(struct pii *pii, struct slice tenant)
{
    struct tenant_keys *keys = &pii->tenants[XXH3_64bits(tenant.p, tenant.n) % TENANTS_KEPT];
    assert(tenant.n <= TENANT_BYTES_MAX); /* stage_validate.c refuses longer ones */
    if (LIKELY(keys->known && slice_equal(slice_of(keys->name, keys->name_bytes), tenant)))
        return keys;
    keys->known = true;
    keys->name_bytes = (uint8_t)tenant.n;
    if (tenant.n)
        memcpy(keys->name, tenant.p, tenant.n);
    derive_state(pii, SLICE("hash"), tenant, &keys->hash);
    derive_state(pii, SLICE("nonce"), tenant, &keys->nonce);
    derive_state(pii, SLICE("release"), tenant, &keys->release);
    derive(pii, SLICE("encrypt"), tenant, keys->encrypt);
    return keys;
}

static void write_hex(const uint8_t *bytes, size_t n, char *to)
{
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        to[2 * i] = DIGITS[bytes[i] >> 4];
        to[2 * i + 1] = DIGITS[bytes[i] & 15];
    }
}

bool pii_hash(struct pii *pii, struct slice tenant, struct slice text, struct arena *arena, struct slice *out_json)
{
    uint8_t hash[MAC_BYTES];
    const size_t n = 2 * MAC_BYTES + 2;
    char *room = arena_take(arena, n);
    if (!room)
        return false;
    mac(keys_of(pii, tenant)->hash, &text, 1, hash);
    room[0] = room[n - 1] = '"';
    write_hex(hash, sizeof hash, room + 1);
    *out_json = slice_of(room, n);
    return true;
}

static void seal(struct pii *pii, const uint8_t *key, const struct pii_place *place, struct slice text, uint8_t *sealed)
{
    int n = 0, rest = 0;
    uint8_t *cipher = sealed + NONCE_BYTES;
    bool fine = EVP_EncryptInit_ex2(pii->context, NULL, key, sealed, NULL) == 1 &&
                EVP_EncryptUpdate(pii->context, NULL, &n, (const uint8_t *)place->field.p, (int)place->field.n) == 1 &&
                EVP_EncryptUpdate(pii->context, cipher, &n, (const uint8_t *)text.p, (int)text.n) == 1 &&
                EVP_EncryptFinal_ex(pii->context, cipher + n, &rest) == 1 &&
                EVP_CIPHER_CTX_ctrl(pii->context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, cipher + text.n) == 1;
    if (!fine || (size_t)n != text.n || rest)
        abort(); /* never the text as it is */
}

bool pii_encrypt(struct pii *pii, const struct pii_place *place, struct slice text, struct arena *arena,
                 struct slice *out_json)
{
    const struct tenant_keys *keys = keys_of(pii, place->tenant);
    const struct slice parts[] = { place->event_id, place->field, text };
    uint8_t nonce[MAC_BYTES];
    const size_t n = NONCE_BYTES + text.n + TAG_BYTES, prefix = sizeof "\"" PREFIX - 1;
    const size_t encoded = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL); /* with its NUL */
    uint8_t *sealed = arena_take(arena, n);
    char *room = arena_take(arena, prefix + encoded);
    if (!sealed || !room || text.n > INT32_MAX)
        return false;
    mac(keys->nonce, parts, COUNT_OF(parts), nonce);
    memcpy(sealed, nonce, NONCE_BYTES);
    seal(pii, keys->encrypt, place, text, sealed);
    memcpy(room, "\"" PREFIX, prefix);
    sodium_bin2base64(room + prefix, encoded, sealed, n, sodium_base64_VARIANT_ORIGINAL);
    room[prefix + encoded - 1] = '"';
    *out_json = slice_of(room, prefix + encoded);
    return true;
}

void pii_release(struct pii *pii, struct slice tenant, struct slice event_id, char out[PII_RELEASE_BYTES])
{
    uint8_t token[MAC_BYTES];
    mac(keys_of(pii, tenant)->release, &event_id, 1, token);
    write_hex(token, PII_RELEASE_BYTES / 2, out);
}
