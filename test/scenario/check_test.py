"""The configuration as people meet it: `weir check` to the byte, its JSON Schemas by a validator of others, secrets from a real Vault, and SIGHUP while
events flow."""
import contextlib, json, os, re, signal, subprocess, tempfile, threading, time, urllib.request

from cli_test import CONFIG, USAGE, on_a_terminal, weir
from venv import venv
from ports import free_port
from weir import ROOT, Weir

GOLDEN = os.path.join(ROOT, "test", "golden", "check")
SECRET = "s3cr3t-that-is-never-shown"


@contextlib.contextmanager
def config(**files):
    """A directory with these files: platform, dev, or the name of a domain."""
    with tempfile.TemporaryDirectory() as directory:
        for part in ("environments", "domains"):
            os.mkdir(os.path.join(directory, part))
        put(directory, dev="")
        put(directory, **files)
        yield directory


def put(directory, **files):
    for name, text in files.items():
        path = {"platform": "platform.yaml", "dev": "environments/dev.yaml"}.get(name, "domains/%s.yaml" % name)
        with open(os.path.join(directory, path), "w") as f:
            f.write(text)


def test_every_mistake_of_every_file_is_told_at_once_to_the_byte():
    done = weir("check", "--config", "test/golden/check")
    assert done.returncode == CONFIG and not done.stdout, done
    wanted = open(os.path.join(GOLDEN, "broken.txt")).read()
    assert done.stderr == wanted, "\n" + done.stderr
    assert "hunter2" not in done.stderr
    answer = json.loads(weir("check", "--config", "test/golden/check", "--json").stdout)
    assert answer["mistakes"] == len(answer["problems"]) == len(re.findall(r"^test/golden", wanted, re.M)), answer["problems"]
    assert all(p["file"].startswith("test/golden/check/") and p["line"] > 0 and p["column"] > 0 and p["message"] for p in answer["problems"])
    assert "hunter2" not in json.dumps(answer)
    nowhere = weir("check", "--config", "test/golden/nowhere", "--json")
    assert (nowhere.returncode, json.loads(nowhere.stdout)["mistakes"]) == (CONFIG, 1), nowhere
    seen, code = on_a_terminal(["check", "--config", "test/golden/check"])
    assert code == CONFIG and "\x1b[31m" in seen and re.sub(r"\x1b\[\d*m", "", seen).replace("\r\n", "\n") == wanted, seen
    plain, _ = on_a_terminal(["check", "--config", "test/golden/check"], {"NO_COLOR": "1"})
    assert "\x1b" not in plain


def test_a_thousand_mistakes_are_counted_and_a_hundred_shown():
    with config(platform="".join("nonsense_%d: 1\n" % i for i in range(1000))) as directory:
        done = weir("check", "--config", directory)
        assert done.returncode == CONFIG and len(re.findall(r"platform.yaml:\d+:1: ", done.stderr)) == 100, done.stderr[-500:]
        assert "… and 900 more mistakes\nweir check: 1000 mistakes in the configuration\n" in done.stderr, done.stderr[-500:]


def test_a_file_of_a_gibibyte_is_refused_without_being_read_whichever_it_is():
    with config(platform="", shop="domain: shop\ntransforms: [{name: t, file: t.lua}]\n") as directory:
        with open(os.path.join(directory, "domains", "t.lua"), "w") as f:
            f.write("function transform(event) return event end")
        for path in ("platform.yaml", "environments/dev.yaml", "domains/shop.yaml", "domains/t.lua", "tests.yaml"):
            whole = os.path.join(directory, path)
            if path != "tests.yaml":
                os.rename(whole, whole + ".kept")
            with open(whole, "w") as f:
                f.truncate(1 << 30)
            words = ["test", whole] if path == "tests.yaml" else ["check"]
            done = subprocess.run(["sh", "-c", 'ulimit -v 900000 && exec "$0" "$@"', os.path.join(ROOT, "build", "weir"), *words, "--config", directory],
                                  capture_output=True, text=True, timeout=10)
            assert done.returncode in (CONFIG, 66) and path in done.stderr and "it has 1073741824 bytes, at most" in done.stderr, (path, done)
            if path != "tests.yaml":
                os.rename(whole + ".kept", whole)


