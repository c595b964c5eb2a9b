"""`weir source --format avro`: records of stock clients, with schemas in a real registry, become events; what cannot be read becomes a dead letter that says why."""
import json, os, signal, subprocess, time, uuid

from kafka import shared
from kafka_source_test import topic, words
from registry import shared as shared_registry
from venv import venv
from weir import ROOT, Weir

PRODUCER = os.path.join(ROOT, "test", "support", "produce_avro.py")
WHY = ("it begins with 104, not with 0", "0 bytes are no Avro record in Confluent's framing", "3 bytes are no Avro record", "the registry has no schema 999999",
       "(purchase): field shop.", "1 bytes are left over behind the value", "is no record: an event has fields", "is \"JSON\", not Avro")


def produce(registry, name, seed, count):
    done = subprocess.run([os.path.join(venv("kafka"), "bin", "python"), PRODUCER, shared().address, registry.url, name, str(seed), str(count)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def rows(weir, key):
    found = weir.sql("SELECT event_id, visitor_id, user_id, timestamp, event_type, properties FROM events_raw LIMIT 5000", key)
    return {row[0]: {"event_id": row[0], "visitor_id": row[1], "user_id": row[2] or "", "timestamp": row[3].replace(" ", "T").rstrip("Z") + "Z", "event_type": row[4],
                     "properties": json.loads(row[5], parse_float=str)} for row in found}


def comparable(event):
    """Decimals keep their digits; other numbers are compared as doubles."""
    plain = dict(event["properties"])
    for name in ("weight", "ratio"):
        plain[name] = None if plain[name] is None else float(plain[name])
    return {**event, "properties": plain}


def test_records_of_stock_clients_become_events_and_the_others_say_why_not():
    name, seed = topic(1), int(time.time())
    registry = shared_registry()
    with Weir() as weir:
        key = weir.tenant("avro")
        sent = produce(registry, name, seed, 600)
        done = subprocess.run(words(weir, name, key["write_key"], "--format", "avro", "--registry", registry.url, "--until-end", "--json"), cwd=ROOT, capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"accepted": len(sent), "rejected": len(WHY), "repeats": 0}, done.stdout
        weir.settle("SELECT count() FROM events_raw", len(sent), key["read_key"])
        weir.settle("SELECT count() FROM dead_letters", len(WHY), key["read_key"])
        stored = rows(weir, key["read_key"])
        for event in sent:
            assert comparable(stored[event["event_id"]]) == comparable(event), "seed %d: %s\nis stored as %s" % (seed, event, stored[event["event_id"]])
        letters = weir.sql("SELECT reason, message FROM dead_letters", key["read_key"])
        assert {reason for reason, _ in letters} == {"bad_record"}, letters
        for why in WHY:
            assert any(why in message for _, message in letters), (why, letters)
        assert weir.stop() == 0
        return "%d records of two schema versions, seed %d" % (len(sent), seed)


def test_a_registry_that_does_not_answer_is_waited_for():
    name = topic(1)
    registry = shared_registry()
    with Weir() as weir:
        key = weir.tenant("avro")
        sent = produce(registry, name, 7, 50)
        registry.signal(signal.SIGSTOP)
        running = subprocess.Popen(words(weir, name, key["write_key"], "--format", "avro", "--registry", registry.url, "--until-end"), cwd=ROOT, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        try:
            line = running.stderr.readline()
            assert "schema registry" in line and "trying again" in line, line
            assert int(weir.one("SELECT count() FROM events_raw", key["read_key"])) == 0
            registry.signal(signal.SIGCONT)
            assert running.wait(60) == 0, running.stderr.read()
        finally:
            registry.signal(signal.SIGCONT)
            running.kill()
            running.wait()
        weir.settle("SELECT count() FROM events_raw", len(sent), key["read_key"])
        assert weir.stop() == 0


def test_what_is_missing_for_avro_is_said_at_once():
    with Weir() as weir:
        done = subprocess.run(words(weir, "t" + uuid.uuid4().hex, "k", "--format", "avro"), cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 64 and "registry.url" in done.stderr, done
        done = subprocess.run(words(weir, "t", "k", "--format", "protobuf"), cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 64 and "--format wants json|avro" in done.stderr, done
