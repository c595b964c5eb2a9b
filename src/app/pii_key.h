/* DATA/pii.key: the secret behind hashes of persons' fields where process.pii_key names none. Made at the first start,
 * and never again: another one would give other hashes. Of the main thread. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"

struct world;

#define PII_KEY_BYTES 64 /* hex of 32 random ones */

/* ERR_CORRUPT: there is a file that is none. */
MUST_CHECK enum status pii_key_open(struct world *world, const char *directory, char out[PII_KEY_BYTES],
                                    struct error *err);