def test_later_layers_win_key_by_key_and_domains_stay_out_of_the_platform():
    files = {"platform": "log: {level: warn, format: json}\ningest.port: 9000\n", "dev": "log.level: debug\n", "shop": "domain: shop\n", "game": "domain: game\n"}
    with config(**files) as directory:
        answer = json.loads(weir("check", "--config", directory, "--json").stdout)
        by_key = {s["key"]: (s["value"], os.path.basename(s["from"]), s["line"]) for s in answer["settings"]}
        assert by_key["log.level"] == ("debug", "dev.yaml", 1) and by_key["log.format"] == ("json", "platform.yaml", 1), by_key
        assert by_key["ingest.port"] == ("9000", "platform.yaml", 2) and by_key["api.port"] == ("8001", "", 0), by_key
        assert [d["name"] for d in answer["domains"]] == ["game", "shop"], answer["domains"]
        done = weir("check", "--config", directory, "--explain", "log.level")
        assert "log.level = debug  (%s/environments/dev.yaml:1)" % directory in done.stdout and "default: info" in done.stdout and "SIGHUP" in done.stdout, done.stdout
        assert "needs a restart" in weir("check", "--config", directory, "--explain", "ingest.port").stdout
        for key, kind in {"demo_tenant": "true or false", "quality.validity": "share, 0 to 1 or 0 % to 100 %", "kafka.prefix": "text", "kafka.sasl_password": "secret, written as ${secret:NAME}",
                          "log.level": "one of debug|info|warn|error"}.items():
            assert "type: %s\n" % kind in weir("check", "--explain", key).stdout, key
        assert "an event without" not in weir("check", "--explain", "windows[].gap").stdout and "30m" in weir("check", "--explain", "windows[].gap").stdout
        assert weir("check", "--explain", "ingest.prt").returncode == USAGE
        put(directory, shop="domain: shop\ningest: {port: 1}\nkafka.brokers: x\n")
        done = weir("check", "--config", directory)
        assert done.returncode == CONFIG and "shop.yaml:2:1: ingest is a setting of the platform, not of a domain" in done.stderr, done.stderr
        assert "shop.yaml:3:1: kafka.brokers is a setting of the platform" in done.stderr, done.stderr


BIKES = """domain: bikes
sessions: {gap: 30m}
quality: {validity: 0.5}
event_types:
  - {name: purchase, attributes: [frame, colour], retention: 90d}
  - name: ride
dimension_tables:
  - {name: models, from: {csv: models.csv}, key: sku, columns: {sku: text}}
transforms:
  - {name: shorten, remove: [properties.note]}
windows:
  - name: sold
    size: 1d
    retention: 730d
    measures: {n: count()}
  - {name: vip, size: 1h, tenants: [vip], measures: {n: count()}}
"""
KIDS = """domain: kids
tenants: [acme]
sessions: {gap: 1h}
quality:
  validity: 0.9
event_types: [{name: purchase}]
"""
BASE = """fallback: true
domain: base
time: {out_of_orderness: 1m}
sessions: {gap: 5m, enabled: false}
event_types: [{name: purchase}, {name: page_view}]
"""
REST = "domain: rest\ntenants: others\nevent_types: [{name: login}]\nwindows: [{name: logins, kind: session, measures: {n: count()}}]\n"


def place(row):
    """from:line, or where it is from otherwise."""
    return "%s:%d" % (os.path.basename(row["file"]), row["line"]) if "file" in row else row["from"]


def held(directory, tenant):
    """(what, name) → (where from, in whose place), and how it is."""
    answer = json.loads(weir("check", "--config", directory, "--tenant", tenant, "--json").stdout)["tenant"]
    rows = {(row["what"], row["name"]): (place(row), [place(other) for other in row["in_place_of"]]) for row in answer["holds"]}
    assert answer["id"] == tenant and len(rows) == len(answer["holds"]), answer
    for row in answer["holds"]:
        if "domain" in row:  # the place is that of the thing itself
            line = open(row["file"]).read().splitlines()[row["line"] - 1]
            said = row["name"] if row["what"] in ("domain", "event type", "window", "transform", "dimension table") else r"[\d.]+ ?%?[dhm]?|true|false"
            assert re.match(said, line[row["column"] - 1:]), (row, line)
    return answer["named"], rows, {(row["what"], row["name"]): row["is"] for row in answer["holds"]}


