"""What somebody does in the first minutes: the sample event by curl, the verify query, keys, quotas, verdicts, dead letters, gzip, TLS."""
import gzip, json, os, ssl, subprocess, tempfile, time, urllib.request

from weir import Weir

SAMPLE = {"customer_id": "demo_tenant", "visitor_id": "test_123", "session_id": "session_456", "event_type": "page_view",
          "event_name": "Homepage View", "properties": {"page": "/", "title": "Home"}}


def test_the_sample_event_sent_with_curl_is_found_by_the_verify_query():
    with Weir() as weir:
        done = subprocess.run(["curl", "-sS", "-X", "POST", weir.ingest("/track"), "-H", "Content-Type: application/json", "-d", json.dumps(SAMPLE)],
                              capture_output=True, text=True, timeout=20)
        assert json.loads(done.stdout)["accepted"] == 1, done.stdout + done.stderr
        began = time.time()
        weir.settle("SELECT count(*) AS total_events, uniq(visitor_id) AS unique_visitors, max(timestamp) AS latest_event "
                    "FROM events_raw WHERE customer_id = 'demo_tenant'", 1, seconds=5)
        took = (time.time() - began) * 1000
        row = weir.sql("SELECT customer_id, visitor_id, session_id, event_type, event_name, properties, identity_stitched, "
                       "abs(toUnixTimestamp64Milli(timestamp) - toUnixTimestamp64Milli(now64(3))) < 60000, length(event_id) FROM events_raw")[0]
        assert row[:5] == ["demo_tenant", "test_123", "session_456", "page_view", "Homepage View"], row
        assert json.loads(row[5]) == SAMPLE["properties"] and str(row[7]) == "1" and int(row[8]) == 36, row
        assert weir.one("SELECT JSONExtractString(properties, 'title') FROM events_raw") == "Home"
        assert weir.stop() == 0
        return "ready in %.2f s, queryable in %.0f ms" % (weir.ready_s, took)


def test_a_bad_event_in_a_good_batch_gets_a_verdict_and_a_dead_letter_with_its_bytes():
    with Weir() as weir:
        key = weir.tenant("acme")
        bad = {"visitor_id": "v", "event_type": "x", "event_name": "y", "timestamp": "yesterday", "properties": {"mark": "ünique"}}
        status, answer = weir.post("/track", [dict(SAMPLE, customer_id="acme"), bad, {"nonsense": 1}], key["write_key"])
        assert (status, answer["accepted"], answer["rejected"]) == (200, 1, 2), answer
        assert [r["index"] for r in answer["results"]] == [1, 2] and answer["results"][0]["code"] == "bad_timestamp", answer
        weir.settle("SELECT count() FROM dead_letters", 2, key["read_key"])
        row = weir.sql("SELECT stage, reason, field, original FROM dead_letters WHERE reason = 'bad_timestamp'", key["read_key"])[0]
        assert row[0] == "ingest" and row[2] == "timestamp" and json.loads(row[3]) == bad, row
        weir.settle("SELECT count() FROM events_raw", 1, key["read_key"])


def test_keys_are_wanted_and_told_apart():
    with Weir() as weir:
        key = weir.tenant("acme")
        mine = dict(SAMPLE, customer_id="acme")
        assert weir.post("/track", mine)[0] == 401
        assert weir.post("/track", mine, "wk_wrong")[0] == 401
        assert weir.post("/track", mine, key["read_key"])[0] == 401
        assert weir.post("/track", mine, key["write_key"])[0] == 200
        status, answer = weir.post("/track", dict(SAMPLE, customer_id="other"), key["write_key"])
        assert status == 200 and answer["results"][0]["code"] == "tenant_mismatch", answer
        ask = lambda k: weir.request("POST", weir.api("/v1/sql"), b'{"sql":"SELECT 1"}', {"Authorization": "Bearer " + k})[0]
        assert ask(key["write_key"]) == 403 and ask("nonsense") == 401 and ask(key["read_key"]) == 200
        for root, _, files in os.walk(weir.data):
            for name in files:
                if "engine" in root or "olap" in root:
                    continue
                content = open(os.path.join(root, name), "rb").read()
                assert key["write_key"].encode() not in content and key["read_key"].encode() not in content, os.path.join(root, name)


