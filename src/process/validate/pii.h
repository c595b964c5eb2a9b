/* What is done with fields of persons, and what proves that an event was in quarantine: keyed by one secret of the
 * installation, from which each tenant has keys of its own, so that nothing can be compared across tenants:
 *
 *     key(purpose, tenant) = HMAC-SHA-256(secret, purpose 0x00 tenant)
 *     hash                 = hex HMAC-SHA-256(key("hash", tenant), text)
 *     encrypted            = "weir1:" base64(nonce[12] ciphertext tag[16]), AES-256-GCM with key("encrypt", tenant),
 * the field's name as additional data nonce                = the first 12 bytes of HMAC-SHA-256(key("nonce", tenant),
 * event_id 0x00 field 0x00 text)
 *
 * The nonce follows from what is encrypted, so that the stream decides the same twice; two events have two ciphertexts
 * of one text. Owner: one stage; one thread. No allocation after pii_new. */
#pragma once
#include "base/arena.h"
#include "base/compiler.h"
#include "base/slice.h"

#define PII_RELEASE_BYTES 32

struct pii;

/* secret: any bytes. Aborts when out of memory. */
struct pii *pii_new(struct slice secret);
void pii_free(struct pii *pii);
/* JSON, in the arena. False: it is full. */
MUST_CHECK bool pii_hash(struct pii *pii, struct slice tenant, struct slice text, struct arena *arena,
                         struct slice *out_json);
struct pii_place {
    struct slice tenant, event_id, field;
};
MUST_CHECK bool pii_encrypt(struct pii *pii, const struct pii_place *place, struct slice text, struct arena *arena,
                            struct slice *out_json);
/* Of one event: what its release from quarantine is known by. Hex. */
void pii_release(struct pii *pii, struct slice tenant, struct slice event_id, char out[PII_RELEASE_BYTES]);
