"""Evolution: event types change while events flow. Three domains run in one weir; what keeps old records readable is taken live, what does not is refused
with the place, the reason and the way out, at SIGHUP, at start and by `weir check`; the catalog says what is deployed and who changed what."""
import json, os, re, shutil, signal, tempfile, threading

from cli_test import CONFIG, NO_INPUT, USAGE, weir as command
from weir import ROOT, Weir

SHOP = """domain: shop
event_types:
  - name: purchase
    attributes: [product_id, {name: order_no, type: integer}]
    metrics: [{name: amount, type: money, required: true}]
    rules: [{name: paid, expect: properties.amount_cents > 0, message: somebody pays}]
  - {name: refund, attributes: [reason]}
"""
GAME = """domain: game
event_types:
  - {name: level_up, attributes: [{name: level, type: integer, required: true}]}
windows:
  - {name: levels, size: 1m, where: event_type == 'level_up', measures: {ups: count()}}
"""
IOT = """domain: iot
compatibility: full
event_types:
  - {name: reading, metrics: [{name: celsius, type: float, min: -50, max: 60}]}
"""
WITH_COUPON = SHOP.replace("[product_id,", "[product_id, {name: coupon, default: none},").replace("amount_cents > 0", "amount_cents > 100")
AS_TEXT = GAME.replace("{name: level, type: integer, required: true}", "{name: level, type: text, required: true}")
REFUSAL = "game.yaml:3:42: level_up.level: this change is not BACKWARD, and level_up is deployed (version 1): the long of old records is not read as string; " \
          "keep its type and declare another field beside it, or allow it by `compatibility: none`"


def put(directory, **domains):
    for name, text in domains.items():
        with open(os.path.join(directory, "domains", name + ".yaml"), "w") as f:
            f.write(text)


def three_domains():
    weir = Weir(yaml="")
    shutil.rmtree(os.path.join(weir.config, "domains"))
    os.mkdir(os.path.join(weir.config, "domains"))
    put(weir.config, shop=SHOP, game=GAME, iot=IOT)
    return weir


class Traffic:
    """Sends one event of each domain, or these, over and over until it is told to end; counts what was answered 200."""

    def __init__(self, weir, events=None, key="demo_write"):
        self.weir, self.events, self.key, self.rounds, self.ending, self.failed = weir, events, key, 0, threading.Event(), None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ending.is_set() and not self.failed:
            events = self.events or [{"event_type": "purchase", "properties": {"product_id": "p", "order_no": self.rounds, "amount": 5, "coupon": "C%d" % (self.rounds % 3)}},
                      {"event_type": "level_up", "properties": {"level": self.rounds}}, {"event_type": "reading", "properties": {"celsius": 20.5}}]
            try:
                answer = self.weir.post("/track", [{**e, "visitor_id": "v%d" % (self.rounds % 7)} for e in events], key=self.key)
            except OSError as e:
                answer = (None, e)
            self.failed = answer if answer[0] != 200 else None
            self.rounds += answer[0] == 200

    def at_least(self, more):
        """Waits until so many rounds went through from now on."""
        until = self.rounds + more
        while self.rounds < until:
            assert not self.failed and self.thread.is_alive(), self.failed
            self.ending.wait(0.01)

    def end(self):
        self.ending.set()
        self.thread.join(60)
        assert not self.failed and not self.thread.is_alive(), self.failed
        return self.rounds


def catalog(weir, *words):
    done = weir.cli("catalog", *words, "--data", weir.data, "--json")
    assert done.returncode == 0 and not done.stderr, done
    return json.loads(done.stdout)[words[0]]


def hup(weir, **domains):
    """Changes the files, sends SIGHUP, and waits until weir has said what it makes of it."""
    put(weir.config, **domains)
    said = len(weir.log_text())
    weir.process.send_signal(signal.SIGHUP)
    for _ in range(6000):
        text = weir.log_text()[said:]
        if "config.reloaded" in text or "config.refused" in text:
            return text
        assert weir.process.poll() is None, text
        threading.Event().wait(0.01)
    raise AssertionError("SIGHUP had no effect: " + weir.log_text()[-2000:])


