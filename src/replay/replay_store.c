/* SQL over events_raw, in pages: ordered by (timestamp, event_id, place in the journal), each page beginning behind the
 * last event of the one before. The table is ordered by (tenant, time), so a page reads little more than itself. */
#include "replay/replay_store.h"

#include <stdlib.h>
#include <string.h>

#include "replay/row_binary.h"
#include "store/schema.h"
#include "store/store_http.h"

#define ASK_WAIT_MS 60000
#define SQL_BYTES_MAX (1u << 20)
#define ANSWER_BYTES_MAX (1u << 20)
#define LATE_SLACK_MS 60000
#define SETTINGS "wait_end_of_query=1&max_threads=1&max_memory_usage=2000000000"

struct replay_store {
    struct store_http *http;
    struct buf sql, answer, page;
    struct slice rest; /* of the page */
    uint32_t page_events;
};

enum status replay_store_open(const struct replayer_options *options, struct replay_store **out, struct error *err)
{
    struct replay_store *store = calloc(1, sizeof *store);
    if (!store)
        abort();
    const struct store_http_options http = { options->engine_url, options->user, options->password, 2000,
                                             options->engine_tls_ca };
    enum status s = store_http_open(&http, &store->http, err);
    if (s != OK) {
        free(store);
        return s;
    }
    buf_init(&store->sql, SQL_BYTES_MAX);
    buf_init(&store->answer, ANSWER_BYTES_MAX);
    buf_init(&store->page, REPLAY_PAGE_BYTES_MAX);
    store->page_events = REPLAY_PAGE_EVENTS;
    *out = store;
    return OK;
}

void replay_store_close(struct replay_store *store)
{
    if (!store)
        return;
    store_http_close(store->http);
    buf_done(&store->sql);
    buf_done(&store->answer);
    buf_done(&store->page);
    free(store);
}

/* Sends store->sql, with rows behind it for an insert. */
static enum status ask(struct replay_store *store, struct slice rows, struct buf *answer, struct error *err)
{
    const struct iovec parts[2] = { { store->sql.p, store->sql.n }, { (char *)(uintptr_t)rows.p, rows.n } };
    struct store_http_answer about = { 0 };
    buf_reset(answer);
    answer->full = false;
    if (store->sql.full)
        return error_set(err, ERR_INVALID, "the question to the engine is longer than %u KiB", SQL_BYTES_MAX >> 10);
    const struct store_http_request request = {
        .parameters = SETTINGS, .parts = parts, .part_count = rows.n ? 2 : 1, .wait_ms = ASK_WAIT_MS, .answer = answer
    };
    enum status s = store_http_ask(store->http, &request, &about, err);
    if (s == OK && about.http_status != 200)
        s = error_set(err, about.http_status >= 500 ? ERR_RETRY : ERR_INVALID, "the engine answered %ld: %.*s",
                      about.http_status, (int)(answer->n < 300 ? answer->n : 300), answer->n ? answer->p : "");
    return s;
}

static enum status ask_u64(struct replay_store *store, uint64_t *out, struct error *err)
{
    enum status s = ask(store, (struct slice){ 0 }, &store->answer, err);
    if (s == OK && !slice_to_u64(slice_trim(buf_slice(&store->answer)), out))
        s = error_set(err, ERR_CORRUPT, "the engine's count is not a number: '%.*s'", (int)store->answer.n,
                      store->answer.p);
    return s;
}

static void begin_sql(struct replay_store *store, const char *text)
{
    buf_reset(&store->sql);
    buf_add_text(&store->sql, text);
}

static void add_tenant(struct replay_store *store, const char *tenant)
{
    buf_add_text(&store->sql, " customer_id = ");
    schema_add_literal(&store->sql, slice_from(tenant));
}

static void add_time(struct buf *sql, int64_t ms)
{
    buf_add_format(sql, "fromUnixTimestamp64Milli(toInt64(%lld), 'UTC')", (long long)ms);
}

/* ---- before ---- */

/* Deletes are rewrites of parts, so nothing is asked for when nothing is there. */
static enum status delete_where(struct replay_store *store, const char *table, const char *tenant, const char *which,
                                struct error *err)
{
    uint64_t rows = 0;
    begin_sql(store, "SELECT count() FROM weir.");
    buf_add_format(&store->sql, "%s WHERE", table);
    add_tenant(store, tenant);
    buf_add_format(&store->sql, " AND %s FORMAT TabSeparated", which);
    enum status s = ask_u64(store, &rows, err);
    if (s != OK || rows == 0)
        return s;
    begin_sql(store, "ALTER TABLE weir.");
    buf_add_format(&store->sql, "%s DELETE WHERE", table);
    add_tenant(store, tenant);
    buf_add_format(&store->sql, " AND %s SETTINGS mutations_sync = 1", which);
    return ask(store, (struct slice){ 0 }, &store->answer, err);
}