def test_quota_burst_gets_10000_then_429_with_retry_after_and_hurts_nobody_else():
    with Weir() as weir:
        limited = json.loads(weir.cli("tenant", "create", "limited", "--url", weir.api(""), "--json").stdout)
        other = weir.tenant("other")
        accepted = refused = 0
        retry_after = None
        for _ in range(200):
            code, body, headers = weir.request("POST", weir.ingest("/track"),
                                               json.dumps([{"visitor_id": "v%d" % i, "event_type": "t", "event_name": "n"} for i in range(100)]).encode(),
                                               {"X-Write-Key": limited["write_key"]})
            if code == 200:
                accepted += json.loads(body)["accepted"]
            else:
                assert code == 429, (code, body)
                refused += 100
                if refused >= 500:
                    break
                retry_after = {k.lower(): v for k, v in headers.items()}.get("retry-after")
            assert weir.post("/track", [{"visitor_id": "v", "event_type": "t", "event_name": "n"}], other["write_key"])[0] == 200
        assert 9900 <= accepted <= 12000 and refused > 0 and int(retry_after) >= 1, (accepted, refused, retry_after)
        weir.settle("SELECT count() FROM events_raw", accepted, limited["read_key"])
        warnings = [line for line in weir.log_text().splitlines() if "quota" in line and "80" in line]
        assert len(warnings) == 1, warnings
        return "%d accepted, %d refused" % (accepted, refused)


def test_same_event_id_twice_is_one_row_and_two_ids_in_one_millisecond_are_two():
    with Weir() as weir:
        at = "2026-01-21T10:30:00.000Z"
        one = dict(SAMPLE, event_id="same", timestamp=at)
        for _ in range(3):
            assert weir.post("/track", one)[1]["accepted"] == 1
        assert weir.post("/track", [one, one, dict(one, event_id="a"), dict(one, event_id="b")])[1]["accepted"] == 4
        weir.settle("SELECT count() FROM events_raw", 3)
        weir.settle("SELECT sum(event_count) FROM events_hourly", 3)
        weir.decided(7)
        assert weir.sql("SELECT count(), uniqExact(event_id) FROM events_raw")[0] == weir.sql("SELECT 3, 3")[0]


def test_a_repeat_after_a_restart_is_still_one_row():
    weir = Weir()
    try:
        weir.start()
        weir.post("/track", dict(SAMPLE, event_id="once"))
        weir.settle("SELECT count() FROM events_raw", 1)
        weir.stop()
        weir.start()
        weir.post("/track", [dict(SAMPLE, event_id="once"), dict(SAMPLE, event_id="other")])
        weir.settle("SELECT count() FROM events_raw", 2)
        weir.kill9()
        weir.start()
        weir.post("/track", [dict(SAMPLE, event_id="once"), dict(SAMPLE, event_id="third")])
        weir.settle("SELECT count() FROM events_raw", 3)
    finally:
        weir.close()


