"""Retention: what is older than its tenant's leaves every table, in good time; what is younger stays, and so does everything of who keeps all. A domain may keep a part for a shorter time."""
import contextlib, json, os, threading, time

from data_test import DATA, send_file
from engine_url_test import named, olap
from evolve_test import put
from proxy import Proxy
from replay_test import EARLY, replay
from scenarios import Skip
from validate_test import reload
from weir import Weir, free_port

DAY_MS = 86400000
DAYS = 4000
# table → when a row of it is over
TIMES = {"events_raw": "timestamp", "late_events": "timestamp", "sessions": "ended_at", "windows": "window_end", "replays": "range_to"}
COUNTS = "SELECT %s" % ", ".join("(SELECT count() FROM %s WHERE %s %%s)" % pair for pair in TIMES.items())


def in_a_month_that_counts(line):
    """Two of a year: each month is a partition, and each that holds something old is written anew."""
    return json.loads(line)["timestamp"][5:7] in ("01", "02")


def counts(weir, read, which):
    return [int(n) for n in weir.sql(COUNTS % ((which,) * len(TIMES)), read)[0]]


def test_what_is_past_the_retention_goes_from_all_tables_and_rollups_and_other_tenants_stay():
    if not os.path.isdir(DATA):
        raise Skip("the data files are not here")
    weir = Weir(domain=EARLY, yaml="retention_every: 2s\n").start()
    try:
        keys = {name: weir.tenant(name) for name in ("redis", "libuv")}
        expected = {name: send_file(weir, name, keys[name]["write_key"], wanted=in_a_month_that_counts) for name in keys}
        for name in keys:
            weir.settle("SELECT count() FROM events_raw", expected[name], keys[name]["read_key"])
            weir.settle("SELECT (SELECT sum(event_count) FROM windows WHERE window = 'by_hour') + (SELECT sum(event_count) FROM late_events WHERE window = 'by_hour')",
                        expected[name], keys[name]["read_key"])
        replay(weir, keys["redis"]["write_key"], "--from", "1990-01-01", "--to", "2012-01-01")
        replay(weir, keys["redis"]["write_key"], "--from", "2012-01-01")
        read, rollup = keys["redis"]["read_key"], "SELECT sum(event_count) FROM events_daily"
        now = int(time.time() * 1000)
        kept = ">= fromUnixTimestamp64Milli(toInt64(%d))" % (now - DAYS * DAY_MS)
        gone = "< fromUnixTimestamp64Milli(toInt64(%d))" % (now - DAYS * DAY_MS * 33 // 32 - 3 * DAY_MS)
        young, old, all_of_other = counts(weir, read, kept), counts(weir, read, gone), counts(weir, keys["libuv"]["read_key"], "> 0")
        assert min(old) > 0 and min(young[:-1]) > 0, (old, young)
        assert not any("retention.removed" in line for line in weir.log_text().splitlines())

        done = weir.cli("tenant", "update", "redis", "--retention", str(DAYS), "--url", weir.api(""))
        assert done.returncode == 0, done.stdout + done.stderr
        end = time.time() + 60
        while any(counts(weir, read, gone)) and time.time() < end:
            time.sleep(0.2)
        assert counts(weir, read, gone) == [0] * len(TIMES)
        assert counts(weir, read, kept) == young
        assert counts(weir, keys["libuv"]["read_key"], "> 0") == all_of_other
        assert int(weir.one(rollup, read)) == expected["redis"]
        removed = weir.metric("retention_removed_rows_total")
        assert removed >= sum(old), (removed, old)
        # A pass that finds nothing removes nothing, and says when it was.
        finished = weir.metric("retention_finished_seconds")
        while weir.metric("retention_finished_seconds") == finished and time.time() < end:
            time.sleep(0.2)
        assert weir.metric("retention_removed_rows_total") == removed and weir.metric("retention_failures_total") == 0
        assert weir.stop() == 0
    finally:
        weir.close()
    return "%d rows removed, %s before and %s since" % (removed, old, young)


SHORTER = """domain: short
tenants: [acme]
event_types:
  - {name: ping, retention: 30d}
  - {name: pay}
windows:
  - {name: pings_1d, size: 1d, where: event_type == 'ping', measures: {pings: count()}, lateness: 400d, retention: 60d}
  - {name: pays_1d, size: 1d, where: event_type == 'pay', measures: {pays: count()}, lateness: 400d}
"""


def days_of(weir, read, table, column, name, now_ms):
    """name → how many days old its rows are."""
    days = "intDiv(%d - toUnixTimestamp64Milli(%s), %d)" % (now_ms, column, DAY_MS)
    return {kind: sorted(map(int, ages)) for kind, ages in weir.sql("SELECT %s, groupUniqArray(%s) FROM %s GROUP BY 1" % (name, days, table), read)}


def test_a_domain_keeps_an_event_type_and_a_window_for_a_shorter_time():
    ago, now_ms = [5, 25, 50, 100, 300], int(time.time() * 1000)
    kept = {"ping": [5, 25], "pay": ago}, {"pings_1d": [5, 25, 50], "pays_1d": ago}
    events = [{"visitor_id": "v", "event_type": kind, "timestamp": now_ms - days * DAY_MS} for days in reversed(ago) for kind in ("ping", "pay")]
    with Weir(domain=SHORTER, yaml="retention_every: 2s\n") as weir:
        key, other = weir.tenant("acme"), weir.tenant("other")
        write, read = key["write_key"], key["read_key"]
        for to in (other, key):
            assert weir.post("/track", events, to["write_key"])[1]["accepted"] == len(events)
        end, seen = time.time() + 60, None
        while seen != kept and time.time() < end:
            seen = tuple(days_of(weir, read, *table, now_ms) for table in (("events_raw", "timestamp", "event_type"), ("windows", "window_start", "window")))
            time.sleep(0.2)
        assert seen == kept, seen
        weir.settle("SELECT sum(event_count) FROM events_daily", len(events), read)
        passes = weir.metric("retention_finished_seconds")
        weir.until(lambda: weir.metric("retention_finished_seconds") > passes)
        theirs = days_of(weir, other["read_key"], "events_raw", "timestamp", "event_type", now_ms)
        assert theirs == {"ping": ago, "pay": ago}, "the domain is not for them: %s" % theirs
        # What is gone cannot be counted again.
        refused = weir.cli("replay", "--url", weir.api(""), "--key", write, "--from", "2020-01-01")
        assert refused.returncode != 0 and "may be gone by the retention of ping" in refused.stderr, refused


class Holding(Proxy):
    """In front of an engine: once armed, it holds back the first request with all of these words in it, until told to go on."""

    def __init__(self, *words):
        super().__init__()
        self.words, self.armed, self.holds, self.go = words, False, threading.Event(), threading.Event()

    def _requests(self, pair):
        near, far = pair
        with contextlib.suppress(OSError):
            while piece := near.recv(1 << 18):
                if self.armed and not self.holds.is_set() and all(word in piece for word in self.words):
                    self.holds.set()
                    self.go.wait(60)
                self._pass(far, piece)
        self._end(pair)


def test_who_keeps_for_longer_in_the_middle_of_a_pass_loses_nothing_to_the_rules_of_before():
    ago, now_ms = [5, 100, 300], int(time.time() * 1000)
    longer = SHORTER.replace("retention: 30d", "description: kept")
    front, port = Holding(b"SELECT count() FROM weir.events_raw", b"event_type = 'ping'"), free_port()
    weir = named(front.port, "retention_every: 1s\n")
    weir.engine_port = port
    front.forward_to("127.0.0.1:%d" % port)
    put(weir.config, short=longer)
    try:
        with olap(weir), weir:
            key = weir.tenant("acme")
            events = [{"visitor_id": "v", "event_type": "ping", "timestamp": now_ms - days * DAY_MS} for days in reversed(ago)]
            assert weir.post("/track", events, key["write_key"])[1]["accepted"] == len(events)
            weir.settle("SELECT count() FROM events_raw", len(events), key["read_key"])
            front.armed = True
            put(weir.config, short=SHORTER)
            reload(weir, "process.changed")
            assert front.holds.wait(30), "no pass asks for pings"
            put(weir.config, short=longer)
            reload(weir, "process.changed")
            finished = weir.metric("retention_finished_seconds")
            front.go.set()
            weir.until(lambda: weir.metric("retention_finished_seconds") > finished)
            assert int(weir.one("SELECT count() FROM events_raw", key["read_key"])) == len(events), weir.log_text()[-2000:]
            assert "table=events_raw" not in weir.log_text()
            # And the next pass is by the rules that are there then.
            put(weir.config, short=SHORTER)
            reload(weir, "process.changed")
            weir.settle("SELECT count() FROM events_raw", 1, key["read_key"])
            assert weir.stop() == 0
    finally:
        front.go.set()
        front.close()
