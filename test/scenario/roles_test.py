"""The roles of weir as processes of their own on a real broker: they find each other, share the work, and lose and double nothing."""
import json, os, random, signal, threading, time, urllib.request

from crash_test import Load, check
from data_test import DATA, check_tenant, send_file
from kafka import Kafka, shared
from roles import Role, Roles
from scenarios import Skip
from weir import Weir


def test_one_process_of_each_role_takes_events_in_and_answers():
    with Roles(shared().yaml()) as weir:
        key = weir.tenant("acme")
        took = wait_until_known(weir, key["write_key"])
        request = urllib.request.Request(weir.api("/v1/live"), headers={"Authorization": "Bearer " + key["read_key"], "Accept": "text/event-stream"})
        with urllib.request.urlopen(request, timeout=20) as live:
            assert weir.post("/track", {"visitor_id": "v", "event_type": "page", "event_name": "canary"}, key["write_key"])[0] == 200
            while "canary" not in live.readline().decode():  # the feed knows it from the journal: no task is in its process
                pass
            assert weir.post("/track", [{"visitor_id": "v"}, {"event_type": "page"}], key["write_key"])[1]["rejected"] == 2
            while '"rejected":{"missing_field":2}' not in (line := live.readline().decode()):  # and what another process refused
                pass
            assert '"dead_letters":0' in line, line  # those that processing refused
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
    """kill -9 of one process after the other, each time a random one, and up again."""

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
                self.again(role)
        except BaseException as e:
            self.problem = e

    def again(self, role):
        """As a supervisor does: who ends because a broker died while it started (74, 75) is started again."""
        for _ in range(5):
            try:
                return role.start()
            except AssertionError:
                if role.process.returncode not in (74, 75):
                    raise
        raise AssertionError("five starts failed: " + role.log_text()[-2000:])

    def stop(self):
        self.ended.set()
        self.join(90)
        assert not self.is_alive(), "the last one that was killed is not back after 90 s"
        assert not self.problem, self.problem
        return self.count


class Broker:
    """One of several, as Kills takes it: away for long enough that the others choose new leaders."""

    def __init__(self, kafka, number):
        self.kafka, self.number = kafka, number

    def kill9(self):
        self.kafka.kill(self.number)
        time.sleep(4)

    def start(self):
        self.kafka.again(self.number)


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


def seeded():
    seed = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
    random.seed(seed)
    return seed


def send_and_check(weir, expected, keys, *kills):
    """The data files, while what is in kills happens; how often it did."""
    for name, e in expected.items():
        assert send_file(weir, name, keys[name]["write_key"], batch=200, post=send_until_taken) == e["events"]
    counts = [kill.stop() for kill in kills]
    for name, e in expected.items():
        check_tenant(weir, keys[name]["read_key"], e)
    return counts


def test_the_data_files_give_what_is_expected_through_two_ingest_and_two_process_killed_at_random():
    if not os.path.isdir(DATA):
        raise Skip("the data files are not here")
    expected, seed = json.load(open(os.path.join(DATA, "expected.json"))), seeded()
    with Roles(shared().yaml("journal.partitions: 4\n"), ingest=2, process=2) as weir:
        keys = {name: weir.tenant(name) for name in expected}
        for name in expected:
            wait_until_known(weir, keys[name]["write_key"])
        counts = send_and_check(weir, expected, keys, Kills(weir.all()))
        assert weir.stop() == 0
    return "seed %d: %d kills" % (seed, *counts)


def test_the_data_files_through_three_brokers_which_are_killed_too_one_and_two_at_once():
    if not os.environ.get("WEIR_LONG"):
        raise Skip("takes two minutes: WEIR_LONG=1 test/run_scenarios.py three_brokers")
    expected, seed = json.load(open(os.path.join(DATA, "expected.json"))), seeded()
    with Kafka(3) as kafka, Roles(kafka.yaml("journal.partitions: 4\n"), ingest=2, process=2) as weir:
        keys = {name: weir.tenant(name) for name in (*expected, "load")}
        for key in keys.values():
            wait_until_known(weir, key["write_key"])
        load = Load(weir, keys["load"]["write_key"], pause=0.2, timeout=30)
        one_away_s = load.longest_gap_s(lambda: away(kafka, 1, seconds=6))
        two_away(kafka, weir, load, keys["load"]["read_key"])
        load.stop()
        counts = send_and_check(weir, expected, keys, Kills(weir.all()), Kills([Broker(kafka, number) for number in (1, 2, 3)], pause=2))
        note = check(weir, keys["load"]["read_key"], load.acknowledged)
        assert weir.stop() == 0
    return "seed %d: %d kills of processes, %d of brokers; %s; one broker away: senders waited %.1f s at most" % (seed, *counts, note, one_away_s)


