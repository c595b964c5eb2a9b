"""Avro with a real schema registry: sinks write it for stock clients, `weir schema register` registers, `weir generate` writes what `weir source` reads."""
import json, os, signal, subprocess, tempfile, time, urllib.request, uuid

from kafka import shared
from registry import shared as registry
from sink_test import RESULTS, Load, delivered, make_topic, metric, newest, settle, sink, time_of, whole
from venv import venv
from weir import ROOT, Weir

HERE = os.path.dirname(os.path.abspath(__file__))
DOMAIN = """
domain: avro
event_types:
  - name: purchase
    attributes:
      - {name: order, required: true}
      - {name: colour, default: none}
    metrics:
      - {name: amount, type: money}
      - {name: stars, type: integer, max: 5, on_failure: tag}
windows:
  - name: by_page
    size: 10s
    by: [{page: properties.page}]
    measures: {n: count(), visitors: distinct(visitor_id), mean: mean(properties.x), best: "top(properties.x, 3)", last: last(properties.page)}
    emit: update
"""


def read_avro(topic):
    done = subprocess.run([os.path.join(venv("kafka"), "bin", "python"), os.path.join(HERE, "..", "support", "read_avro.py"), shared().address, registry().url, topic],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def ask(method, path, body=None):
    request = urllib.request.Request(registry().url + path, method=method, data=body and json.dumps(body).encode(), headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def avro_sink(topic, **more):
    return sink("topic", brokers=shared().address, topic=topic, results=RESULTS, format="avro", registry=registry().url, **more)


def purchases(weir, key):
    """Events of a declared type, one that is let through with a fault, and two of no declared type."""
    events = [{"visitor_id": "v%d" % i, "event_type": "purchase", "properties": {"order": "o%d" % i, "amount": "19.9%d" % i, "stars": i}} for i in range(5)]
    events += [{"visitor_id": "odd", "event_type": "purchase", "properties": {"order": "odd", "amount": 1, "stars": "many"}},
               {"visitor_id": "v", "event_type": "view", "properties": {"page": "/ü\"", "x": 1.5}, "context": {"a": [1]}}, {"visitor_id": "v", "event_type": "view"},
               {"visitor_id": "v", "event_type": "purchase", "properties": {"amount": 1}}]
    assert weir.post("/track", events, key)[0] == 200


def test_results_in_avro_equal_the_tables_for_a_stock_client_though_the_registry_was_away():
    topic = make_topic(shared())
    weir = Weir(yaml=avro_sink(topic), domain=DOMAIN)
    registry().signal(signal.SIGSTOP)
    try:
        weir.start()  # also without it
        key = weir.tenant("avro")
        load = Load(weir, key["write_key"], 0.05)
        purchases(weir, key["write_key"])
        settle(lambda: metric(weir, "sink_up", sink="topic") == 0 and "schema registry" in weir.log_text())
        assert metric(weir, "sink_records_total", sink="topic") == 0
        registry().signal(signal.SIGCONT)
        settle(lambda: metric(weir, "sink_records_total", sink="topic") > 0)
        weir.kill9()
        weir.start()
        load.stop()
        weir.settle("SELECT count() FROM events_raw", len(load.accepted) + 8, key["read_key"])
        settle(lambda: delivered(weir, "topic"))
        records = read_avro(topic)
        names = {record["record"] for record in records}
        assert names == {"weir.results.windows", "weir.results.sessions", "weir.results.events", "weir.results.dead_letters", "weir.avro.purchase"}, names
        whole([{"id": record["headers"]["weir-id"]} for record in records])
        windows = windows_equal(weir, key["read_key"], [record["value"] for record in records if record["record"] == "weir.results.windows"])
        events_equal(weir, key["read_key"], records)
        letter = next(r["value"] for r in records if r["record"] == "weir.results.dead_letters" and r["value"]["field"] == "properties.order")
        assert letter["customer_id"] == "avro" and json.loads(letter["original"])["properties"] == {"amount": 1}, letter
        assert weir.stop() == 0
        return "%d records of %d schemas, %d windows" % (len(records), len(names), windows)
    finally:
        registry().signal(signal.SIGCONT)
        weir.close()


def windows_equal(weir, key, values):
    last = newest(values, "window", "definition", "window_start", "key")
    theirs = sorted((v["window"], v["window_start"], json.dumps(v["key"], sort_keys=True), v["measures"]["n"], v["measures"]["visitors"], v["measures"]["mean"], v["event_count"],
                     v["revision"]) for v in last)
    rows = weir.all_rows("SELECT window, toString(window_start), key, measures, event_count, revision FROM windows ORDER BY ALL", key)
    ours = sorted((r[0], time_of(r[1]) + "Z", json.dumps(json.loads(r[2]), sort_keys=True), *(json.loads(r[3])[m] for m in ("n", "visitors", "mean")), int(r[4]), int(r[5]))
                  for r in rows)
    assert ours == theirs, "windows: %d rows, %d results, %s" % (len(ours), len(theirs), [p for p in zip(ours, theirs) if p[0] != p[1]][:3])
    odd = next(v for v in last if v["key"] == {"page": "/ü\""})
    assert json.loads(odd["measures"]["best"]) and odd["measures"]["last"] == "/ü\"", odd
    return len(last)


def events_equal(weir, key, records):
    general = {r["value"]["event_id"]: r["value"] for r in records if r["record"] == "weir.results.events"}
    typed = {r["value"]["event_id"]: r["value"] for r in records if r["record"] == "weir.avro.purchase"}
    rows = weir.all_rows("SELECT event_id, event_type, visitor_id, session_id, properties, context FROM events_raw ORDER BY event_id", key)
    assert len(rows) == len(general) + len(typed) and not general.keys() & typed.keys(), (len(rows), len(general), len(typed))
    for event_id, event_type, visitor_id, session_id, properties, context in rows:
        if event_id in general:
            event = general[event_id]
            assert (event["event_type"], event["visitor_id"]) == (event_type, visitor_id) and json.loads(event["properties"]) == json.loads(properties), (event, properties)
            assert json.loads(event["context"]) == json.loads(context)
    assert {e["event_type"] for e in general.values()} == {"view", "purchase"}, "the one with a fault is there, too"
    assert sorted((e["order"], e["amount_cents"], e["stars"], e["colour"]) for e in typed.values()) == [("o%d" % i, 1990 + i, i, "none") for i in range(5)], typed


SHOP = "domain: shop\ntenants: others\nevent_types:\n  - {name: purchase, attributes: [{name: order, required: true}%s]}\n"
REFUND = "  - {name: refund, attributes: [{name: why, required: true}%s]}\n"
CLUB = "domain: club\ntenants: [two]\nevent_types: [{name: purchase, attributes: [{name: member, required: true}, order]}]\n"


def bought(name, kind="purchase"):
    """An event with more than its type declares at first."""
    return {"event_id": name, "visitor_id": "v" + name[:2], "event_type": kind, "properties": {"order": name, "channel": "app", "why": "torn", "member": "m7"}}


class Purchases(Load):
    size = 6  # the topic is read while they go on

    def events(self, ids):
        return [bought(i, "refund" if n % 2 else "purchase") for n, i in enumerate(ids)]


class Shops:
    """Two tenants that send all the while, and events by name that tell what was in force."""

    def __init__(self, weir, topic):
        self.weir, self.topic, self.names = weir, topic, {}
        self.keys = {tenant: weir.tenant(tenant) for tenant in ("one", "two")}
        self.loads = [Purchases(weir, key["write_key"], 0.2) for key in self.keys.values()]

    def send(self, name, tenant, kind="purchase"):
        self.names[name] = str(uuid.uuid4())
        assert self.weir.post("/track", [bought(self.names[name], kind)], self.keys[tenant]["write_key"])[0] == 200

    def reload(self, shop, club=None):
        """SIGHUP, until the tasks have it."""
        changes = self.weir.log_text().count("process.changed")
        self.weir.declare(shop)
        if club:
            with open(os.path.join(self.weir.config, "domains", "club.yaml"), "w") as f:
                f.write(club)
        self.weir.process.send_signal(signal.SIGHUP)
        settle(lambda: self.weir.log_text().count("process.changed") > changes)

    def delivered(self, records=None):
        """(record, value) of the events in the topic, by id. While results come one partition has been read before another."""
        records = read_avro(self.topic) if records is None else records
        return {r["value"]["event_id"]: (r["record"], r["value"]) for r in records if r["record"] == "weir.results.events" or not r["record"].startswith("weir.results.")}

    def settle(self):
        """What there is of the named events, when all that was accepted is there."""
        for load in self.loads:
            load.stop()
        accepted = set().union(*(load.accepted for load in self.loads), self.names.values())
        settle(lambda: sum(int(self.weir.one("SELECT count() FROM events_raw", key["read_key"])) for key in self.keys.values()) == len(accepted))
        settle(lambda: delivered(self.weir, "topic"))
        records = read_avro(self.topic)
        whole([{"id": record["headers"]["weir-id"]} for record in records])
        events = self.delivered(records)
        assert events.keys() == accepted, (len(events), len(accepted), list(events.keys() ^ accepted)[:5])
        return {name: events[i] for name, i in self.names.items()}


def test_event_types_that_come_change_or_move_by_sighup_have_their_schemas_in_a_sink_from_then_on():
    topic = make_topic(shared())
    weir = Weir(yaml=avro_sink(topic), domain=SHOP % "")
    try:
        weir.start()
        shops = Shops(weir, topic)
        shops.send("old", "one")
        shops.send("undeclared", "one", "refund")
        settle(lambda: set(shops.names.values()) <= shops.delivered().keys())
        registry().signal(signal.SIGSTOP)
        shops.reload(SHOP % ", channel" + REFUND % "")
        shops.send("changed", "one")
        shops.send("new", "one", "refund")
        settle(lambda: metric(weir, "sink_up", sink="topic") == 0 and "schema registry" in weir.log_text())
        registry().signal(signal.SIGCONT)
        settle(lambda: set(shops.names.values()) <= shops.delivered().keys())
        changes = weir.log_text().count("sink.schemas_changed")
        shops.reload(SHOP % ", channel" + REFUND % ", order", CLUB)
        shops.send("moved", "two")
        settle(lambda: weir.log_text().count("sink.schemas_changed") > changes)
        weir.kill9()  # its target was opened anew a moment ago, or is being so
        weir.start()
        shops.send("last", "one", "refund")
        events = shops.settle()
        records = {name: record for name, (record, value) in events.items()}
        assert records == {"old": "weir.shop.purchase", "undeclared": "weir.results.events", "changed": "weir.shop.purchase", "new": "weir.shop.refund", "moved": "weir.club.purchase",
                           "last": "weir.shop.refund"}, records
        own = {name: sorted(value.keys() & {"order", "channel", "why", "member"}) for name, (record, value) in events.items() if record != "weir.results.events"}
        assert own == {"old": ["order"], "changed": ["channel", "order"], "new": ["why"], "moved": ["member", "order"], "last": ["order", "why"]}, own
        versions = [len(ask("GET", "/subjects/%s-weir.shop.%s/versions" % (topic, name))) for name in ("purchase", "refund")]
        assert versions == [2, 2] and weir.stop() == 0, versions
    finally:
        registry().signal(signal.SIGCONT)
        weir.close()


def test_a_schema_that_the_registry_does_not_take_is_one_clear_error_at_start():
    topic = make_topic(shared())
    subject = topic + "-weir.results.windows"
    ask("POST", "/subjects/%s/versions" % subject, {"schema": json.dumps({"type": "record", "name": "windows", "namespace": "weir.results", "fields": [{"name": "id", "type": "int"}]})})
    ask("PUT", "/config/" + subject, {"compatibility": "BACKWARD"})
    weir = Weir(yaml=avro_sink(topic), domain=DOMAIN)
    try:
        weir.spawn()
        assert weir.process.wait(60) == 78, (weir.process.returncode, weir.log_text()[-1000:])
        last = weir.log_text().strip().splitlines()[-1]
        assert all(word in last for word in ["sinks.topic", registry().url, subject, "windows is not taken", "ncompatible"]), last
    finally:
        weir.close()


def configuration(domain, *types):
    directory = tempfile.mkdtemp(prefix="weir-types-")
    os.mkdir(os.path.join(directory, "domains"))
    with open(os.path.join(directory, "domains", "one.yaml"), "w") as f:
        f.write("domain: %s\nevent_types:\n%s" % (domain, "".join("  - %s\n" % text for text in types)))
    return directory


def register(directory, *words, url=None):
    done = subprocess.run([os.path.join(ROOT, "build", "weir"), "schema", "register", "--config", directory, "--registry", url or registry().url, *words], capture_output=True,
                          text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def outcomes(text):
    return {found["event_type"]: found["outcome"] for found in json.loads(text)["schemas"]}


def test_schema_register_says_which_are_new_which_were_there_and_why_the_registry_refuses_one():
    domain = "d" + uuid.uuid4().hex[:8]
    subject = "weir.%s.paid" % domain
    directory = configuration(domain, "{name: paid, metrics: [{name: amount, type: money}]}", "{name: seen, attributes: [page]}")
    code, out, err = register(directory, "--dry-run", "--json")
    assert code == 0 and outcomes(out) == {"paid": "new", "seen": "new"} and json.loads(out)["dry_run"] is True, (code, out, err)
    assert subject not in ask("GET", "/subjects")
    code, out, err = register(directory, "--json", "--compatibility", "FULL")
    assert code == 0 and outcomes(out) == {"paid": "new", "seen": "new"}, (code, out, err)
    there = ask("GET", "/subjects/%s/versions/latest" % subject)
    assert there["id"] == json.loads(out)["schemas"][0]["id"] and ask("GET", "/config/" + subject)["compatibilityLevel"] == "FULL"
    printed = subprocess.run([os.path.join(ROOT, "build", "weir"), "schema", "avro", "--config", directory, "paid"], capture_output=True, text=True, timeout=60).stdout
    assert json.loads(there["schema"]) == json.loads(printed)
    code, out, err = register(directory)
    assert code == 0 and "there         %s  id %d, version 1" % (subject, there["id"]) in out and "0 new, 2 there, 0 incompatible" in out, (code, out, err)
    changed = configuration(domain, "{name: paid, attributes: [{name: order, required: true}], metrics: [{name: amount, type: money}]}", "{name: seen, attributes: [page, title]}")
    code, out, err = register(changed, "--json")
    assert code == 1 and outcomes(out) == {"paid": "incompatible", "seen": "new"}, (code, out, err)
    reason = json.loads(out)["schemas"][0]["reason"]
    assert subject in reason and "ncompatible" in reason and "order" in reason, reason
    assert len(ask("GET", "/subjects/%s/versions" % subject)) == 1
    code, out, err = register(directory, "--subject-strategy", "topic", "--topic", domain, "paid")
    assert code == 0 and "new           %s-value" % domain in out, (code, out, err)
    return reason


def test_a_dry_run_judges_as_the_registry_would_beside_all_versions_where_their_level_says_so():
    domain = "d" + uuid.uuid4().hex[:8]
    subject = "weir.%s.paid" % domain
    first, second = configuration(domain, "{name: paid, attributes: [{name: code, required: true}]}"), configuration(domain, "{name: paid}")
    again = configuration(domain, "{name: paid, metrics: [{name: code, type: integer}]}", "{name: seen}")  # fine beside the second, not beside the first
    for directory in (first, second):
        assert register(directory)[0] == 0
    for level, code, outcome in (("BACKWARD", 0, "new"), ("BACKWARD_TRANSITIVE", 1, "incompatible"), ("NONE", 0, "new"), ("FULL_TRANSITIVE", 1, "incompatible")):
        ask("PUT", "/config/" + subject, {"compatibility": level})
        got, out, err = register(again, "--dry-run", "--json")
        assert (got, outcomes(out)) == (code, {"paid": outcome, "seen": "new"}), (level, got, out, err)
        paid = json.loads(out)["schemas"][0]
        assert (paid["subject"], paid["compatibility"]) == (subject, level) and ("reason" in paid) == (code == 1), paid
    assert "one of its versions" in paid["reason"] and "/fields/" in paid["reason"], paid
    assert len(ask("GET", "/subjects/%s/versions" % subject)) == 2 and "weir.%s.seen" % domain not in ask("GET", "/subjects")
    code, out, err = register(again, "--dry-run", "--compatibility", "BACKWARD")  # though FULL_TRANSITIVE is set, and stays
    assert code == 0 and "new           %s  BACKWARD with the latest version\n" % subject in out and "nothing was changed: 2 new, 0 there, 0 incompatible" in out, (code, out, err)
    assert ask("GET", "/config/" + subject)["compatibilityLevel"] == "FULL_TRANSITIVE"
    code, out, err = register(again, "paid", "--compatibility", "BACKWARD_TRANSITIVE", "--json")  # a dry run had told so
    assert code == 1 and outcomes(out) == {"paid": "incompatible"}, (code, out, err)
    code, out, err = register(again, "paid", "--compatibility", "BACKWARD", "--json")
    assert code == 0 and outcomes(out) == {"paid": "new"} and json.loads(out)["schemas"][0]["version"] == 3, (code, out, err)


LEVELS = ["BACKWARD", "FORWARD", "FULL", "BACKWARD_TRANSITIVE", "FORWARD_TRANSITIVE", "FULL_TRANSITIVE", "NONE"]


def test_a_dry_run_with_a_level_says_what_the_registry_would_if_it_were_set():
    # Two versions each that are there, and a third one.
    histories = {"required": ("{name: paid}", "{name: paid, attributes: [page]}", "{name: paid, attributes: [page, {name: code, required: true}]}"),
                 "loosened": ("{name: paid, attributes: [{name: code, required: true}]}", "{name: paid}", "{name: paid, attributes: [code]}"),
                 "retyped": ("{name: paid, metrics: [{name: n, type: float}]}", "{name: paid, metrics: [{name: n, type: float}, {name: m, type: integer}]}",
                             "{name: paid, metrics: [{name: n, type: integer}, {name: m, type: integer}]}"),
                 "back": ("{name: paid, attributes: [{name: code, required: true}]}", "{name: paid}", "{name: paid, metrics: [{name: code, type: integer}]}"),
                 "gone": ("{name: paid, attributes: [{name: code, required: true}, page]}", "{name: paid, attributes: [{name: code, required: true}]}", "{name: paid}")}
    seen = {}
    for name, (*there, last) in histories.items():
        domain = "d" + uuid.uuid4().hex[:8]
        subject = "weir.%s.paid" % domain
        for text in there:
            assert register(configuration(domain, text), "--compatibility", "NONE")[0] == 0
        last = configuration(domain, last)
        ask("PUT", "/config/" + subject, {"compatibility": "NONE"})
        foretold = {}
        for level in LEVELS:
            code, out, err = register(last, "--dry-run", "--json", "--compatibility", level)
            paid = json.loads(out)["schemas"][0]
            assert paid["compatibility"] == level and code == (paid["outcome"] == "incompatible"), (name, level, code, out, err)
            assert paid["outcome"] == "new" or (subject in paid["reason"] and "by %s it would be incompatible with version " % level in paid["reason"]), paid
            foretold[level] = paid["outcome"]
        assert ask("GET", "/config/" + subject)["compatibilityLevel"] == "NONE" and len(ask("GET", "/subjects/%s/versions" % subject)) == len(there)
        seen[name] = [level for level in LEVELS if foretold[level] == "new"]
        for level in LEVELS:
            ask("PUT", "/config/" + subject, {"compatibility": level})
            said = outcomes(register(last, "--dry-run", "--json")[1])["paid"]
            assert said == foretold[level], (name, level, foretold, said)
    assert len({tuple(levels) for levels in seen.values()}) >= 4, seen
    return seen


def test_schema_register_without_a_registry_says_so():
    directory = configuration("one", "{name: paid}")
    code, out, err = register(directory, url="http://127.0.0.1:1")
    assert code == 69 and "http://127.0.0.1:1" in err and "subject weir.one.paid" in err and "check the address of the schema registry" in err, (code, out, err)
    code, out, err = register(directory, "--subject-strategy", "topic")
    assert code == 64 and "--topic" in err, (code, err)
    done = subprocess.run([os.path.join(ROOT, "build", "weir"), "schema", "register", "--config", directory], capture_output=True, text=True, timeout=60)
    assert done.returncode == 64 and "registry.url" in done.stderr, done


SOLD = """
domain: sold
event_types:
  - name: page_view
    attributes: [{name: page, required: true}]
  - name: add_to_cart
    attributes: [product, {name: gift, default: none}]
    metrics: [{name: price, type: money, min: 1, max: 250}, {name: quantity, type: integer, min: 1, max: 20, default: 1}]
  - name: purchase
    attributes: [{name: email, format: email, pii: hash}]
    metrics: [{name: amount, type: money, required: true, min: 0.01, max: 5000}, {name: weight, type: float}]
"""


def generate(*words, code=0):
    directory = tempfile.mkdtemp(prefix="weir-sold-")
    os.mkdir(os.path.join(directory, "domains"))
    with open(os.path.join(directory, "domains", "sold.yaml"), "w") as f:
        f.write(SOLD)
    done = subprocess.run([os.path.join(ROOT, "build", "weir"), "generate", "--config", directory, "--domain", "sold", *map(str, words)], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def from_topic(weir, topic, key, *more):
    done = subprocess.run([weir.binary, "source", "--config", weir.config, "--brokers", shared().address, "--topic", topic, "--group", "g-" + topic, "--url", weir.ingest(""), "--key", key,
                           "--until-end", "--json", *more], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_generated_events_go_to_kafka_as_avro_and_come_into_weir_each_once():
    count, topics = 3000, [make_topic(shared()) for _ in range(3)]
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 7200))
    words = ("--count", count, "--rate", 5, "--seed", 7, "--start", start, "--duplicates", "2%", "--kafka", shared().address, "--json", "--tenant")
    avro = ("--format", "avro", "--registry", registry().url)
    made = [json.loads(generate(*words, "one", "--topic", topic, *avro).stdout) for topic in topics[:2]]
    assert made[0]["events"] == made[1]["events"] == count and made[0]["duplicates"] > 10, made
    records = [sorted(read_avro(topic), key=lambda r: (r["value"]["event_id"], json.dumps(r))) for topic in topics[:2]]
    assert records[0] == records[1] and len(records[0]) == count + made[0]["duplicates"], "the same seed gives the same records"
    assert all(r["key"] == r["value"]["visitor_id"] for r in records[0])
    generate(*words, "two", "--topic", topics[2])
    with Weir(domain=SOLD) as weir:
        one, two = weir.tenant("one"), weir.tenant("two")
        for topic, key, format in ((topics[0], one, ("--format", "avro", *avro[2:])), (topics[2], two, ())):
            read = from_topic(weir, topic, key["write_key"], *format)
            assert (read["accepted"], read["rejected"]) == (len(records[0]), 0), read
            weir.settle("SELECT count() FROM events_raw", count, key["read_key"])
            assert int(weir.one("SELECT count() FROM dead_letters", key["read_key"])) == 0
        stored = weir.sql("SELECT event_type, count(), sum(JSONExtractInt(properties, 'amount_cents')) FROM events_raw GROUP BY event_type ORDER BY event_type", one["read_key"])
        sent = {}
        for value in {r["value"]["event_id"]: (r["record"].rsplit(".", 1)[1], r["value"].get("amount_cents", 0)) for r in records[0]}.values():
            n, cents = sent.get(value[0], (0, 0))
            sent[value[0]] = (n + 1, cents + value[1])
        assert {row[0]: (int(row[1]), int(row[2])) for row in stored} == sent and sent["purchase"][1] > 0, (stored, sent)
        assert weir.stop() == 0
        return "%d events and %d repeats: %s" % (count, made[0]["duplicates"], sent)


def test_a_generator_that_cannot_write_to_kafka_says_why():
    words = ("--count", 5, "--kafka", shared().address, "--topic")
    assert "there is no topic nowhere" in generate(*words, "nowhere", code=78).stderr
    topic = make_topic(shared(), 1)
    assert "subject %s-weir.sold.page_view" % topic in generate(*words, topic, "--format", "avro", "--registry", "http://127.0.0.1:1", code=69).stderr
    assert "--bad" in generate(*words, topic, "--format", "avro", "--registry", registry().url, "--bad", "1%", code=64).stderr
    assert "--topic" in generate("--count", 5, "--kafka", shared().address, code=64).stderr
    small = make_topic(shared(), 1, "--config", "max.message.bytes=100")
    told = generate(*words, small, code=78).stderr
    assert "raise its max.message.bytes" in told and "kafka.security" not in told, told
