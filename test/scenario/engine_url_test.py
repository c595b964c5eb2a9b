"""An engine that another process runs (`weir olap`), named by engine.url: it comes and goes while events flow, tenants stay apart, and what
cannot work is told at start."""
import contextlib, http.server, os, signal, socket, ssl, subprocess, tempfile, threading, time, urllib.error, urllib.request

from crash_test import Load, check
from kafka import shared
from roles import Role, Roles
from roles_test import await_true, send_until_taken, wait_until_known
from weir import Weir, free_port

SECRET = {"engine_password": "a-password-of-the-engine"}
PASSWORD = "engine.password: ${secret:engine_password}\n"


def with_password(weir, password=SECRET):
    weir.environment = password
    return weir


@contextlib.contextmanager
def olap(weir):
    """`weir olap` on the configuration of who uses it."""
    engine = with_password(Role("olap", weir.config))
    engine.olap_port = weir.engine_port
    try:
        yield engine.start()
    finally:
        engine.close()


def named(port, more="", **options):
    weir = with_password(Weir(yaml="engine.url: http://127.0.0.1:%d\n%s%s" % (port, PASSWORD, more), **options))
    weir.engine_port = port
    return weir


def asked(port, user, password, query):
    request = urllib.request.Request("http://127.0.0.1:%d/" % port, query.encode(), {"X-ClickHouse-User": user, "X-ClickHouse-Key": password})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read().decode().strip()


def kept_apart(weir, one, other):
    """By the API, and by the engine's own port as the tenants' users."""
    weir.settle("SELECT count() FROM events_raw", 3, other["read_key"])
    assert asked(weir.engine_port, other["olap_user"], other["olap_password"], "SELECT uniqExact(customer_id), count() FROM events_raw") == "1\t3"
    for tenant in (one, other):
        try:
            said = asked(weir.engine_port, tenant["olap_user"], tenant["olap_password"], "SELECT count() FROM weir.events_raw")
            raise AssertionError("the tables themselves answered: " + said)
        except urllib.error.HTTPError as e:
            assert "ACCESS_DENIED" in e.read().decode()


def killed_under_load(weir, engine, kills=3):
    one, other = weir.tenant("one"), weir.tenant("other")
    if isinstance(weir, Roles):
        wait_until_known(weir, other["write_key"])
    assert send_until_taken(weir, "/track", [{"visitor_id": "v", "event_type": "page", "event_name": "n"}] * 3, other["write_key"])[0] == 200
    load = Load(weir, one["write_key"])
    for kill in range(kills):
        weir.settle("SELECT count() > %d FROM events_raw" % (len(load.acknowledged) + 500), 1, one["read_key"])
        engine.kill9()
        acknowledged = len(load.acknowledged)
        while len(load.acknowledged) < acknowledged + 500:  # events are taken while it is away
            time.sleep(0.05)
        engine.start()
    load.stop()
    note = check(weir, one["read_key"], load.acknowledged)
    kept_apart(weir, one, other)
    return "%d kills, %s" % (kills, note)


def stands_still(weir, engine):
    """As on a machine that swaps: it takes connections and says nothing."""
    child = engine.engine_pid()
    os.kill(child, signal.SIGSTOP)
    try:
        await_true(lambda: weir.metric("engine_up") == 0)
        assert weir.post("/track", {"visitor_id": "v", "event_type": "page", "event_name": "late"}, "demo_write")[0] == 200
    finally:
        os.kill(child, signal.SIGCONT)
    await_true(lambda: weir.metric("engine_up") == 1)
    weir.settle("SELECT count() FROM events_raw", 1)


def test_the_engine_of_another_process_killed_again_and_again_under_load_stores_each_event_once():
    weir = named(free_port())
    with olap(weir) as engine, weir:
        note = killed_under_load(weir, engine)
        stands_still(weir, engine)
        assert "engine.away" in weir.log_text() and "engine.back" in weir.log_text(), weir.log_text()[-2000:]
        assert weir.engine_pid() is None  # it has none of its own
        assert weir.stop() == 0 and engine.stop() == 0
        return note


