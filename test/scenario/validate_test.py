"""Event types that a domain declares, against the real binary: by YAML alone, while events flow (T-23)."""
import json, signal, threading, time

from check_test import config, put
from letters_test import letters
from weir import Weir

DEV = "demo_tenant: true\ningest.host: 127.0.0.1\njournal.disk_reserve: 64 MiB\n"
GAME = """domain: game
event_types:
  - name: player_action
    description: what a player does
    attributes:
      - {name: action_type, required: true}
      - {name: game_level, type: integer, min: 1, max: 100, required: true}
      - {name: email, format: email, pii: hash}
    dimensions: [platform]
    metrics: [{name: amount, type: money, min: 0, max: 10000}]
    rules:
      - {name: paid_at_the_shop, expect: properties.action_type != 'buy' or properties.amount_cents > 0, message: nothing is free, on_failure: quarantine}
      - {name: known_platform, expect: "properties.platform in ('ios', 'android')", on_failure: tag}
windows:
  - {name: income, size: 1m, where: event_type == 'player_action', measures: {n: count(), cents: sum(properties.amount_cents)}}
"""


def action(id, **properties):
    return {"customer_id": "demo_tenant", "visitor_id": "v", "event_type": "player_action", "event_name": "n", "event_id": id, "properties": properties}


def send(weir, *events):
    status, answer = weir.post("/track", list(events))
    assert (status, answer["accepted"]) == (200, len(events)), answer


def reload(weir, marker, seconds=30):
    before = weir.log_text().count(marker)
    weir.process.send_signal(signal.SIGHUP)
    end = time.time() + seconds
    while weir.log_text().count(marker) == before:
        assert time.time() < end and weir.process.poll() is None, weir.log_text()[-3000:]
        time.sleep(0.02)


def test_a_type_is_added_by_yaml_alone_while_events_flow():
    with config(dev=DEV) as directory, Weir(config=directory) as weir:
        stop, sent = threading.Event(), [0]

        def flow():
            while not stop.is_set():
                send(weir, *[dict(action("f%d" % (sent[0] + i), action_type="run", game_level=7), visitor_id="v%d" % i) for i in range(50)])
                sent[0] += 50
                time.sleep(0.02)

        sender = threading.Thread(target=flow)
        sender.start()
        try:
            weir.settle("SELECT count() > 0 FROM events_raw", 1)
            send(weir, action("before", game_level="high"))  # of nobody's type yet
            weir.settle("SELECT count() FROM events_raw WHERE event_id = 'before'", 1)
            put(directory, game=GAME)
            reload(weir, "process.changed")
        finally:
            stop.set()
            sender.join()
        send(weir, action("good", action_type="buy", game_level=3, amount=19.99, platform="ios", email="ann@example.org"))
        send(weir, action("text", action_type="buy", game_level=3, amount="0.30", platform="ios", email="ann@example.org"))
        send(weir, action("type", action_type="run", game_level="high"), action("range", action_type="run", game_level=101), action("null", action_type="run", game_level=None))
        weir.settle("SELECT count() FROM dead_letters", 3)
        rows = weir.sql("SELECT event_id, stage, reason, field, message FROM dead_letters ORDER BY event_id")
        assert [r[:4] for r in rows] == [["null", "validate", "missing_field", "properties.game_level"], ["range", "validate", "out_of_range", "properties.game_level"],
                                         ["type", "validate", "bad_type", "properties.game_level"]], rows
        assert "player_action.game_level is 101; allowed is 1 to 100 (domain game)" in rows[1][4], rows
        weir.settle("SELECT count() FROM events_raw", sent[0] + 3)
        kept = dict(weir.sql("SELECT event_id, properties FROM events_raw WHERE event_id IN ('good', 'text')"))
        good, text = json.loads(kept["good"]), json.loads(kept["text"])
        assert good["amount"] == 19.99 and good["amount_cents"] == 1999 and text["amount"] == "0.30" and text["amount_cents"] == 30, kept
        assert "amount\":19.99," in kept["good"], kept  # as it was sent, digit for digit
        assert good["email"] == text["email"] and len(good["email"]) == 64 and "ann" not in kept["good"], kept
        assert weir.metric("dead_letters_total") == 3, weir.metric("dead_letters_total")

        for _ in range(2):  # mended, and counted once
            letters(weir, "replay", "--reason", "out_of_range", "--set", "properties.game_level=100", "--set", "properties.amount=5")
        weir.settle("SELECT count() FROM events_raw WHERE event_id = 'range' AND JSONExtractInt(properties, 'amount_cents') = 500", 1)
        weir.settle("SELECT sum(JSONExtractInt(measures, 'cents')) FROM windows WHERE window = 'income'", 1999 + 30 + 500)
        assert int(weir.one("SELECT count() FROM events_raw WHERE event_id = 'range'")) == 1


def test_quarantine_is_listed_apart_and_released_as_it_is_and_tags_are_counted():
    with config(dev=DEV, game=GAME) as directory, Weir(config=directory) as weir:
        send(weir, action("free", action_type="buy", game_level=1, amount=0, platform="ios"), action("odd", action_type="run", game_level=1, platform="vax"))
        weir.settle("SELECT count() FROM events_raw", 1)
        weir.settle("SELECT count() FROM dead_letters", 1)
        assert "paid_at_the_shop: nothing is free" in letters(weir, "list", "--stage", "quarantine").stdout
        assert "no dead letters fit" in letters(weir, "list", "--stage", "validate").stdout
        count = "SELECT count() FROM events_raw WHERE has(JSONExtract(context, 'weir_faults', 'Array(String)'), '%s: rule_failed')"
        weir.settle(count % "known_platform", 1)
        for _ in range(2):
            letters(weir, "replay", "--stage", "quarantine")
        weir.settle(count % "paid_at_the_shop", 1)
        weir.until(lambda: weir.metric("quarantine_released_total") == 2 and weir.metric("validation_tagged_total") == 3)
        assert int(weir.one("SELECT count() FROM events_raw")) == 2 and int(weir.one("SELECT count() FROM dead_letters")) == 1


def test_what_is_to_be_encrypted_needs_a_key():
    secret = "{name: email, pii: encrypt}"
    with config(dev=DEV, game=GAME.replace("{name: email, format: email, pii: hash}", secret)) as directory:
        weir = Weir(config=directory)
        try:
            for words in (["check", "--config", directory], ["up", "--config", directory, "--data", weir.data]):
                done = weir.cli(*words)
                assert done.returncode == 78 and "player_action.email has `pii: encrypt`, which needs a key" in done.stderr, done.stderr
            put(directory, dev=DEV + "process.pii_key: ${secret:pii_key}\n")
            weir.environment = {"PII_KEY": "sixteen bytes or more"}
            weir.start()
            send(weir, action("e", action_type="run", game_level=1, platform="ios", email="ann@example.org"))
            weir.settle("SELECT count() FROM events_raw WHERE startsWith(JSONExtractString(properties, 'email'), 'weir1:')", 1)
            assert "sixteen" not in weir.log_text() and "ann@example.org" not in weir.log_text()
        finally:
            weir.close()