def test_three_domains_run_one_changes_compatibly_one_is_refused_and_nothing_is_lost_or_blocked():
    weir = three_domains()
    try:
        weir.start()
        traffic = Traffic(weir)
        traffic.at_least(20)
        weir.sql("SELECT count() FROM events_purchase")

        said = hup(weir, shop=WITH_COUPON)
        assert "config.reloaded" in said and "domains=changed" in said and "catalog.deployed" in said, said
        weir.settle("SELECT count() > 0 FROM events_purchase WHERE coupon = 'C1'", 1)
        traffic.at_least(20)

        said = hup(weir, game=AS_TEXT)
        assert REFUSAL in said and "config.refused" in said and "1 change of event types would break what is deployed" in said, said
        assert "config.reloaded" not in said
        traffic.at_least(20)
        # What was refused is refused whole: a good change beside it waits, too, and is taken once the bad one is mended.
        said = hup(weir, iot=IOT.replace("max: 60", "max: 70"))
        assert "config.refused" in said, said
        said = hup(weir, game=GAME)
        assert "config.reloaded" in said and "domains=changed" in said, said
        traffic.at_least(20)
        rounds = traffic.end()

        for view in ("events_purchase", "events_level_up", "events_reading"):
            weir.settle("SELECT count() FROM " + view, rounds)
        assert weir.sql("SELECT count(), uniqExact(order_no), countIf(startsWith(coupon, 'C')) FROM events_purchase") == [[rounds, rounds, rounds]], "past events have the column, too"
        assert weir.sql("SELECT count(), uniqExact(level), toTypeName(any(level)) FROM events_level_up")[0][:2] == [rounds, rounds]
        assert weir.one("SELECT count() FROM dead_letters") == 0
        # The rule that came with the new version is in force: one euro is not enough any more.
        assert weir.post("/track", [{"event_type": "purchase", "visitor_id": "v", "properties": {"amount": 1}}], key="demo_write")[0] == 200
        weir.settle("SELECT count() FROM dead_letters", 1)
        assert {t["name"]: (t["version"], t["active"]) for t in catalog(weir, "types")} == {"purchase": (2, True), "refund": (1, True), "level_up": (1, True), "reading": (2, True)}
    finally:
        weir.close()


def test_a_start_with_an_incompatible_change_ends_with_78_and_says_where_why_and_what_to_do():
    weir = three_domains()
    try:
        weir.start()
        assert weir.post("/track", [{"event_type": "level_up", "visitor_id": "v", "properties": {"level": 7}}], key="demo_write")[0] == 200
        weir.settle("SELECT level FROM events_level_up", 7)
        assert weir.stop() == 0
        put(weir.config, game=AS_TEXT)
        weir.spawn()
        assert weir.process.wait(60) == CONFIG, weir.log_text()[-2000:]
        said = weir.log_text()
        assert REFUSAL in said and "     3 |   - {name: level_up, attributes: [{name: level," in said and "^~~~~" in said, said[-2000:]
        assert "weir up: 1 change of event types would break what is deployed" in said, said[-2000:]
        assert {t["name"]: t["version"] for t in catalog(weir, "types")}["level_up"] == 1

        done = command("check", "--config", weir.config, "--against", weir.data)
        assert done.returncode == CONFIG and REFUSAL in done.stderr and "^~~~~" in done.stderr, done
        problems = json.loads(command("check", "--config", weir.config, "--against", weir.data, "--json").stdout)["problems"]
        assert [(p["line"], p["column"]) for p in problems] == [(3, 42)], problems

        put(weir.config, game=AS_TEXT.replace("name: level_up,", "name: level_up, compatibility: none,"))
        assert command("check", "--config", weir.config, "--against", weir.data).returncode == 0
        weir.start()
        assert weir.post("/track", [{"event_type": "level_up", "visitor_id": "v", "properties": {"level": "last"}}], key="demo_write")[0] == 200
        weir.settle("SELECT count() FROM events_level_up", 2)
        assert weir.sql("SELECT level FROM events_level_up ORDER BY level") == [["7"], ["last"]]
        assert {t["name"]: t["version"] for t in catalog(weir, "types")}["level_up"] == 2
    finally:
        weir.close()


def test_a_type_goes_when_it_was_deprecated_and_a_domain_as_a_whole():
    weir = three_domains()
    without = SHOP.replace("  - {name: refund, attributes: [reason]}\n", "")
    try:
        weir.start()
        said = hup(weir, shop=without)
        assert "shop.yaml:1:1: the event type refund is deployed (version 1) and gone from here" in said and "deprecated: WHAT TO USE INSTEAD" in said, said
        assert "config.reloaded" in hup(weir, shop=SHOP.replace("{name: refund,", "{name: refund, deprecated: purchase,"))
        assert "config.reloaded" in hup(weir, shop=without)
        os.remove(os.path.join(weir.config, "domains", "game.yaml"))
        assert "config.reloaded" in hup(weir)
        assert {t["name"] for t in catalog(weir, "types")} == {"purchase", "reading"}
        assert {t["name"]: t["active"] for t in catalog(weir, "types", "--all")} == {"purchase": True, "reading": True, "refund": False, "level_up": False}
        # What comes back is still held against what it once meant.
        assert "config.refused" in hup(weir, game=AS_TEXT)
        assert "config.reloaded" in hup(weir, game=GAME)
    finally:
        weir.close()


