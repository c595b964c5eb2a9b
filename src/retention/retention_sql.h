/* The questions of a pass: which rows of a table go, for some tenants. Pure functions. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"

#define RETENTION_TENANTS_MAX 1000 /* in one question */

struct retention_cut {
    struct slice tenant;
    int64_t before_ms;
};

/* The tables in the order in which they are worked off; some come twice. NULL behind the last. */
const char *retention_table(size_t index);
/* Appends " WHERE …" for the table. count >= 1. */
void retention_add_where(struct buf *sql, size_t table, const struct retention_cut *cuts, size_t count);