/* Rows of windows go with their generation. Of sessions a newer generation of the range may have left some to an older
 * one (edges), so they go one by one, and the generation once none is left. */
enum status replay_store_tidy(struct replay_store *store, const char *tenant, struct error *err)
{
    static const char HIDDEN[] =
        "(definition, generation) IN (SELECT old.definition, old.generation FROM weir.replays AS old"
        " INNER JOIN weir.replays AS new ON old.customer_id = new.customer_id AND old.definition = new.definition"
        " WHERE new.generation > old.generation AND new.range_from <= old.range_from"
        " AND new.range_to >= old.range_to)"
        " AND (definition, generation) NOT IN (SELECT definition, generation FROM weir.windows_replayed"
        " WHERE kind = 'session')";
    static const char OF_NONE[] = "(definition, generation) NOT IN (SELECT definition, generation FROM weir.replays)";
    AUTO(buf) struct buf sessions;
    buf_init(&sessions, SQL_BYTES_MAX);
    schema_add_hidden_sessions(&sessions, slice_from(tenant));
    enum status s = sessions.full ? error_set(err, ERR_FULL, "a question to the engine is too long") : OK;
    if (s == OK)
        s = delete_where(store, "windows_replayed", tenant, buf_text(&sessions), err);
    if (s == OK)
        s = delete_where(store, "replays", tenant, HIDDEN, err);
    if (s == OK)
        s = delete_where(store, "windows_replayed", tenant, OF_NONE, err);
    if (s == OK)
        s = delete_where(store, "replay_edges", tenant, OF_NONE, err);
    if (s == OK)
        s = delete_where(store, "late_replayed", tenant, "generation NOT IN (SELECT generation FROM weir.replays)",
                         err);
    return s;
}

/* A row of the answer: three numbers between tabs. */
static bool take_row(struct slice *rest, long long numbers[3])
{
    char line[96], *end = line;
    const char *stop = memchr(rest->p ? rest->p : "", '\n', rest->n);
    size_t n = stop ? (size_t)(stop - rest->p) : rest->n;
    if (n == 0 || n >= sizeof line)
        return false;
    memcpy(line, rest->p, n);
    line[n] = '\0';
    *rest = slice_after(*rest, stop ? n + 1 : n);
    for (size_t i = 0; i < 3; i++)
        numbers[i] = strtoll(end, &end, 10);
    return *end == '\0';
}

enum status replay_store_bounds(struct replay_store *store, struct replay_scope *scope, struct replay_bounds *out,
                                struct error *err)
{
    long long row[3];
    *out = (struct replay_bounds){ .through_ms = INT64_MIN };
    buf_reset(&scope->places);
    begin_sql(store, "SELECT max(generation) FROM weir.replays WHERE");
    add_tenant(store, scope->request->tenant);
    buf_add_text(&store->sql, " FORMAT TabSeparated");
    enum status s = ask_u64(store, &out->newest_generation, err);
    if (s != OK)
        return s;
    begin_sql(store, "SELECT journal_partition, max(journal_position), toUnixTimestamp64Milli(max(timestamp))"
                     " FROM weir.events_raw WHERE");
    add_tenant(store, scope->request->tenant);
    buf_add_text(&store->sql, " GROUP BY journal_partition ORDER BY journal_partition FORMAT TabSeparated");
    s = ask(store, (struct slice){ 0 }, &store->answer, err);
    for (struct slice rest = buf_slice(&store->answer); s == OK && rest.n;) {
        if (!take_row(&rest, row))
            return error_set(err, ERR_CORRUPT, "the engine's list of partitions is not what it should be");
        buf_add_format(&scope->places, "%s(journal_partition = %lld AND journal_position <= %lld)",
                       scope->places.n ? " OR " : "", row[0], row[1]);
        if (out->through_ms == INT64_MIN || row[2] < out->through_ms)
            out->through_ms = row[2];
    }
    return s;
}

/* ---- the events ---- */

static void add_scope(struct buf *sql, const struct replay_scope *scope)
{
    buf_add_text(sql, " customer_id = ");
    schema_add_literal(sql, slice_from(scope->request->tenant));
    buf_add_text(sql, " AND timestamp >= ");
    add_time(sql, scope->read_from_ms);
    buf_add_text(sql, " AND timestamp < ");
    add_time(sql, scope->read_to_ms);
    buf_add_text(sql, " AND (");
    buf_add_slice(sql, buf_slice(&scope->places));
    buf_add_char(sql, ')');
}

