#include "retention/retention_sql.h"

#include "base/timestamp.h"
#include "store/schema.h"

/* Rows of sessions and windows replace one another by their names, and a row that says "removed" hides older ones of
 * its name for as long as they are there, which may be longer: they ended later. So such a row goes when it hides
 * nothing. */
struct table {
    const char *name, *time;
    enum retention_of part;  /* which rows a domain may keep for a shorter time: OF_TENANTS: none */
    const char *more;        /* NULL: nothing */
    const char *key, *start; /* of rows that hide others: their names, and a time that is part of them; else NULL */
};

/* `replays` says what windows_replayed has, and what it hides of windows. */
static const struct table TABLES[] = {
    { "events_raw", "timestamp", RETENTION_OF_EVENT_TYPE, NULL, NULL, NULL },
    { "late_events", "timestamp", RETENTION_OF_EVENT_TYPE, NULL, NULL, NULL },
    { "dead_letters", "received_at", RETENTION_OF_TENANTS, NULL, NULL, NULL },
    { "sessions", "ended_at", RETENTION_OF_TENANTS, "is_removed = 0", NULL, NULL },
    { "sessions", "ended_at", RETENTION_OF_TENANTS, "is_removed = 1", "session_id", "started_at" },
    { "windows", "ended_at", RETENTION_OF_WINDOW, "is_removed = 0", NULL, NULL },
    { "windows", "ended_at", RETENTION_OF_WINDOW, "is_removed = 1", "window, definition, window_start, window_end, key",
      "window_start" },
    { "windows_replayed", "window_end", RETENTION_OF_WINDOW, NULL, NULL, NULL },
    { "replays", "range_to", RETENTION_OF_TENANTS,
      "(customer_id, definition, generation) NOT IN (SELECT customer_id, definition, generation FROM"
      " weir.windows_replayed)",
      NULL, NULL },
    { "replay_edges", "ends", RETENTION_OF_TENANTS, NULL, NULL, NULL },
};

const char *retention_table(size_t index)
{
    return index < COUNT_OF(TABLES) ? TABLES[index].name : NULL;
}

bool retention_concerns(size_t table, enum retention_of of)
{
    return of == RETENTION_OF_TENANTS || TABLES[table].part == of;
}

static void add_time(struct buf *sql, int64_t ms)
{
    buf_add_format(sql, "fromUnixTimestamp64Milli(toInt64(%lld), 'UTC')", (long long)ms);
}

static void add_cuts(struct buf *sql, const char *column, const struct retention_cut *cuts, size_t count)
{
    buf_add_format(sql, "%s < fromUnixTimestamp64Milli(transform(customer_id, [", column);
    for (size_t i = 0; i < count; i++) {
        buf_add_text(sql, i ? "," : "");
        schema_add_literal(sql, cuts[i].tenant);
    }
    buf_add_text(sql, "], [");
    for (size_t i = 0; i < count; i++)
        buf_add_format(sql, "%stoInt64(%lld)", i ? "," : "", (long long)cuts[i].before_ms);
    buf_add_format(sql, "], toInt64(%lld)), 'UTC')", (long long)TIMESTAMP_MIN_MS); /* of others nothing */
}

/* The newest cut first, alone: it is what whole parts are passed over by. */
void retention_add_where(struct buf *sql, size_t table, enum retention_of of, struct slice name,
                         const struct retention_cut *cuts, size_t count)
{
    static const char *const COLUMNS[] = { NULL, "event_type", "window" };
    const struct table *about = &TABLES[table];
    int64_t newest_ms = cuts[0].before_ms;
    for (size_t i = 1; i < count; i++)
        newest_ms = cuts[i].before_ms > newest_ms ? cuts[i].before_ms : newest_ms;
    buf_add_format(sql, " WHERE %s < ", about->time);
    add_time(sql, newest_ms);
    if (COLUMNS[of]) {
        buf_add_format(sql, " AND %s = ", COLUMNS[of]);
        schema_add_literal(sql, name);
    }
    buf_add_text(sql, " AND ");
    add_cuts(sql, about->time, cuts, count);
    if (about->more)
        buf_add_format(sql, " AND %s", about->more);
    if (!about->key)
        return;
    buf_add_format(sql, " AND (customer_id, %s) NOT IN (SELECT customer_id, %s FROM weir.%s WHERE is_removed = 0 AND ",
                   about->key, about->key, about->name);
    add_cuts(sql, about->start, cuts, count);
    buf_add_char(sql, ')');
}
