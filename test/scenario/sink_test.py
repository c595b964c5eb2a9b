"""Sinks: results in somebody else's topic, file or HTTP endpoint equal weir's own tables, whatever dies or is away in between."""
import contextlib, http.server, json, os, re, shutil, subprocess, tempfile, threading, time, uuid

from kafka import Kafka, shared
from kafka_secure_test import refused as refused_by, secure
from scenarios import Skip
from venv import venv
from weir import ROOT, Weir

DOMAIN = """
domain: proof
windows:
  - name: by_page
    size: 10s
    by: [{page: properties.page}]
    measures: {n: count(), visitors: distinct(visitor_id)}
    emit: update
  - name: visits
    kind: session
    gap: 10m
    by: [visitor_id]
    measures: {n: count()}
"""
HERE = os.path.dirname(os.path.abspath(__file__))
RESULTS = "[windows, sessions, late_events, dead_letters, events]"


def make_topic(kafka, partitions=3, *more):
    name = "t-results-" + uuid.uuid4().hex[:8]
    kafka.tool("org.apache.kafka.tools.TopicCommand", "--create", "--topic", name, "--partitions", partitions, "--replication-factor", 1, *more)
    return name


def read_topic(kafka, topic, address=None):
    done = subprocess.run([os.path.join(venv("kafka"), "bin", "python"), os.path.join(HERE, "..", "support", "read_topic.py"), address or kafka.address, topic],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class Load(threading.Thread):
    """One sender, a hundred events at a time and some that are refused; what has no answer is sent again with the same ids."""

    size = 100

    def __init__(self, weir, key, pause=0.01):
        super().__init__(daemon=True)
        self.weir, self.key, self.pause, self.accepted, self.ended, self.longest = weir, key, pause, set(), False, 0
        self.start()

    def run(self):
        number = 0
        while not self.ended:
            ids = [str(uuid.uuid4()) for _ in range(self.size)]
            body = self.events(ids)
            body += [{"event_type": "nobody", "number": number}] if number % 10 == 0 else []
            number, began = number + 1, time.time()
            while not self.post(body):
                time.sleep(0.02)
            self.accepted.update(ids)
            self.longest = max(self.longest, time.time() - began)
            time.sleep(self.pause)

    def events(self, ids):
        return [{"event_id": i, "visitor_id": "v" + i[:2], "event_type": "view", "properties": {"page": "/" + i[:2]}} for i in ids]

    def post(self, body):
        with contextlib.suppress(OSError, ValueError):
            return self.weir.post("/track", body, self.key, 10)[0] == 200

    def stop(self):
        self.ended = True
        self.join(30)


def with_sinks(*sinks):
    weir = Weir(yaml="".join(sinks))
    domains = os.path.join(weir.config, "domains")
    for name in os.listdir(domains):
        os.remove(os.path.join(domains, name))
    with open(os.path.join(domains, "proof.yaml"), "w") as f:
        f.write(DOMAIN)
    return weir


def sink(name, **keys):
    return "sinks.%s:\n" % name + "".join("  %s: %s\n" % pair for pair in keys.items())


def settle(what, seconds=60):
    """Until it returns something true; that."""
    end = time.time() + seconds
    while True:
        got = None
        with contextlib.suppress(OSError):
            got = what()
        if got or time.time() > end:
            assert got, "not within %d s" % seconds
            return got
        time.sleep(0.1)


def metric(weir, name, **labels):
    """Sum over the series of the name with these labels, or None."""
    text = weir.request("GET", weir.ingest("/metrics"))[1].decode()
    wanted = ['%s="%s"' % pair for pair in labels.items()]
    values = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name and all(w in line for w in wanted)]
    return sum(values) if values else None


def delivered(weir, name):
    """Everything that weir has is in the sink, and has been for a moment."""
    before = metric(weir, "sink_records_total", sink=name)
    time.sleep(0.7)
    return weir.metric("kafka_lag") == 0 and metric(weir, "sink_lag_seconds", sink=name) == 0 and metric(weir, "sink_records_total", sink=name) == before


def by_table(values):
    tables = {}
    for value in values:
        tables.setdefault(value["table"], []).append(value)
    return tables


