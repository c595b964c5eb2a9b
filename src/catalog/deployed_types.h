/* The event types that are deployed, as text for processes that do not have the catalog's file: a record before the
 * snapshot's in what is published, so that followers of an earlier weir, who take the last one, go on. Lines of fields
 * with tabs between them:
 *
 *     weir-types 1
 *     NAME  DOMAIN  VERSION  ACTIVE  JSON
 *     end   COUNT
 */
#pragma once
#include "base/buf.h"
#include "catalog/catalog.h"

#define DEPLOYED_TYPES_BYTES_MAX (4u << 20) /* more is not published: who follows is not held against it then */

MUST_CHECK enum status deployed_types_write(struct catalog *catalog, struct buf *out, struct error *err);
bool deployed_types_is(struct slice text);
/* visit's slices end with the text. ERR_CORRUPT: it is cut off or malformed; visit may have been called. */
MUST_CHECK enum status deployed_types_read(struct slice text, void (*visit)(void *visitor, const struct catalog_item *),
                                           void *visitor, struct error *err);
