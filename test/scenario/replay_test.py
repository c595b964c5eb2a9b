"""History again: `weir replay` on real history against SQL over the very events; twice; through kill -9; beside live traffic; late events."""
import json, os, threading, time

from data_test import DATA, send_file
from scenarios import Skip
from session_sql import WINDOWS as SESSION_WINDOWS, sessions_differ
from weir import Weir

EARLY = """
domain: early
windows:
  - name: by_hour
    size: 1h
    by: [{type: event_type}]
    measures: {n: count(), visitors: distinct(visitor_id)}
  - name: type_busy
    kind: session
    gap: 10m
    by: [{type: event_type}]
    measures: {n: count()}
"""
LATER = EARLY + """
  - name: by_visitor_day
    size: 1d
    by: [visitor_id]
    measures: {n: count()}
  - name: sliding
    kind: sliding
    size: 1h
    slide: 20m
    by: [{type: event_type}]
    measures: {n: count()}
  - name: visits
    kind: session
    by: [visitor_id]
    measures: {n: count()}
  - name: by_clock
    size: 1m
    time: processing
    measures: {n: count()}
"""
# Pairs that differ between the windows and the events, in the range.
DIFFERENT = """
SELECT count() FROM
  (SELECT toDateTime64(toStartOfInterval(timestamp, INTERVAL %(size)s), 3, 'UTC') AS start, %(key)s AS k, count() AS n FROM events_raw
   WHERE start >= '%(from)s' AND start + INTERVAL %(size)s <= '%(to)s' GROUP BY start, k) AS events
FULL JOIN
  (SELECT window_start AS start, JSONExtractString(key, '%(name)s') AS k, event_count AS n FROM windows
   WHERE window = '%(window)s' AND window_start >= '%(from)s' AND window_end <= '%(to)s') AS results
ON events.start = results.start AND events.k = results.k WHERE events.n != results.n"""
SLIDING_DIFFERS = """
SELECT count() FROM
  (SELECT toDateTime64(toStartOfInterval(timestamp, INTERVAL 20 MINUTE), 3, 'UTC') - toIntervalMinute(arrayJoin([0, 20, 40])) AS start, event_type AS k, count() AS n
   FROM events_raw GROUP BY start, k HAVING start >= '%(from)s' AND start + INTERVAL 1 HOUR <= '%(to)s') AS events
FULL JOIN
  (SELECT window_start AS start, JSONExtractString(key, 'type') AS k, event_count AS n FROM windows
   WHERE window = 'sliding' AND window_start >= '%(from)s' AND window_end <= '%(to)s') AS results
ON events.start = results.start AND events.k = results.k WHERE events.n != results.n"""
TABLES = [{"window": "by_hour", "size": "1 HOUR", "key": "event_type", "name": "type"},
          {"window": "by_visitor_day", "size": "1 DAY", "key": "visitor_id", "name": "visitor_id"}]
# Sessions that a replay must show: they begin in its range, and are over where live ones may go on.
SESSIONS_DIFFER = sessions_differ("LEFT", sessions="HAVING start >= '%(from)s' AND start < '%(to)s' "
                                  "AND end < toDateTime64('%(to)s', 3, 'UTC') + %(over_s)d - INTERVAL %(gap)d MILLISECOND")
# Each event is in one session that is shown, or late and not replayed: 0.
UNBALANCED = """SELECT toInt64((SELECT sum(event_count) FROM windows WHERE window = 'type_busy'))
  + toInt64((SELECT sum(event_count) FROM late_events WHERE window = 'type_busy' AND NOT replayed)) - toInt64((SELECT count() FROM events_raw))"""
# Everything that the view shows of a range, as one number.
FINGERPRINT = """SELECT sum(cityHash64(window, definition, window_start, window_end, key, measures, event_count, revision, is_final)) FROM windows
WHERE window IN ('by_hour', 'by_visitor_day', 'sliding', 'visits', 'type_busy')"""


def plain(text):
    return text.replace("T", " ").replace("Z", "")


def replay(weir, key, *words, expect=0):
    done = weir.cli("replay", "--url", weir.api(""), "--key", key, "--json", *words)
    assert done.returncode == expect, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else done.stderr


def exact(weir, read, report):
    bounds = {"from": plain(report["from"]), "to": plain(report["to"])}
    for table in TABLES:
        assert int(weir.one(DIFFERENT % {**table, **bounds}, read)) == 0, table
        assert int(weir.one("SELECT count() FROM windows WHERE window = '%s' AND window_end <= '%s'" % (table["window"], bounds["to"]), read)) > 0
    assert int(weir.one(SLIDING_DIFFERS % bounds, read)) == 0
    sessions_exact(weir, read, report, SESSION_WINDOWS)


