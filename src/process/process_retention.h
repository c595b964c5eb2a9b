/* How long each tenant's events are kept, as the catalog says: what a task may forget by it. Owner: the task; the
 * catalog is asked again only when it has changed. */
#pragma once
#include "base/slice.h"

struct catalog;
struct process_retention;

/* days: of tenants that name none; -1: for ever. Aborts when out of memory (start-up only). */
struct process_retention *process_retention_new(struct catalog *catalog, int32_t days);
void process_retention_free(struct process_retention *retention);
/* INT64_MAX: for ever, which also holds for tenants that the catalog does not know, and while it cannot be read. self:
 * struct process_retention. */
int64_t process_retention_ms(void *self, struct slice customer_id);