def test_the_catalog_says_what_is_deployed_and_what_changed_also_while_weir_runs():
    weir = three_domains()
    try:
        missing = weir.cli("catalog", "types", "--data", weir.data)
        assert missing.returncode == 66 and "is --data the directory of weir up" in missing.stderr, missing
        weir.start()
        hup(weir, shop=WITH_COUPON)
        assert [(s["name"], s["type"], s["body"]["port"]) for s in catalog(weir, "sources")] == [("http", "api", weir.ingest_port)]
        assert {(r["name"], r["type"], r.get("event_type"), r["source"], r["version"]) for r in catalog(weir, "rules")} == {
            ("paid", "validation", "purchase", "http", 2), ("levels", "window", None, "http", 1)}
        [change, made] = catalog(weir, "audit", "--of", "event_type/purchase")
        assert (made["action"], made["old_value"], made["actor"]) == ("create", None, "weir up"), made
        assert change["action"] == "update" and (change["old_value"]["version"], change["new_value"]["version"]) == (1, 2), change
        assert [f["name"] for f in change["old_value"]["body"]["attributes"]] == ["product_id", "order_no"]
        assert [f["name"] for f in change["new_value"]["body"]["attributes"]] == ["product_id", "coupon", "order_no"]
        [rule] = [line for line in catalog(weir, "audit", "--of", "rule/purchase.paid") if line["action"] == "update"]
        assert (rule["old_value"]["body"]["expect"], rule["new_value"]["body"]["expect"]) == ("properties.amount_cents > 0", "properties.amount_cents > 100"), rule
        before = len(catalog(weir, "audit"))
        assert weir.stop() == 0
        weir.start()
        assert len(catalog(weir, "audit")) == before, "a start that changes nothing writes nothing"
        for what, words in (("types", ("purchase", "shop")), ("rules", ("levels", "window")), ("sources", ("http", "api")), ("audit", ("event_type", "create", "tenant"))):
            done = weir.cli("catalog", what, "--data", weir.data)
            assert done.returncode == 0 and all(word in done.stdout for word in words) and "…" not in done.stdout, done
        done = weir.cli("catalog", "audit", "--of", "event_type/purchase", "--data", weir.data)
        assert done.returncode == 0 and "\n  - {" in done.stdout and "\n  + {" in done.stdout, done
        assert weir.cli("catalog", "nothing", "--data", weir.data).returncode == USAGE
    finally:
        weir.close()


def test_check_compares_with_another_configuration_or_file():
    with tempfile.TemporaryDirectory() as directory:
        paths = [os.path.join(directory, name) for name in ("old", "new")]
        for path, shop in zip(paths, (SHOP, SHOP.replace("{name: order_no, type: integer}", "{name: order_no, type: integer, required: true}"))):
            os.makedirs(os.path.join(path, "domains"))
            os.makedirs(os.path.join(path, "environments"))
            open(os.path.join(path, "environments", "dev.yaml"), "w").close()
            put(path, shop=shop)
        for against in (paths[0], os.path.join(paths[0], "domains", "shop.yaml")):
            done = command("check", "--config", paths[1], "--against", against)
            assert done.returncode == CONFIG and "purchase.order_no: this change is not BACKWARD" in done.stderr and "old records may have null there; leave `required` out" in done.stderr, done
        assert command("check", "--config", paths[0], "--against", paths[0]).returncode == 0
        put(paths[1], shop=SHOP.replace("  - name: purchase", "  - name: purchase\n    compatibility: forward").replace("type: integer}", "type: integer, required: true}"))
        assert command("check", "--config", paths[1], "--against", paths[0]).returncode == 0
        nowhere = os.path.join(directory, "nowhere")
        done = command("check", "--config", paths[0], "--against", nowhere)
        assert done.returncode == NO_INPUT and "--against: there is no %s\n" % nowhere in done.stderr, done
        done = command("check", "--config", paths[0], "--against", nowhere, "--json")
        assert done.returncode == NO_INPUT and json.loads(done.stdout)["error"] == "--against: there is no " + nowhere, done
        done = command("check", "--config", paths[0], "--against", os.path.join(paths[0], "environments"))
        assert done.returncode == NO_INPUT and "is no data directory of a weir" in done.stderr, done
        assert command("check", "--config", nowhere, "--against", paths[0]).returncode == CONFIG


def shipped(name, tenants):
    """A domain that ships, for these tenants."""
    path = os.path.join("config" if name == "web" else os.path.join("examples", name), "domains")
    with open(os.path.join(ROOT, path, name + ".yaml")) as f:
        text = f.read()
    return re.sub(r"(?m)^(domain: .*)$", r"\1\ntenants: [%s]" % ", ".join(tenants), text)