def sessions_exact(weir, read, report, windows, over_s=1800):
    bounds = {"from": plain(report["from"]), "to": plain(report["to"]), "over_s": over_s}
    for window in windows:
        assert int(weir.one(SESSIONS_DIFFER % {**window, **bounds}, read)) == 0, window
        assert int(weir.one("SELECT count() FROM windows WHERE window = '%s' AND window_start < '%s'" % (window["window"], bounds["to"]), read)) > 0
    assert int(weir.one(UNBALANCED, read)) == 0


def parts_of_live_sessions(weir, keys):
    """Ranges that cut sessions at their edges, over one another: no event is lost or counted twice, and what begins in the newest is exact."""
    read, write, late = keys["read_key"], keys["write_key"], []
    assert int(weir.one(UNBALANCED, read)) == 0
    busiest = weir.one("SELECT toString(window_start) FROM windows WHERE window = 'type_busy' AND toYear(window_start) = 2015 ORDER BY event_count DESC LIMIT 1", read)
    cut = weir.one("SELECT toString(window_start + toIntervalMillisecond(intDiv(dateDiff('millisecond', window_start, window_end), 2))) FROM windows "
                   "WHERE window = 'type_busy' AND window_start = '%s' ORDER BY event_count DESC LIMIT 1" % busiest, read)
    cut = cut.replace(" ", "T") + "Z"
    for start, end in (("2015-03-01", "2015-03-20"), ("2015-03-20", "2016-01-01"), ("2013-06-01", "2015-03-10T12:34:56.789Z"), ("2010-01-01", cut), (cut, "2018-01-01")):
        done = replay(weir, write, "--from", start, "--to", end, "--window", "type_busy")
        sessions_exact(weir, read, done, SESSION_WINDOWS[1:], 10**8)
        late.append(done["late_events"])
    assert max(late) > 0, late
    assert int(weir.one("SELECT count() FROM late_events WHERE window = 'type_busy' AND key = ''", read)) == 0


def history(name):
    """A weir with real history counted by one window, and more windows declared since."""
    if not os.path.isdir(DATA):
        raise Skip("the data files are not here")
    expected = json.load(open(os.path.join(DATA, "expected.json")))[name]
    weir = Weir(domain=EARLY).start()
    keys = weir.tenant(name)
    assert send_file(weir, name, keys["write_key"]) == expected["events"]
    weir.settle("SELECT count() FROM events_raw", expected["events"], keys["read_key"])
    for window in "by_hour", "type_busy":
        weir.settle("SELECT (SELECT sum(event_count) FROM windows WHERE window = '%s') + (SELECT sum(event_count) FROM late_events WHERE window = '%s')" % (window, window),
                    expected["events"], keys["read_key"])
    tasks = json.loads(weir.request("GET", weir.api("/v1/stream"))[1])["partitions"]
    late = int(weir.one("SELECT count() FROM late_events", keys["read_key"]))
    assert sum(t["late"] for t in tasks) == late > 0 and sum(t["dead"] for t in tasks) == 0, (late, tasks)
    assert all(0 < t["commit_seconds"] < 30 for t in tasks if t["commits"]), tasks
    assert weir.stop() == 0
    weir.declare(LATER)
    return weir.start(), keys, expected


def refuse_what_makes_no_sense(weir, write, newest):
    refused = [(["--from", "2020-01-02", "--to", "2020-01-01"], "before to"), (["--from", "1990-01-01", "--window", "no_such"], "no window 'no_such'"),
               (["--from", "1990-01-01", "--to", "2200-01-01"], newest), (["--from", "2200-01-01"], "nothing to do"),
               (["--from", "1900-01-01", "--to", "1900-01-02"], "no events in the range"), (["--from", "yesterday"], '"from" is a time'),
               (["--from", "1990-01-01", "--window", "by_clock"], "by the clock")]
    for words, why in refused:
        done = weir.cli("replay", "--url", weir.api(""), "--key", write, *words)
        assert done.returncode not in (0, -11, -6) and why in done.stderr, (words, done.returncode, done.stderr)


