/* The catalog in more than one process: who owns it (`weir serve`, with the SQLite file) publishes it, whole, to the
 * journal's TOPIC_CATALOG whenever it changes; the others follow. So a process that takes events in needs nothing but
 * the journal, goes on while the owner is away, and learns of a change within a fraction of a second while both are
 * there. Of keys only hashes travel.
 *
 * Each is one role; a follower's look-ups are for any thread, as catalog.h says. Bounds: a catalog of about
 * SNAPSHOT_BYTES_MAX (some 40,000 tenants). */
#pragma once
#include "base/role.h"
#include "catalog/catalog.h"
#include "journal/journal.h"

#define SNAPSHOT_BYTES_MAX (15u << 20)

struct catalog_publisher;

/* owner: the name of the data directory that the catalog lies in. Takes the publishing over and looks at what was
 * published last. ERR_INVALID: that is of another directory, which owns the catalog. ERR_RETRY: the journal does not
 * answer. */
MUST_CHECK enum status publisher_open(struct catalog *catalog, struct journal *journal, const char *owner,
                                      struct world *world, struct catalog_publisher **out, struct error *err);
struct role publisher_role(struct catalog_publisher *publisher);
bool publisher_is_idle(struct catalog_publisher *publisher); /* what the catalog holds now is published; any thread */
void publisher_close(struct catalog_publisher *publisher);   /* after the journal's drain; NULL is fine */

/* A catalog that follows. Changes are refused (ERR_INVALID), and until the first one came `directory` says ERR_RETRY.
 */
MUST_CHECK enum status follower_open(struct journal *journal, struct world *world, struct catalog **out,
                                     struct error *err);
struct role follower_role(struct catalog *catalog);
/* It has come to the end of what is published once: what it knows is not an earlier state. Any thread. */
bool follower_is_current(struct catalog *catalog);
