"""What a browser is served: the dashboard, the SDK and the shop out of the binary, what they learn about this weir, and a live feed that goes on
where it was cut."""
import contextlib, gzip, http.client, json, os, re, socket, time

from weir import ROOT, Weir

HOSTILE = ["/../../../../etc/passwd", "/assets/../../../etc/passwd", "/assets/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/shop/../admin.token",
           "/shop/..%2fadmin.token", "/sdk/%2e%2e%2fweir.lock", "//etc/passwd", "/assets/", "/assets", "/sdk/", "/index.html", "/shop/index.html%00.js",
           "/assets\\..\\..\\etc\\passwd", "/weir.log", "/admin.token", "/shop/README.md", "/sdk/package.json", "/sdk/weir.mjs.map"]


def get(weir, path, headers=None, method="GET", port=None):
    """As it stands, without a client that tidies the path. (status, headers with small names, body)"""
    connection = http.client.HTTPConnection("127.0.0.1", port or weir.api_port, timeout=10)
    connection.putrequest(method, path, skip_host=bool(headers and "Host" in headers), skip_accept_encoding=True)
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, body


def policy(headers):
    return {part.split(" ", 1)[0]: part.split(" ", 1)[1] for part in headers["content-security-policy"].split("; ")}


def test_the_dashboard_is_served_from_here_alone_and_strictly():
    with Weir() as weir:
        status, headers, html = get(weir, "/")
        assert status == 200 and headers["content-type"] == "text/html; charset=utf-8" and headers["cache-control"] == "no-cache", headers
        assert policy(headers) == {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' data:", "font-src": "'self'",
                                   "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}, headers
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY" and headers["referrer-policy"] == "no-referrer"
        assert "camera=()" in headers["permissions-policy"] and "access-control-allow-origin" not in headers
        own = re.findall(r'(?:src|href)="([^"]+)"', html.decode())
        assert own and all(address.startswith(("/", "data:")) and not address.startswith("//") for address in own), own
        assert not re.search(rb"<script(?![^>]*src=)|<style|\son\w+=", html), "something inline, which the policy forbids"
        scripts = [address for address in own if address.startswith("/assets/")]
        assert any(address.endswith(".js") for address in scripts) and any(address.endswith(".css") for address in scripts), own
        whole = 0
        for address in scripts:
            status, headers, packed = get(weir, address, {"Accept-Encoding": "gzip, br"})
            assert status == 200 and headers["cache-control"] == "public, max-age=31536000, immutable", (address, headers)
            if address.endswith((".js", ".css")):
                assert headers["content-encoding"] == "gzip" and headers["vary"] == "Accept-Encoding", (address, headers)
                assert gzip.decompress(packed) == get(weir, address)[2] == open(os.path.join(ROOT, "dashboard/dist" + address), "rb").read()
                whole += len(packed)
        for route in ("/domains", "/explore", "/events", "/stream", "/quality", "/sql", "/setup"):
            assert get(weir, route)[2] == html, route
        assert whole <= 250000, "the bundle has %d bytes gzipped" % whole
        return "%.0f kB of script and style, gzipped" % (whole / 1000)


def test_a_file_is_sent_again_only_when_it_changed():
    with Weir() as weir:
        for path in ("/", "/sdk/weir.js", "/shop/"):
            status, headers, body = get(weir, path)
            tag = headers["etag"]
            assert re.fullmatch(r'W/"[0-9a-f]{20}"', tag), tag
            for header in (tag, tag[2:], '"other", %s' % tag, "*"):
                status, again, nothing = get(weir, path, {"If-None-Match": header})
                assert (status, nothing, again["etag"]) == (304, b"", tag) and "content-length" not in again, (path, header, again)
            assert get(weir, path, {"If-None-Match": '"other"'})[0] == 200
            status, head, nothing = get(weir, path, method="HEAD")
            assert status == 200 and nothing == b"" and int(head["content-length"]) == len(body), (path, head)
            status, packed, short = get(weir, path, {"Accept-Encoding": "gzip"})
            assert packed["etag"] == tag and gzip.decompress(short) == body and len(short) < len(body), path
            assert "content-encoding" not in get(weir, path, {"Accept-Encoding": "gzip;q=0, identity"})[1]
            assert get(weir, path, method="POST")[0] == 404


def test_no_path_leads_to_the_disk():
    with Weir() as weir:
        for path in HOSTILE:
            status, _, body = get(weir, path)
            assert status in (400, 404) and b"root:" not in body, (path, status, body[:200])
            assert json.loads(body)["code"], (path, body)


def test_any_website_may_load_the_sdk_and_nothing_else():
    with Weir() as weir:
        for path in ("/sdk/weir.js", "/sdk/weir.mjs"):
            status, headers, body = get(weir, path, {"Origin": "https://shop.example"})
            assert status == 200 and headers["access-control-allow-origin"] == "*" and headers["cross-origin-resource-policy"] == "cross-origin", headers
            assert headers["content-type"].startswith("text/javascript") and len(body) > 1000
        for path in ("/", "/shop/", "/v1/config"):
            status, headers, _ = get(weir, path, {"Origin": "https://shop.example"})
            assert status == 200 and "access-control-allow-origin" not in headers, (path, headers)


def test_the_shop_exists_in_the_dev_environment_alone():
    with Weir() as weir:
        status, headers, shop = get(weir, "/shop/")
        assert status == 200 and policy(headers)["connect-src"] == "'self' http://127.0.0.1:%d" % weir.ingest_port, headers
        status, headers, _ = get(weir, "/shop/", {"Host": "localhost:%d" % weir.api_port})
        assert policy(headers)["connect-src"] == "'self' http://localhost:%d" % weir.ingest_port
        status, headers, _ = get(weir, "/shop")
        assert status == 308 and headers["location"] == "/shop/", headers
        assert get(weir, "/shop/product/anything")[2] == shop and get(weir, "/shop/missing.js")[0] == 404
    weir = Weir(env="prod", yaml="")
    with open(os.path.join(weir.config, "environments", "prod.yaml"), "w") as f:
        f.write("ingest.host: 127.0.0.1\napi.host: 127.0.0.1\njournal.disk_reserve: 64 MiB\n")
    try:
        weir.start()
        for path in ("/shop", "/shop/", "/shop/js/shop.js", "/shop/product/anything"):
            assert get(weir, path)[0] == 404, path
        assert get(weir, "/")[0] == 200 and get(weir, "/sdk/weir.js")[0] == 200
        config = json.loads(get(weir, "/v1/config")[2])
        assert config["env"] == "prod" and config["demo"] is None, config
    finally:
        weir.close()


def test_the_configuration_is_for_pages_of_our_own():
    with Weir() as weir:
        config = json.loads(get(weir, "/v1/config")[2])
        assert config["demo"] == {"tenant": "demo_tenant", "read_key": "demo_read", "write_key": "demo_write"}, config
        assert config["ingest_url"] == "http://127.0.0.1:%d" % weir.ingest_port and config["env"] == "dev" and config["version"], config
        own = {"Host": "localhost:%d" % weir.api_port, "Origin": "http://localhost:%d" % weir.api_port, "Sec-Fetch-Site": "same-origin"}
        assert json.loads(get(weir, "/v1/config", own)[2])["demo"]
        for foreign in ({"Host": "weir.evil.example:%d" % weir.api_port}, {"Host": "127.0.0.1.evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"},
                        {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://127.0.0.1:1"}):
            status, headers, body = get(weir, "/v1/config", foreign)
            assert status == 200 and json.loads(body)["demo"] is None and "access-control-allow-origin" not in headers, (foreign, body)
        key = weir.tenant("acme")
        who = json.loads(get(weir, "/v1/whoami", {"Authorization": "Bearer " + key["read_key"]})[2])
        assert who == {"tenant": "acme", "tier": "standard", "quota_per_minute": None, "retention_days": None}, who


class Feed:
    """A reader as a browser is one: events with their ids, comes back with the newest id, forgets nothing."""

    def __init__(self, weir, key="demo_read", last_id=None):
        self.socket = socket.create_connection(("127.0.0.1", weir.api_port), timeout=10)
        self.rest, self.id, self.state, self.events = b"", last_id, None, []
        head = "GET /v1/live?key=%s HTTP/1.1\r\nHost: 127.0.0.1\r\n" % key
        self.socket.sendall((head + ("Last-Event-ID: %s\r\n" % last_id if last_id else "") + "\r\n").encode())

    def message(self):
        """The next one with a state. Lines of the chunked coding stand between messages, never within one."""
        lines = []
        while not any(line.startswith("data: ") for line in lines):
            while b"\n\n" not in self.rest:
                got = self.socket.recv(65536)
                assert got, "the feed ended"
                self.rest += got
            text, self.rest = self.rest.split(b"\n\n", 1)
            lines = text.decode().split("\n")
        for line in lines:
            if line.startswith("data: "):
                self.state = json.loads(line[6:])
                self.events += self.state["events"]
            elif line.startswith("id: "):
                self.id = line[4:]
        return self.state

    def until(self, what, seconds=10):
        end = time.time() + seconds
        while time.time() < end:
            if self.state and what(self.state):
                return self.state
            self.message()
        raise AssertionError("did not come: %s" % json.dumps(self.state)[:1500])

    def names(self):
        return [event["event_name"] for event in self.events]

    def cut(self):
        """Without a goodbye, as when a network goes away."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


def send(weir, *names):
    for name in names:
        status, _ = weir.post("/track", {"customer_id": "demo_tenant", "visitor_id": "v", "user_id": "u", "session_id": "s", "event_type": "page_view", "event_name": name,
                                         "properties": {"page": "/"}, "context": {"library": {"name": "test"}}})
        assert status == 200


def test_a_feed_that_was_cut_goes_on_where_it_was_and_repeats_nothing():
    with Weir() as weir:
        feed = Feed(weir)
        feed.message()
        send(weir, "one", "two")
        feed.until(lambda state: state["accepted"] == 2)
        event = feed.events[0]
        assert (event["event_name"], event["visitor_id"], event["user_id"], event["session_id"], event["properties"]) == ("one", "v", "u", "s", {"page": "/"}), event
        assert event["context"]["library"]["name"] == "test" and abs(event["received_ms"] - time.time() * 1000) < 60000, event
        feed.cut()
        send(weir, *["missed %d" % i for i in range(30)])
        weir.settle("SELECT count() FROM events_raw", 32)
        again = Feed(weir, last_id=feed.id)
        again.until(lambda state: state["accepted"] == 32)
        assert again.names() == ["missed %d" % i for i in range(30)], again.names()
        send(weir, "after")
        again.until(lambda state: state["accepted"] == 33)
        assert again.names()[-1] == "after" and len(again.events) == 31
        again.cut()
        weir.stop()
        weir.start()
        fresh = Feed(weir, last_id=again.id)
        assert fresh.message()["accepted"] == 0 and fresh.events == []
        send(weir, "new process")
        fresh.until(lambda state: state["accepted"] == 1)
        assert fresh.names() == ["new process"] and fresh.id.split("-")[0] != again.id.split("-")[0]
        fresh.cut()


def test_the_feed_tells_what_sql_tells():
    with Weir() as weir:
        limited = json.loads(weir.cli("tenant", "create", "limited", "--quota", "20/min", "--url", weir.api(""), "--json").stdout)
        feed = Feed(weir, limited["read_key"])
        state = feed.message()
        assert state["quota"] == {"limit": 20, "used": 0} and state["engine"] == "ready" and state["rejected"] == {}, state
        good = {"visitor_id": "v", "event_type": "t", "event_name": "n"}
        status, answer = weir.post("/track", [good, dict(good, timestamp="yesterday"), {"nonsense": 1}, {"nonsense": 2}], limited["write_key"])
        assert status == 200 and answer["rejected"] == 3, answer
        assert weir.post("/track", [good] * 30, limited["write_key"])[0] == 429
        weir.settle("SELECT count() FROM dead_letters", 3, limited["read_key"])
        sql = {reason: int(count) for reason, count in weir.sql("SELECT reason, count() FROM dead_letters GROUP BY reason", limited["read_key"])}
        state = feed.until(lambda state: state["rejected"] == sql and "queryable_ms" in state and "latency" in state)
        assert state["quota"]["limit"] == 20 and state["quota"]["used"] in (0, 4), state["quota"]  # 0: a minute began meanwhile
        assert state["refused"] == {"quota": 30, "journal_full": 0}, state
        assert 0 <= state["latency"]["p99_ms"] < 2000 and 0 < state["queryable_ms"] < 5000, state
        end = time.time() + 30
        while state["engine"] == "ready" and time.time() < end:  # it is back within a third of a second, and looked at once a second
            pid = weir.engine_pid()
            if pid:
                os.kill(pid, 9)
            feed.socket.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                state = feed.message()
            feed.socket.settimeout(10)
        assert state["engine"] == "away", state
        feed.until(lambda state: state["engine"] == "ready", 30)
        feed.cut()
        return "accepted → shown p99 %d ms, → queryable %.0f ms" % (state["latency"]["p99_ms"], state["queryable_ms"])
