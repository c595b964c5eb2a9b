/* The salts with which IP addresses are hashed: one of 32 random bytes for each UTC day. Yesterday's is forgotten, so
 * that hashes of past days can't be turned back into addresses even by who holds the machine. Kept in DATA/ingest.salt,
 * so that a restart within the day goes on with the same one. Threads: any; nobody waits. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"

struct salt;
struct world;

/* path: the file, or NULL to keep the salts in memory alone. A file that cannot be read or written is an error now;
 * later (at midnight) it is only logged. */
MUST_CHECK enum status salt_open(struct world *world, const char *path, struct salt **out, struct error *err);
void salt_close(struct salt *salt);
/* EVENT_IP_SALT_BYTES, valid for at least the request at hand. wall_ms: now. */
const uint8_t *salt_at(struct salt *salt, int64_t wall_ms);
