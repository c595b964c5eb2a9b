"""`weir generate --domain`: what is made counts as it says, and what was broken on purpose is refused for the reason that it names."""
import collections, json, os, subprocess, tempfile

from check_test import config
from weir import ROOT, Weir

BINARY = os.path.join(ROOT, "build", "weir")
DEV = "demo_tenant: true\ningest.host: 127.0.0.1\njournal.disk_reserve: 64 MiB\n"
GAME = os.path.join(ROOT, "examples", "game")
# How an event is broken → what validation calls it.
REASONS = {"type": "bad_type", "values": "not_allowed", "format": "bad_format", "pattern": "bad_format", "unknown": "unknown_field",
           "required": "missing_field", "range": "out_of_range", "rule": "rule_failed"}


def generate(*words):
    """(lines as objects, what it says it made)"""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "events.ndjson")
        done = subprocess.run([BINARY, "generate", *words, "--json", "--output", path], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        with open(path) as f:
            return f.read(), json.loads(done.stdout)


def test_the_engine_counts_what_was_made_and_refuses_what_was_broken():
    text, made = generate("--config", GAME, "--domain", "game", "--count", "20000", "--rate", "500", "--seed", "7", "--until", "now",
                          "--bad", "20%", "--late", "1%", "--duplicates", "2%")
    events = [json.loads(line) for line in text.splitlines()]
    broken = {e["event_id"]: e["context"] for e in events if "broken" in e["context"]}
    refused = {i: c for i, c in broken.items() if c["broken_as"] != "tag"}
    assert made["events"] == 20000 and len(events) == 20000 + made["duplicates"], made
    assert (made["broken"], made["refused"]) == (len(broken), len(refused)) and made["refused"] > 800, made
    assert all(count for count in made["broken_by"].values()), made
    with open(os.path.join(GAME, "domains", "game.yaml")) as f, config(dev=DEV, game=f.read()) as directory, Weir(config=directory) as weir:
        with tempfile.NamedTemporaryFile("w", suffix=".ndjson") as file:
            file.write(text)
            file.flush()
            done = subprocess.run([BINARY, "send", file.name, "--url", weir.ingest(""), "--json"], capture_output=True, text=True, timeout=120)
        assert json.loads(done.stdout)["accepted"] == len(events), done.stdout + done.stderr
        weir.settle("SELECT count() FROM events_raw", 20000 - len(refused))
        weir.settle("SELECT count() FROM dead_letters", len(refused))
        letters = {row[0]: row[1:] for row in weir.sql("SELECT event_id, reason, field FROM dead_letters LIMIT 5000")}
        wrong = [(i, letters.get(i), c) for i, c in refused.items() if letters.get(i, [""])[0] != REASONS[c["broken"]] or
                 c["broken_field"] not in letters[i][1]]
        assert not wrong, (len(wrong), wrong[:5])
        # Straight to a running weir, whose key says whose they are.
        done = subprocess.run([BINARY, "generate", "--config", GAME, "--domain", "game", "--count", "3000", "--seed", "8", "--until", "now", "--url", weir.ingest(""),
                               "--tenant", "demo_tenant", "--json"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and json.loads(done.stdout)["events"] == 3000, done.stdout + done.stderr
        weir.settle("SELECT count() FROM events_raw", 23000 - len(refused))
        sent_straight = collections.Counter(json.loads(line)["event_type"] for line in generate(
            "--config", GAME, "--domain", "game", "--count", "3000", "--seed", "8")[0].splitlines())
        by_type = sent_straight + collections.Counter(e["event_type"] for e in {e["event_id"]: e for e in events}.values() if e["event_id"] not in refused)
        stored = dict(weir.sql("SELECT event_type, count() FROM events_raw GROUP BY event_type"))
        assert {name: int(count) for name, count in stored.items()} == by_type, (stored, by_type)
    return "%d events, %d refused" % (len(events), len(refused))


def test_every_example_has_events_and_they_are_the_same_again():
    told = []
    for name in sorted(os.listdir(os.path.join(ROOT, "examples"))):
        if not os.path.isdir(os.path.join(ROOT, "examples", name, "domains")):
            continue
        words = ["--config", os.path.join(ROOT, "examples", name), "--domain", name, "--for", "1m", "--rate", "200", "--bad", "1%"]
        text, made = generate(*words)
        assert text == generate(*words)[0] and 11000 < made["events"] < 13000, made
        told.append(name)
    assert len(told) >= 3, told
    return ", ".join(told)


def test_wrong_usage_says_what_to_do():
    for words, part in ((["--domain", "gmae", "--count", "1"], "there is no domain gmae; there is game"), (["--domain", "game"], "how many?"),
                        (["--bad", "1%", "--count", "1"], "want --domain"), (["--output", "x", "--url", "y", "--domain", "game", "--count", "1"], "one place"),
                        (["--url", "http://127.0.0.1:1", "--domain", "game", "--count", "1"], "weir up"), (["--domain", "game", "--bad", "101%", "--count", "1"], "percentage")):
        done = subprocess.run([BINARY, "generate", "--config", GAME, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode in (64, 69, 75, 78) and part in done.stderr and not done.stdout, (words, done.stderr)