def whole(values):
    """No result twice, and of each table and journal partition all from the first to the last."""
    ids = [value["id"] for value in values]
    assert len(set(ids)) == len(ids), "%d of %d results came twice" % (len(ids) - len(set(ids)), len(ids))
    offsets = {}
    for i in ids:
        place, offset = i.rsplit("/", 1)
        offsets.setdefault(place, []).append(int(offset))
    for place, found in offsets.items():
        assert len(found) == max(found) + 1, "%s: %d results up to %d" % (place, len(found), max(found))
    return offsets


def newest(values, *name):
    """Of results with the same name the one later in the journal, as the tables have it; those that were taken back left out."""
    last = {}
    for value in sorted(values, key=lambda v: int(v["id"].rsplit("/", 1)[1])):
        last[tuple(json.dumps(value[part], sort_keys=True) for part in name)] = value
    return [value for value in last.values() if not value["is_removed"]]


def time_of(text):
    return text.replace(" ", "T")[:23]


def equal_the_tables(weir, key, tenant, values):
    """What was delivered of the tenant against what SQL says."""
    tables = by_table([value for value in values if value["customer_id"] == tenant])
    rows = weir.all_rows("SELECT window, toString(window_start), key, measures, event_count, revision FROM windows ORDER BY ALL", key)
    ours = sorted((r[0], time_of(r[1]), json.dumps(json.loads(r[2]), sort_keys=True), json.dumps(json.loads(r[3]), sort_keys=True), int(r[4]), int(r[5])) for r in rows)
    theirs = sorted((v["window"], time_of(v["window_start"]), json.dumps(v["key"], sort_keys=True), json.dumps(v["measures"], sort_keys=True), v["event_count"], v["revision"])
                    for v in newest(tables["windows"], "window", "definition", "window_start", "key"))
    assert ours == theirs, "windows: %d rows, %d results, %s" % (len(ours), len(theirs), [p for p in zip(ours, theirs) if p[0] != p[1]][:3])
    sessions = sorted((r[0], int(r[1])) for r in weir.all_rows("SELECT session_id, event_count FROM sessions ORDER BY ALL", key))
    assert sessions == sorted((v["session_id"], v["event_count"]) for v in newest(tables["sessions"], "session_id"))
    events = sorted(r[0] for r in weir.all_rows("SELECT event_id FROM events_raw ORDER BY ALL", key))
    assert events == sorted(v["event"]["event_id"] for v in tables["events"])
    return "%d windows, %d sessions, %d events" % (len(ours), len(sessions), len(events))


def test_results_in_a_topic_equal_the_tables_while_weir_is_killed_and_a_stock_client_reads_each_once():
    kafka = shared()
    topic, directory = make_topic(kafka), tempfile.mkdtemp(prefix="weir-sink-")
    path = os.path.join(directory, "results.jsonl")
    weir = with_sinks(sink("topic", brokers=kafka.address, topic=topic, results=RESULTS), sink("lines", kind="file", path=path, results=RESULTS),
                      sink("one", kind="file", path=path + ".one", tenants="other", windows="[by_page]")).start()
    try:
        key, other = weir.tenant("crash"), weir.tenant("other")
        load = Load(weir, key["write_key"], 0.03)
        for _ in range(3):
            weir.post("/track", [{"visitor_id": "o", "event_type": "view", "properties": {"page": "/o"}}], other["write_key"])
            time.sleep(1.5)
            weir.kill9()
            weir.start()
        time.sleep(1)
        load.stop()
        weir.settle("SELECT count() FROM events_raw", len(load.accepted), key["read_key"])
        for name in ("topic", "lines", "one"):
            settle(lambda: delivered(weir, name))
        records = read_topic(kafka, topic)
        values = [record["value"] for record in records]
        assert all(record["headers"]["weir-id"] == record["value"]["id"] and record["key"]["customer_id"] == record["value"]["customer_id"] for record in records)
        places = whole(values)
        assert {p.split("/")[0] for p in places} == {"windows", "sessions", "events", "dead_letters"}, places.keys()
        equal = equal_the_tables(weir, key["read_key"], "crash", values)
        lines = [json.loads(line) for line in open(path)]
        assert sorted(v["id"] for v in lines) == sorted(v["id"] for v in values), "the file is not the topic"
        whole(lines)
        mine = [json.loads(line) for line in open(path + ".one")]
        assert mine and all(v["customer_id"] == "other" and v["window"] == "by_page" and v["table"] == "windows" for v in mine), mine[:3]
        assert weir.stop() == 0
        return "%d results in the topic: %s" % (len(values), equal)
    finally:
        weir.close()
        shutil.rmtree(directory, ignore_errors=True)


