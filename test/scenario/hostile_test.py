"""Bytes from people who mean harm, against the real binary: it answers or hangs up, stays up, stays small, and goes on serving others."""
import gzip, json, os, socket, threading, time, zlib

from weir import Weir

GOOD = {"customer_id": "demo_tenant", "visitor_id": "v", "event_type": "t", "event_name": "n"}


def raw(port, data, wait=5, chunks=None):
    """Sends bytes, returns everything that comes back until the server closes or is quiet."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as s:
        answer = b""
        try:
            for piece in chunks or [data]:
                s.sendall(piece)
            s.settimeout(wait)
            while True:
                got = s.recv(65536)
                if not got:
                    break
                answer += got
                s.settimeout(0.3)
        except (socket.timeout, ConnectionResetError, BrokenPipeError):
            pass
        return answer


def head(body, extra="", method="POST", path="/track"):
    return ("%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n" % (method, path, len(body), extra)).encode() + body


def memory_mib(weir):
    with open("/proc/%d/status" % weir.process.pid) as f:
        return int([line for line in f if line.startswith("VmRSS")][0].split()[1]) / 1024


def still_serves(weir):
    status, answer = weir.post("/track", GOOD)
    assert (status, answer["accepted"]) == (200, 1), (status, answer)


def test_bodies_that_are_garbage_get_a_verdict_or_400_and_never_a_500():
    deep = b'{"a":' * 10000 + b"1" + b"}" * 10000
    event = lambda properties: json.dumps({**GOOD, "properties": 0}).encode().replace(b'"properties": 0', b'"properties": ' + properties)
    cases = {
        "empty": (b"", {400}), "not json": (b"hello", {200, 400}), "truncated": (b'{"visitor_id": "v"', {200, 400}), "null": (b"null", {200, 400}),
        "number": (b"17", {200, 400}), "array of junk": (b"[1,null,\"x\",[]]", {200}), "nan": (event(b'{"x": NaN}'), {200, 400}),
        "infinity": (event(b'{"x": 1e999}'), {200, 400}), "deep": (event(deep), {200, 400}), "deep body": (deep, {200, 400}), "deep arrays": (b"[" * 100000, {200, 400}),
        "bad utf-8": (b'{"customer_id":"demo_tenant","visitor_id":"\xff\xfe","event_type":"t","event_name":"n"}', {200, 400}),
        "lone surrogate": (event(b'{"x": "\\ud800"}'), {200, 400}), "nul": (b"\x00" * 100, {200, 400}),
        "duplicate keys": (b'{"customer_id":"demo_tenant","visitor_id":"a","visitor_id":"b","event_type":"t","event_name":"n"}', {200}),
        "leading zeros": (event(b'{"x": 007}'), {200, 400}), "trailing comma": (event(b'{"x": 1,}'), {200, 400}), "comments": (event(b'{/* */}'), {200, 400}),
        "a large field": (event(b'{"x": "' + b"y" * 4_000_000 + b'"}'), {200, 413}), "too large": (event(b'{"x": "' + b"y" * 10_000_000 + b'"}'), {413}),
        "garbage before the batch": (b'{"a":"b"x,"batch":[]}', {400}), "two objects": (json.dumps(GOOD).encode() * 2, {200, 400}),
    }
    with Weir() as weir:
        for name, (body, allowed) in cases.items():
            try:
                status, answer, _ = weir.request("POST", weir.ingest("/track"), body, {"Content-Type": "application/json", "X-Write-Key": "demo_write"})
            except (ConnectionError, OSError) as e:
                assert name == "too large", (name, e)
                continue
            assert status in allowed, (name, status, answer[:300])
            answer = json.loads(answer)
            if status == 200 and name not in ("two objects", "infinity"):  # 1e999 is JSON: kept as written (decision 0030)
                assert answer["accepted"] == 0 and answer["rejected"] >= 1 and answer["results"][0]["code"], (name, answer)
            elif status != 200:
                assert answer["code"] and answer["message"], (name, answer)
        still_serves(weir)
        assert weir.process.poll() is None


def test_compressed_garbage_and_bombs_are_refused_within_their_bounds():
    with Weir() as weir:
        before = memory_mib(weir)
        good = gzip.compress(json.dumps(GOOD).encode())
        bomb = gzip.compress(b" " * 300_000_000, 9)
        layered = zlib.compress(b" " * 100_000_000, 9)
        for body, coding, allowed in ((good, "gzip", {200}), (good, None, {200}), (good[:-9], "gzip", {400}), (good[:20] + b"\x00" * 20, "gzip", {400}), (b"not gzip", "gzip", {400}),
                                      (bomb, "gzip", {413}), (bomb, None, {413}), (layered, "deflate", {413}), (zlib.compress(json.dumps(GOOD).encode()), "deflate", {200}),
                                      (b"x", "br", {400, 415})):
            status, answer, _ = weir.request("POST", weir.ingest("/track"), body, {"Content-Encoding": coding} if coding else {})
            assert status in allowed, (coding, len(body), status, answer[:200])
        assert memory_mib(weir) < before + 150, "memory went from %.0f to %.0f MiB" % (before, memory_mib(weir))
        still_serves(weir)


def test_smuggled_and_malformed_requests_are_refused_and_the_connection_closed():
    body = json.dumps(GOOD).encode()
    cases = {
        "both lengths": b"POST /track HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n",
        "two lengths": b"POST /track HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456",
        "signed length": b"POST /track HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n12345",
        "space before colon": b"POST /track HTTP/1.1\r\nHost : x\r\nContent-Length: 0\r\n\r\n",
        "obsolete folding": b"POST /track HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
        "no host": b"POST /track HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "two hosts": b"POST /track HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 0\r\n\r\n",
        "bad chunk size": b"POST /track HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        "huge chunk size": b"POST /track HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n\r\n",
        "bare newlines": b"POST /track HTTP/1.1\nHost: x\nContent-Length: 0\n\n",
        "nul in a header": b"POST /track HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n",
        "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(200), "an old version": b"GET /\r\n",
    }
    with Weir() as weir:
        for name, data in cases.items():
            answer = raw(weir.ingest_port, data, 3)
            assert b" 200 " not in answer.split(b"\r\n")[0], (name, answer[:200])
            assert answer.count(b"HTTP/1.1 ") <= 1, (name, answer[:300])
        long = raw(weir.ingest_port, b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", 3)
        assert b" 431 " in long or not long, long[:100]
        many = raw(weir.ingest_port, b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(5000)) + b"\r\n", 3)
        assert b" 431 " in many or b" 400 " in many or not many, many[:100]
        assert b" 200 " in raw(weir.ingest_port, head(body))
        still_serves(weir)


def test_pipelined_requests_are_answered_in_order():
    with Weir() as weir:
        bodies = [json.dumps({**GOOD, "event_id": "p%d" % i}).encode() if i % 2 else b"broken" for i in range(20)]
        data = b"".join(head(b) for b in bodies)
        answer = raw(weir.ingest_port, data, 5)
        verdicts = [part.split(b"\r\n\r\n", 1)[1] for part in answer.split(b"HTTP/1.1 ")[1:]]
        assert len(verdicts) == 20, answer[:500]
        for i, verdict in enumerate(verdicts):
            assert (b'"accepted":1' in verdict) == bool(i % 2), (i, verdict)


def test_slow_clients_are_ended_and_hold_nobody_up():
    with Weir() as weir:
        slow = []
        for i in range(200):
            s = socket.create_connection(("127.0.0.1", weir.ingest_port))
            s.sendall(b"POST /track HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            slow.append(s)
        began = time.time()
        for _ in range(50):
            still_serves(weir)
        took = (time.time() - began) / 50
        assert took < 1, "a good request took %.0f ms beside slow ones" % (took * 1000)
        end, closed = time.time() + 25, 0
        while time.time() < end and closed < len(slow):
            closed = 0
            for s in slow:
                try:
                    s.settimeout(0.001)
                    s.sendall(b"a")
                    s.recv(1000)  # a 408 or the end
                    closed += 1
                except socket.timeout:
                    pass
                except OSError:
                    closed += 1
            time.sleep(1)
        for s in slow:
            s.close()
        assert closed == len(slow), "%d of %d slow connections were ended" % (closed, len(slow))


def test_a_flood_of_connections_is_bounded():
    with Weir() as weir:
        sockets = []
        try:
            for _ in range(800):
                sockets.append(socket.create_connection(("127.0.0.1", weir.ingest_port), timeout=5))
            still_serves(weir)
        finally:
            for s in sockets:
                s.close()
        still_serves(weir)
        assert memory_mib(weir) < 400


def test_one_tenant_at_full_speed_does_not_slow_another():
    with Weir() as weir:
        loud, calm = weir.tenant("loud"), weir.tenant("calm")
        body = [{"visitor_id": "v%d" % i, "event_type": "t", "event_name": "n"} for i in range(2000)]
        ended = threading.Event()

        def shout():
            while not ended.is_set():
                try:
                    weir.post("/track", body, loud["write_key"])
                except (OSError, ValueError):
                    pass
        threads = [threading.Thread(target=shout, daemon=True) for _ in range(4)]
        for t in threads:
            t.start()
        times = []
        try:
            for _ in range(60):
                began = time.time()
                assert weir.post("/track", body[:1], calm["write_key"])[0] == 200
                times.append(time.time() - began)
        finally:
            ended.set()
        times.sort()
        assert times[int(len(times) * 0.9)] < 0.5, times[-10:]
        return "p50 %.0f ms, p90 %.0f ms beside the noise" % (times[30] * 1000, times[54] * 1000)
