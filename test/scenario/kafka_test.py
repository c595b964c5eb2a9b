"""Kafka as the journal, with real brokers: the data files end to end, kill -9 of weir, the broker gone and back (three brokers:
roles_test.py)."""
import glob, json, os, re, shutil, signal, tempfile, time

from crash_test import Load, check
from data_test import DATA, check_tenant, send_file
from kafka import Kafka, shared
from roles import Roles
from roles_test import await_true, wait_until_known
from scenarios import Skip
from weir import Weir


def test_what_cannot_work_is_refused_with_one_clear_error():
    Weir(yaml="journal.backend: kafka\n").refused(78, "kafka.brokers")
    Weir(yaml="journal.backend: kafka\nkafka.brokers: 127.0.0.1:1\n").refused(74, "no broker of 127.0.0.1:1 answers")
    Weir(yaml=shared().yaml(copies=3)).refused(78, "fewer brokers than kafka.replication")
    yaml = shared().yaml()
    with Weir(yaml=yaml + "journal.partitions: 2\n"):
        pass
    Weir(yaml=yaml + "journal.partitions: 3\n").refused(78, "has 2 partitions", "journal.partitions says 3")


def test_the_data_files_give_what_is_expected_through_kafka_also_across_kill_9():
    if not os.path.isdir(DATA):
        raise Skip("the data files are not here")
    expected = json.load(open(os.path.join(DATA, "expected.json")))
    with Weir(yaml=shared().yaml()) as weir:
        keys = {name: weir.tenant(name) for name in expected}
        for number, (name, e) in enumerate(expected.items()):
            assert send_file(weir, name, keys[name]["write_key"]) == e["events"]
            if number % 2 == 0:  # in the middle of what was just sent
                weir.kill9()
                weir.start()
        for name, e in expected.items():
            check_tenant(weir, keys[name]["read_key"], e)
        assert weir.stop() == 0


def test_a_place_that_the_brokers_have_forgotten_is_refused_and_somebody_decides():
    kafka, directory = shared(), tempfile.mkdtemp(prefix="weir-forgotten-")
    target, yaml = os.path.join(directory, "results.jsonl"), kafka.yaml("journal.partitions: 2\n")
    weir = Weir(yaml=yaml)

    def configure(*lost_marks):
        with open(os.path.join(weir.config, "environments", "dev.yaml"), "w") as f:
            f.write("demo_tenant: true\ningest.host: 127.0.0.1\njournal.disk_reserve: 64 MiB\n" + yaml + "\n".join(
                ["sinks.file.kind: file", "sinks.file.path: " + target, "sinks.file.results: events", *lost_marks, ""]))

    def refused(*words):
        weir.spawn()
        assert weir.process.wait(60) == 78, weir.log_text()[-2000:]
        assert all(word in weir.log_text() for word in words), weir.log_text()[-2000:]

    def send_and_find(name, count):
        events = [{"event_id": "%s%d" % (name, i), "visitor_id": "v%d" % i, "event_type": "t", "event_name": "n"} for i in range(100)]
        assert weir.post("/track", events, key["write_key"])[0] == 200
        weir.settle("SELECT count() FROM events_raw", count, key["read_key"])
        await_true(lambda: sum(len(open(path).readlines()) for path in glob.glob(target + ".*")) == count)

    try:
        configure()
        weir.start()
        key = weir.tenant("acme")
        send_and_find("a", 100)
        marks = os.path.join(weir.data, "marks")
        await_true(lambda: os.path.exists(marks) and len(open(marks).readlines()) == 2)
        assert weir.stop() == 0
        with open(marks) as f:
            prefix = f.read().split()[0]
        kafka.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--delete", "--group", prefix + ".store", "--group", prefix + ".sink.file")
        refused("the mark of group sink.file in partition 0 is gone", "sinks.file.lost_mark")
        configure("sinks.file.lost_mark: end")
        refused("the mark of group store in partition 0 is gone", "store.lost_mark")
        configure("sinks.file.lost_mark: end", "store.lost_mark: end")
        weir.start()
        send_and_find("b", 200)
        assert weir.stop() == 0
    finally:
        weir.close()
        shutil.rmtree(directory, ignore_errors=True)


def test_a_store_that_hangs_with_one_partition_is_told_beside_one_that_is_idle():
    with Weir(yaml=shared().yaml("journal.partitions: 2\n")) as weir:
        def processed(partition):
            found = re.search(r'^events_processed_total\{partition="%d"\} (\d+)' % partition, weir.request("GET", weir.ingest("/metrics"))[1].decode(), re.M)
            return int(found.group(1)) if found else 0

        sent = 0
        while processed(0) == 0:  # until a visitor is found who belongs there
            assert sent < 50 and weir.post("/track", [{"visitor_id": "v%d" % sent, "event_type": "t"}], "demo_write")[0] == 200
            sent += 1
            await_true(lambda: processed(0) + processed(1) == sent)
        weir.settle("SELECT count() FROM events_raw", sent)
        engine = weir.engine_pid()
        os.kill(engine, signal.SIGSTOP)
        try:
            assert weir.post("/track", [{"visitor_id": "v%d" % (sent - 1), "event_type": "t"}], "demo_write")[0] == 200
            await_true(lambda: weir.metric("store_lag_seconds") > 1 and weir.metric("store_pending_rows") > 0)
        finally:
            os.kill(engine, signal.SIGCONT)
        weir.settle("SELECT count() FROM events_raw", sent + 1)
        await_true(lambda: weir.metric("store_lag_seconds") == 0 and weir.metric("store_pending_rows") == 0)


def test_sigterm_ends_every_process_while_all_brokers_are_gone_and_loses_and_doubles_nothing():
    with Kafka() as kafka, Roles(kafka.yaml("journal.partitions: 4\ndrain_timeout: 5s\ningest.drain_timeout: 2s\n")) as weir:
        key = weir.tenant("crash")
        wait_until_known(weir, key["write_key"])
        load = Load(weir, key["write_key"], timeout=20)
        weir.settle("SELECT count() > 500 FROM events_raw", 1, key["read_key"])
        kafka.kill()
        for role in weir.all():
            role.process.send_signal(signal.SIGTERM)
        codes = {role.role: role.process.wait(60) for role in weir.all()}  # the end of this is what is shown: it took as long as the brokers were away
        assert set(codes.values()) <= {0, 75} and codes["ingest"] == 75, codes  # senders wait for the brokers' answer longer than 5 s
        for role in weir.all():
            assert ("up.stop_cut command=%s" % role.role in role.log_text()) == (codes[role.role] == 75), role.log_text()[-2000:]
        kafka.again()
        weir.start()
        await_true(lambda: load.last_s > time.time() - 1)
        load.stop()
        note = check(weir, key["read_key"], load.acknowledged)
        assert weir.stop() == 0
        return "%s; codes %s" % (note, codes)


def test_weir_killed_and_the_broker_gone_and_back_lose_and_double_nothing():
    with Kafka() as kafka, Weir(yaml=kafka.yaml()) as weir:
        key = weir.tenant("crash")
        load = Load(weir, key["write_key"])
        for turn in range(4):
            time.sleep(1)
            if turn % 2 == 0:
                weir.kill9()
                weir.start()
            else:
                (kafka.kill if turn == 1 else kafka.stop)()
                time.sleep(1)
                kafka.again()
        time.sleep(3)
        load.stop()
        assert len(load.acknowledged) > 500, "only %d acknowledged" % len(load.acknowledged)
        note = check(weir, key["read_key"], load.acknowledged)
        assert weir.stop() == 0
        return note