def test_what_holds_for_a_tenant_is_told_with_the_file_and_line_that_says_it():
    with config(platform="retention_days: 200\nquality: {timeliness: 0.9}\n", dev="", bikes=BIKES, kids=KIDS, base=BASE, rest=REST) as directory:
        with open(os.path.join(directory, "domains", "models.csv"), "w") as f:
            f.write("sku\na\nb\n")
        everybodys = {("domain", "bikes"): ("bikes.yaml:1", []), ("domain", "base"): ("base.yaml:2", []),
                      ("event type", "ride"): ("bikes.yaml:6", []), ("event type", "page_view"): ("base.yaml:5", []),
                      ("sessions", "sessions.enabled"): ("base.yaml:4", []), ("time", "time.out_of_orderness"): ("base.yaml:3", []),
                      ("transform", "shorten"): ("bikes.yaml:10", []), ("window", "sold"): ("bikes.yaml:12", []),
                      ("rollup", "events_hourly"): ("built in", []), ("rollup", "events_daily"): ("built in", []),
                      ("dimension table", "models"): ("bikes.yaml:8", []),
                      ("retention", "everything"): ("platform.yaml:1", []), ("retention", "sold"): ("bikes.yaml:14", []),
                      ("quality", "completeness"): ("default", []), ("quality", "uniqueness"): ("default", []), ("quality", "consistency"): ("default", []),
                      ("quality", "timeliness"): ("platform.yaml:2", []), ("quality", "validity"): ("default", []), ("quality", "validity of ride"): ("bikes.yaml:3", [])}
        acme = {**everybodys, ("domain", "kids"): ("kids.yaml:1", []), ("event type", "purchase"): ("kids.yaml:6", ["base.yaml:5", "bikes.yaml:5"]),
                ("sessions", "sessions.gap"): ("kids.yaml:3", ["base.yaml:4", "bikes.yaml:2"]), ("quality", "validity of purchase"): ("kids.yaml:5", [])}
        other = {**everybodys, ("domain", "rest"): ("rest.yaml:1", []), ("event type", "login"): ("rest.yaml:3", []), ("window", "logins"): ("rest.yaml:4", []),
                 ("event type", "purchase"): ("bikes.yaml:5", ["base.yaml:5"]), ("sessions", "sessions.gap"): ("bikes.yaml:2", ["base.yaml:4"]),
                 ("retention", "purchase"): ("bikes.yaml:5", []), ("quality", "validity of purchase"): ("bikes.yaml:3", [])}
        for tenant, named, expected in (("acme", True, acme), ("anybody", False, other), ("vip", False, {**other, ("window", "vip"): ("bikes.yaml:16", [])})):
            told, rows, how = held(directory, tenant)
            assert (told, rows) == (named, expected), (tenant, {k: (rows.get(k), expected.get(k)) for k in rows.keys() | expected if rows.get(k) != expected.get(k)})
            assert how["sessions", "sessions.gap"] == ("1 h" if named else "30 m") and how["sessions", "sessions.enabled"] == "false", how
            assert how["quality", "validity of purchase"] == ("0.9" if named else "0.5") and how["retention", "sold"] == "of its results at most 730 days", how
            assert how["domain", "base"] == "for everybody, a fallback" and how["event type", "purchase"] == "%d fields, 0 rules, backward" % (0 if named else 2), how
        # For people: the same, a domain that yields in a row below; at a narrow terminal the places stay whole.
        done = weir("check", "--config", directory, "--tenant", "acme")
        lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if line.startswith("│")]
        assert done.returncode == 0 and lines[0] == ["what", "name", "is", "from"], done
        at = lines.index(["event type", "purchase", "0 fields, 0 rules, backward", directory + "/domains/kids.yaml:6"])
        assert lines[at + 1] == ["", "", "in place of that of base", directory + "/domains/base.yaml:5"] and lines[at + 2][2] == "in place of that of bikes, without frame, colour", lines
        whole = json.loads(weir("check", "--config", directory, "--tenant", "acme", "--json").stdout)["tenant"]["holds"]
        assert [other["without"] for row in whole if (row["what"], row["name"]) == ("event type", "purchase") for other in row["in_place_of"]] == [[], ["frame", "colour"]], whole
        assert "no domain names" not in done.stdout and weir("check", "--config", directory, "--tenant", "anybody").stdout.startswith("no domain names anybody: ")
        seen, code = on_a_terminal(["check", "--config", directory, "--tenant", "acme"], {"COLUMNS": "60"})
        assert code == 0 and directory + "/domains/kids.yaml:6" in seen, seen
        for words in (["--list"], ["--explain", "log.level"]):
            assert weir("check", "--config", directory, "--tenant", "acme", *words).returncode == USAGE
        assert "a tenant's name is" in weir("check", "--config", directory, "--tenant", "No Tenant").stderr
        put(directory, kids="domain: kids\nnonsense: 1\n")
        done = weir("check", "--config", directory, "--tenant", "acme")
        assert done.returncode == CONFIG and not done.stdout and "kids.yaml:2:1" in done.stderr, done


