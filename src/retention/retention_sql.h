/* The questions of a pass: which rows of a table go, for some tenants. Pure functions. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"

#define RETENTION_TENANTS_MAX 1000 /* in one question */

/* Whose retention is meant: the tenants' own, or one that a domain says, which is for a part of the rows alone. */
enum retention_of { RETENTION_OF_TENANTS, RETENTION_OF_EVENT_TYPE, RETENTION_OF_WINDOW };

struct retention_cut {
    struct slice tenant;
    int64_t before_ms;
};

/* The tables in the order in which they are worked off; some come twice. NULL behind the last. */
const char *retention_table(size_t index);
/* Whether the table has rows of an event type, or of a window. */
bool retention_concerns(size_t table, enum retention_of of);
/* Appends " WHERE …" for the table, which `of` concerns. name: of the event type or window. count >= 1. */
void retention_add_where(struct buf *sql, size_t table, enum retention_of of, struct slice name,
                         const struct retention_cut *cuts, size_t count);
