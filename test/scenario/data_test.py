"""70,000 real events of four tenants, through HTTP, against answers computed independently (expected.json)."""
import json, lzma, os

from scenarios import Skip
from weir import SHARED, Weir

DATA = os.path.join(SHARED, "data")


def send_file(weir, name, key, batch=1000, post=Weir.post, wanted=lambda line: True):
    accepted, lines = 0, []

    def flush():
        status, answer = post(weir, "/track", ("[" + ",".join(lines) + "]").encode(), key)
        assert status == 200 and answer["rejected"] == 0, (status, str(answer)[:500])
        return answer["accepted"]

    with lzma.open(os.path.join(DATA, name + ".ndjson.xz"), "rt") as file:
        for line in filter(wanted, file):
            lines.append(line)
            if len(lines) == batch:
                accepted += flush()
                lines = []
    if lines:
        accepted += flush()
    return accepted


def check_tenant(weir, read, e):
    """Everything that expected.json says of a tenant, of what is stored; waits until it is there."""
    def one(query):
        return weir.one(query, read)

    def by_type(what, table):
        return {r[0]: int(r[1]) for r in weir.sql("SELECT event_type, %s FROM %s GROUP BY event_type" % (what, table), read)}

    weir.settle("SELECT sum(event_count) FROM events_hourly", e["events"], read)
    assert int(one("SELECT count() FROM events_raw")) == e["events"]
    assert int(one("SELECT uniqExact(visitor_id) FROM events_raw")) == e["visitors"]
    assert by_type("count()", "events_raw") == e["by_type"]
    assert by_type("sum(event_count)", "events_hourly") == e["by_type"]
    assert by_type("sum(event_count)", "events_daily") == e["by_type"]
    assert int(one("SELECT uniqExact(toStartOfHour(timestamp)) FROM events_raw")) == e["hours_with_events"]
    assert int(one("SELECT uniqExact(hour) FROM events_hourly")) == e["hours_with_events"]
    for query in ("SELECT toStartOfHour(timestamp) AS h, count() AS n FROM events_raw GROUP BY h ORDER BY n DESC, h LIMIT 1",
                  "SELECT hour AS h, sum(event_count) AS n FROM events_hourly GROUP BY h ORDER BY n DESC, h LIMIT 1"):
        hour, count = weir.sql(query, read)[0]
        assert str(hour).startswith(e["busiest_hour"][:13]) and int(count) == e["busiest_hour_events"], (query, hour, count)
    assert int(one("SELECT uniqMerge(unique_visitors) FROM events_hourly WHERE hour = '%s'" % e["busiest_hour"])) == e["busiest_hour_visitors"]
    weir.settle("SELECT sum(event_count) FROM sessions", e["events"], read)
    assert int(one("SELECT count() FROM sessions")) == e["sessions_gap_30m"]
    assert int(float(one("SELECT max(duration_seconds) FROM sessions"))) == e["longest_session_s"]


def test_four_files_give_exactly_what_is_expected_raw_and_by_rollup_also_when_sent_twice():
    if not os.path.isdir(DATA):
        raise Skip("the data files are not here")
    expected = json.load(open(os.path.join(DATA, "expected.json")))
    with Weir() as weir:
        keys = {name: weir.tenant(name) for name in expected}
        for turn in ("first", "second"):
            for name, e in expected.items():
                assert send_file(weir, name, keys[name]["write_key"]) == e["events"]
            for name, e in expected.items():
                read = keys[name]["read_key"]
                weir.settle("SELECT sum(event_count) FROM events_hourly", e["events"], read)
                if turn == "second":  # everything has gone through: the mark stands behind what was sent
                    wait_until_idle(weir)
                check_tenant(weir, read, e)
        assert weir.stop() == 0
    return "%d events, twice" % sum(e["events"] for e in expected.values())


def wait_until_idle(weir, seconds=30):
    """Until the processing tasks and the sink have read everything: no repeat is still on its way to be counted."""
    import time
    end = time.time() + seconds
    while time.time() < end:
        lag = weir.metric("kafka_lag")
        if lag == 0:
            return
        time.sleep(0.1)
    raise AssertionError("kafka_lag is still %s" % weir.metric("kafka_lag"))