def test_results_of_a_weir_on_kafka_reach_a_topic_beside_its_journal_through_kill_9():
    kafka = shared()
    topic = make_topic(kafka)
    weir = with_sinks(kafka.yaml("journal.partitions: 2\n"), sink("topic", topic=topic, results=RESULTS)).start()
    try:
        key = weir.tenant("both")
        load = Load(weir, key["write_key"], 0.1)
        for _ in range(2):
            time.sleep(2)
            weir.kill9()
            weir.start()
        time.sleep(1)
        load.stop()
        weir.settle("SELECT count() FROM events_raw", len(load.accepted), key["read_key"])
        settle(lambda: delivered(weir, "topic"))
        values = [record["value"] for record in read_topic(kafka, topic)]
        assert {i.split("/")[1] for i in (v["id"] for v in values)} == {"0", "1"}
        assert len({v["id"] for v in values}) == len(values)
        equal = equal_the_tables(weir, key["read_key"], "both", values)
        assert weir.stop() == 0
        return "%d results, %s" % (len(values), equal)
    finally:
        weir.close()


def test_every_target_keeps_the_contract_on_a_real_broker():
    binary = os.path.join(ROOT, "build-debug", "test_contract_target_contract_test_c")
    if not os.path.exists(binary):
        raise Skip("make debug builds the contract tests")
    topic = make_topic(shared(), 1)
    done = subprocess.run([binary], cwd=ROOT, env={**os.environ, "WEIR_TEST_KAFKA": shared().address, "WEIR_TEST_TOPIC": topic}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert "target kafka" in done.stdout + done.stderr


def test_with_passwords_and_tls_results_arrive_and_each_right_that_is_missing_is_told_at_start():
    kafka = secure()
    topic = make_topic(kafka, 1)

    def weir_as(user, **more):
        keys = {"brokers": kafka.address, "topic": topic, "security": "sasl_ssl", "sasl_mechanism": "PLAIN", "sasl_user": user, "sasl_password": "${secret:sink_password}",
                "tls_ca": os.path.join(kafka.directory, "ca.pem"), "id_prefix": "t-sink", **more}
        weir = with_sinks(sink("mine", **keys))
        weir.environment["SINK_PASSWORD"] = "pw-of-weir" if more.get("wrong") else "pw-of-" + user
        return weir

    def refused(words, user, **more):
        weir = weir_as(user, **more)
        try:
            refused_by(weir, "sinks.mine", *words)
        finally:
            weir.close()

    refused(["Write on the topic"], "no-write")
    refused(["Read", "topic"], "no-read")
    refused(["groups that begin with id_prefix"], "no-group")
    refused(["transactional ids that begin with id_prefix"], "no-id")
    refused(["tls_ca"], "weir", tls_ca=os.path.join(ROOT, "README.md"))
    weir = weir_as("weir")
    weir.environment["SINK_PASSWORD"] = "wrong-password"
    try:
        refused_by(weir, "sinks.mine", "check sasl_mechanism, sasl_user and sasl_password")
        assert "wrong-password" not in weir.log_text()
    finally:
        weir.close()
    assert not read_topic(kafka, topic, plain(kafka)), "a check wrote something"
    with weir_as("weir") as weir:
        key = weir.tenant("safe")
        weir.post("/track", [{"visitor_id": "v", "event_type": "view", "properties": {"page": "/"}}], key["write_key"])
        settle(lambda: delivered(weir, "mine") and metric(weir, "sink_records_total", sink="mine") > 0)
        assert weir.stop() == 0
    assert read_topic(kafka, topic, plain(kafka))


def test_a_broker_that_is_away_for_20_s_is_waited_for_and_events_are_taken_meanwhile():
    with Kafka() as kafka:
        topic = make_topic(kafka)
        weir = with_sinks(sink("topic", brokers=kafka.address, topic=topic, results=RESULTS))
        try:
            kafka.kill()
            weir.start()  # also without it
            key = weir.tenant("away")
            load = Load(weir, key["write_key"], 0.2)
            settle(lambda: metric(weir, "sink_up", sink="topic") == 0)
            kafka.again()
            settle(lambda: metric(weir, "sink_records_total", sink="topic") > 0)
            assert metric(weir, "sink_up", sink="topic") == 1
            kafka.kill()
            began, accepted, before = time.time(), len(load.accepted), memory(weir)
            while time.time() - began < 20:
                assert weir.request("GET", weir.ingest("/ready"))[0] == 200
                time.sleep(0.5)
            lag, grown = metric(weir, "sink_lag_seconds", sink="topic"), memory(weir) - before
            assert metric(weir, "sink_up", sink="topic") == 0 and lag > 10, lag
            assert len(load.accepted) > accepted + 1000 and load.longest < 5, (len(load.accepted), load.longest)
            kafka.again()
            back = time.time()
            settle(lambda: metric(weir, "sink_up", sink="topic") == 1)
            back = time.time() - back
            load.stop()
            weir.settle("SELECT count() FROM events_raw", len(load.accepted), key["read_key"])
            settle(lambda: delivered(weir, "topic"))
            values = [record["value"] for record in read_topic(kafka, topic)]
            whole(values)
            equal = equal_the_tables(weir, key["read_key"], "away", values)
            assert "sink.waiting" in weir.log_text() and "sink.back" in weir.log_text()
            assert weir.stop() == 0
            return "%d results, %s; lag %.0f s, memory +%.0f MiB, delivering again %.1f s after the broker; longest wait of a sender %.2f s" % (
                len(values), equal, lag, grown / 2**20, back, load.longest)
        finally:
            weir.close()


def plain(kafka):
    """The listener without passwords."""
    with open(os.path.join(kafka.directory, "1", "server.properties")) as f:
        return re.search(r"(?m)^advertised.listeners=.*?PLAINTEXT://([^,\s]+)", f.read()).group(1)


def memory(weir):
    return metric(weir, "process_resident_memory_bytes")


def test_what_cannot_work_is_one_clear_error_at_start():
    kafka, directory = shared(), tempfile.mkdtemp(prefix="weir-sink-")
    here = {"brokers": kafka.address, "topic": make_topic(kafka)}

    def refused(words, **keys):
        weir = with_sinks(sink("mine", **keys))
        weir.spawn()
        try:
            assert weir.process.wait(30) == 78, (weir.process.returncode, weir.log_text()[-1000:])
            last = weir.log_text().strip().splitlines()[-1]
            assert all(word in last for word in ["sinks.mine", *words]), (words, last)
        finally:
            weir.close()

    refused(["no topic nowhere", "weir does not"], **{**here, "topic": "nowhere"})
    refused(["no directory", "/nowhere/"], kind="file", path="/nowhere/at/all.jsonl")
    refused(["nothing.so"], kind="library", library=os.path.join(directory, "nothing.so"))
    refused(["libuv.so.1", "weir_target"], kind="library", library="libuv.so.1")
    assert "nowhere" not in kafka.tool("org.apache.kafka.tools.TopicCommand", "--list").split(), "asking for the topic made it"
    shutil.rmtree(directory, ignore_errors=True)


class Receiver(http.server.ThreadingHTTPServer):
    """An endpoint that takes JSON lines, and says for a while that it cannot."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Receiver.Handler)
        self.lines, self.refusals, self.broken = [], 0, True
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.server.refusals += self.server.broken
            self.server.lines += [] if self.server.broken else [json.loads(line) for line in body.splitlines()]
            self.send_response(503 if self.server.broken else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words):
            pass


def test_the_example_of_a_target_of_ones_own_posts_every_result_to_an_http_endpoint():
    receiver = Receiver()
    weir = with_sinks(sink("hook", kind="library", library=os.path.join(ROOT, "build", "sink_http.so"), to="http://127.0.0.1:%d/results" % receiver.server_port,
                           results=RESULTS)).start()
    try:
        key = weir.tenant("hook")
        load = Load(weir, key["write_key"], 0.05)
        settle(lambda: receiver.refusals >= 3)
        assert metric(weir, "sink_up", sink="hook") == 0
        receiver.broken = False
        time.sleep(1)
        weir.kill9()
        weir.start()
        time.sleep(1)
        load.stop()
        weir.settle("SELECT count() FROM events_raw", len(load.accepted), key["read_key"])
        settle(lambda: delivered(weir, "hook"))
        once = list({value["id"]: value for value in receiver.lines}.values())
        whole(once)
        equal = equal_the_tables(weir, key["read_key"], "hook", once)
        assert weir.stop() == 0
        return "%d results, %d of them twice (the batch under way at kill -9); %s" % (len(once), len(receiver.lines) - len(once), equal)
    finally:
        weir.close()
        receiver.shutdown()
