/* Why the tables are as they are:
 *
 * events_raw     a block of events makes one part per (placement, month). Order: a tenant's rows lie together, by time.
 *                user_id '' means none; the view shows NULL, so that uniq(user_id) does not count strangers as one.
 * events_hourly  fed by materialised views from the same insert, partitioned by placement alone: a back-fill over 27
 * years events_daily   is then one part here, and a tenant with a placement of its own is still erased by DROP
 * PARTITION. Never sum unique_visitors: uniqMerge them. dead_letters   what was refused, with the original bytes.
 * data_quality   added up from three sources, each as exact as its own insert.
 * tenant_users   which tenant an engine user reads for. Rows are added, never changed: a user with two tenants has
 * none.
 *
 * Repeats: an insert carries a token, the tables remember the last 20,000 blocks (an insert makes one per partition
 * that it touches), and the views pass the token on (set in the writer's profile, olap/olap_users.c). No table may get
 * a projection: mergeTreeProjection() does not ask for a grant on the table. Never edit a version that was released:
 * add one.
 */
#include "store/schema.h"

#include <stdio.h>

#define REPEATS "non_replicated_deduplication_window = 20000"

static const char *const V1[] = {
    "CREATE TABLE IF NOT EXISTS weir.tenant_users ("
    " user String, tenant String, assigned_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')"
    ") ENGINE = ReplacingMergeTree ORDER BY (user, tenant)",

    "CREATE TABLE IF NOT EXISTS weir.events_raw ("
    " customer_id String CODEC(ZSTD(1)),"
    " placement LowCardinality(String),"
    " visitor_id String CODEC(ZSTD(1)),"
    " user_id String CODEC(ZSTD(1)),"
    " session_id String CODEC(ZSTD(1)),"
    " event_id String CODEC(ZSTD(1)),"
    " event_type LowCardinality(String),"
    " event_name LowCardinality(String),"
    " properties String CODEC(ZSTD(1)),"
    " context String CODEC(ZSTD(1)),"
    " timestamp DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),"
    " received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),"
    " identity_stitched Bool,"
    " journal_partition UInt16,"
    " journal_position UInt64 CODEC(Delta, ZSTD(1))"
    ") ENGINE = MergeTree PARTITION BY (placement, toYYYYMM(timestamp))"
    " ORDER BY (customer_id, timestamp, event_type, visitor_id) SETTINGS " REPEATS,

    "CREATE TABLE IF NOT EXISTS weir.events_hourly ("
    " customer_id String, placement LowCardinality(String), event_type LowCardinality(String), hour DateTime('UTC'),"
    " event_count SimpleAggregateFunction(sum, UInt64), unique_visitors AggregateFunction(uniq, String)"
    ") ENGINE = AggregatingMergeTree PARTITION BY placement ORDER BY (customer_id, hour, event_type) SETTINGS " REPEATS,

    "CREATE TABLE IF NOT EXISTS weir.events_daily ("
    " customer_id String, placement LowCardinality(String), event_type LowCardinality(String), day Date,"
    " event_count SimpleAggregateFunction(sum, UInt64), unique_visitors AggregateFunction(uniq, String)"
    ") ENGINE = AggregatingMergeTree PARTITION BY placement ORDER BY (customer_id, day, event_type) SETTINGS " REPEATS,

    "CREATE MATERIALIZED VIEW IF NOT EXISTS weir.events_hourly_feed TO weir.events_hourly AS"
    " SELECT customer_id, placement, event_type, toStartOfHour(timestamp) AS hour, count() AS event_count,"
    " uniqState(visitor_id) AS unique_visitors FROM weir.events_raw GROUP BY customer_id, placement, event_type, hour",

    "CREATE MATERIALIZED VIEW IF NOT EXISTS weir.events_daily_feed TO weir.events_daily AS"
    " SELECT customer_id, placement, event_type, toDate(timestamp) AS day, count() AS event_count,"
    " uniqState(visitor_id) AS unique_visitors FROM weir.events_raw GROUP BY customer_id, placement, event_type, day",

    "CREATE TABLE IF NOT EXISTS weir.dead_letters ("
    " customer_id String CODEC(ZSTD(1)),"
    " placement LowCardinality(String),"
    " stage LowCardinality(String),"
    " reason LowCardinality(String),"
    " message String CODEC(ZSTD(1)),"
    " field LowCardinality(String),"
    " original String CODEC(ZSTD(3)),"
    " event_id String CODEC(ZSTD(1)),"
    " received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),"
    " journal_partition UInt16,"
    " journal_position UInt64 CODEC(Delta, ZSTD(1))"
    ") ENGINE = MergeTree PARTITION BY (placement, toYYYYMM(received_at))"
    " ORDER BY (customer_id, received_at, reason) SETTINGS " REPEATS,
    NULL,
};

