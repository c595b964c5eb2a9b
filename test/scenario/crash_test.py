"""kill -9 of weir, of the engine, of both, at random under load: what was acknowledged is stored, once, and the rollups agree."""
import json, os, random, signal, threading, time, uuid

from by_seed import by_seed
from weir import Weir

KILLS = int(os.environ.get("WEIR_KILLS", "10"))


class Load:
    """Four senders with ids of their own; a batch without an answer is sent again, as a client library does. pause: between two batches, where
    all of them are to be compared after minutes."""

    def __init__(self, weir, key, pause=0, timeout=5):
        self.weir, self.key, self.acknowledged, self.lock, self.ended = weir, key, set(), threading.Lock(), threading.Event()
        self.pause, self.timeout = pause, timeout
        self.refused, self.last_s, self.gap_s = 0, time.time(), 0  # 503s; the last 200; the longest time between two
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(4)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.ended.is_set():
            ids = [str(uuid.uuid4()) for _ in range(50)]
            body = [{"event_id": i, "visitor_id": "v" + i[:2], "event_type": "t" + i[0], "event_name": "n", "properties": {"page": "/" + i[:1]}} for i in ids]
            while True:
                try:
                    status, answer = self.weir.post("/track", body, self.key, self.timeout)
                    if status == 200:
                        assert answer["accepted"] == 50, answer
                        with self.lock:
                            self.acknowledged.update(ids)
                            self.gap_s, self.last_s = max(self.gap_s, time.time() - self.last_s), time.time()
                        break
                    self.refused += status == 503
                except (OSError, ValueError, json.JSONDecodeError):
                    pass
                if self.ended.is_set():
                    break
                time.sleep(0.02)
            time.sleep(self.pause)

    def longest_gap_s(self, during):
        """The longest time without an answer while `during` is done, also one that has not ended then."""
        with self.lock:
            self.gap_s, self.last_s = 0, time.time()
        during()
        with self.lock:
            return max(self.gap_s, time.time() - self.last_s)

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(20)


def check(weir, key, acknowledged):
    end, count = time.time() + 90, None
    while time.time() < end:
        try:
            count = [int(x) for x in weir.sql("SELECT count(), uniqExact(event_id) FROM events_raw", key)[0]]
            hourly = int(weir.one("SELECT sum(event_count) FROM events_hourly", key))
            daily = int(weir.one("SELECT sum(event_count) FROM events_daily", key))
            if count[0] >= len(acknowledged) and hourly == count[0] and weir.metric("kafka_lag") == 0:
                break
        except (RuntimeError, OSError, TypeError):
            pass
        time.sleep(0.2)
    stored = {row[0] for row in weir.all_rows("SELECT event_id FROM events_raw ORDER BY event_id", key)}
    lost = acknowledged - stored
    assert not lost, "%d of %d acknowledged events are lost" % (len(lost), len(acknowledged))
    assert count[0] == count[1] == hourly == daily, "stored %d, distinct %d, hourly %d, daily %d" % (*count, hourly, daily)
    weir.settle("SELECT sum(event_count) FROM sessions", count[0], key)
    return "%d acknowledged, %d stored, as many in sessions" % (len(acknowledged), count[0])


@by_seed
def crashes(kill, kills):
    weir = Weir().start()
    try:
        key = weir.tenant("crash")
        load = Load(weir, key["write_key"])
        for _ in range(kills):
            time.sleep(0.5 + 1.5 * random.random())
            kill(weir)
        time.sleep(1)
        load.stop()
        assert len(load.acknowledged) > 500, "only %d acknowledged" % len(load.acknowledged)
        note = check(weir, key["read_key"], load.acknowledged)
        assert weir.stop() == 0
        return "%d kills, %s" % (kills, note)
    finally:
        weir.close()


def test_weir_killed_and_started_again():
    def kill(weir):
        weir.kill9_self()
        weir.start()
    return crashes(kill, KILLS)


def test_engine_killed_and_restarted_by_weir():
    def kill(weir):
        pid = weir.engine_pid()
        if pid:
            os.kill(pid, signal.SIGKILL)
    return crashes(kill, KILLS)


def test_both_killed_at_once():
    def kill(weir):
        weir.kill9()
        weir.start()
    return crashes(kill, KILLS)


def test_the_engine_dies_with_its_parent():
    with Weir() as weir:
        engine = weir.engine_pid()
        assert engine
        weir.kill9_self()
        end = time.time() + 5
        while time.time() < end and os.path.exists("/proc/%d" % engine):
            state = open("/proc/%d/stat" % engine).read().rsplit(")", 1)[1].split()[0] if os.path.exists("/proc/%d/stat" % engine) else "X"
            if state in "ZX":
                break
            time.sleep(0.05)
        else:
            assert not os.path.exists("/proc/%d" % engine), "the engine outlives weir"
