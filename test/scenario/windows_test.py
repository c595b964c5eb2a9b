"""Windows against SQL over the very events: on 27 years of real history, in arrival order, and through kill -9 under load."""
import json, os, random, time

from by_seed import by_seed
from crash_test import Load, check
from data_test import DATA, send_file
from scenarios import Skip
from session_sql import WINDOWS as SESSION_WINDOWS, sessions_differ
from weir import Weir

DOMAIN = """
domain: proof
windows:
  - name: by_hour
    size: 1h
    by: [{type: event_type}]
    measures: {n: count(), visitors: distinct(visitor_id)}
  - name: by_visitor_day
    size: 1d
    by: [visitor_id]
    measures: {n: count()}
    lateness: 30d
  - name: visits
    kind: session
    by: [visitor_id]
    measures: {n: count()}
    lateness: 3650d
  - name: type_busy
    kind: session
    gap: 10m
    by: [{type: event_type}]
    measures: {n: count()}
"""
# What windows say beside what the events say that were not too late for them: pairs that differ.
DIFFERENT = """
SELECT count() FROM
  (SELECT toStartOfInterval(timestamp, INTERVAL %(size)s) AS start, %(key)s AS k, count() AS n FROM events_raw
   WHERE event_id NOT IN (SELECT event_id FROM late_events WHERE window = '%(window)s') GROUP BY start, k) AS events
FULL JOIN
  (SELECT window_start AS start, JSONExtractString(key, '%(name)s') AS k, event_count AS n FROM windows WHERE window = '%(window)s') AS results
ON events.start = results.start AND events.k = results.k WHERE events.n != results.n"""
WINDOWS = [{"window": "by_hour", "size": "1 HOUR", "key": "event_type", "name": "type"},
           {"window": "by_visitor_day", "size": "1 DAY", "key": "visitor_id", "name": "visitor_id"}]
# The same for sessions.
SESSIONS_DIFFER = sessions_differ("FULL", events="WHERE event_id NOT IN (SELECT event_id FROM late_events WHERE window = '%(window)s')")


def compare(weir, events, read):
    for window in WINDOWS + SESSION_WINDOWS:
        counted = "SELECT (SELECT sum(event_count) FROM windows WHERE window = '%(window)s') + (SELECT count() FROM late_events WHERE window = '%(window)s')" % window
        weir.settle(counted, events, read)
        weir.settle((SESSIONS_DIFFER if "gap" in window else DIFFERENT) % window, 0, read, 20)


def test_windows_over_27_years_in_arrival_order_equal_sql_and_counted_and_late_are_all():
    if not os.path.isdir(DATA):
        raise Skip("the data files are not here")
    expected, late, late_visits = json.load(open(os.path.join(DATA, "expected.json"))), {}, {}
    weir = Weir(domain=DOMAIN).start()
    try:
        keys = {name: weir.tenant(name) for name in expected}
        for name, e in expected.items():
            assert send_file(weir, name, keys[name]["write_key"]) == e["events"]
        for name, e in expected.items():
            weir.settle("SELECT count() FROM events_raw", e["events"], keys[name]["read_key"])
            compare(weir, e["events"], keys[name]["read_key"])
            visits = weir.one("SELECT concat(toString(count()), ' ', toString(max(dateDiff('second', window_start, window_end)))) FROM windows WHERE window = 'visits'",
                              keys[name]["read_key"])
            late_visits[name] = int(weir.one("SELECT count() FROM late_events WHERE window = 'visits'", keys[name]["read_key"]))
            if not late_visits[name]:
                assert visits == "%d %d" % (e["sessions_gap_30m"], e["longest_session_s"]), (name, visits)
            late[name] = int(weir.one("SELECT count() FROM late_events WHERE window = 'by_hour'", keys[name]["read_key"]))
            assert 0 < late[name] <= e["arrived_over_10m_behind_tenant_max"], (name, late[name])
        assert 0 in late_visits.values(), late_visits
        assert weir.stop() == 0
    finally:
        weir.close()
    return "late by the hour: " + ", ".join("%s %d" % pair for pair in late.items())


@by_seed
def test_windows_are_exact_through_kill_9_under_load():
    weir = Weir(domain=DOMAIN).start()
    try:
        tenant = weir.tenant("crash")
        load = Load(weir, tenant["write_key"])
        for _ in range(3):
            time.sleep(1 + 2 * random.random())
            weir.kill9()
            weir.start()
        time.sleep(1)
        load.stop()
        note = check(weir, tenant["read_key"], load.acknowledged)
        compare(weir, int(weir.one("SELECT count() FROM events_raw", tenant["read_key"])), tenant["read_key"])
        assert weir.stop() == 0
    finally:
        weir.close()
    return note