/* What the stream makes. A row of sessions or windows replaces the one of the same name that stands earlier in the
 * journal; the views look at the last one of each (FINAL). */
static const char *const V2[] = {
    "CREATE TABLE IF NOT EXISTS weir.sessions ("
    " customer_id String CODEC(ZSTD(1)),"
    " placement LowCardinality(String),"
    " session_id String CODEC(ZSTD(1)),"
    " visitor_id String CODEC(ZSTD(1)),"
    " user_id String CODEC(ZSTD(1)),"
    " started_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),"
    " ended_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),"
    " event_count UInt64 CODEC(ZSTD(1)),"
    " page_views UInt64 CODEC(ZSTD(1)),"
    " is_removed UInt8,"
    " journal_partition UInt16,"
    " journal_position UInt64 CODEC(Delta, ZSTD(1))"
    ") ENGINE = ReplacingMergeTree(journal_position, is_removed) PARTITION BY placement"
    " ORDER BY (customer_id, session_id) SETTINGS " REPEATS,

    "CREATE TABLE IF NOT EXISTS weir.windows ("
    " customer_id String CODEC(ZSTD(1)),"
    " placement LowCardinality(String),"
    " window LowCardinality(String),"
    " definition UInt64 CODEC(ZSTD(1)),"
    " kind LowCardinality(String),"
    " window_start DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),"
    " window_end DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),"
    " key String CODEC(ZSTD(1)),"
    " measures String CODEC(ZSTD(1)),"
    " event_count UInt64 CODEC(ZSTD(1)),"
    " revision UInt64 CODEC(ZSTD(1)),"
    " is_final UInt8,"
    " is_removed UInt8,"
    " journal_partition UInt16,"
    " journal_position UInt64 CODEC(Delta, ZSTD(1))"
    ") ENGINE = ReplacingMergeTree(journal_position, is_removed) PARTITION BY placement"
    " ORDER BY (customer_id, window, definition, window_start, window_end, key) SETTINGS " REPEATS,

    "CREATE TABLE IF NOT EXISTS weir.late_events ("
    " customer_id String CODEC(ZSTD(1)),"
    " placement LowCardinality(String),"
    " window LowCardinality(String),"
    " window_start DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),"
    " window_end DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),"
    " watermark DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),"
    " event_count UInt64 CODEC(ZSTD(1)),"
    " visitor_id String CODEC(ZSTD(1)),"
    " user_id String CODEC(ZSTD(1)),"
    " event_id String CODEC(ZSTD(1)),"
    " event_type LowCardinality(String),"
    " event_name LowCardinality(String),"
    " properties String CODEC(ZSTD(1)),"
    " timestamp DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),"
    " received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),"
    " journal_partition UInt16,"
    " journal_position UInt64 CODEC(Delta, ZSTD(1))"
    ") ENGINE = MergeTree PARTITION BY placement ORDER BY (customer_id, window, received_at) SETTINGS " REPEATS,
    NULL,
};

/* A session's row is named by its start alone, since its end moves with every event: window_end is part of the name, so
 * for sessions it holds the start there, and the end is beside. */
static const char *const V3[] = {
    "ALTER TABLE weir.windows ADD COLUMN IF NOT EXISTS ended_at DateTime64(3, 'UTC') DEFAULT window_end"
    " CODEC(Delta, ZSTD(1)) AFTER window_end",
    NULL,
};