def test_the_domains_that_ship_run_at_once_each_for_its_tenants_and_change_while_events_flow():
    weir = Weir(yaml="")
    web, shop, game = shipped("web", ["blog"]), shipped("shop", ["acme", "globex"]), shipped("game", ["pixels"])
    shutil.copy(os.path.join(ROOT, "examples", "shop", "domains", "products.csv"), os.path.join(weir.config, "domains"))
    put(weir.config, web=web, shop=shop, game=game)
    of_shop = {"event_type": "purchase", "properties": {"amount": 19.99, "currency": "EUR", "country": "DE"}}
    of_game = {"event_type": "purchase", "properties": {"amount": 4.99, "currency": "EUR", "product_id": "sku-1", "platform": "pc"}}
    events = {"blog": [{"event_type": "purchase", "properties": {"anything": True}}, {"event_type": "page_view", "properties": {"page": "/"}}],
              "acme": [of_shop, {"event_type": "page_view", "properties": {"page": "/", "country": "DE"}}], "globex": [of_shop], "pixels": [of_game]}
    try:
        weir.start()
        keys = {name: weir.tenant(name) for name in events}
        traffic = {name: Traffic(weir, events[name], keys[name]["write_key"]) for name in events}

        def at_least(more):
            for one in traffic.values():
                one.at_least(more)

        at_least(5)
        said = hup(weir, shop=shop.replace("      - {name: product}\n      - {name: currency", "      - {name: product}\n      - {name: coupon, default: none}\n      - {name: currency"))
        assert "config.reloaded" in said and "domains=changed" in said, said
        at_least(5)
        weir.settle("SELECT count() > 0 FROM events_raw WHERE JSONExtractString(properties, 'coupon') = 'none'", 1, key=keys["acme"]["read_key"])
        wrong = game.replace("{name: gift, type: boolean, default: false}", "{name: gift, type: integer, default: 0}")
        assert wrong != game
        said = hup(weir, game=wrong)
        assert "config.refused" in said and "purchase is deployed (version 1)" in said and "game.yaml:" in said, said
        at_least(5)
        clash = game.replace("tenants: [pixels]", "tenants: [pixels, acme]")
        said = hup(weir, game=clash)
        assert "config.refused" in said and "there is an event type purchase already, in domain game" in said and "game.yaml:32:11" in said and "shop.yaml:21:11" in said, said
        assert "config.reloaded" in hup(weir, game=game)
        at_least(5)
        rounds = {name: one.end() for name, one in traffic.items()}

        for name, key in ((name, keys[name]["read_key"]) for name in events):
            weir.settle("SELECT count() FROM events_raw", rounds[name] * len(events[name]), key=key)
            assert weir.one("SELECT count() FROM dead_letters", key=key) == 0, name
            declared = weir.sql("SELECT DISTINCT domain FROM event_types", key=key)
            assert declared == {"blog": [["web"]], "acme": [["shop"]], "globex": [["shop"]], "pixels": [["game"]]}[name], (name, declared)
        assert weir.sql("SELECT count(), min(amount_cents), max(amount_cents) FROM events_shop_purchase", key=keys["acme"]["read_key"]) == [[rounds["acme"], 1999, 1999]]
        assert weir.sql("SELECT count(), any(amount_cents), any(gift) FROM events_game_purchase", key=keys["pixels"]["read_key"]) == [[rounds["pixels"], 499, False]]
        assert weir.one("SELECT count() FROM events_raw WHERE event_type = 'purchase' AND JSONHas(properties, 'amount_cents')", key=keys["blog"]["read_key"]) == 0
        # The margins of the shop are its tenants' to see.
        assert weir.one("SELECT count() > 0 FROM dim_products", key=keys["acme"]["read_key"]) and weir.one("SELECT count() FROM dim_products", key=keys["pixels"]["read_key"]) == 0
        # What one tenant's domain asks for, it asks of no other's events.
        for name in ("acme", "pixels"):
            assert weir.post("/track", [{"event_type": "purchase", "visitor_id": "v", "properties": of_shop["properties"]}], key=keys[name]["write_key"])[0] == 200
        weir.settle("SELECT any(reason) FROM dead_letters", "unknown_field", key=keys["pixels"]["read_key"])
        weir.settle("SELECT count() FROM events_shop_purchase", rounds["acme"] + 1, key=keys["acme"]["read_key"])
        assert {t["name"] for t in catalog(weir, "types")} >= {"shop.purchase", "game.purchase", "shop.page_view"}
        headers = {"Authorization": "Bearer " + keys["pixels"]["read_key"]}
        assert [d["domain"] for d in json.loads(weir.request("GET", weir.api("/v1/dashboards"), headers=headers)[1])["dashboards"]] == ["game"]
    finally:
        weir.close()