def test_tls_is_served_when_a_certificate_is_given():
    directory = tempfile.mkdtemp(prefix="weir-tls-")
    key, cert = os.path.join(directory, "key.pem"), os.path.join(directory, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    weir = Weir(yaml="")
    with open(os.path.join(weir.config, "environments", "dev.yaml"), "w") as f:
        f.write("demo_tenant: true\ningest:\n  host: 127.0.0.1\n  tls: {certificate: %s, key: %s}\n" % (cert, key))
    try:
        weir.spawn()
        context = ssl.create_default_context(cafile=cert)
        end, answer = time.time() + 20, None
        while time.time() < end and answer is None:
            try:
                request = urllib.request.Request("https://127.0.0.1:%d/track" % weir.ingest_port, json.dumps(SAMPLE).encode(), {"Content-Type": "application/json"})
                answer = json.load(urllib.request.urlopen(request, timeout=5, context=context))
            except OSError:
                time.sleep(0.1)
        assert answer and answer["accepted"] == 1, (answer, weir.log_text()[-1000:])
        weir.settle("SELECT count() FROM events_raw", 1)
    finally:
        weir.close()


def test_live_feed_shows_an_accepted_event_at_once():
    with Weir() as weir:
        request = urllib.request.Request(weir.api("/v1/live"), headers={"Authorization": "Bearer demo_read", "Accept": "text/event-stream"})
        with urllib.request.urlopen(request, timeout=10) as stream:
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            time.sleep(0.3)
            began = time.time()
            weir.post("/track", dict(SAMPLE, event_name="canary"))
            text = ""
            while "canary" not in text and "\"accepted\":1" not in text.replace(" ", "") and time.time() - began < 5:
                text += stream.readline().decode()
            took = (time.time() - began) * 1000
            assert "data:" in text and took < 1000, (took, text[-500:])
            return "%.0f ms" % took


def test_weir_send_and_sql_work_on_files():
    with Weir() as weir:
        with tempfile.NamedTemporaryFile("wb", suffix=".ndjson.gz") as f:
            f.write(gzip.compress(b"\n".join(json.dumps(dict(SAMPLE, event_id="s%d" % i)).encode() for i in range(1234))))
            f.flush()
            done = weir.cli("send", f.name, "--url", weir.ingest(""), "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        result = json.loads(done.stdout)
        assert result["accepted"] == 1234 and result["rejected"] == 0, result
        weir.settle("SELECT count() FROM events_raw", 1234)
        done = weir.cli("sql", "SELECT event_type, count() AS n FROM events_raw GROUP BY event_type", "--url", weir.api(""), "--json")
        assert json.loads(done.stdout)["rows"][0][0] == "page_view", done.stdout + done.stderr
        done = weir.cli("sql", "SELEC 1", "--url", weir.api(""))
        assert done.returncode == 65 and done.stderr, (done.returncode, done.stderr)
        made = weir.cli("generate", "--events", "5000", "--seed", "7")
        assert made.stdout.count("\n") == 5000 and made.stdout == weir.cli("generate", "--events", "5000", "--seed", "7").stdout
        done = weir.cli("send", "-", "--url", weir.ingest(""), "--json", stdin=made.stdout)
        assert json.loads(done.stdout)["accepted"] == 5000, done.stdout + done.stderr
        weir.settle("SELECT count() FROM events_raw", 6234)


def test_an_answer_of_more_than_10000_rows_is_cut_and_says_so():
    with Weir() as weir:
        key = weir.tenant("many")
        for i in range(0, 25000, 5000):
            assert weir.post("/track", [{"visitor_id": "v%d" % j, "event_type": "t", "event_name": "n"} for j in range(i, i + 5000)], key["write_key"])[1]["accepted"] == 5000
        weir.settle("SELECT count() FROM events_raw", 25000, key["read_key"])

        def ask(query):
            status, answer, _ = weir.request("POST", weir.api("/v1/sql"), json.dumps({"sql": query}).encode(), {"Authorization": "Bearer " + key["read_key"]})
            assert status == 200, (query, status, answer[:300])
            answer = json.loads(answer)
            assert len(answer["rows"]) == answer["row_count"], query
            return answer["row_count"], answer["truncated"]
        assert ask("SELECT visitor_id FROM events_raw") == (10000, True)
        assert ask("SELECT visitor_id FROM events_raw ORDER BY visitor_id LIMIT 10001") == (10000, True)
        assert ask("SELECT visitor_id FROM events_raw LIMIT 10000") == (10000, False)
        assert ask("SELECT visitor_id, count() FROM events_raw GROUP BY visitor_id") == (10000, True)
        # Every row of a cross join would be 625 million: it ends early, not at the time limit.
        assert ask("SELECT a.visitor_id FROM events_raw AS a, events_raw AS b") == (10000, True)
        done = weir.cli("sql", "SELECT visitor_id FROM events_raw", "--url", weir.api(""), "--key", key["read_key"])
        assert done.returncode == 0 and "first rows only" in done.stderr and done.stdout.count("\n") == 10001, done.stderr[-300:]


def test_keys_are_rotated_without_a_gap_and_revoked_at_once():
    with Weir() as weir:
        old = weir.tenant("acme")
        event = {"visitor_id": "v", "event_type": "t", "event_name": "n"}
        write = lambda key: weir.post("/track", event, key)[0]
        read = lambda key: weir.request("POST", weir.api("/v1/sql"), b'{"sql":"SELECT 1"}', {"Authorization": "Bearer " + key})[0]

        def tenant(*words, code=0):
            done = weir.cli("tenant", *words, "--url", weir.api(""), "--json")
            assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
            return json.loads(done.stdout) if code == 0 else done.stderr
        new = tenant("rotate", "acme", "--grace", "5s")
        assert new["write_key"] != old["write_key"] and new["grace_seconds"] == 5, new
        assert [write(old["write_key"]), write(new["write_key"]), read(old["read_key"]), read(new["read_key"])] == [200] * 4
        weir.until(lambda: [write(old["write_key"]), write(new["write_key"]), read(old["read_key"]), read(new["read_key"])] == [401, 200, 401, 200])
        newer = tenant("rotate", "acme", "--write")
        assert "read_key" not in newer and write(new["write_key"]) == 200 and read(new["read_key"]) == 200
        assert tenant("revoke", "acme")["keys_ended"] == 1
        weir.until(lambda: [write(new["write_key"]), write(newer["write_key"]), read(new["read_key"])] == [401, 200, 200])
        assert tenant("revoke", "acme", "--read", "--all")["keys_ended"] == 1
        weir.until(lambda: read(new["read_key"]) == 401 and write(newer["write_key"]) == 200)
        assert "weir tenant list" in tenant("rotate", "nobody", code=65) or "no tenant" in tenant("rotate", "nobody", code=65)
        said = weir.cli("tenant", "rotate", "acme", "--read", "--grace", "0", "--url", weir.api("")).stdout
        assert "read key" in said and "work no more" in said, said
        assert weir.stop() == 0
        done = weir.cli("tenant", "rotate", "acme", "--grace", "0", "--data", weir.data, "--json")
        assert done.returncode == 0, done.stderr
        last = json.loads(done.stdout)
        weir.start()
        assert [write(newer["write_key"]), write(last["write_key"]), read(last["read_key"])] == [401, 200, 200]