/* History counted again (replay/): results of a generation are shown once its closing record is in replays, which comes
 * with one insert for all of its windows; until then, and instead of what an older one or the stream has for the range,
 * nobody sees them. No token: a repeated insert gives the same rows of the same names (FINAL). */
static const char *const V4[] = {
    "CREATE TABLE IF NOT EXISTS weir.windows_replayed ("
    " customer_id String CODEC(ZSTD(1)),"
    " placement LowCardinality(String),"
    " window LowCardinality(String),"
    " definition UInt64 CODEC(ZSTD(1)),"
    " generation UInt64 CODEC(ZSTD(1)),"
    " kind LowCardinality(String),"
    " window_start DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),"
    " window_end DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),"
    " key String CODEC(ZSTD(1)),"
    " measures String CODEC(ZSTD(1)),"
    " event_count UInt64 CODEC(ZSTD(1))"
    ") ENGINE = ReplacingMergeTree PARTITION BY placement"
    " ORDER BY (customer_id, window, definition, window_start, window_end, key, generation)",

    "CREATE TABLE IF NOT EXISTS weir.replays ("
    " customer_id String, placement LowCardinality(String), window LowCardinality(String), definition UInt64,"
    " range_from DateTime64(3, 'UTC'), range_to DateTime64(3, 'UTC'), generation UInt64,"
    " event_count UInt64, finished_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')"
    ") ENGINE = ReplacingMergeTree PARTITION BY placement ORDER BY (customer_id, definition, generation)",

    "CREATE TABLE IF NOT EXISTS weir.late_replayed ("
    " customer_id String, placement LowCardinality(String), generation UInt64,"
    " journal_partition UInt16, journal_position UInt64"
    ") ENGINE = ReplacingMergeTree PARTITION BY placement"
    " ORDER BY (customer_id, journal_partition, journal_position, generation)",
    NULL,
};

/* Which sessions of a key a replay replaced, where that does not follow from where they begin: those that begin from
 * `begins` to `ends` are of one session that reaches across an edge of the range (replay/replay_windows.c). For late
 * events of sessions their key says which one they belong to. */
static const char *const V5[] = {
    "ALTER TABLE weir.late_events ADD COLUMN IF NOT EXISTS key String CODEC(ZSTD(1)) AFTER window",

    "CREATE TABLE IF NOT EXISTS weir.replay_edges ("
    " customer_id String, placement LowCardinality(String), window LowCardinality(String), definition UInt64,"
    " generation UInt64, key String CODEC(ZSTD(1)), begins DateTime64(3, 'UTC'), ends DateTime64(3, 'UTC'),"
    " is_replaced UInt8"
    ") ENGINE = ReplacingMergeTree PARTITION BY placement ORDER BY (customer_id, definition, key, generation, begins)",
    NULL,
};

/* How good the events of a tenant, type and hour were (docs/quality.md). The stream counts what it judged; `stored` is
 * counted here, of the rows themselves, so that the two can be compared; what ingestion refused never reaches the
 * stream, and of such an event nobody knows more than its own word for its type. The hour is that of received_at. */
