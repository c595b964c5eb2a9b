"""The roles of weir as processes of their own on a real broker: they find each other, share the work, and lose and double nothing."""
import json, os, random, threading, time

from crash_test import Load, check
from data_test import DATA, send_file
from kafka import shared
from roles import Role, Roles
from scenarios import Skip
from weir import Weir


def test_one_process_of_each_role_takes_events_in_and_answers():
    with Roles(shared().yaml()) as weir:
        key = weir.tenant("acme")
        took = wait_until_known(weir, key["write_key"])
        assert weir.post("/track", {"visitor_id": "v", "event_type": "page", "event_name": "n"}, key["write_key"])[0] == 200
        weir.settle("SELECT count() FROM events_raw", 1, key["read_key"])
        weir.settle("SELECT sum(event_count) FROM sessions", 1, key["read_key"])
        assert weir.stop() == 0
    return "a new key is known after %.0f ms" % (took * 1000)


def wait_until_known(weir, key, seconds=5):
    """A tenant that was just made is known to every ingest process a moment later: who has no event to send asks with none."""
    began = time.time()
    for ingest in weir.ingests:
        while ingest.post("/track", [], key)[0] == 401:
            assert time.time() - began < seconds, "the key is not known after %d s" % seconds
            time.sleep(0.01)
    return time.time() - began


class Kills(threading.Thread):
    """kill -9 of one process after the other, and up again at once."""

    def __init__(self, roles, pause=0.5):
        super().__init__(daemon=True)
        self.roles, self.pause, self.ended, self.count, self.problem = roles, pause, threading.Event(), 0, None
        self.start()

    def run(self):
        try:
            while not self.ended.wait(self.pause + random.random()):
                role = random.choice(self.roles)
                role.kill9()
                self.count += 1
                role.start()
        except BaseException as e:
            self.problem = e

    def stop(self):
        self.ended.set()
        self.join(90)
        assert not self.problem, self.problem
        return self.count


def send_until_taken(weir, path, body, key, seconds=60):
    """As a client library does it: what has no answer is sent again."""
    end = time.time() + seconds
    while True:
        try:
            status, answer = weir.post(path, body, key, 10)
        except (OSError, ValueError) as e:
            status, answer = 0, e
        if status in (200, 401) or time.time() > end:
            return status, answer
        time.sleep(0.05)


def test_the_data_files_give_what_is_expected_through_two_ingest_and_two_process_killed_at_random():
    if not os.path.isdir(DATA):
        raise Skip("the data files are not here")
    expected = json.load(open(os.path.join(DATA, "expected.json")))
    seed = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
    random.seed(seed)
    with Roles(shared().yaml("journal.partitions: 4\n"), ingest=2, process=2) as weir:
        keys = {name: weir.tenant(name) for name in expected}
        for name in expected:
            wait_until_known(weir, keys[name]["write_key"])
        kills = Kills(weir.all())
        for name, e in expected.items():
            assert send_file(weir, name, keys[name]["write_key"], post=send_until_taken) == e["events"]
        count = kills.stop()
        for name, e in expected.items():
            check_tenant(weir, keys[name]["read_key"], e)
        assert weir.stop() == 0
    return "seed %d: %d kills" % (seed, count)


def check_tenant(weir, read, e):
    weir.settle("SELECT sum(event_count) FROM events_hourly", e["events"], read)
    weir.settle("SELECT sum(event_count) FROM sessions", e["events"], read)
    assert int(weir.one("SELECT count() FROM events_raw", read)) == e["events"]
    assert int(weir.one("SELECT uniqExact(visitor_id) FROM events_raw", read)) == e["visitors"]
    by_type = "SELECT event_type, sum(event_count) FROM events_daily GROUP BY event_type"
    assert {r[0]: int(r[1]) for r in weir.sql(by_type, read)} == e["by_type"]
    assert int(weir.one("SELECT count() FROM sessions", read)) == e["sessions_gap_30m"]
    assert int(float(weir.one("SELECT max(duration_seconds) FROM sessions", read))) == e["longest_session_s"]