def test_history_is_counted_into_windows_declared_afterwards_twice_and_late_events_once():
    weir, keys, expected = history("redis")
    read, write = keys["read_key"], keys["write_key"]
    try:
        late = int(weir.one("SELECT count() FROM late_events WHERE window = 'by_hour'", read))
        assert late > 0
        assert int(weir.one("SELECT count() FROM windows WHERE window = 'by_visitor_day'", read)) == 0
        parts_of_live_sessions(weir, keys)
        before = weir.one(FINGERPRINT, read)
        dry = replay(weir, write, "--from", "1990-01-01", "--dry-run")
        assert dry["events_total"] > 0 and dry["events"] == 0 and weir.one(FINGERPRINT, read) == before
        assert set(dry["windows"]) == {"by_hour", "type_busy", "by_visitor_day", "sliding", "visits"}, dry
        refuse_what_makes_no_sense(weir, write, dry["to"])

        first = replay(weir, write, "--from", "1990-01-01")
        assert first["events"] == first["events_total"] == dry["events_total"] and first["to"] == dry["to"]
        exact(weir, read, first)
        shown = weir.one(FINGERPRINT, read)
        assert shown != before
        told = weir.sql("SELECT replayed, count() FROM late_events WHERE window = 'by_hour' AND window_end <= '%s' GROUP BY replayed" % plain(first["to"]), read)
        other = int(weir.one("SELECT count() FROM late_events WHERE window = 'type_busy' AND replayed", read))
        assert other > 0 and told == [[True, first["late_events"] - other]] and first["late_events"] - other <= late, (told, other, first)

        second = replay(weir, write, "--from", "1990-01-01")
        assert second["results"] == first["results"] and weir.one(FINGERPRINT, read) == shown
        exact(weir, read, second)
        # A part of it again, of one window: the rest stays as it is.
        part = replay(weir, write, "--from", "2015-03-01", "--to", "2015-04-01", "--window", "by_hour")
        assert part["windows"] == ["by_hour"] and weir.one(FINGERPRINT, read) == shown
        part = replay(weir, write, "--from", "2015-03-01", "--to", "2015-03-08", "--window", "visits")
        assert part["windows"] == ["visits"] and part["results"] > 0 and weir.one(FINGERPRINT, read) == shown
        exact(weir, read, first)
        # Others' keys.
        other = weir.tenant("other")
        assert "another tenant" in weir.cli("replay", "--url", weir.api(""), "--key", other["write_key"], "--tenant", "redis", "--from", "1990-01-01").stderr
        assert "read key" in weir.cli("replay", "--url", weir.api(""), "--key", read, "--from", "1990-01-01").stderr
        assert weir.stop() == 0
    finally:
        weir.close()
    return "%d events into %d results, %d late ones told as replayed" % (first["events"], first["results"], first["late_events"])


def begin(weir, write):
    status, answer, _ = weir.request("POST", weir.api("/v1/replays"), json.dumps({"from": "1990-01-01"}).encode(),
                                     {"Authorization": "Bearer " + write, "Content-Type": "application/json"})
    assert status == 202, (status, answer)
    return json.loads(answer)


def look(weir, write, job):
    status, answer, _ = weir.request("GET", weir.api("/v1/replays?id=%d" % job["id"]), None, {"Authorization": "Bearer " + write})
    assert status == 200, (status, answer)
    return json.loads(answer)["replays"][0]


def test_a_replay_cut_off_by_kill_9_has_shown_nothing_and_one_beside_live_traffic_is_exact():
    weir, keys, expected = history("curl")
    read, write = keys["read_key"], keys["write_key"]
    try:
        before, killed_at = weir.one(FINGERPRINT, read), []
        for _ in range(2):
            job = begin(weir, write)
            while look(weir, write, job)["state"] in ("waiting", "running") and not look(weir, write, job)["events"]:
                time.sleep(0.005)
            killed = look(weir, write, job)
            assert killed["state"] == "running", killed
            weir.kill9()
            weir.start()
            weir.settle(FINGERPRINT, before, read)
            killed_at.append(killed["events"])

        # Events of now, of the same tenant, while it runs.
        sent, stop = [0], threading.Event()
        def live():
            while not stop.is_set():
                batch = [{"event_id": "live-%d" % (sent[0] + i), "visitor_id": "v%d" % (i % 7), "event_type": "live",
                          "timestamp": int(time.time() * 1000)} for i in range(50)]
                status, answer = weir.post("/track", batch, write)
                assert status == 200, answer
                sent[0] += 50
        thread = threading.Thread(target=live)
        job = begin(weir, write)
        thread.start()
        while look(weir, write, job)["state"] in ("waiting", "running"):
            time.sleep(0.05)
        stop.set()
        thread.join()
        done = look(weir, write, job)
        assert done["state"] == "done", done
        exact(weir, read, done)
        assert sent[0] > 0
        weir.settle("SELECT count() FROM events_raw WHERE event_type = 'live'", sent[0], read)
        weir.settle("SELECT sum(event_count) FROM windows WHERE window = 'by_hour' AND JSONExtractString(key, 'type') = 'live'", sent[0], read)
        assert weir.stop() == 0
    finally:
        weir.close()
    return "killed after %s events; %d live events meanwhile" % (killed_at, sent[0])