static const char *const V6[] = {
    "CREATE TABLE IF NOT EXISTS weir.data_quality ("
    " customer_id String, placement LowCardinality(String), event_type LowCardinality(String),"
    " hour DateTime64(3, 'UTC'),"
    " events SimpleAggregateFunction(sum, UInt64), invalid SimpleAggregateFunction(sum, UInt64),"
    " duplicates SimpleAggregateFunction(sum, UInt64), tagged SimpleAggregateFunction(sum, UInt64),"
    " late SimpleAggregateFunction(sum, UInt64), required_values SimpleAggregateFunction(sum, UInt64),"
    " required_missing SimpleAggregateFunction(sum, UInt64), optional_values SimpleAggregateFunction(sum, UInt64),"
    " optional_missing SimpleAggregateFunction(sum, UInt64), stored SimpleAggregateFunction(sum, UInt64)"
    ") ENGINE = AggregatingMergeTree PARTITION BY placement ORDER BY (customer_id, hour, event_type) SETTINGS " REPEATS,

    "CREATE MATERIALIZED VIEW IF NOT EXISTS weir.data_quality_stored TO weir.data_quality AS"
    " SELECT customer_id, placement, event_type, toDateTime64(toStartOfHour(received_at), 3, 'UTC') AS hour,"
    " count() AS stored FROM weir.events_raw GROUP BY customer_id, placement, event_type, hour",

    "CREATE MATERIALIZED VIEW IF NOT EXISTS weir.data_quality_refused TO weir.data_quality AS"
    " SELECT customer_id, placement, if(JSONType(original, 'event_type') = 'String',"
    " substringUTF8(JSONExtractString(original, 'event_type'), 1, 64), '') AS event_type,"
    " toDateTime64(toStartOfHour(received_at), 3, 'UTC') AS hour, count() AS events, count() AS invalid"
    " FROM weir.dead_letters WHERE stage = 'ingest' GROUP BY customer_id, placement, event_type, hour",
    NULL,
};

/* Index 0 is version 1. */
static const char *const *const VERSIONS[] = { V1, V2, V3, V4, V5, V6 };

/* The caller's tenant: evaluated once a query, so that the primary key is used. No tenant, or two: NULL, no rows. */
#define OWN " WHERE customer_id = " SCHEMA_ASKING
/* Whoever is a tenant, for what belongs to none. */
#define SOMEBODY " WHERE (SELECT uniqExact(tenant) FROM weir.tenant_users WHERE user = currentUser()) = 1"
/* Of rows with the same name the last one, unless that says that the name is gone. */
#define LAST_VIEW(name, columns)                                                                                       \
    "CREATE OR REPLACE VIEW pub." name " DEFINER = writer SQL SECURITY DEFINER AS SELECT " columns " FROM weir." name  \
    " FINAL" OWN " AND is_removed = 0"
/* Edges of the row `w`'s key. */
#define JOIN_EDGES(own)                                                                                                \
    " LEFT ANY JOIN (SELECT definition, key, groupArray((generation, begins, ends, is_replaced)) AS edges"             \
    " FROM weir.replay_edges FINAL" own " GROUP BY definition, key) AS x"                                              \
    " ON x.definition = w.definition AND x.key = w.key"
/* Edge `e` is of the replay `r`, and of the session that the row `w` is a part of. */
#define AT_EDGE "e.1 = r.4 AND e.2 <= w.window_start AND e.3 >= w.window_start"
#define REPLAYS(own) "(SELECT groupArray((definition, range_from, range_to, generation)) FROM weir.replays" own ")"
/* A closed generation that is newer than the row `w`'s covers its window. A session is covered by the replay of the
 * range that it begins in; where it is, at an edge, a part of one that begins elsewhere or goes on, the edge says. Most
 * keys have no edge, and what looks at edges costs several times as much for a row. */
/* SQL, in lines of its own. */
// clang-format off
#define HIDDEN(generation, own)                                                                                        \
    "if(empty(x.edges),"                                                                                               \
    " arrayExists(r -> r.1 = w.definition AND r.4 > " generation " AND r.2 <= w.window_start"                          \
    " AND r.3 >= if(w.kind = 'session', addMilliseconds(w.window_start, 1), w.window_end), " REPLAYS(own) "),"         \
    " arrayExists(r -> r.1 = w.definition AND r.4 > " generation " AND if(arrayExists(e -> " AT_EDGE ", x.edges),"     \
    " arrayExists(e -> " AT_EDGE " AND e.4 = 1, x.edges), r.2 <= w.window_start AND r.3 > w.window_start), "           \
    REPLAYS(own) "))"
