#!/usr/bin/env python3
"""The long set of bad days: weir on three real brokers (three copies, two in sync), senders all the time, and random faults for minutes: brokers killed, one and two at
once, standing still; slow, silent and cut connections; requests lost in the middle of transactions; weir killed and stopped. Ends with every event that was
answered 200 stored once, and rollups and sessions that agree, or with what is wrong.
usage: test/soak.py [MINUTES]     default 10; SEED=N repeats the faults of a run"""
import collections, os, random, signal, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "support"), os.path.join(HERE, "scenario")]
from crash_test import Load, check  # noqa: E402
from kafka import Kafka  # noqa: E402
from proxy import ADD_OFFSETS, ADD_PARTITIONS, END_TRANSACTION, OFFSET_COMMIT, PRODUCE  # noqa: E402
from scratch import scratch  # noqa: E402
from weir import Weir  # noqa: E402

BROKERS = 3
RECOVERY_MAX_S = 60


class Soak:
    def __init__(self, seed, kafka, weir):
        self.dice, self.kafka, self.weir, self.counts = random.Random(seed), kafka, weir, collections.Counter()

    def broker(self):
        return self.dice.randint(1, BROKERS)

    def kill_one(self):
        broker = self.broker()
        self.kafka.kill(broker)
        time.sleep(self.dice.uniform(0, 8))
        self.kafka.again(broker)

    def kill_two(self):
        first, second = self.dice.sample(range(1, BROKERS + 1), 2)
        self.kafka.kill(first)
        self.kafka.kill(second)
        time.sleep(self.dice.uniform(0, 20))
        self.kafka.again(first)
        self.kafka.again(second)

    def stop_one(self):
        broker = self.broker()
        self.kafka.stop(broker)
        self.kafka.again(broker)

    def pause_one(self):
        broker = self.broker()
        self.kafka.signal(signal.SIGSTOP, broker)
        time.sleep(self.dice.uniform(1, 15))
        self.kafka.signal(signal.SIGCONT, broker)

    def slow(self):
        proxy = self.dice.choice(self.kafka.proxies)
        proxy.delay(0.01, self.dice.uniform(0.05, 0.3))
        time.sleep(self.dice.uniform(2, 8))
        proxy.delay(0, 0)

    def silent(self):
        proxy = self.dice.choice(self.kafka.proxies)
        proxy.stall()
        time.sleep(self.dice.uniform(0.5, 12))
        proxy.cut()
        proxy.flow()

    def cut(self):
        for _ in range(self.dice.randint(1, 10)):
            self.dice.choice(self.kafka.proxies).cut()
            time.sleep(self.dice.uniform(0, 0.5))

    def lose_requests(self):
        wanted = {r for r in (PRODUCE, ADD_PARTITIONS, ADD_OFFSETS, OFFSET_COMMIT, END_TRANSACTION) if self.dice.random() < 0.5}
        often = self.dice.uniform(0.02, 0.3)
        own = random.Random(self.dice.random())
        for proxy in self.kafka.proxies:
            proxy.on_request(lambda number: own.choice(("before", "after")) if number in wanted and own.random() < often else None)
        time.sleep(self.dice.uniform(1, 8))
        for proxy in self.kafka.proxies:
            proxy.on_request(None)

    def kill_weir(self):
        self.weir.kill9()
        self.weir.start(120)

    def stop_weir(self):
        assert self.weir.stop(60) == 0
        self.weir.start(120)

    def fault(self):
        what = self.dice.choice((self.kill_one, self.kill_one, self.kill_two, self.stop_one, self.pause_one, self.slow, self.silent, self.cut,
                                 self.lose_requests, self.lose_requests, self.kill_weir, self.stop_weir))
        self.counts[what.__name__] += 1
        what()
        return what.__name__


def await_answers(load, what):
    began = time.time()
    while load.last_s < began:
        assert time.time() - began < RECOVERY_MAX_S, "after %s nothing was taken for %d s" % (what, RECOVERY_MAX_S)
        time.sleep(0.1)
    return time.time() - began


def main(minutes):
    seed = int(os.environ.get("SEED") or random.randrange(1 << 30))
    print("soak: %g minutes, SEED=%d" % (minutes, seed), flush=True)
    began, slowest = time.time(), (0, "nothing")
    with scratch(), Kafka(BROKERS, proxied=True) as kafka, Weir(yaml=kafka.yaml("journal.partitions: 4\n")) as weir:
        key = weir.tenant("soak")
        load, soak = Load(weir, key["write_key"], pause=0.2), Soak(seed, kafka, weir)
        began = time.time()
        while time.time() - began < minutes * 60:
            time.sleep(soak.dice.uniform(0.5, 3))
            what = soak.fault()
            slowest = max(slowest, (await_answers(load, what), what))
            left = max(0, minutes * 60 - (time.time() - began))
            print("soak: %4d s left  %3d faults, last %-13s  %d events acknowledged" % (left, sum(soak.counts.values()), what, len(load.acknowledged)), flush=True)
        load.stop()
        note = check(weir, key["read_key"], load.acknowledged)
        assert weir.stop(60) == 0
    print("soak: %s" % note)
    print("soak: faults: %s" % ", ".join("%s %d" % pair for pair in sorted(soak.counts.items())))
    print("soak: longest time without an answer %.1f s; longest from the end of a fault to an answer %.1f s (%s)" % (load.gap_s, *slowest))
    print("soak: passed, SEED=%d" % seed)


if __name__ == "__main__":
    try:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
    except AssertionError as e:
        sys.exit("soak: FAILED: %s" % "\n".join([str(e), *getattr(e, "__notes__", [])]))
