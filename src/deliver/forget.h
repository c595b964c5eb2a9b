/* Forgets sinks that are no more: their marks no longer hold the journal. A role, since the journal may not answer for
 * long, and nobody's start waits for that: it is told once, and tried again until it works.
 * Bounds: the names that it was given. Threads: the role's; forgetting_is_forgotten from any. */
#pragma once
#include "base/compiler.h"
#include "base/role.h"

struct forgetting;
struct journal;
struct world;

/* Borrows the journal. */
struct forgetting *forgetting_new(struct journal *journal, struct world *world);
/* Before the role runs; the name is copied, at most SINK_NAME_MAX bytes. */
void forgetting_add(struct forgetting *forgetting, const char *sink);
size_t forgetting_count(const struct forgetting *forgetting);
const char *forgetting_name(const struct forgetting *forgetting, size_t index);
struct role forgetting_role(struct forgetting *forgetting);
/* No partition has a mark of it any more. */
bool forgetting_is_forgotten(const struct forgetting *forgetting, size_t index);
void forgetting_free(struct forgetting *forgetting); /* after the journal's drain; NULL is fine */