#define WINDOW_VIEW(first, then)                                                                                       \
    "CREATE OR REPLACE VIEW pub.windows DEFINER = writer SQL SECURITY DEFINER AS"                                      \
    " SELECT " first " w.ended_at AS window_end," then " w.revision AS revision, w.is_final = 1 AS is_final,"          \
    " toString(w.definition) AS definition FROM weir.windows AS w FINAL" JOIN_EDGES(OWN) OWN                           \
    " AND w.is_removed = 0 AND NOT " HIDDEN("0", OWN) " UNION ALL"                                                     \
    " SELECT " first " w.window_end AS window_end," then " toUInt64(1) AS revision, true AS is_final,"                 \
    " toString(w.definition) AS definition FROM weir.windows_replayed AS w FINAL" JOIN_EDGES(OWN) OWN                  \
    " AND (w.definition, w.generation) IN (SELECT definition, generation FROM weir.replays" OWN ") AND NOT "           \
    HIDDEN("w.generation", OWN)
/* Of windows_replayed, for the literal of a tenant, four times. */
#define HIDDEN_SESSIONS                                                                                                \
    "(definition, generation, window_start, key) IN (SELECT w.definition, w.generation, w.window_start, w.key"         \
    " FROM weir.windows_replayed AS w FINAL" JOIN_EDGES(" WHERE customer_id = %s")                                     \
    " WHERE customer_id = %s AND w.kind = 'session' AND " HIDDEN("w.generation", " WHERE customer_id = %s") ")"
// clang-format on
/* Of the hour's sums the share of what is as it should be; NULL: there is nothing to judge. */
// clang-format off
#define QUALITY_RATIOS                                                                                                 \
    " 1 - required_missing / nullIf(required_values, 0) AS completeness,"                                              \
    " 1 - (invalid + tagged) / nullIf(events - duplicates, 0) AS validity,"                                            \
    " 1 - duplicates / nullIf(events - invalid, 0) AS uniqueness,"                                                     \
    " 1 - late / nullIf(events - invalid - duplicates, 0) AS timeliness,"                                              \
    " least(stored, events - invalid - duplicates) / nullIf(greatest(stored, events - invalid - duplicates), 0)"       \
    " AS consistency"
#define QUALITY_SUMS(where)                                                                                            \
    " FROM (SELECT customer_id, hour, event_type, sum(q.events) AS events, sum(q.invalid) AS invalid,"                 \
    " sum(q.duplicates) AS duplicates, sum(q.tagged) AS tagged, sum(q.late) AS late,"                                  \
    " sum(q.required_values) AS required_values, sum(q.required_missing) AS required_missing,"                         \
    " sum(q.optional_values) AS optional_values, sum(q.optional_missing) AS optional_missing, sum(q.stored) AS stored" \
    " FROM weir.data_quality AS q" where " GROUP BY customer_id, hour, event_type) AS s"
#define QUALITY_VIEW                                                                                                   \
    "CREATE OR REPLACE VIEW pub.data_quality DEFINER = writer SQL SECURITY DEFINER AS SELECT customer_id,"             \
    " toDateTime(s.hour, 'UTC') AS hour, event_type, events, events - invalid - duplicates AS accepted, invalid,"      \
    " duplicates, tagged, late, required_values, required_missing, optional_values, optional_missing, stored,"         \
    QUALITY_RATIOS QUALITY_SUMS(OWN)
// clang-format on
#define VIEW(name, columns)                                                                                            \
    "CREATE OR REPLACE VIEW pub." name " DEFINER = writer SQL SECURITY DEFINER AS SELECT " columns                     \
    " FROM weir." name OWN

