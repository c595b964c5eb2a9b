"""Races between threads that unit tests do not have: a real broker, load, and all that may come and go, under ThreadSanitizer. tools/tsan.sh
builds that weir. Its engine is another process's, of the plain build: the engine's library ends by SIGSEGV in a process with the sanitizer."""
import contextlib, json, os, signal, threading, time, urllib.request

from crash_test import Load, check
from engine_url_test import PASSWORD, SECRET, olap
from kafka import shared
from kafka_contract_test import keep_contract
from ports import free_port
from roles import Roles
from roles_test import wait_until_known
from scenarios import Skip
from sink_test import make_topic
from weir import ROOT, Weir

OPTIONS = {"TSAN_OPTIONS": "halt_on_error=1 suppressions=" + os.path.join(ROOT, "tools", "tsan_suppressions.txt")}  # ends with 66 at the first
QUESTIONS = ["SELECT count() FROM events_raw", "SELECT event_type, uniq(visitor_id) FROM events_raw GROUP BY 1", "SELECT sum(event_count) FROM sessions"]


def of_long_runs():
    if not os.environ.get("WEIR_LONG"):
        raise Skip("WEIR_LONG=1 runs it, after tools/tsan.sh: minutes on a machine that is busy")


def seen(weir):
    weir.binary, weir.environment = os.path.join(ROOT, "build-tsan", "weir"), {**OPTIONS, **SECRET}
    if not os.path.exists(weir.binary):
        raise Skip("tools/tsan.sh builds build-tsan/weir")
    return weir


class Readers:
    """Who asks, watches and administrates, each as often as there is an answer. What is away for a moment is asked again."""

    def __init__(self, weir, key, ports):
        self.weir, self.key, self.ports, self.ended = weir, key, ports, threading.Event()
        self.counts = dict.fromkeys(("sql", "live", "stream", "metrics", "tenant"), 0)
        self.threads = [threading.Thread(target=self.run, args=(name,), daemon=True) for name in self.counts]
        for thread in self.threads:
            thread.start()

    def run(self, name):
        while not self.ended.wait(0.1):
            with contextlib.suppress(OSError, RuntimeError, AssertionError):
                getattr(self, name)()
                self.counts[name] += 1

    def sql(self):
        for question in QUESTIONS:
            self.weir.sql(question, self.key)

    def live(self):
        request = urllib.request.Request(self.weir.api("/v1/live"), headers={"Authorization": "Bearer " + self.key, "Accept": "text/event-stream"})
        with urllib.request.urlopen(request, timeout=10) as feed:
            for _ in range(20):
                feed.readline()

    def stream(self):
        assert "partitions" in json.loads(self.weir.request("GET", self.weir.api("/v1/stream"), None, {"Authorization": "Bearer " + self.key})[1])

    def metrics(self):
        for port in self.ports:
            self.weir.metric("up", port)

    def tenant(self):
        self.weir.tenant("t%d" % self.counts["tenant"])

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(30)
        assert all(self.counts.values()), "%s\n%s" % (self.counts, self.weir.log_text()[-6000:])


def reload(weir, processes, number):
    """SIGHUP to all of them, with domains that are others than before."""
    with open(os.path.join(weir.config, "domains", "of_test.yaml"), "w") as f:
        f.write("domain: proof\nwindows:\n  - {name: pages, size: %ds, by: [event_type], measures: {n: count()}}\n" % (10 + number))
    for process in processes:
        process.process.send_signal(signal.SIGHUP)


@contextlib.contextmanager
def started(weir, port, *processes):
    """With its engine, of the plain build, on that port."""
    weir.engine_port = port
    for part in (weir, *processes):
        seen(part)
    with olap(weir), weir:
        yield weir.tenant("acme")


def engine(port):
    return "engine.url: http://127.0.0.1:%d\n%s" % (port, PASSWORD)


def test_one_process_on_files_races_about_nothing_under_load_and_new_domains():
    of_long_runs()
    port = free_port()
    weir = Weir(yaml=engine(port))
    with started(weir, port) as key:
        load, readers = Load(weir, key["write_key"], pause=0.1), Readers(weir, key["read_key"], [weir.ingest_port])
        for number in range(3):
            reload(weir, [weir], number)
            time.sleep(2)
        load.stop()
        readers.stop()
        note = check(weir, key["read_key"], load.acknowledged)
        assert weir.stop(60) == 0, weir.log_text()[-6000:]
        return "%s; %s" % (note, readers.counts)


def test_two_processes_of_each_stage_race_about_nothing_while_partitions_move_between_them_under_load():
    of_long_runs()
    kafka, port = shared(), free_port()
    weir = Roles(kafka.yaml("journal.partitions: 4\nsinks.out: {kind: kafka, brokers: '%s', topic: %s, results: events}\n%s" % (
        kafka.address, make_topic(kafka), engine(port))), ingest=2, process=2)
    with started(weir, port, *weir.all()) as key:
        wait_until_known(weir, key["write_key"], 30)
        load, readers = Load(weir, key["write_key"], pause=0.1, timeout=20), Readers(weir, key["read_key"], [role.door() for role in weir.all()])
        for number, role in enumerate((*weir.processes, weir.ingests[0])):
            reload(weir, weir.all(), number)
            time.sleep(1)
            assert role.stop(60) == 0, role.log_text()[-6000:]
            role.start()
        load.stop()
        readers.stop()
        note = check(weir, key["read_key"], load.acknowledged)
        assert weir.stop(60) == 0, "".join(role.log_text()[-3000:] for role in weir.all())
        return "%s; %s" % (note, readers.counts)


def test_the_journals_contract_with_a_real_broker():
    of_long_runs()
    for name in ("commit", "reading", "sharing"):
        keep_contract(name, "build-tsan", OPTIONS)
