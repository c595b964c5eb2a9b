"""A reader of one tenant sees no row of another, in raw, rollups, dead letters, sessions, windows and late events, whatever it asks."""
import json, urllib.parse

from weir import Weir

QUERIES = [
    "SELECT * FROM events_raw WHERE customer_id = 'victim'", "SELECT * FROM events_raw", "SELECT * FROM events_hourly", "SELECT * FROM events_daily",
    "SELECT * FROM dead_letters", "SELECT * FROM data_quality", "SELECT * FROM sessions", "SELECT * FROM windows", "SELECT * FROM late_events", "SELECT * FROM replays", "SELECT * FROM sessions WHERE customer_id = 'victim'",
    "SELECT * FROM weir.sessions FINAL", "SELECT key FROM windows WHERE customer_id = 'victim'", "SELECT * FROM mergeTreeIndex('weir','sessions')",
    "SELECT visitor_id FROM events_raw UNION ALL SELECT visitor_id FROM events_raw WHERE customer_id='victim'",
    "SELECT * FROM weir.events_raw", "SELECT * FROM `weir`.`events_raw`", "SELECT * FROM weir . events_raw", "SELECT * FROM weir/**/.events_raw",
    "SELECT * FROM mergeTreeIndex('weir','events_raw')", "SELECT * FROM merge('weir', '.*')", "SELECT * FROM merge('pub', '.*')",
    "SELECT file('/etc/passwd')", "SELECT * FROM file('/etc/passwd', 'LineAsString')", "SELECT * FROM system.tables", "SELECT * FROM system . query_log",
    "SELECT * FROM \"system\".tables", "SELECT * FROM information_schema.tables", "SELECT * FROM url/**/('http://127.0.0.1:1/','TSV','a String')",
    "SELECT * FROM remote('127.0.0.1', 'weir.events_raw')", "SELECT * FROM cluster('default', weir.events_raw)", "SELECT * FROM s3('http://127.0.0.1:1/x','TSV','a String')",
    "SELECT * FROM executable('cat /etc/passwd', 'LineAsString', 'a String')", "SELECT * FROM loop(weir.events_raw)", "SELECT * FROM dictionary('x')",
    "SELECT * FROM events_raw SETTINGS readonly=0", "SELECT * FROM events_raw SETTINGS additional_table_filters={}", "SELECT 1; DROP TABLE events_raw",
    "SELECT uniqMerge(unique_visitors) FROM events_hourly WHERE customer_id='victim'", "SHOW TABLES", "SHOW CREATE TABLE events_raw",
    "INSERT INTO events_raw (visitor_id) VALUES ('x')", "DROP TABLE events_raw", "ALTER TABLE events_raw DELETE WHERE 1", "TRUNCATE TABLE events_raw",
    "CREATE TABLE x (a Int8) ENGINE=Memory", "GRANT ALL ON *.* TO default", "SET readonly=0", "SYSTEM STOP MERGES", "KILL QUERY WHERE 1",
    "SELECT * FROM events_raw INTO OUTFILE '/tmp/x'", "SELECT * FROM events_raw FORMAT Native", "EXPLAIN SELECT * FROM weir.events_raw", "DESCRIBE weir.events_raw",
    "SELECT throwIf(visitor_id LIKE 'CANARY%', visitor_id) FROM events_raw", "SELECT * FROM events_raw PREWHERE throwIf(startsWith(visitor_id,'CANARY'), 'CANARY') = 0",
    "WITH events_raw AS (SELECT * FROM weir.events_raw) SELECT * FROM events_raw", "SELECT (SELECT groupArray(visitor_id) FROM weir.events_raw)",
    "SELECT dictGet('weir.tenants', 'x', 'y')", "SELECT joinGet('weir.tenant_users', 'tenant', 'x')", "SELECT hasColumnInTable('weir','events_raw','CANARY')",
    "SELECT * FROM numbers(10) WHERE number IN (SELECT count() FROM weir.events_raw)", "SELECT * FROM view(SELECT * FROM weir.events_raw)",
]