static const char *const VIEWS[] = {
    VIEW("events_raw", "customer_id, visitor_id, nullIf(user_id, '') AS user_id, session_id, event_id, event_type,"
                       " event_name, properties, context, timestamp, received_at, identity_stitched"),
    VIEW("events_hourly", "customer_id, event_type, hour, event_count, unique_visitors"),
    VIEW("events_daily", "customer_id, event_type, day, event_count, unique_visitors"),
    LAST_VIEW("sessions", "customer_id, session_id, visitor_id, nullIf(user_id, '') AS user_id, started_at, ended_at,"
                          " dateDiff('millisecond', started_at, ended_at) / 1000 AS duration_seconds, event_count,"
                          " page_views"),
    WINDOW_VIEW("w.customer_id AS customer_id, w.window AS window, w.kind AS kind, w.window_start AS window_start,",
                " w.key AS key, w.measures AS measures, w.event_count AS event_count,"),
    VIEW("late_events", "customer_id, window, key, window_start, window_end, watermark, event_count, visitor_id,"
                        " nullIf(user_id, '') AS user_id, event_id, event_type, event_name, properties, timestamp,"
                        " received_at, (journal_partition, journal_position) IN (SELECT journal_partition,"
                        " journal_position FROM weir.late_replayed" OWN " AND generation IN (SELECT generation FROM"
                        " weir.replays" OWN ")) AS replayed"),
    VIEW("replays", "customer_id, window, toString(definition) AS definition, range_from, range_to, event_count,"
                    " generation, finished_at"),
    QUALITY_VIEW,
    VIEW("dead_letters", "concat(toString(journal_partition), '-', toString(journal_position)) AS id, customer_id,"
                         " stage, reason, message, field, original, event_id, received_at"),
};

static const char *const BEFORE[] = {
    "CREATE DATABASE IF NOT EXISTS weir",
    "CREATE DATABASE IF NOT EXISTS pub",
    ("CREATE TABLE IF NOT EXISTS weir.schema_migrations ("
     " version UInt32, applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')) ENGINE = MergeTree ORDER BY version"),
};

uint32_t schema_version(void)
{
    return (uint32_t)COUNT_OF(VERSIONS);
}

const char *schema_statement(uint32_t version, size_t index)
{
    assert(version >= 1 && version <= COUNT_OF(VERSIONS));
    return VERSIONS[version - 1][index];
}

static enum status run_text(const struct schema_runner *runner, const char *sql, struct error *err)
{
    return runner->run(runner->self, slice_from(sql), NULL, err);
}

static enum status version_on_disk(const struct schema_runner *runner, uint64_t *out, struct error *err)
{
    AUTO(buf) struct buf answer;
    buf_init(&answer, 4096);
    enum status s = runner->run(runner->self, SLICE("SELECT max(version) FROM weir.schema_migrations"), &answer, err);
    if (s == OK && !slice_to_u64(slice_trim(buf_slice(&answer)), out))
        s = error_set(err, ERR_CORRUPT, "the engine's schema version is not a number: '%.*s'", (int)answer.n, answer.p);
    return s;
}

static enum status version_apply(const struct schema_runner *runner, uint32_t version, struct error *err)
{
    char record[96];
    enum status s = OK;
    for (size_t i = 0; s == OK && schema_statement(version, i); i++)
        s = run_text(runner, schema_statement(version, i), err);
    snprintf(record, sizeof record, "INSERT INTO weir.schema_migrations (version) VALUES (%u)", version);
    if (s == OK)
        s = run_text(runner, record, err);
    return s == OK ? OK : error_wrap(err, s, "bring the tables to version %u", version);
}

enum status schema_migrate(const struct schema_runner *runner, uint32_t *out_applied, struct error *err)
{
    uint64_t on_disk = 0;
    uint32_t applied = 0;
    enum status s = OK;
    for (size_t i = 0; s == OK && i < COUNT_OF(BEFORE); i++)
        s = run_text(runner, BEFORE[i], err);
    if (s == OK)
        s = version_on_disk(runner, &on_disk, err);
    if (s == OK && on_disk > schema_version())
        return error_set(err, ERR_INVALID,
                         "the data was written by a newer weir (tables of version %llu, this one knows %u): "
                         "start that one, or restore a backup",
                         (unsigned long long)on_disk, schema_version());
    for (uint32_t version = (uint32_t)on_disk + 1; s == OK && version <= schema_version(); version++, applied++)
        s = version_apply(runner, version, err);
    for (size_t i = 0; s == OK && i < COUNT_OF(VIEWS); i++) {
        s = run_text(runner, VIEWS[i], err);
        if (s != OK)
            error_wrap(err, s, "make the tenants' views");
    }
    if (s == OK && out_applied)
        *out_applied = applied;
    return s;
}

void schema_add_literal(struct buf *out, struct slice text)
{
    buf_add_char(out, '\'');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\'' || text.p[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, text.p[i]);
    }
    buf_add_char(out, '\'');
}