def test_the_schemas_take_what_check_takes_and_editors_are_told_of_them():
    python = os.path.join(venv("check"), "bin", "python")
    with config() as directory:
        for kind in ("settings", "domain"):
            with open(os.path.join(directory, kind + ".json"), "w") as f:
                f.write(weir("check", "--schema", kind).stdout)

        def validate(kind, *paths):
            done = subprocess.run([python, os.path.join(ROOT, "test", "support", "validate_schema.py"), os.path.join(directory, kind + ".json"), *paths],
                                  capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return done.stdout.splitlines()

        ours = [os.path.join(ROOT, "config", "platform.yaml")] + [os.path.join(ROOT, "config", "environments", n) for n in ("dev.yaml", "prod.yaml")]
        domains = [os.path.join(ROOT, "config", "domains", n) for n in sorted(os.listdir(os.path.join(ROOT, "config", "domains")))]
        docs = open(os.path.join(ROOT, "docs", "domains.md")).read()
        put(directory, bikes=re.search(r"```yaml\n(.*?)```", docs, re.S).group(1))
        assert all(line.startswith("valid") for line in validate("settings", *ours)), validate("settings", *ours)
        domains.append(os.path.join(directory, "domains", "bikes.yaml"))
        assert all(line.startswith("valid") for line in validate("domain", *domains)), validate("domain", *domains)
        wrong = {"settings": ["ingest: {prt: 1}", "ingest.port: eighty", "log.level: loud", "journal.retention: 7", "journal.segment_size: 8 XiB", "kafka.sasl_password: plain",
                              "ingest: {threads: 0}", "nonsense: 1", "olap.confine: perhaps", "- a"],
                 "domain": ["domain: x\nwindos: []", "windows: []", "domain: X", "domain: x\nwindows: [{name: a}]", "domain: x\nwindows: [{name: a, measures: {n: [1]}}]",
                            "domain: x\nsessions: {gap: 30}", "domain: x\nwindows: [{name: a, kind: round, measures: {n: count()}}]", "domain: x\njournal: {backend: file}"]}
        right = {"settings": ["ingest: {tls.key: a, tls: {certificate: b}}", "ingest.tls: {key: a}", "journal.segment_size: 8 MiB\njournal.retention_size: 1073741824",
                              "kafka: {sasl_password: \"${secret:a}\"}", "kafka.sasl_user: 7"],
                 "domain": ["domain: x\nwindows:\n  - {name: a, size: 1m, by: [customer_id, {b: event_type}], measures: {n: count()}}"]}
        for kind in wrong:
            texts = wrong[kind] + right[kind]
            paths = [os.path.join(directory, "%d.yaml" % i) for i in range(len(texts))]
            for path, text in zip(paths, texts):
                with open(path, "w") as f:
                    f.write(text + "\n")
            for text, said in zip(texts, validate(kind, *paths)):
                assert said.startswith("INVALID" if text in wrong[kind] else "valid"), (text, said)
        for text in right["settings"]:
            put(directory, dev=text + "\n")
            done = weir("check", "--config", directory, "--without-secrets")
            assert done.returncode == 0, (text, done.stderr)
    for kind in ("settings", "domain"):
        kept = json.load(open(os.path.join(ROOT, "config", "schema", kind + ".json")))
        assert kept == json.loads(weir("check", "--schema", kind).stdout), "build/weir check --schema %s | python3 -m json.tool > config/schema/%s.json" % (kind, kind)


def test_a_secret_that_is_missing_ends_it_before_anything_is_opened():
    with config(dev="journal.backend: kafka\nkafka: {brokers: '127.0.0.1:%d', sasl_password: '${secret:db_password}'}\n" % free_port()) as directory:
        data = os.path.join(directory, "data")
        done = weir("up", "--config", directory, "--data", data)
        assert done.returncode == CONFIG and not done.stdout, done
        assert "dev.yaml:2:" in done.stderr and "the secret 'db_password' is missing: looked for in the environment variable DB_PASSWORD, %s/.env, the file /run/secrets/db_password" % directory in done.stderr, done.stderr
        assert not os.path.exists(data)
        assert weir("check", "--config", directory).returncode == CONFIG and weir("check", "--config", directory, "--without-secrets").returncode == 0
        for more in (["--explain", "kafka.sasl_password"], ["--list"], ["--json"]):
            done = weir("check", "--config", directory, *more, env={"DB_PASSWORD": SECRET})
            assert done.returncode == 0 and "***" in done.stdout and SECRET not in done.stdout + done.stderr, done
        assert "${secret:db_password} from the environment variable DB_PASSWORD" in weir("check", "--config", directory, "--explain", "sasl_password", env={"DB_PASSWORD": SECRET}).stdout


@contextlib.contextmanager
def openbao():
    """A real OpenBao in memory: its address, and a function that asks it as root."""
    address, token = "http://127.0.0.1:%d" % free_port(), "root-of-this-test"
    with tempfile.TemporaryDirectory() as home:
        server = subprocess.Popen([os.path.join(venv("vault"), "bin", "bao"), "server", "-dev", "-dev-no-store-token", "-dev-root-token-id=" + token,
                                   "-dev-listen-address=" + address[7:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "HOME": home}, start_new_session=True)

        def ask(method, path, body=None, as_token=token):
            request = urllib.request.Request(address + "/v1/" + path, method=method, data=json.dumps(body).encode() if body is not None else None,
                                             headers={"X-Vault-Token": as_token})
            with urllib.request.urlopen(request, timeout=10) as answer:
                text = answer.read()
                return json.loads(text) if text else None

        try:
            end = time.time() + 60
            while time.time() < end:
                with contextlib.suppress(OSError):
                    ask("GET", "sys/health")
                    break
                time.sleep(0.1)
            yield address, ask
        finally:
            os.killpg(server.pid, signal.SIGKILL)  # our own: a group of its own
            server.wait()


def test_secrets_come_from_a_real_vault_with_a_token_that_may_read_nothing_else():
    with openbao() as (address, ask):
        ask("PUT", "sys/policies/acl/weir", {"policy": 'path "secret/data/weir" { capabilities = ["read"] }\npath "secret/data/team/*" { capabilities = ["read"] }'})
        token = ask("POST", "auth/token/create", {"policies": ["weir"], "ttl": "10m"})["auth"]["client_token"]
        ask("POST", "secret/data/weir", {"data": {"kafka_password": SECRET, "number": 7, "odd": 'a"b\\c\u00e4'}})
        ask("POST", "secret/data/team/db", {"data": {"user": "anna"}})
        ask("POST", "secret/data/other", {"data": {"x": "y"}})
        with config(platform="secrets: {backend: vault, vault: {url: '%s', token_file: TOKEN}}\n" % address) as directory:
            path = os.path.join(directory, "token")
            with open(path, "w") as f:
                f.write(token + "\n")
            put(directory, platform="secrets: {backend: vault, vault: {url: '%s/', token_file: %s}}\n" % (address, path),
                dev="kafka: {sasl_password: '${secret:kafka_password}', sasl_user: '${secret:team/db#user}'}\n")
            done = weir("check", "--config", directory, "--explain", "kafka.sasl")
            assert done.returncode == 0 and "from Vault: kafka_password of secret/weir" in done.stdout and "from Vault: user of secret/team/db" in done.stdout, done
            assert SECRET not in done.stdout + done.stderr and token not in done.stdout + done.stderr
            for name, why in (("nothing", "has no field nothing"), ("nowhere/x#y", "403"), ("team/none#y", "has no secret at"), ("other#x", "policy"), ("number", "not a text")):
                put(directory, dev="kafka.sasl_user: ${secret:%s}\n" % name)
                done = weir("up", "--config", directory, "--data", os.path.join(directory, "data"))
                missing = name in ("nothing", "team/none#y")
                assert done.returncode == CONFIG and ("is missing" if missing else why) in done.stderr and token not in done.stderr, (name, done.stderr)
            with open(path, "w") as f:
                f.write("a-token-of-nobody")
            put(directory, dev="kafka.sasl_user: ${secret:kafka_password}\n")
            done = weir("check", "--config", directory)
            assert done.returncode == CONFIG and "403" in done.stderr and "a-token-of-nobody" not in done.stderr, done.stderr
            put(directory, dev="kafka.sasl_user: ${secret:kafka_password}\nsecrets.vault.token_file: ''\n")
            assert weir("check", "--config", directory, env={"VAULT_TOKEN": token}).returncode == 0
            ask("PUT", "sys/seal")
            done = weir("check", "--config", directory, env={"VAULT_TOKEN": token})
            assert done.returncode == CONFIG and "sealed" in done.stderr, done.stderr


WINDOW = "  - {name: %s, size: 1m, by: [{kind: event_type}], measures: {n: count()}}\n"
EVENT = '{"customer_id":"demo_tenant","visitor_id":"v%d","event_type":"t","event_name":"n","event_id":"e%d","timestamp":%d}'


def domain(*windows):
    return "domain: shop\ntime: {out_of_orderness: 1s}\nwindows:\n" + "".join(WINDOW % name for name in windows)


def test_sighup_changes_windows_and_settings_while_events_flow_and_refuses_what_is_wrong():
    files = {"dev": "demo_tenant: true\ningest.host: 127.0.0.1\njournal.disk_reserve: 64 MiB\n", "shop": domain("always", "first")}
    with config(**files) as directory, Weir(config=directory) as running:
        sent, stop, refused = [0], threading.Event(), []
        now_ms = int(time.time() * 1000)

        def send():
            while not stop.is_set():
                at = sent[0]
                status, _ = running.post("/track", [json.loads(EVENT % (i % 50, i, now_ms + i % 1000)) for i in range(at, at + 100)])
                if status == 200:
                    sent[0] = at + 100
                else:
                    refused.append(status)
                time.sleep(0.01)

        def reload(marker, seconds=30):
            before = running.log_text().count(marker)
            running.process.send_signal(signal.SIGHUP)
            end = time.time() + seconds
            while running.log_text().count(marker) == before:
                assert time.time() < end and running.process.poll() is None, running.log_text()[-3000:]
                time.sleep(0.02)

        def counts(name):
            running.settle("SELECT sum(event_count) > 0 FROM windows WHERE window = '%s'" % name, 1)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            counts("first")
            reload("config.reloaded")
            assert "domains=as before" in running.log_text()
            put(directory, shop=domain("always", "first", "second"))
            reload("process.changed")
            counts("second")
            put(directory, dev=files["dev"] + "log.level: debug\ningest.threads: 2\nprocess.checkpoint_interval: 30s\n")
            reload("process.changed")
            log = running.log_text()
            assert "ingest.threads has changed in %s/environments/dev.yaml:5 and needs a restart" % directory in log and "key=log.level" in log, log[-2000:]
            put(directory, shop=domain("always", "first", "second") + "  - {name: third, size: 1 fortnight, measures: {n: count()}}\n")
            reload("config.refused")
            assert "shop.yaml:7:25: size: '1 fortnight' is not a time" in running.log_text(), running.log_text()[-2000:]
            put(directory, shop=domain("always", "second", "third"))
            reload("process.changed")
            counts("third")
        finally:
            stop.set()
            sender.join()
        assert not refused and sent[0] > 300, (refused, sent)
        running.settle("SELECT count() FROM events_raw", sent[0])
        assert running.one("SELECT uniqExact(event_id) FROM events_raw") == sent[0]
        count = "SELECT sum(event_count) FROM windows WHERE window = '%s'"
        running.settle(count % "always", sent[0])  # over every change: none lost, none twice
        first, second, third = (int(running.one(count % name)) for name in ("first", "second", "third"))
        assert 0 < first < sent[0] and 0 < third < second < sent[0] and first + third <= sent[0], (first, second, third, sent)
        running.kill9()
        put(directory, dev=files["dev"])
        running.start()
        running.settle("SELECT count() FROM events_raw", sent[0])

