"""The stream seen from outside: its health as JSON and as metrics, alerts, and what happens when the store stops taking."""
import contextlib, glob, json, os, re, shutil, signal, subprocess, tempfile, time

from bad_day_test import event
from cli_test import on_a_terminal
from roles_test import await_true
from scenarios import Skip
from weir import ROOT, Weir

RULES = os.path.join(ROOT, "deploy", "prometheus")


def health(weir, key=None):
    status, body, _ = weir.request("GET", weir.api("/v1/stream"), None, {"Authorization": "Bearer " + key} if key else {})
    return status, json.loads(body)


def test_health_of_the_stream_shows_tasks_to_all_and_a_tenants_event_time_to_itself_alone():
    with Weir() as weir:
        other = weir.tenant("other")
        weir.post("/track", [event(i) for i in range(70)])
        weir.post("/track", [event(i, tenant="other") for i in range(5)], key=other["write_key"])
        weir.settle("SELECT count() FROM events_raw", 70)
        weir.settle("SELECT count() FROM events_raw", 5, key=other["read_key"])

        def is_known():  # gauges of event time are looked at once a second
            everything = health(weir)[1]
            return {w["customer_id"] for w in everything["watermarks"]} == {"other", "demo_tenant"} and all(p["lag_records"] == 0 for p in everything["partitions"])

        weir.until(is_known)
        status, mine = health(weir, other["read_key"])
        assert status == 200 and mine["tenant"] == "other", mine
        assert sum(p["events"] for p in mine["partitions"]) == 75 and all(p["lag_records"] == 0 for p in mine["partitions"]), mine
        assert {w["customer_id"] for w in mine["watermarks"]} == {"other"} and "windows" not in mine, mine
        assert all(600 <= w["delay_seconds"] < 660 for w in mine["watermarks"]), mine
        status, everything = health(weir)
        assert {w["customer_id"] for w in everything["watermarks"]} == {"other", "demo_tenant"}
        by = {}
        for w in everything["windows"]:
            by[w["window"]] = by.get(w["window"], 0) + w["events"]
        assert by and all(n in (70, 75) for n in by.values()), by
        assert health(weir, "nonsense")[0] in (401, 403)
        for name in ("kafka_lag", "kafka_consumer_lag", "watermark_delay_seconds", "flink_taskmanager_job_task_operator_watermark_delay", "process_state_rows",
                     "process_state_panes", "process_state_evictions_total", "process_commit_seconds_count"):
            assert weir.metric(name) is not None, name


def promtool():
    """From the path, or out of Debian's package without installing its server."""
    own = os.path.join(ROOT, ".deps", "promtool")
    if shutil.which("promtool"):
        return "promtool"
    if not os.path.exists(own):
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o777)
            got = subprocess.run(["apt-get", "download", "-qq", "prometheus"], cwd=directory, capture_output=True, text=True, timeout=300)
            packages = glob.glob(os.path.join(directory, "*.deb"))
            if got.returncode or not packages:
                raise Skip("promtool is in Debian's package prometheus, which cannot be had here: " + got.stderr[-200:])
            subprocess.run(["dpkg-deb", "-x", packages[0], directory], check=True)
            shutil.copy(os.path.join(directory, "usr/bin/promtool"), own)
    return own


def a_sink(directory):
    """Metrics of sinks are there where one is configured."""
    return "sinks.lines: {kind: file, path: %s}\n" % os.path.join(directory, "results.jsonl")


# Those of roles apart on Kafka and of dimension tables with a query, which one process with its own journal and web's domain has not.
ELSEWHERE = {"standby_lag_records", "standby_records_total", "standby_failures_total", "standby_disk_bytes", "process_partitions", "process_partitions_unowned",
             "task_reports_total", "task_report_failures_total", "task_reports_read_total", "task_reports_refused_total", "kafka_calls_left_total",
             "dimension_refreshed_seconds", "dimension_rows", "dimension_failures_total", "dimension_versions_told_total", "dimension_chunks_told_total",
             "dimension_records_refused_total"}


def test_metrics_of_the_table_in_the_docs_are_there_with_these_labels_and_no_user():
    with open(os.path.join(ROOT, "docs", "metrics.md")) as f:
        table = f.read()
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| (counter|gauge|histogram)(?: `\{(.*?)\}`)? \|", table, re.M)
    assert len(rows) == table.count("\n| `") > 8, rows
    with tempfile.TemporaryDirectory() as directory, Weir(yaml=a_sink(directory)) as weir:
        tenant = weir.tenant("watched")
        weir.post("/track", [event(1, tenant="watched"), {"visitor_id": "v"}], key=tenant["write_key"])
        weir.settle("SELECT count() FROM events_raw", 1, tenant["read_key"])
        weir.until(lambda: (weir.metric("clickhouse_table_insert_queries_per_sec") or 0) > 0)
        text = weir.request("GET", weir.ingest("/metrics"))[1].decode()
    for names, kind, labels in rows:
        for name in set(re.findall(r"[a-z_]+", names)) - {"dead_letters_total", "validation_tagged_total"} - ELSEWHERE:  # the two are made with the first one
            assert "# TYPE %s %s\n" % (name, kind) in text, name
            series = [set(re.findall(r'([a-z_]+)="', line)) - {"le"} for line in re.findall(r"(?m)^%s(?:_count)?[{ ].*" % name, text)]
            assert series and all(s == set(filter(None, labels.split(","))) for s in series), (name, labels, series)
    assert not re.search(r"[{,](user|visitor)_id=", text)