void schema_add_event_view(struct buf *out, struct slice name, struct slice columns, struct slice event_type)
{
    buf_add_format(out, "CREATE OR REPLACE VIEW pub.%.*s DEFINER = writer SQL SECURITY DEFINER AS SELECT\n%.*s",
                   SLICE_ARG(name), SLICE_ARG(columns));
    buf_add_text(out, "\nFROM weir.events_raw AS e" OWN "\n    AND event_type = ");
    schema_add_literal(out, event_type);
    buf_add_text(out, "\nCOMMENT '" SCHEMA_EVENT_VIEW "'");
}

void schema_add_literals(struct buf *out, const struct slice *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_add_text(out, i ? ", " : "");
        schema_add_literal(out, texts[i]);
    }
}

void schema_add_table_view(struct buf *out, const struct schema_table_view *view, bool of_tenants)
{
    buf_add_format(out, "CREATE OR REPLACE VIEW pub.%.*s DEFINER = writer SQL SECURITY DEFINER AS SELECT %.*s",
                   SLICE_ARG(view->name), SLICE_ARG(view->columns));
    buf_add_format(out, " FROM weir.%.*s%s", SLICE_ARG(view->table), of_tenants ? OWN : SOMEBODY);
    if (view->tenant_count) {
        buf_add_format(out, " AND " SCHEMA_ASKING "%s IN (", view->for_others ? " NOT" : "");
        schema_add_literals(out, view->tenants, view->tenant_count);
        buf_add_char(out, ')');
    }
    buf_add_text(out, " COMMENT ");
    schema_add_literal(out, view->comment);
}

void schema_add_hidden_sessions(struct buf *out, struct slice tenant)
{
    AUTO(buf) struct buf name;
    buf_init(&name, 4096);
    schema_add_literal(&name, tenant);
    const char *text = buf_text(&name);
    buf_add_format(out, HIDDEN_SESSIONS, text, text, text, text);
}

void schema_assign_readers(const struct schema_reader *readers, size_t count, struct buf *out_sql)
{
    buf_add_text(out_sql, "INSERT INTO weir.tenant_users (user, tenant) VALUES ");
    for (size_t i = 0; i < count; i++) {
        buf_add_text(out_sql, i ? ",(" : "(");
        schema_add_literal(out_sql, readers[i].user);
        buf_add_char(out_sql, ',');
        schema_add_literal(out_sql, readers[i].tenant);
        buf_add_char(out_sql, ')');
    }
}

void schema_add_quality_of(struct buf *out, int64_t hour_ms)
{
    buf_add_format(out,
                   "SELECT customer_id, event_type," QUALITY_RATIOS QUALITY_SUMS(
                       " WHERE hour = fromUnixTimestamp64Milli(toInt64(%lld), 'UTC')"),
                   (long long)hour_ms);
}

void schema_begin_list(struct buf *out, const char *name, const char *const *columns, size_t count)
{
    buf_add_format(out, "CREATE OR REPLACE VIEW pub.%s DEFINER = writer SQL SECURITY DEFINER AS SELECT ", name);
    for (size_t i = 0; i < count; i++)
        buf_add_format(out, "%st.%zu AS %s", i ? ", " : "", i + 1, columns[i]);
    buf_add_text(out, " FROM (SELECT arrayJoin(CAST([");
}

void schema_add_list_row(struct buf *out, const struct slice *cells, size_t count)
{
    assert(out->n);
    buf_add_text(out, out->p[out->n - 1] == ')' ? ",\n" : "\n");
    for (size_t i = 0; i < count; i++) {
        buf_add_text(out, i ? ", " : "(");
        schema_add_literal(out, cells[i]);
    }
    buf_add_char(out, ')');
}

void schema_end_list(struct buf *out, size_t count)
{
    buf_add_text(out, "], 'Array(Tuple(");
    for (size_t i = 0; i < count; i++)
        buf_add_text(out, i ? ", String" : "String");
    buf_add_text(out, "))')) AS t)");
}
