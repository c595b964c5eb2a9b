"""What `weir schema` prints: kept to the byte, and by the judgement of others: avro and fastavro, jsonschema, the TypeScript compiler."""
import json, os, random, re, shutil, signal, subprocess, tempfile

from cli_test import CONFIG, DATA, NO_INPUT, USAGE, weir
from venv import venv
from weir import ROOT, Weir

GOLDEN = os.path.join(ROOT, "test", "golden", "schema")
FORMS = {"avro": "avro.json", "json": "json.json", "ddl": "views.sql", "docs": "docs.md", "ts": "events.ts", "dashboard": "dashboard.json"}


def schema(*words, config=os.path.join(GOLDEN, "config")):
    done = weir("schema", *words, "--config", config)
    assert done.returncode == 0 and not done.stderr, (words, done)
    return done.stdout


def oracle(*words):
    script = os.path.join(ROOT, "test", "support", "schema_oracle.py")
    done = subprocess.run([os.path.join(venv("schema"), "bin", "python"), script, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def configs():
    """Every configuration that ships, and the one in which everything occurs, as far as it declares event types."""
    examples = [os.path.join(ROOT, "examples", name) for name in sorted(os.listdir(os.path.join(ROOT, "examples")))]
    for config in [os.path.join(GOLDEN, "config"), os.path.join(ROOT, "config")] + [e for e in examples if os.path.isdir(e)]:
        if weir("schema", "list", "--config", config).returncode == 0:
            yield config


def test_everything_that_is_generated_is_as_it_was_to_the_byte():
    for form, name in FORMS.items():
        assert schema(form) == open(os.path.join(GOLDEN, name)).read(), "changed: build/weir schema %s --config test/golden/schema/config" % form
        assert schema(form) == schema(form)


def test_what_follows_from_the_examples_that_ship_is_as_it_was_to_the_byte():
    for domain in ("game", "iot", "shop"):
        for form in ("avro", "dashboard"):
            path = os.path.join(GOLDEN, "examples", "%s.%s.json" % (domain, form))
            assert schema(form, config=os.path.join(ROOT, "examples", domain)) == open(path).read(), "changed: build/weir schema %s --config examples/%s" % (form, domain)


def test_avro_and_fastavro_read_every_schema_and_each_others_records():
    seed = str(random.randrange(10**9))
    print("seed", seed)
    for config in configs():
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(schema("avro", config=config))
            file.flush()
            theirs = [line.split(" ", 2) for line in oracle("avro", file.name, seed)]
        prints = [line.split("  ") for line in schema("avro", "--fingerprint", config=config).splitlines()]
        canonical = schema("avro", "--canonical", config=config).splitlines()
        assert [(name, crc, form) for name, crc, form in theirs] == [(name, crc, form) for (crc, name), form in zip(prints, canonical)], config


def test_a_purchase_is_the_record_that_was_asked_for_with_ids_and_defaults():
    record = json.loads(schema("avro", "purchase"))
    assert (record["type"], record["name"]) == ("record", "purchase")
    fields = {f["name"]: f for f in record["fields"]}
    assert fields["event_id"]["type"] == "string"
    assert fields["timestamp"]["type"] == {"type": "long", "logicalType": "timestamp-millis"}
    assert fields["product_id"] == {"name": "product_id", "type": ["null", "string"], "default": None}
    assert fields["amount_cents"] == {"name": "amount_cents", "type": "long", "default": 0}
    assert [n for n in fields if n not in ("event_id", "timestamp", "product_id", "amount_cents")] == ["customer_id", "visitor_id", "user_id", "session_id"]


def test_the_document_shows_what_is_printed():
    text = open(os.path.join(ROOT, "docs", "schemas.md")).read()
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(os.path.join(directory, "domains"))
        with open(os.path.join(directory, "domains", "shop.yaml"), "w") as f:
            f.write(re.search(r"```yaml\n(.*?)```", text, re.S).group(1))
        assert schema("avro", "purchase", config=directory) == re.search(r"```json\n(.*?)```", text, re.S).group(1)


# What may be said wrongly of a match that is right; None: it is still right.
MATCH = {"match_id": "0190a6d1-8c1e-7000-8000-0123456789ab", "ranked": True, "mode": "duel", "score": 7, "entry": 19.99}
CASES = [
    ({}, None), ({"nick": "ann", "stars": 2, "prize": "19.99", "ended_at": "2026-11-26T10:00:00Z", "code": "C-1_a.[x]*", "country": "DE"}, None),
    ({"nick": None, "stars": None, "prize": None, "ended_at": 1795687200000, "ip": "::1", "birthday": "2000-01-31"}, None),
    ({"score": 7.0, "entry": " 1e1 ", "email": "ann@example.com", "home": "https://example.com/ann", "entry_cents": 5}, None),
    ({"match_id": None}, "match_id"), ({"match_id": 7}, "match_id"), ({"ranked": "yes"}, "ranked"), ({"mode": "alone"}, "mode"), ({"score": -1}, "score"),
    ({"score": 1000001}, "score"), ({"score": 1.5}, "score"), ({"score": "7"}, "score"), ({"entry": "much"}, "entry"), ({"entry": True}, "entry"),
    ({"nick": "an"}, "nick"), ({"nick": "a" * 21}, "nick"), ({"nick": 12345}, "nick"), ({"prize": 10000.51}, "prize"), ({"accuracy": 1.1}, "accuracy"),
    ({"country": "de"}, "country"), ({"country": "DEU"}, "country"), ({"ip": "1.2.3"}, "ip"), ({"birthday": "2000-02-30"}, "birthday"), ({"email": "nobody"}, "email"),
    ({"code": "C-1"}, "code"), ({"code": "D-1_a.[x]*"}, "code"), ({"stars": 4}, "stars"), ({"ended_at": "yesterday"}, "ended_at"), ({"nobody_declared": 1}, "nobody_declared"),
]


def events_of_cases():
    """Events of which the schema and the stream are asked, and whether each is right."""
    events = [{"event_type": "match_ended", "visitor_id": "v1", "properties": {**MATCH, **change}} for change, _ in CASES]
    wanted = [wrong is None for _, wrong in CASES]
    for name in MATCH:
        events.append({"event_type": "match_ended", "user_id": "u1", "properties": {k: v for k, v in MATCH.items() if k != name}})
        wanted.append(False)
    events += [{"event_type": "match_ended", "properties": MATCH}, {"event_type": "match_ended", "visitor_id": "v1"}]  # nobody, nothing
    return events, wanted + [False, False]


def test_the_json_schema_takes_what_is_right_and_nothing_else():
    events, wanted = events_of_cases()
    for words in (["match_ended"], []):  # alone, and among all
        with tempfile.TemporaryDirectory() as directory:
            paths = [os.path.join(directory, name) for name in ("schema.json", "events.ndjson")]
            with open(paths[0], "w") as f:
                f.write(schema("json", *words))
            with open(paths[1], "w") as f:
                f.writelines(json.dumps(e) + "\n" for e in events)
            said = oracle("json", *paths)
        assert [not s for s in said] == wanted, [(e["properties"], s) for e, s, w in zip(events, said, wanted) if w == bool(s)]


def test_the_stream_takes_what_the_json_schema_takes():
    events, wanted = events_of_cases()
    weir = Weir(yaml="")
    game = open(os.path.join(GOLDEN, "config", "domains", "game.yaml")).read()
    with open(os.path.join(weir.config, "domains", "game.yaml"), "w") as f:  # without a key for encryption, and nothing is only tagged
        f.write(game.replace("pii: encrypt", "pii: hash").replace(", on_failure: tag", ""))
    try:
        weir.start()
        events = [{"event_id": "e%d" % i, **e} for i, e in enumerate(events)]
        assert weir.post("/track", events, key="demo_write")[0] == 200
        weir.settle("SELECT (SELECT count() FROM events_raw WHERE event_type = 'match_ended') + (SELECT count() FROM dead_letters)", len(events))
        kept = {row[0] for row in weir.sql("SELECT event_id FROM events_match_ended")}
        why = dict(weir.sql("SELECT event_id, concat(field, ': ', message) FROM dead_letters"))
        assert [e["event_id"] in kept for e in events] == wanted, [(e, why.get(e["event_id"])) for e, w in zip(events, wanted) if (e["event_id"] in kept) != w]
        assert weir.sql("SELECT entry_cents, country, stars, prize_cents, won FROM events_match_ended WHERE event_id = 'e0'") == [[1999, "DE", 1, 250, False]]
    finally:
        weir.stop()


USE = """import { createWeir } from '@weir/browser';
import type { WeirEvents } from './events';
const weir = createWeir<WeirEvents>({ key: 'k' });
weir.track('player_action');
weir.track('player_action', { action_type: 'jump' }, 'Jumped');
weir.track('match_ended', { match_id: 'm', ranked: true, mode: 'duel', score: 1, entry: '19.99', ended_at: new Date(), stars: 3, nick: null });
"""


def test_the_types_compile_with_the_sdk_and_find_what_is_misspelt():
    folder = os.path.join(ROOT, "sdk", ".test", "schema")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    compiler = os.path.join(ROOT, "sdk", "node_modules", "typescript", "bin", "tsc")
    options = {"strict": True, "exactOptionalPropertyTypes": True, "noEmit": True, "module": "ESNext", "moduleResolution": "Bundler", "target": "ES2020",
               "lib": ["ES2020", "DOM"], "types": [], "paths": {"@weir/browser": ["../../dist/index.d.ts"]}}
    wrong = {"weir.track('player_acton');": "TS2345", "weir.track('player_action', { action: 'jump' });": "TS2353", "weir.track('match_ended');": "TS2554",
             "weir.track('match_ended', { match_id: 'm', ranked: true, mode: 'war', score: 1, entry: 1 });": "TS2322",
             "weir.track('purchase', { amount: 'much' });": "TS2322"}
    for i, line in enumerate(["", *wrong]):
        with open(os.path.join(folder, "use%d.ts" % i), "w") as f:
            f.write(USE + line + "\n")
    for i, config in enumerate(configs()):
        with open(os.path.join(folder, "events%s.ts" % (i or "")), "w") as f:
            f.write(schema("ts", config=config))
    example = re.search(r"```ts\n(.*?)```", open(os.path.join(ROOT, "docs", "schemas.md")).read(), re.S).group(1)
    with open(os.path.join(folder, "document.ts"), "w") as f:
        f.write(example.replace("./weir-events", "./events").replace("order_id: crypto.randomUUID(), ", ""))
    with open(os.path.join(folder, "tsconfig.json"), "w") as f:
        json.dump({"compilerOptions": options, "include": ["*.ts"]}, f)
    said = subprocess.run(["node", compiler, "-p", folder], capture_output=True, text=True).stdout.splitlines()
    found = [(line.split("(")[0][-7:], line.split("error ")[1][:6]) for line in said if not line.startswith(" ")]
    assert found == [("use%d.ts" % i, code) for i, code in enumerate(wrong.values(), 1)], said


def test_what_is_not_there_is_told_with_what_was_meant():
    config = os.path.join(GOLDEN, "config")
    done = weir("schema", "avro", "purchse", "--config", config)
    assert done.returncode == DATA and not done.stdout and "did you mean purchase?" in done.stderr, done
    done = weir("schema", "avro", "--domain", "nobody", "--config", config)
    assert done.returncode == DATA and "domain nobody declares no event types" in done.stderr, done
    done = weir("schema", "avro", "--config", os.path.join(ROOT, "test", "golden", "check"))
    assert done.returncode == CONFIG and "shop.yaml:" in done.stderr, done
    assert weir("schema", "arvo").returncode == USAGE and weir("schema").returncode == USAGE
    assert [t["event_type"] for t in json.loads(schema("list", "--json", "--domain", "game"))] == ["player_action", "match_ended", "PlayerAction"]


def random_field(chance, name):
    kind = chance.choice(["text", "integer", "float", "money", "boolean", "timestamp"])
    said = {"name": name, "type": kind}
    if chance.random() < 0.3:
        said["required"] = True
        said["on_failure"] = chance.choice(["reject", "tag"])
    elif chance.random() < 0.5:
        said["default"] = {"text": "x", "integer": 7, "float": 0.5, "money": "19.99", "boolean": False, "timestamp": "2026-01-31T00:00:00Z"}[kind]
    if chance.random() < 0.2:
        said["pii"] = chance.choice(["hash", "drop", "encrypt"])
    return said


def random_pair(chance, name):
    """Two versions of an event type: fields that stay, change, come and go."""
    fields = [random_field(chance, "f%d" % i) for i in range(chance.randrange(5))]
    later = [f if chance.random() < 0.6 else random_field(chance, f["name"]) for f in fields if chance.random() < 0.8]
    later += [random_field(chance, "g%d" % i) for i in range(chance.choice([0, 0, 1, 2]))]
    chance.shuffle(later)
    return {"name": name, "attributes": fields}, {"name": name, "attributes": later}


def test_five_hundred_random_pairs_are_as_compatible_as_avro_and_fastavro_have_it():
    seed = int(os.environ.get("WEIR_SEED") or random.randrange(10**9))
    print("seed", seed)
    chance, seen = random.Random(seed), set()
    for _ in range(2):
        pairs = [random_pair(chance, "t%d" % i) for i in range(250)]
        with tempfile.TemporaryDirectory() as directory:
            paths = []
            for i, name in enumerate(("old", "new")):
                paths.append(os.path.join(directory, name))
                os.makedirs(os.path.join(paths[i], "domains"))
                with open(os.path.join(paths[i], "domains", "random.yaml"), "w") as f:
                    json.dump({"domain": "random", "event_types": [pair[i] for pair in pairs]}, f)
                with open(paths[i] + ".avsc", "w") as f:
                    f.write(schema("avro", config=paths[i]))
            done = weir("schema", "diff", *paths, "--json", "--require", "none")
            assert done.returncode == 0 and not done.stderr, done
            ours = {t["event_type"]: t for t in json.loads(done.stdout)["event_types"]}
            for name, by_avro, by_fastavro in (line.split() for line in oracle("compare", paths[0] + ".avsc", paths[1] + ".avsc", str(seed))):
                verdict = ours[name]["compatibility"] if name in ours else "FULL"
                assert verdict == by_avro == by_fastavro, (name, verdict, by_avro, by_fastavro, [p for p in pairs if p[0]["name"] == name])
                told = {b["not"] for b in ours.get(name, {}).get("incompatible", [])}
                assert told == {"FULL": set(), "BACKWARD": {"FORWARD"}, "FORWARD": {"BACKWARD"}, "NONE": {"BACKWARD", "FORWARD"}}[verdict], ours[name]
                seen.add(verdict)
    assert seen == {"FULL", "BACKWARD", "FORWARD", "NONE"}, seen


def test_a_script_learns_from_the_exit_code_whether_a_change_is_safe():
    with tempfile.TemporaryDirectory() as directory:
        def diff(old, new, *words):
            for name, text in (("old.yaml", old), ("new.yaml", new)):
                with open(os.path.join(directory, name), "w") as f:
                    f.write(text)
            return weir("schema", "diff", os.path.join(directory, "old.yaml"), os.path.join(directory, "new.yaml"), *words)
        done = diff(OLD, OLD)
        assert done.returncode == 0 and done.stdout == "0 event types differ: FULL\n", done
        added = OLD.replace("[product_id,", "[product_id, size,")
        done = diff(OLD, added, "--require", "full")
        assert done.returncode == 0 and "  + size: attribute text\n" in done.stdout, done
        needed = OLD.replace("[product_id,", "[product_id, {name: size, required: true},")
        done = diff(OLD, needed)
        assert done.returncode == 1 and "not BACKWARD: size: old records do not have it, and it has no default" in done.stdout, done
        assert diff(OLD, needed, "--require", "forward").returncode == 0 and diff(OLD, needed, "--require", "none").returncode == 0
        done = diff(OLD, NEW)
        assert done.returncode == 1 and "gone (shop), gone: NONE" in done.stdout and "the event type is gone" in done.stdout, done
        assert diff(NEW, OLD).returncode == 0
        stricter = diff(OLD, OLD.replace("{name: weight}", "{name: weight, min: 1, max: 2, pii: hash}"), "--json")
        assert [(c["property"], c.get("before"), c["now"]) for c in json.loads(stricter.stdout)["event_types"][0]["changes"]] == [
            ("min", None, "1"), ("max", None, "2"), ("pii", "none", "hash")]
        assert diff(OLD, "domain: shop\nevent_types: [{nam: x}]\n").returncode == CONFIG
    assert weir("schema", "diff", "config", "nowhere").returncode == NO_INPUT and weir("schema", "diff", "config").returncode == USAGE


OLD = """domain: shop
event_types:
  - name: purchase
    description: "it's paid"
    attributes: [product_id, order, properties, {name: coupon, default: "it's \\"none\\""}]
    metrics: [{name: amount, type: money}, {name: weight}]
  - {name: hourly, attributes: [a]}
  - {name: gone, attributes: [a], deprecated: purchase}
"""
NEW = OLD.replace("[product_id,", "[product_id, {name: paid_at, type: timestamp}, {name: items, type: integer}, {name: gift, type: boolean},").replace("  - {name: gone, attributes: [a], deprecated: purchase}\n", "")


def write_domain(weir, text):
    with open(os.path.join(weir.config, "domains", "shop.yaml"), "w") as f:
        f.write(text)


def test_each_type_is_a_view_with_typed_columns_that_follows_the_domain_and_shows_a_tenant_its_own():
    weir = Weir(yaml="")
    shutil.rmtree(os.path.join(weir.config, "domains"))
    os.mkdir(os.path.join(weir.config, "domains"))
    write_domain(weir, OLD)
    try:
        weir.start()
        other = weir.tenant("other")
        paid = {"product_id": "p1", "order": "o", "properties": "inside", "amount": 19.99, "amount_cents": 1999, "weight": 2, "paid_at": "2026-01-31T10:00:00.5Z", "items": 3,
                "gift": True}
        late = {"product_id": "p2", "coupon": "C-1", "paid_at": 1769853600.25}
        events = [{"event_type": "purchase", "visitor_id": "v", "event_id": "e%d" % i, "properties": p} for i, p in enumerate((paid, late))]
        assert weir.post("/track", events + [{"event_type": "hourly", "visitor_id": "v", "properties": {"a": "x"}}], key="demo_write")[0] == 200
        assert weir.post("/track", [{"event_type": "purchase", "visitor_id": "v", "properties": {"product_id": "theirs"}}], key=other["write_key"])[0] == 200
        weir.settle("SELECT count() FROM events_purchase", 2)
        weir.settle("SELECT count() FROM events_purchase", 1, key=other["read_key"])
        assert weir.sql("SELECT product_id, `order`, properties, coupon, amount_cents, weight, event_name FROM events_purchase ORDER BY event_id") == [
            ["p1", "o", "inside", 'it\'s "none"', 1999, 2, "purchase"], ["p2", None, None, "C-1", None, None, "purchase"]]
        assert weir.sql("SELECT product_id FROM events_purchase", key=other["read_key"]) == [["theirs"]]
        assert weir.sql("SELECT a FROM events_hourly_") == [["x"]] and weir.sql("SELECT a FROM events_gone") == []
        assert weir.sql("SELECT event_type, domain, view, description FROM event_types ORDER BY event_type") == [
            ["gone", "shop", "events_gone", ""], ["hourly", "shop", "events_hourly_", ""], ["purchase", "shop", "events_purchase", "it's paid"]]

        write_domain(weir, NEW)
        weir.process.send_signal(signal.SIGHUP)
        weir.settle("SELECT count() FROM event_types", 2)
        assert weir.sql("SELECT paid_at, items, gift, toTypeName(items), toTypeName(paid_at), toTypeName(gift), toTypeName(amount_cents) FROM events_purchase ORDER BY event_id") == [
            ["2026-01-31 10:00:00.500", 3, True, "Nullable(Int64)", "Nullable(DateTime64(3, 'UTC'))", "Nullable(Bool)", "Nullable(Int64)"],
            ["2026-01-31 10:00:00.250", None, None, "Nullable(Int64)", "Nullable(DateTime64(3, 'UTC'))", "Nullable(Bool)", "Nullable(Int64)"]]
        columns = weir.one("SELECT columns FROM event_types WHERE event_type = 'purchase'")
        assert columns.startswith("event_id, timestamp, customer_id") and columns.endswith("amount_cents, weight"), columns
        try:
            weir.sql("SELECT a FROM events_gone")
            raise AssertionError("a type that is gone still has its view")
        except RuntimeError:
            pass
        assert weir.one("SELECT count() FROM events_raw") == 3 and weir.one("SELECT sum(event_count) FROM events_hourly") == 3
    finally:
        weir.stop()