def series(weir):
    """All of /metrics: NAME{LABELS} → value."""
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in weir.request("GET", weir.ingest("/metrics"))[1].decode().splitlines() if not line.startswith("#")}


def test_metrics_with_names_of_kafka_flink_clickhouse_and_producers_move_with_events():
    domain = "domain: d\nevent_types:\n- {name: order, attributes: [{name: n, required: true}]}\n"
    with Weir(domain=domain) as weir:
        code, answer = weir.post("/track", [event(i, event_type="order", properties={"n": "1"} if i else {}) for i in range(100)] + [{"customer_id": "demo_tenant", "event_type": "order"}])
        assert code == 200 and answer["accepted"] == 100 and answer["rejected"] == 1, answer
        weir.settle("SELECT count() FROM events_raw", 99)  # one without its n is a dead letter
        asked = weir.until(lambda: (s := series(weir))["clickhouse_table_insert_queries_per_sec"] > 0 and s["kafka_broker_topic_all_produce_total_bytes_in_per_sec"] > 0
                           and sum(v for n, v in s.items() if n.startswith("flink_taskmanager_job_task_operator_records_in_per_sec{")) > 0 and s)
        assert asked['events_produced_total{event_type="order",status="ok"}'] == 100 and asked['events_produced_total{event_type="order",status="failed"}'] == 0
        assert asked["produce_latency_seconds_count"] == 100 and 0 < asked["produce_latency_seconds_sum"] < 100 * 5
        assert asked["kafka_broker_error_messages_in_total"] == 0
        assert sum(v for n, v in asked.items() if n.startswith("validation_failures_total{")) == 2, asked
        assert asked['validation_failures_total{stage="ingest",reason="missing_field"}'] == 1
        assert sum(v for n, v in asked.items() if n.startswith('validation_failures_total{stage="validate"')) == 1
        # A rate is what was counted in 15 s at most, and never more than all of it a second.
        assert asked["kafka_broker_topic_all_produce_total_bytes_in_per_sec"] <= asked["journal_written_bytes_total"]
        tasks = {n.split("{")[1]: v for n, v in asked.items() if n.startswith("flink_taskmanager_job_task_operator_records_in_per_sec{")}
        assert tasks.keys() == {n.split("{")[1] for n in asked if n.startswith("flink_taskmanager_job_task_operator_watermark_delay{")}, tasks
        assert sum(tasks.values()) <= weir.metric("events_processed_total")
        took = 'query_duration_milliseconds_%s{customer_id="demo_tenant"}'
        assert asked[took % "count"] == asked['query_latency_seconds_count{customer_id="demo_tenant"}'] > 0
        assert abs(asked[took % "sum"] - 1000 * asked['query_latency_seconds_sum{customer_id="demo_tenant"}']) < 0.01
        weir.until(lambda: series(weir)["clickhouse_table_insert_queries_per_sec"] == 0, seconds=40)  # and falls when nothing comes


