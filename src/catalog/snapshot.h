/* A whole directory as text, for processes that do not have the catalog's file: what catalog_journal.c sends. Lines of
 * fields with tabs between them, readable with Kafka's own tools:
 *
 *     weir-catalog 1 OWNER
 *     tenant  ID  PLACEMENT|-  TIER  QUOTA  RETENTION  OPEN  SLOT  CREATED_MS
 *     key     ID  write|read   SHA-256 in hex   END_MS|-
 *     end     TENANTS KEYS
 */
#pragma once
#include "base/buf.h"
#include "catalog/directory.h"

#define SNAPSHOT_OWNER_MAX 64

/* owner: no spaces; of which data directory the catalog is. */
void snapshot_write(const struct directory *directory, const char *owner, struct buf *out);
/* Keys that have ended at now_ms are left out; *out_next_end_ms: when the next one ends, KEY_NO_END: none does.
 * ERR_CORRUPT with the line that is wrong; ERR_FULL: out of memory. */
MUST_CHECK enum status snapshot_read(struct slice text, int64_t now_ms, struct directory **out,
                                     int64_t *out_next_end_ms, struct error *err);
/* Terminated; false: this is no snapshot. */
MUST_CHECK bool snapshot_owner(struct slice text, char out[SNAPSHOT_OWNER_MAX + 1]);
