"""T-23 to the letter: an event type is added by YAML alone, and everything follows from it; money is whole cents; a secret that is missing ends weir before
it has opened anything."""
import json, os, socket

from check_test import config, put
from cli_test import CONFIG
from cli_test import weir as command
from validate_test import DEV, reload
from weir import Weir

# Requirement H-05, with a price to pay and a window to count in.
GAME = """domain: game
event_types:
  - name: player_action
    attributes:
      - {name: action_type, required: true}
      - {name: game_level, type: integer, min: 1, max: 100}
      - {name: currency, format: currency, default: EUR}
    dimensions: [platform, region]
    metrics: [{name: amount, type: money, min: 0}]
windows:
  - {name: actions, size: 1m, where: event_type == 'player_action', by: [{platform: properties.platform}], measures: {actions: count(), paid_cents: sum(properties.amount_cents)}}
  - {name: of_acme, size: 1m, tenants: [acme], measures: {actions: count()}}
"""


def action(id, **properties):
    return {"customer_id": "demo_tenant", "visitor_id": "v", "event_type": "player_action", "event_id": id, "properties": {"action_type": "buy", **properties}}


def dashboards(weir, key):
    status, body, _ = weir.request("GET", weir.api("/v1/dashboards"), headers={"Authorization": "Bearer " + key})
    return status, json.loads(body)


def test_t23_player_action_by_yaml_alone_gives_schema_view_validation_events_and_a_dashboard():
    with config(dev=DEV) as directory, Weir(config=directory) as weir:
        assert dashboards(weir, "demo_read") == (200, {"dashboards": []}) and dashboards(weir, "demo_write")[0] == 403 and dashboards(weir, "none")[0] == 401
        put(directory, game=GAME)
        assert command("check", "--config", directory).returncode == 0
        fields = {f["name"]: f["type"] for f in json.loads(command("schema", "avro", "player_action", "--config", directory).stdout)["fields"]}
        assert fields["platform"] == ["null", "string"] and fields["amount_cents"] == "long" and "amount" not in fields, fields
        reload(weir, "process.changed")

        wrong = [action("low", game_level=0), action("word", amount="much"), {**action("none"), "properties": {}}]
        assert weir.post("/track", [action("paid", amount=19.99, platform="ios", game_level=3), *wrong])[0] == 200
        weir.settle("SELECT count() FROM dead_letters", 3)
        assert weir.sql("SELECT event_id, reason, field FROM dead_letters ORDER BY event_id") == [
            ["low", "out_of_range", "properties.game_level"], ["none", "missing_field", "properties.action_type"], ["word", "bad_type", "properties.amount"]]
        weir.settle("SELECT count() FROM events_player_action", 1)
        assert weir.sql("SELECT event_id, amount_cents, currency FROM events_player_action") == [["paid", 1999, "EUR"]]
        weir.settle("SELECT JSONExtractInt(measures, 'paid_cents') FROM windows WHERE window = 'actions'", 1999)

        sent = command("generate", "--config", directory, "--domain", "game", "--events", "500", "--seed", "7", "--live", "--rate", "100000", "--quiet").stdout.splitlines()
        assert len(sent) == 500 and weir.post("/track", [json.loads(line) for line in sent])[0] == 200
        weir.settle("SELECT count() FROM events_player_action", 501)
        assert weir.one("SELECT count() FROM dead_letters") == 3

        (board,) = dashboards(weir, "demo_read")[1]["dashboards"]
        panels = {(p["kind"], p["title"]): p for p in board["panels"]}
        assert board["domain"] == "game" and list(panels) == [
            ("events", "player_action"), ("metric", "amount"), ("top", "platform"), ("top", "region"), ("window", "actions"), ("sessions", "Visits")], board
        amount, window = panels["metric", "amount"], panels["window", "actions"]
        assert (amount["view"], amount["column"], amount["unit"], amount["currency"]) == ("events_player_action", "amount_cents", "cents", "currency"), amount
        assert weir.one("SELECT sum(%(column)s) FROM %(view)s" % amount) > 1999
        assert weir.one("SELECT count() FROM windows WHERE definition = '%s'" % window["definition"]) > 0
        # What is printed is what is served, but for the windows of other tenants.
        printed = json.loads(command("schema", "dashboard", "--config", directory).stdout)
        acme = weir.tenant("acme")
        theirs = dashboards(weir, acme["read_key"])[1]["dashboards"]
        assert [p for p in printed[0]["panels"] if p["title"] == "of_acme"][0]["tenants"] == ["acme"] and "acme" not in json.dumps(board)
        assert [[p["title"] for p in d[0]["panels"]] for d in (theirs, printed)] == [["player_action", "amount", "platform", "region", "actions", "of_acme", "Visits"]] * 2


def test_t23_without_its_secret_weir_ends_before_any_connection_and_opens_no_port():
    with socket.socket() as kafka:
        kafka.bind(("127.0.0.1", 0))
        kafka.listen()
        kafka.settimeout(0)
        here = "127.0.0.1:%d" % kafka.getsockname()[1]
        with config(dev="journal.backend: kafka\nkafka: {brokers: '%s', sasl_password: '${secret:db_password}'}\n" % here, game=GAME) as directory:
            weir = Weir(config=directory)
            try:
                done = weir.cli("up", "--config", directory, "--data", weir.data, "--ingest-port", weir.ingest_port)
                assert done.returncode == CONFIG and "the secret 'db_password' is missing" in done.stderr and not done.stdout, done
                assert os.listdir(weir.data) == [], "it has begun to work"
            finally:
                weir.close()
        try:
            kafka.accept()
            raise AssertionError("it has asked Kafka")
        except BlockingIOError:
            pass