def test_alerts_fire_just_above_their_thresholds_and_speak_of_metrics_that_exist():
    tool = promtool()
    for words in (["check", "rules", "alerts.yaml"], ["check", "config", "prometheus.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run([tool, *words], cwd=RULES, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    with open(os.path.join(RULES, "alerts.yaml")) as f:
        expressions = re.findall(r"expr: (.*)", f.read())
    with open(os.path.join(RULES, "alerts_test.yaml")) as f:
        tested = f.read()
    asked = {n for e in expressions for n in re.findall(r"\b([a-z]+_[a-z_]+)(?=[\[{ )>])", e) if n not in ("histogram_quantile", "customer_id")}
    assert len(asked) >= 9, asked
    with tempfile.TemporaryDirectory() as directory, Weir(yaml=a_sink(directory)) as weir:
        weir.post("/track", [event(1), {"customer_id": "demo_tenant"}, event(2, timestamp=time.time() + 23.9 * 3600)])
        weir.settle("SELECT count() FROM events_raw", 2)
        asked -= {"dead_letters_total", "process_partitions_unowned"}  # made with the first letter; on Kafka alone (roles_test.py)
        weir.until(lambda: not {n for n in asked if not re.search(r"^%s[{ ]" % n, weir.request("GET", weir.ingest("/metrics"))[1].decode(), re.M)})
    for alert in re.findall(r"alert: (\w+)", open(os.path.join(RULES, "alerts.yaml")).read()):
        assert tested.count('"%s"' % alert) >= 2, "%s is not tested above and below" % alert


def test_a_stopped_engine_bounds_memory_shows_lag_ends_in_503_and_recovers_to_the_event():
    with Weir(yaml="journal: {segment_size: 4 MiB, retention_size: 8 MiB, size_max: 256 MiB}\n") as weir:
        assert weir.post("/track", [event(i) for i in range(100)])[0] == 200
        weir.settle("SELECT count() FROM events_raw", 100)
        before, acknowledged, refused, lags, most = weir.metric("process_resident_memory_bytes"), 100, None, [], 0
        engine = weir.engine_pid()
        os.kill(engine, signal.SIGSTOP)
        try:
            pad, end = "p" * 3000, time.time() + 90
            while time.time() < end and not refused:
                body = json.dumps([event(j, properties={"pad": pad}) for j in range(acknowledged, acknowledged + 100)]).encode()
                code, _, headers = weir.request("POST", weir.ingest("/track"), body)
                if code == 200:
                    acknowledged += 100
                else:
                    refused = (code, headers.get("Retry-After") or headers.get("retry-after"))
                if acknowledged % 5000 == 0:
                    lags.append(weir.metric("store_lag_seconds"))
                    most = max(most, weir.metric("process_resident_memory_bytes"))
            assert refused and refused[0] == 503 and refused[1], (refused, acknowledged)
            assert weir.metric("journal_full") == 1
            failed = series(weir)['events_produced_total{event_type="t",status="failed"}']
            assert failed == weir.metric("kafka_broker_error_messages_in_total") >= 100, failed
            time.sleep(1.5)
            lags.append(weir.metric("store_lag_seconds"))
            assert lags[-1] > 1 and lags == sorted(lags), lags
            assert most - before < 256 << 20, "memory grew by %d MiB" % ((most - before) >> 20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(engine, signal.SIGCONT)
        weir.settle("SELECT count() FROM events_raw", acknowledged, seconds=120)
        end, status = time.time() + 30, 0
        while status != 200 and time.time() < end:
            status, _ = weir.post("/track", [event(j, properties={"pad": pad}) for j in range(acknowledged, acknowledged + 100)])
            time.sleep(0.1)
        assert status == 200, status
        weir.settle("SELECT uniqExact(event_id) FROM events_raw", acknowledged + 100, seconds=60)
        assert int(weir.one("SELECT count() FROM events_raw")) == acknowledged + 100
        assert weir.metric("journal_full") == 0
        return "%d events waited in the journal, memory grew by %d MiB, lag seen up to %.1f s" % (acknowledged - 100, (most - before) / (1 << 20), max(lags))


def test_sinks_are_shown_to_the_tenants_whose_results_they_take_in_v1_stream_and_in_top():
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o777)
        results = os.path.join(directory, "results.jsonl")
        yaml = ("sinks.lines: {kind: file, path: %s, results: events}\nsinks.others: {kind: file, path: %s, results: events, tenants: other}\n" %
                (results, results + ".other"))
        with Weir(yaml=yaml) as weir:
            other = weir.tenant("other")
            weir.post("/track", [event(i) for i in range(70)])

            def delivered(key=None):
                return {s["sink"]: s["records"] for s in health(weir, key)[1]["sinks"]}
            await_true(lambda: delivered("demo_read") == {"lines": 70})  # and nothing of the other's
            assert delivered(other["read_key"]) == delivered() == {"lines": 70, "others": 0}
            told = json.loads(weir.cli("top", "--once", "--json", "--url", weir.api("")).stdout)["sinks"]
            assert [(s["sink"], s["up"], s["delivered"], s["refused"], s["skipped"]) for s in told] == [("lines", True, 70, 0, 0)], told
            shown = weir.cli("top", "--once", "--stream", "--url", weir.api("")).stdout
            assert re.search(r"(?m)^sink +results/s +behind +delivered", shown) and re.search(r"(?m)^lines +up .* 70", shown) and "others" not in shown, shown


def test_top_shows_the_tasks_at_a_key_on_a_narrow_terminal_and_as_json():
    with Weir() as weir:
        weir.post("/track", [event(i) for i in range(70)])
        weir.settle("SELECT count() FROM events_raw", 70)
        once = weir.cli("top", "--once", "--stream", "--url", weir.api(""))
        assert once.returncode == 0 and re.search(r"task +events/s +waiting", once.stdout), once.stdout
        tasks = json.loads(weir.cli("top", "--once", "--json", "--url", weir.api("")).stdout)["tasks"]
        assert [t["task"] for t in tasks] == list(range(len(tasks))) and tasks and all(t["lag_events"] == 0 for t in tasks), tasks
        shown, code = on_a_terminal(["top", "--url", weir.api(""), "--interval", "100ms"], env={"COLUMNS": "44"}, stdin=b"s", seconds=20, then=b"q")
        assert code == 0 and " waiting    behind" in shown and "event time" not in shown and "s tasks or types" in shown, shown[-1500:]