def test_every_role_a_process_of_its_own_also_the_engine():
    port = free_port()
    weir = Roles(shared().yaml("engine.url: http://127.0.0.1:%d\n%s" % (port, PASSWORD)))
    weir.engine_port = port
    for role in weir.all():
        with_password(role)
    with olap(weir) as engine, weir:
        note = killed_under_load(weir, engine, kills=1)
        assert weir.stop() == 0 and engine.stop() == 0
        return note


def authority(directory):
    """A certificate for 127.0.0.1 that is its own authority."""
    key, certificate = (os.path.join(directory, name) for name in ("key.pem", "certificate.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=engine",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    os.chmod(directory, 0o755)
    return key, certificate


class TlsInFront:
    """What stands in front of `weir olap` for clients on other machines."""

    def __init__(self, key, certificate, port):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.behind, self.listener = port, socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, plain):
        with contextlib.suppress(OSError), self.context.wrap_socket(plain, server_side=True) as client, socket.create_connection(("127.0.0.1", self.behind)) as engine:
            back = threading.Thread(target=self.pass_on, args=(engine, client), daemon=True)
            back.start()
            self.pass_on(client, engine)
            back.join()

    def pass_on(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()


def test_an_engine_behind_tls_is_used_where_its_authority_is_known_and_refused_where_not():
    directory = tempfile.mkdtemp(prefix="weir-tls-")
    key, certificate = authority(directory)
    port = free_port()
    front = TlsInFront(key, certificate, port)
    over_tls = "engine.url: https://127.0.0.1:%d\n%s" % (front.port, PASSWORD)
    weir = with_password(Weir(yaml=over_tls + "engine.tls_ca: %s\n" % certificate))
    weir.engine_port = port
    try:
        with olap(weir), weir:
            tenant = weir.tenant("acme")
            assert weir.post("/track", {"visitor_id": "v", "event_type": "page", "event_name": "n"}, tenant["write_key"])[0] == 200
            weir.settle("SELECT count() FROM events_raw", 1, tenant["read_key"])
            assert weir.stop() == 0
            with_password(Weir(yaml=over_tls)).refused(69, "no engine at engine.url https://127.0.0.1:%d" % front.port, "certificate", wait=60)
    finally:
        front.close()


class OldServer(http.server.BaseHTTPRequestHandler):
    """A ClickHouse of long ago, as far as it is asked."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"18.16.1\t0\n")

    def log_message(self, *_):
        pass


def test_an_engine_that_cannot_be_used_ends_the_start_with_one_clear_error():
    port = free_port()
    named(port).refused(69, "weir up: no engine at engine.url http://127.0.0.1:%d in 10 s" % port, wait=60)
    weir = named(port)
    with olap(weir):
        with_password(named(port), {"engine_password": "some-other-password"}).refused(78, "refuses our password: engine.password must be the one")
        other = with_password(Role("olap", weir.config))
        other.olap_port = port
        other.refused(69, "port %d on 127.0.0.1 is taken" % port)
    weir.close()
    old = http.server.HTTPServer(("127.0.0.1", 0), OldServer)
    threading.Thread(target=old.serve_forever, daemon=True).start()
    named(old.server_port).refused(78, "is ClickHouse 18.16: weir needs 24.8 or newer")
    old.shutdown()
    Weir(yaml="engine.url: http://127.0.0.1:%d\n" % port).refused(78, "engine.password must be ${secret:NAME}")
    Weir(yaml="engine.url: http://engine.example:8123\n").refused(78, "dev.yaml:", "use https, or set engine.allow_plain_http: true")
    with_password(Role("olap", Weir(yaml="").config)).refused(78, "weir olap: engine.password must be ${secret:NAME}")
