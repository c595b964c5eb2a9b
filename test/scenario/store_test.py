"""The store on bad days: a back-fill over 27 years while the engine is killed in mid-insert, an engine that stands still, and how soon one event is visible."""
import os, random, signal, statistics, threading, time, uuid

from by_seed import by_seed
from weir import Weir

SHARED_PARTITION_MONTHS = 324  # January 1999 to December 2025


def backfill(number):
    """250 events, each in another month than the one before: every insert touches hundreds of partitions."""
    events = []
    for i in range(250):
        month = (number * 250 + i) % SHARED_PARTITION_MONTHS
        events.append({"event_id": str(uuid.uuid4()), "visitor_id": "v%d" % (i % 50), "event_type": "commit", "event_name": "n",
                       "timestamp": "%d-%02d-%02dT12:00:00Z" % (1999 + month // 12, month % 12 + 1, 1 + number % 28)})
    return events


def exact(weir, key, want, seconds=120):
    """Raw rows, distinct ids and both rollups agree, and nothing is missing."""
    end, seen = time.time() + seconds, None
    while time.time() < end:
        try:
            seen = [int(x) for x in weir.sql("SELECT count(), uniqExact(event_id) FROM events_raw", key)[0]]
            seen += [int(weir.one("SELECT sum(event_count) FROM %s" % table, key)) for table in ("events_hourly", "events_daily")]
            if seen == [want] * 4:
                return
            assert max(seen) <= want, "sent %d; raw, distinct, hourly, daily: %s" % (want, seen)
        except (RuntimeError, OSError, TypeError):
            pass  # the engine is away just now
        time.sleep(0.2)
    raise AssertionError("sent %d; raw, distinct, hourly, daily: %s" % (want, seen))


@by_seed
def test_engine_killed_in_the_middle_of_a_backfill_over_27_years():
    with Weir() as weir:
        key = weir.tenant("history", "--quota", "unlimited", "--retention", "unlimited")
        accepted, ended = [], threading.Event()

        def send():
            for number in range(40):
                status, answer = weir.post("/track", backfill(number), key["write_key"], 30)
                assert status == 200, answer
                accepted.append(answer["accepted"])
                time.sleep(0.1)
            ended.set()

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        kills = 0
        while not ended.is_set() and sender.is_alive():
            time.sleep(0.3 + random.random())  # an insert takes about a second
            pid = weir.engine_pid()
            if pid:
                os.kill(pid, signal.SIGKILL)
                kills += 1
        sender.join()
        assert accepted == [250] * 40, "accepted %s" % accepted
        assert kills >= 3, "only %d kills" % kills
        exact(weir, key["read_key"], 10000)
        months = int(weir.one("SELECT uniqExact(toYYYYMM(timestamp)) FROM events_raw", key["read_key"]))
        assert months == SHARED_PARTITION_MONTHS, "%d months" % months
        return "%d kills, 10000 events in %d months" % (kills, months)


def test_an_engine_that_stands_still_stops_nobody_and_loses_nothing():
    with Weir() as weir:
        key = weir.tenant("still")
        sent, slowest = 0, 0
        engine = weir.engine_pid()
        os.kill(engine, signal.SIGSTOP)
        try:
            for i in range(60):
                body = [{"visitor_id": "v%d" % i, "event_type": "t", "event_name": "n"} for _ in range(20)]
                began = time.time()
                status, answer = weir.post("/track", body, key["write_key"], 10)
                slowest = max(slowest, time.time() - began)
                assert status == 200 and answer["accepted"] == 20, answer
                sent += 20
                time.sleep(0.05)
        finally:
            os.kill(engine, signal.SIGCONT)
        exact(weir, key["read_key"], sent)
        return "%d events accepted meanwhile, slowest answer %.0f ms" % (sent, slowest * 1e3)


def test_one_event_is_visible_at_once():
    with Weir() as weir:
        key = weir.tenant("lone")
        times = []
        for i in range(20):
            status, answer = weir.post("/track", {"visitor_id": "v", "event_type": "t", "event_name": "n"}, key["write_key"])
            began = time.time()
            assert status == 200, answer
            while int(weir.one("SELECT count() FROM events_raw", key["read_key"])) <= i:
                assert time.time() - began < 10, "not visible after 10 s"
                time.sleep(0.002)
            times.append(time.time() - began)
            time.sleep(0.1)
        # 100 ms is the aim on a machine of one's own; two and a half times that says that nobody waited for company.
        assert statistics.median(times) < 0.25, "median %.0f ms" % (statistics.median(times) * 1e3)
        return "visible after %.0f ms (median), %.0f ms (worst)" % (statistics.median(times) * 1e3, max(times) * 1e3)