enum status replay_store_count(struct replay_store *store, const struct replay_scope *scope, uint64_t *out,
                               struct error *err)
{
    begin_sql(store, "SELECT count() FROM weir.events_raw WHERE");
    add_scope(&store->sql, scope);
    buf_add_text(&store->sql, " FORMAT TabSeparated");
    return ask_u64(store, out, err);
}

static void add_cursor(struct buf *sql, const struct replay_cursor *cursor)
{
    if (!cursor->begun)
        return;
    buf_add_text(sql, " AND timestamp >= ");
    add_time(sql, cursor->timestamp_ms);
    buf_add_text(sql, " AND (timestamp > ");
    add_time(sql, cursor->timestamp_ms);
    buf_add_text(sql, " OR (event_id, journal_partition, journal_position) > (");
    schema_add_literal(sql, slice_of(cursor->event_id, cursor->event_id_n));
    buf_add_format(sql, ", %u, %llu))", cursor->partition, (unsigned long long)cursor->position);
}

enum status replay_store_page(struct replay_store *store, const struct replay_scope *scope,
                              const struct replay_cursor *cursor, struct error *err)
{
    for (;;) {
        begin_sql(store, "SELECT placement, visitor_id, user_id, session_id, event_id, event_type, event_name,"
                         " properties, context, toUnixTimestamp64Milli(timestamp), toUnixTimestamp64Milli(received_at),"
                         " toUInt8(identity_stitched), journal_partition, journal_position"
                         " FROM weir.events_raw WHERE");
        add_scope(&store->sql, scope);
        add_cursor(&store->sql, cursor);
        buf_add_format(&store->sql,
                       " ORDER BY timestamp, event_id, journal_partition, journal_position LIMIT %u FORMAT RowBinary",
                       store->page_events);
        enum status s = ask(store, (struct slice){ 0 }, &store->page, err);
        store->rest = buf_slice(&store->page);
        if (s != OK || !store->page.full)
            return s;
        if (store->page_events == 1)
            return error_set(err, ERR_CORRUPT, "one event is larger than %u MiB", REPLAY_PAGE_BYTES_MAX >> 20);
        store->page_events = (store->page_events + 1) / 2; /* large events: fewer at a time, from now on */
    }
}

bool replay_store_event(struct replay_store *store, const struct replay_scope *scope, struct replay_cursor *cursor,
                        struct event *out)
{
    struct slice *rest = &store->rest;
    uint8_t stitched = 0;
    struct event event = { .customer_id = slice_from(scope->request->tenant) };
    struct slice *const texts[] = { &event.placement,  &event.visitor_id, &event.user_id,
                                    &event.session_id, &event.event_id,   &event.event_type,
                                    &event.event_name, &event.properties, &event.context };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (!row_take_text(rest, texts[i]))
            return false;
    if (!row_take(rest, &event.timestamp_ms, sizeof event.timestamp_ms) ||
        !row_take(rest, &event.received_ms, sizeof event.received_ms) || !row_take(rest, &stitched, 1) ||
        !row_take(rest, &cursor->partition, sizeof cursor->partition) ||
        !row_take(rest, &cursor->position, sizeof cursor->position) || event.event_id.n > sizeof cursor->event_id)
        return false;
    event.flags = stitched ? EVENT_IDENTITY_STITCHED : 0;
    cursor->begun = true;
    cursor->timestamp_ms = event.timestamp_ms;
    cursor->event_id_n = event.event_id.n;
    memcpy(cursor->event_id, event.event_id.p, event.event_id.n);
    *out = event;
    return true;
}

/* ---- the results ---- */

enum status replay_store_insert(struct replay_store *store, struct slice rows, struct error *err)
{
    if (rows.n == 0)
        return OK;
    begin_sql(store, "INSERT INTO weir.windows_replayed (customer_id, placement, window, definition, generation, kind,"
                     " window_start, window_end, key, measures, event_count) FORMAT RowBinary\n");
    return ask(store, rows, &store->answer, err);
}

enum status replay_store_insert_edges(struct replay_store *store, struct slice rows, struct error *err)
{
    if (rows.n == 0)
        return OK;
    begin_sql(store, "INSERT INTO weir.replay_edges (customer_id, placement, window, definition, generation, key,"
                     " begins, ends, is_replaced) FORMAT RowBinary\n");
    return ask(store, rows, &store->answer, err);
}

