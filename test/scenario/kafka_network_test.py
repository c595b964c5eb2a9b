"""Kafka on bad days that kill nobody: a slow broker, lost packets, cut connections, answers that are lost in the middle of a transaction, a broker that stands
still. Always under load; always every event that was answered 200 is stored once, and all goes on by itself."""
import contextlib, functools, random, signal, threading, time

from crash_test import Load, check
from kafka import OUTSIDE, Kafka
from proxy import ADD_OFFSETS, ADD_PARTITIONS, END_TRANSACTION, OFFSET_COMMIT, PRODUCE
from server import lasting
from weir import Weir


class Gaps(threading.Thread):
    """One event after the other: when the last was taken, and whether any was refused."""

    def __init__(self, weir, key):
        super().__init__(daemon=True)
        self.weir, self.key, self.ended, self.last, self.refused = weir, key, False, time.time(), 0
        self.start()

    def run(self):
        while not self.ended:
            with contextlib.suppress(OSError, ValueError):
                status = self.weir.post("/track", {"visitor_id": "gap", "event_type": "gap", "event_name": "n"}, self.key, 30)[0]
                self.refused += status == 503
                if status == 200:
                    self.last = time.time()
            time.sleep(0.02)


@functools.cache
def behind_a_proxy():
    return lasting(Kafka(proxied=True, within=OUTSIDE))


@contextlib.contextmanager
def under_load(least=100):
    """A weir whose broker is behind a proxy, and senders. At the end: the network is well, and everything is there once."""
    kafka = behind_a_proxy()
    proxy = kafka.proxies[0]
    with Weir(yaml=kafka.yaml()) as weir:
        key = weir.tenant("network")
        load = Load(weir, key["write_key"])
        time.sleep(1)
        try:
            yield kafka, proxy, weir, load
        finally:
            proxy.delay(0, 0)
            proxy.flow()
            proxy.on_request(None)
        time.sleep(1)
        load.stop()
        assert len(load.acknowledged) > least, "only %d acknowledged" % len(load.acknowledged)
        check(weir, key["read_key"], load.acknowledged)
        assert weir.stop() == 0


def test_a_slow_broker_makes_answers_slow_and_nothing_else():
    with under_load() as (_, proxy, weir, load):
        proxy.delay(0.02, 0.15)
        before = len(load.acknowledged)
        time.sleep(8)
        assert len(load.acknowledged) > before, "nothing is taken while the broker is slow"


def test_connections_that_are_cut_and_silences_lose_and_double_nothing():
    dice = random.Random(7)
    with under_load() as (_, proxy, weir, load):
        for turn in range(12):
            if turn % 4 == 3:
                proxy.stall()
                time.sleep(1.5)
                proxy.flow()
            proxy.cut()
            time.sleep(dice.uniform(0.1, 1))
        assert proxy.cuts > 20, "only %d connections were cut" % proxy.cuts


def test_a_request_or_its_answer_lost_at_each_step_of_a_transaction():
    """Each kind of request, cut before it arrives and cut behind it: then the brokers have done it, and weir does not know."""
    left = [(request, when) for request in (PRODUCE, ADD_PARTITIONS, ADD_OFFSETS, OFFSET_COMMIT, END_TRANSACTION) for when in ("before", "after")] * 2
    wanted, lock = len(left), threading.Lock()

    def rule(number):
        with lock:
            if left and left[0][0] == number:
                return left.pop(0)[1]
        return None

    with under_load() as (_, proxy, weir, load):
        proxy.on_request(rule)
        end = time.time() + 35
        while left and time.time() < end:
            time.sleep(0.1)
        assert not left, "%d of %d cuts never happened: %s" % (len(left), wanted, left)


def test_the_coordinator_dies_with_a_commit_under_way():
    kills = []
    with under_load() as (kafka, proxy, weir, load):
        def rule(number):
            if number == END_TRANSACTION and len(kills) < 1:
                kills.append(time.time())
                kafka.signal(signal.SIGKILL)
                return "before"
            return None

        proxy.on_request(rule)
        end = time.time() + 10
        while not kills and time.time() < end:
            time.sleep(0.05)
        assert kills, "no transaction was committed in 10 s"
        time.sleep(0.5)
        kafka.kill()
        kafka.again()
        time.sleep(3)


def test_a_broker_that_stands_still_is_told_as_503_and_all_goes_on():
    with under_load() as (kafka, proxy, weir, load):
        gaps = Gaps(weir, weir.tenant("gaps")["write_key"])
        time.sleep(0.5)
        kafka.signal(signal.SIGSTOP)
        try:
            end = time.time() + 25
            while not gaps.refused and time.time() < end:
                time.sleep(0.1)
            assert gaps.refused, "a broker stands still for 25 s, and nobody is told 503"
        finally:
            kafka.signal(signal.SIGCONT)
        end = time.time() + 20
        while time.time() - gaps.last > 1 and time.time() < end:
            time.sleep(0.1)
        assert time.time() - gaps.last < 5, "the broker goes on and nothing is taken"
        gaps.ended = True
        gaps.join(30)
