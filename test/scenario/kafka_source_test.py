"""`weir source`: events of somebody else's Kafka topics, each once, whatever dies in between."""
import contextlib, json, subprocess, time, uuid

from kafka import SCRIPT, shared
from weir import ROOT, Weir


def topic(partitions=2):
    name = "foreign-" + uuid.uuid4().hex[:8]
    shared().tool("org.apache.kafka.tools.TopicCommand", "--create", "--topic", name, "--partitions", str(partitions), "--replication-factor", "1")
    return name


def produce(name, lines):
    subprocess.run([SCRIPT, "tool", shared().directory, "org.apache.kafka.tools.ConsoleProducer", "--topic", name], input="\n".join(lines) + "\n",
                   text=True, check=True, capture_output=True, timeout=60)


def words(weir, name, key, *more):
    return [weir.binary, "source", "--config", weir.config, "--brokers", shared().address, "--topic", name, "--group", "g-" + name, "--member", "one", "--url", weir.ingest(""),
            "--key", key, *more]


def source(*arguments, seconds=60):
    return subprocess.run(words(*arguments, "--until-end", "--json"), cwd=ROOT, capture_output=True, text=True, timeout=seconds)


def wait_for(weir, key, events, seconds=60):
    end = time.time() + seconds
    while int(weir.one("SELECT count() FROM events_raw", key)) < events:
        assert time.time() < end, "%d events were not stored in %d s" % (events, seconds)
        time.sleep(0.02)


def test_records_of_a_foreign_topic_count_once_while_weir_and_the_source_are_killed():
    name, events, counts = topic(), 60000, []
    produce(name, [json.dumps({"visitor_id": "v%d" % (i % 97), "event_type": "order", "event_name": "n", "properties": {"i": i}}) for i in range(events)])
    with Weir() as weir:
        key = weir.tenant("foreign")
        command = words(weir, name, key["write_key"], "--batch", "3")
        for turn in range(3):
            running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                wait_for(weir, key["read_key"], (turn + 1) * events // 8)
                if turn % 2 == 0:
                    weir.kill9()
                    weir.start()
                    time.sleep(0.3)
            finally:
                running.kill()
                running.wait()
            counts.append(int(weir.one("SELECT count() FROM events_raw", key["read_key"])))
            assert counts[-1] < events, "all was read before anybody was killed"
        done = source(weir, name, key["write_key"])
        assert done.returncode == 0, done.stderr
        weir.settle("SELECT count() FROM events_raw", events, key["read_key"])
        assert int(weir.one("SELECT uniqExact(event_id) FROM events_raw", key["read_key"])) == events
        note = "killed when %s of %d were stored, the last run read %s" % (counts, events, done.stdout.strip())
        again = source(weir, name, key["write_key"])
        assert json.loads(again.stdout) == {"accepted": 0, "rejected": 0, "repeats": 0}, again
        assert weir.stop() == 0
        return note


def test_what_is_no_event_becomes_a_dead_letter_with_its_place():
    name = topic(1)
    good = {"messageId": "mine", "anonymousId": "a", "type": "track", "event": "Bought"}
    produce(name, [json.dumps(good), json.dumps(good), "no json at all", "[1, 2]", json.dumps({"amount": 3}), '{"visitor_id": "v", "event_type": "t", "event_id": null}'])
    with Weir() as weir:
        key = weir.tenant("foreign")
        done = source(weir, name, key["write_key"])
        assert done.returncode == 0 and json.loads(done.stdout)["rejected"] == 3, done
        weir.settle("SELECT count() FROM events_raw", 2, key["read_key"])
        weir.settle("SELECT count() FROM dead_letters", 3, key["read_key"])
        ids = {row[0] for row in weir.sql("SELECT event_id FROM events_raw", key["read_key"])}
        assert ids == {"mine", "kafka:%s/0/5" % name}, ids
        letters = " ".join(str(row) for row in weir.sql("SELECT * FROM dead_letters", key["read_key"]))
        for part in ("no json at all", "[1, 2]", "kafka:%s/0/2" % name, "kafka:%s/0/3" % name, "kafka:%s/0/4" % name):
            assert part in letters, (part, letters)
        assert weir.stop() == 0


def test_a_source_that_cannot_work_says_what_to_do():
    with Weir() as weir:
        key, name = weir.tenant("foreign"), topic(1)
        produce(name, [json.dumps({"visitor_id": "v", "event_type": "t"})])
        wrong_key = source(weir, name, "wk_nobody")
        assert wrong_key.returncode == 77 and "key" in wrong_key.stderr, wrong_key
        no_topic = source(weir, "nowhere", key["write_key"])
        assert no_topic.returncode == 78 and "nowhere" in no_topic.stderr, no_topic
        done = source(weir, name, key["write_key"])  # nothing was lost by the wrong key
        assert json.loads(done.stdout)["accepted"] == 1, done
        with contextlib.suppress(Exception):
            weir.stop()