def setup(weir):
    me, victim = weir.tenant("me"), weir.tenant("victim")
    event = lambda tenant, i: {"visitor_id": "%s_v%d" % (tenant, i), "event_type": "page_view", "event_name": tenant, "properties": {"page": "/" + tenant}}
    assert weir.post("/track", [event("mine", i) for i in range(7)] + [{"bad": "mine"}], me["write_key"])[1]["accepted"] == 7
    assert weir.post("/track", [event("CANARY", i) for i in range(1000)] + [{"nonsense": "CANARY"}], victim["write_key"])[1]["accepted"] == 1000
    weir.settle("SELECT count() FROM events_raw", 7, me["read_key"])
    weir.settle("SELECT count() FROM events_raw", 1000, victim["read_key"])
    weir.settle("SELECT count() FROM dead_letters", 1, victim["read_key"])
    weir.settle("SELECT count() FROM dead_letters", 1, me["read_key"])
    weir.settle("SELECT count() FROM sessions", 1000, victim["read_key"])
    weir.settle("SELECT sum(event_count) FROM windows WHERE window = 'page_views_1m'", 1000, victim["read_key"])
    return me, victim


def test_no_query_of_one_tenant_shows_anything_of_another():
    with Weir() as weir:
        me, victim = setup(weir)
        for query in QUERIES:
            code, body, _ = weir.request("POST", weir.api("/v1/sql"), json.dumps({"sql": query}).encode(), {"Authorization": "Bearer " + me["read_key"]})
            assert b"CANARY" not in body.replace(query.encode(), b"") or code != 200, (query, body[:300])
            assert b"CANARY_v" not in body and b"root:x:" not in body, (query, body[:300])
        assert int(weir.one("SELECT sum(event_count) FROM events_hourly", me["read_key"])) == 7
        assert int(weir.one("SELECT sum(event_count) FROM events_daily", me["read_key"])) == 7
        assert int(weir.one("SELECT count() FROM sessions", me["read_key"])) == 7
        assert int(weir.one("SELECT sum(event_count) FROM windows WHERE window = 'page_views_1m'", me["read_key"])) == 7
        assert int(weir.one("SELECT uniqMerge(unique_visitors) FROM events_hourly", me["read_key"])) == 7
        assert int(weir.one("SELECT count() FROM events_raw WHERE customer_id = 'me'", me["read_key"])) == 7
        weir.settle("SELECT count() FROM events_raw", 1000, victim["read_key"], 5)
        return "%d hostile queries" % len(QUERIES)


def test_the_engine_alone_holds_when_spoken_to_directly():
    """The second wall with the first one taken away: the tenant's own engine user, over the engine's own HTTP."""
    with Weir() as weir:
        me, _ = setup(weir)
        if "olap_user" not in me:
            raise AssertionError("weir tenant create does not tell the engine user: %s" % list(me))
        for query in QUERIES:
            url = "http://127.0.0.1:%d/?%s" % (weir.olap_port, urllib.parse.urlencode({"query": query}))
            code, body, _h = weir.request("GET", url, None, {"X-ClickHouse-User": me["olap_user"], "X-ClickHouse-Key": me["olap_password"]})
            assert b"CANARY_v" not in body and b"root:x:" not in body, (query, body[:300])
        code, body, _h = weir.request("GET", "http://127.0.0.1:%d/?%s" % (weir.olap_port, urllib.parse.urlencode(
            {"query": "SELECT count() FROM events_raw"})), None, {"X-ClickHouse-User": me["olap_user"], "X-ClickHouse-Key": me["olap_password"]})
        assert code == 200 and body.strip() == b"7", (code, body)
        for user, password in (("default", ""), ("writer", ""), (me["olap_user"], ""), (me["olap_user"], "x")):
            code, body, _h = weir.request("GET", "http://127.0.0.1:%d/?%s" % (weir.olap_port, urllib.parse.urlencode(
                {"query": "SELECT count() FROM weir.events_raw"})), None, {"X-ClickHouse-User": user, "X-ClickHouse-Key": password})
            assert code != 200, (user, body)