def away(kafka, *brokers, seconds=0, meanwhile=lambda: None):
    for broker in brokers:
        kafka.kill(broker)
    time.sleep(seconds)
    meanwhile()
    for broker in brokers:
        kafka.again(broker)


def two_away(kafka, weir, load, read):
    """Of three: nothing is taken that one copy alone would have; what is stored is answered; and all goes on by itself when they are back."""
    def refused_and_answered():
        before = load.refused
        await_true(lambda: load.refused > before)
        assert int(weir.one("SELECT count() FROM events_raw", read)) > 0

    away(kafka, 2, 3, meanwhile=refused_and_answered)
    back_s = time.time()
    await_true(lambda: load.last_s > back_s)


def await_true(what, seconds=40):
    end = time.time() + seconds
    while time.time() < end:
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("not in %d s" % seconds)


def test_a_process_paused_past_its_session_or_joined_and_left_loses_and_doubles_nothing():
    with Roles(shared().yaml("journal.partitions: 4\nkafka.session_timeout: 6s\n"), process=2) as weir:
        first, second = weir.processes
        key = weir.tenant("crash")
        wait_until_known(weir, key["write_key"])
        load = Load(weir, key["write_key"])
        await_true(lambda: first.metric("process_partitions") == second.metric("process_partitions") == 2)
        time.sleep(1)
        first.pause()
        try:
            began = time.time()
            await_true(lambda: second.metric("process_partitions") == 4 and second.is_ready())
            taken_over_s = time.time() - began
            time.sleep(1)
        finally:
            first.wake()
        await_true(lambda: "another process has taken this partition over" in first.log_text() or "partitions_lost" in first.log_text())
        await_true(lambda: first.metric("process_partitions") == second.metric("process_partitions") == 2 and first.is_ready() and second.is_ready())
        third = Role("process", weir.config).start()
        try:
            await_true(lambda: third.metric("process_partitions") == 1 and third.is_ready())
            time.sleep(1)
            assert third.stop() == 0
            await_true(lambda: first.metric("process_partitions") + second.metric("process_partitions") == 4)
        finally:
            third.close()
        load.stop()
        assert len(load.acknowledged) > 500, "only %d acknowledged" % len(load.acknowledged)
        note = check(weir, key["read_key"], load.acknowledged)
        assert weir.stop() == 0
    return "%s; paused: others had its partitions after %.1f s" % (note, taken_over_s)


def owners(weir, state="running"):
    """By partition, as serve tells it: the name of the process that has it; None: nobody, or not in that state."""
    tasks = json.loads(weir.request("GET", weir.api("/v1/stream"))[1])["partitions"]
    assert [task["partition"] for task in tasks] in ([], [0, 1, 2, 3]), tasks
    return [task["owner"] if task["owned"] and task["state"] == state else None for task in tasks]


def test_serve_tells_how_the_tasks_of_all_processes_are_and_who_has_them():
    with Roles(shared().yaml("journal.partitions: 4\nkafka.session_timeout: 6s\n"), process=2) as weir:
        names = [open(os.path.join(role.data, "instance")).read() for role in weir.processes]
        await_true(lambda: sorted(owners(weir), key=str) == sorted(names * 2))
        key = weir.tenant("acme")
        wait_until_known(weir, key["write_key"])
        events = [{"visitor_id": "v%d" % i, "event_type": "view", "event_name": "n"} for i in range(200)]
        assert weir.post("/track", events, key["write_key"])[0] == 200

        def health():
            return json.loads(weir.request("GET", weir.api("/v1/stream"), None, {"Authorization": "Bearer " + key["read_key"]})[1])

        await_true(lambda: sum(task.get("events", 0) for task in health()["partitions"]) == 200 and len(health()["watermarks"]) == 4)
        assert all(w["customer_id"] == "acme" for w in health()["watermarks"]) and all(task["commits"] > 0 and task["position"] > 0 for task in health()["partitions"])
        shown = weir.cli("top", "--stream", "--once", "--url", weir.api(""), "--key", key["read_key"]).stdout
        assert all(any(line.startswith(name) and " has " in line for line in shown.splitlines()) for name in names), shown
        assert weir.serve.metric("process_partitions_unowned") == 0
        dead, other = weir.processes
        dead.kill9()
        await_true(lambda: owners(weir) == [names[1]] * 4)
        assert other.stop() == 0
        await_true(lambda: owners(weir) == [None] * 4)
        left = json.loads(weir.request("GET", weir.api("/v1/stream"))[1])["partitions"]
        assert all(task["owner"] == names[1] and task["not_owned_since_ms"] <= time.time() * 1000 and "events" not in task for task in left), left
        await_true(lambda: weir.serve.metric("process_partitions_unowned") == 4)
        weir.serve.kill9()
        weir.serve.start()  # and who was here before it was is known, too
        await_true(lambda: len(owners(weir)) == 4)
        assert owners(weir) == [None] * 4 and json.loads(weir.request("GET", weir.api("/v1/stream"))[1])["partitions"][0]["owner"] == names[1]