/* Whether the late event `l` lies in what the generation counted: of sessions one that began in the range. */
static void add_counted(struct buf *sql, const struct replay_scope *scope, bool sessions)
{
    if (!sessions) {
        buf_add_text(sql, " WHERE l.window_start >= ");
        add_time(sql, scope->from_ms);
        buf_add_text(sql, " AND l.window_end <= ");
        add_time(sql, scope->to_ms);
        return;
    }
    buf_add_text(sql, " LEFT ANY JOIN (SELECT window, key, groupArray((begins, ends, is_replaced)) AS edges"
                      " FROM weir.replay_edges FINAL WHERE");
    buf_add_text(sql, " customer_id = ");
    schema_add_literal(sql, slice_from(scope->request->tenant));
    buf_add_format(sql, " AND generation = %llu GROUP BY window, key) AS x ON x.window = l.window AND x.key = l.key",
                   (unsigned long long)scope->generation);
    buf_add_text(sql, " WHERE if(arrayExists(e -> e.1 <= l.window_start AND e.2 >= l.window_start, x.edges),"
                      " arrayExists(e -> e.1 <= l.window_start AND e.2 >= l.window_start AND e.3 = 1, x.edges),"
                      " l.window_start >= ");
    add_time(sql, scope->from_ms);
    buf_add_text(sql, " AND l.window_start < ");
    add_time(sql, scope->to_ms);
    buf_add_char(sql, ')');
}

/* A late event of a key that another partition owns has no id; it was stored before it was told late, so it is counted
 * for sure when that was a while before the job began. */
static enum status tell_late(struct replay_store *store, const struct replay_scope *scope,
                             const struct replay_target *targets, size_t count, bool sessions, struct error *err)
{
    struct buf *sql = &store->sql;
    size_t named = 0;
    begin_sql(store, "INSERT INTO weir.late_replayed (customer_id, placement, generation, journal_partition,"
                     " journal_position) SELECT l.customer_id, l.placement, ");
    buf_add_format(sql,
                   "toUInt64(%llu), l.journal_partition, l.journal_position FROM (SELECT * FROM weir.late_events"
                   " WHERE",
                   (unsigned long long)scope->generation);
    add_tenant(store, scope->request->tenant);
    buf_add_text(sql, " AND window IN (");
    for (size_t i = 0; i < count; i++) {
        if (targets[i].session != sessions)
            continue;
        buf_add_text(sql, named++ ? ", " : "");
        schema_add_literal(sql, targets[i].name);
    }
    buf_add_text(sql, ") AND ((event_id = '' AND received_at < ");
    add_time(sql, scope->began_ms - LATE_SLACK_MS);
    buf_add_text(sql, ") OR (event_id != '' AND event_id IN (SELECT event_id FROM weir.events_raw WHERE");
    add_scope(sql, scope);
    buf_add_text(sql, ")))) AS l");
    add_counted(sql, scope, sessions);
    return named ? ask(store, (struct slice){ 0 }, &store->answer, err) : OK;
}

enum status replay_store_tell_late(struct replay_store *store, const struct replay_scope *scope,
                                   const struct replay_target *targets, size_t count, uint64_t *out_events,
                                   struct error *err)
{
    enum status s = tell_late(store, scope, targets, count, false, err);
    if (s == OK)
        s = tell_late(store, scope, targets, count, true, err);
    if (s != OK)
        return s;
    begin_sql(store, "SELECT count() FROM weir.late_replayed FINAL WHERE");
    add_tenant(store, scope->request->tenant);
    buf_add_format(&store->sql, " AND generation = %llu FORMAT TabSeparated", (unsigned long long)scope->generation);
    return ask_u64(store, out_events, err);
}

enum status replay_store_close_generation(struct replay_store *store, const struct replay_scope *scope,
                                          const struct replay_target *targets, size_t count, uint64_t events,
                                          struct error *err)
{
    struct buf *sql = &store->sql;
    begin_sql(store, "INSERT INTO weir.replays (customer_id, placement, window, definition, range_from, range_to,"
                     " generation, event_count) VALUES ");
    for (size_t i = 0; i < count; i++) {
        buf_add_text(sql, i ? ",(" : "(");
        schema_add_literal(sql, slice_from(scope->request->tenant));
        buf_add_char(sql, ',');
        schema_add_literal(sql, slice_from(scope->request->placement));
        buf_add_char(sql, ',');
        schema_add_literal(sql, targets[i].name);
        buf_add_format(sql, ",%llu,", (unsigned long long)targets[i].definition);
        add_time(sql, scope->from_ms);
        buf_add_char(sql, ',');
        add_time(sql, scope->to_ms);
        buf_add_format(sql, ",%llu,%llu)", (unsigned long long)scope->generation, (unsigned long long)events);
    }
    return ask(store, (struct slice){ 0 }, &store->answer, err);
}