def write_domain(weir, *windows):
    window = "  - {name: %s, size: 1m, by: [{kind: event_type}], measures: {n: count()}}\n"  # the key's partition is not the visitor's
    with open(os.path.join(weir.config, "domains", "web.yaml"), "w") as f:
        f.write("domain: web\ntime: {out_of_orderness: 30s}\nwindows:\n" + "".join(window % name for name in windows))


def reload(role, marker):
    before = role.log_text().count(marker)
    role.process.send_signal(signal.SIGHUP)
    await_true(lambda: role.log_text().count(marker) > before)


def test_domains_change_by_sighup_in_one_process_after_the_other_while_events_flow():
    weir = Roles(shared().yaml("journal.partitions: 4\nprocess.standby: true\nprocess.checkpoint_interval: 300ms\n"), process=2)
    write_domain(weir, "always", "old")
    with weir:
        key = weir.tenant("acme")
        wait_until_known(weir, key["write_key"])
        await_true(lambda: [role.metric("process_partitions") for role in weir.processes] == [2, 2])
        load = Load(weir, key["write_key"])
        weir.settle("SELECT sum(event_count) > 0 FROM windows WHERE window = 'old'", 1, key["read_key"])
        write_domain(weir, "always", "new")
        for role in weir.processes:
            reload(role, "process.changed")
            time.sleep(1)  # one knows the new window, the other does not
        reload(weir.serve, "config.reloaded")
        reload(weir.ingests[0], "config.reloaded")
        load.stop()
        later_ms = (int(time.time()) // 60 + 5) * 60000
        events = [{"event_id": "e%d" % i, "visitor_id": "v%d" % i, "event_type": "t%d" % (i % 20), "event_name": "n", "timestamp": later_ms + i} for i in range(1000)]
        assert weir.post("/track", events, key["write_key"])[0] == 200
        count = "SELECT sum(event_count) FROM windows WHERE window = '%s'"
        sent = len(load.acknowledged) + len(events)
        weir.settle(count % "new" + " AND toUnixTimestamp64Milli(window_start) = %d" % later_ms, len(events), key["read_key"])
        weir.settle(count % "always", sent, key["read_key"])
        assert 0 < int(weir.one(count % "old", key["read_key"])) < sent - len(events)
        assert int(weir.one(count % "new", key["read_key"])) < sent
        check(weir, key["read_key"], load.acknowledged | {e["event_id"] for e in events})
        assert weir.stop() == 0
    return "%d events" % sent


def test_without_serve_events_are_taken_in_and_a_second_serve_is_refused():
    event = {"visitor_id": "v", "event_type": "page", "event_name": "n"}
    bought = "domain: bought\nevent_types:\n  - {name: buy, attributes: [{name: n, type: %s, required: true}]}\n"
    weir = Roles(shared().yaml())
    weir.declare(bought % "integer")
    with weir:
        key = weir.tenant("acme")
        wait_until_known(weir, key["write_key"])  # by then what is deployed is published, too
        weir.serve.kill9()
        weir.declare(bought % "text")
        Role("process", weir.config).refused(78, "this change is not BACKWARD, and buy is deployed (version 1)", "would break what is deployed")
        weir.declare(bought % "integer")
        assert weir.post("/track", event, key["write_key"])[0] == 200
        late = Role("ingest", weir.config).start()
        try:
            assert late.post("/track", event, key["write_key"])[0] == 200
            assert late.post("/track", event, "wk_wrong")[0] == 401
            assert late.stop() == 0
        finally:
            late.close()
        Role("serve", weir.config).refused(78, "the tenants of this journal belong to the data directory")
        weir.ingests[0].twin().refused(75, "another weir (process %d) runs on" % weir.ingests[0].process.pid)
        weir.serve.start()
        weir.settle("SELECT count() FROM events_raw", 2, key["read_key"])
        assert weir.stop() == 0


def test_a_role_alone_on_a_journal_of_its_own_is_refused():
    weir = Weir(yaml="")
    for role in ("ingest", "process", "serve"):
        Role(role, weir.config).refused(78, "weir %s is one of several and needs journal.backend: kafka" % role)
