"""Client libraries as they are published, unmodified: all call types delivered and stored. They are installed into .deps/clients."""
import contextlib, functools, http.server, os, shutil, subprocess, sys, tempfile, threading, urllib.parse

from weir import ROOT, Weir

HERE = os.path.dirname(os.path.abspath(__file__))
DEPS = os.path.join(ROOT, ".deps", "clients")
PYTHON = os.path.join(DEPS, "venv", "bin", "python")
EXPECTED = ["alias", "group", "identify", "page_view", "screen_view", "track"]


def pip_install(requirements, *options):
    done = subprocess.run([PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", *options, "-r", os.path.join(HERE, requirements)],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def is_installed(directory, *sources):
    """Whether the directory holds what these files say; and what to call when it does from now on."""
    wanted = "".join(open(os.path.join(HERE, name)).read() for name in sources)
    note = os.path.join(directory, "installed-from")
    with contextlib.suppress(OSError):
        if open(note).read() == wanted:
            return True, lambda: None
    return False, lambda: open(note, "w").write(wanted)


def install_python():
    if not os.path.exists(PYTHON):
        subprocess.run([sys.executable, "-m", "venv", os.path.join(DEPS, "venv")], check=True)
    there, note = is_installed(os.path.join(DEPS, "venv"), "requirements.txt")
    if not there:
        pip_install("requirements.txt")
        note()


def install_old_python():
    """An older version of a library beside the newer one."""
    install_python()
    target = os.path.join(DEPS, "old")
    os.makedirs(target, exist_ok=True)
    there, note = is_installed(target, "requirements-old.txt")
    if not there:
        pip_install("requirements-old.txt", "--upgrade", "--target", target)
        note()
    return {"PYTHONPATH": target}


def install_node():
    os.makedirs(DEPS, exist_ok=True)
    there, note = is_installed(DEPS, "package.json", "package-lock.json")
    if there:
        return
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(HERE, name), DEPS)
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=DEPS, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    note()


def deliver(command, extra_env=None, expected=None):
    with Weir() as weir:
        key = weir.tenant("shop")
        env = {**os.environ, "WEIR_URL": weir.ingest(""), "WEIR_KEY": key["write_key"], "NODE_PATH": os.path.join(DEPS, "node_modules"), **(extra_env or {})}
        done = subprocess.run(command, cwd=DEPS, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        expected = expected or EXPECTED
        weir.settle("SELECT uniqExact(event_type) FROM events_raw", len(expected), key["read_key"])
        types = sorted(row[0] for row in weir.sql("SELECT DISTINCT event_type FROM events_raw", key["read_key"]))
        assert types == expected, types
        weir.settle("SELECT count() FROM events_raw WHERE event_type = 'track'", 51, key["read_key"])
        assert int(weir.one("SELECT count() FROM dead_letters", key["read_key"])) == 0
        row = weir.sql("SELECT event_name, user_id, visitor_id != '', JSONExtractFloat(properties, 'amount'), abs(dateDiff('second', timestamp, now64(3))) < 300 "
                       "FROM events_raw WHERE event_name = 'Order Completed'", key["read_key"])[0]
        assert row[0] == "Order Completed" and row[1] == "user-1" and str(row[2]) == "1" and abs(float(row[3]) - 19.99) < 1e-9 and str(row[4]) == "1", row
        identify = weir.sql("SELECT user_id, if(JSONHas(properties, 'plan'), JSONExtractString(properties, 'plan'), JSONExtractString(context, 'traits', 'plan')) FROM events_raw WHERE event_type = 'identify'", key["read_key"])[0]
        assert identify == ["user-1", "pro"], identify
        return "%d events" % int(weir.one("SELECT count() FROM events_raw", key["read_key"]))


def test_segment_analytics_node():
    install_node()
    return deliver(["node", os.path.join(HERE, "segment_node.cjs")])


def test_rudder_sdk_node():
    install_node()
    return deliver(["node", os.path.join(HERE, "rudder_node.cjs")])


def test_segment_analytics_python():
    install_python()
    return deliver([PYTHON, os.path.join(HERE, "segment_python.py")])


def test_segment_analytics_python_gzip():
    install_python()
    return deliver([PYTHON, os.path.join(HERE, "segment_python.py")], {"WEIR_GZIP": "1"})


def test_rudder_sdk_python():
    install_python()
    return deliver([PYTHON, os.path.join(HERE, "rudder_python.py")])


def test_segment_analytics_python_of_2023():
    return deliver([PYTHON, os.path.join(HERE, "segment_python.py")], install_old_python())


def test_analytics_node():
    install_node()
    return deliver(["node", os.path.join(HERE, "analytics_node.cjs")])


POSTHOG_TYPES = ["alias", "group", "identify", "page_view", "screen_view", "track"]


def check_posthog(weir, key):
    ask = lambda query: weir.sql(query, key["read_key"])
    weir.settle("SELECT count() FROM events_raw", 56, key["read_key"])
    assert [row[0] for row in ask("SELECT DISTINCT event_type FROM events_raw ORDER BY event_type")] == POSTHOG_TYPES
    assert ask("SELECT visitor_id, JSONExtractFloat(properties, 'amount') FROM events_raw WHERE event_name = 'Order Completed'") == [["user-1", 19.99]]
    assert ask("SELECT user_id, JSONExtractString(properties, 'plan') FROM events_raw WHERE event_type = 'identify'") == [["user-1", "pro"]]
    assert ask("SELECT visitor_id, session_id FROM events_raw WHERE event_type = 'page_view'") == [["anon-1", "s-1"]]
    assert ask("SELECT visitor_id, user_id FROM events_raw WHERE event_type = 'alias'") == [["anon-1", "user-1"]]
    assert ask("SELECT JSONExtractString(context, 'groupId') FROM events_raw WHERE event_type = 'group'") == [["g-1"]]
    assert int(ask("SELECT count() FROM dead_letters")[0][0]) == 0
    return "56 events"


def run_client(command, check, extra_env=None):
    with Weir() as weir:
        key = weir.tenant("shop")
        env = {**os.environ, "WEIR_URL": weir.ingest(""), "WEIR_KEY": key["write_key"], "NODE_PATH": os.path.join(DEPS, "node_modules"), **(extra_env or {})}
        done = subprocess.run(command, cwd=DEPS, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return check(weir, key)


def test_posthog_node():
    install_node()
    return run_client(["node", os.path.join(HERE, "posthog_node.cjs")], check_posthog)


def test_posthog_python():
    install_python()
    return run_client([PYTHON, os.path.join(HERE, "posthog_python.py")], check_posthog)


def test_posthog_python_gzip():
    install_python()
    return run_client([PYTHON, os.path.join(HERE, "posthog_python.py")], check_posthog, {"WEIR_GZIP": "1"})


def check_snowplow(weir, key):
    ask = lambda query: weir.sql(query, key["read_key"])
    weir.settle("SELECT count() FROM events_raw", 55, key["read_key"])
    assert ask("SELECT event_type, event_name, count() FROM events_raw GROUP BY ALL ORDER BY ALL") == [
        ["page_ping", "page_ping", 1], ["page_view", "Home", 1], ["screen_view", "Start", 1], ["track", "Clicked", 50], ["track", "Order Completed", 1],
        ["track", "order_completed", 1]]
    assert ask("SELECT visitor_id, user_id, session_id, JSONExtractString(properties, 'url'), JSONExtractString(context, 'extra', 'co', 1, 'data', 'plan') FROM events_raw "
               "WHERE event_type = 'page_view'") == [["anon-1", "user-1", "s-1", "https://shop.example/", "pro"]]
    assert ask("SELECT JSONExtractFloat(properties, 'amount') FROM events_raw WHERE event_name = 'order_completed'") == [[19.99]]
    assert ask("SELECT JSONExtractFloat(properties, 'value') FROM events_raw WHERE event_name = 'Order Completed'") == [[19.99]]
    assert int(ask("SELECT countIf(position(context, '%s') > 0) FROM events_raw" % key["write_key"])[0][0]) == 0, "the key was stored"
    assert int(ask("SELECT count() FROM dead_letters")[0][0]) == 0
    return "55 events"


def test_snowplow_node_tracker():
    install_node()
    return run_client(["node", os.path.join(HERE, "snowplow_node.cjs")], check_snowplow)


def test_snowplow_node_tracker_base64():
    install_node()
    return run_client(["node", os.path.join(HERE, "snowplow_node.cjs")], check_snowplow, {"WEIR_BASE64": "1"})


@contextlib.contextmanager
def served(directory):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=directory)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "http://127.0.0.1:%d" % server.server_address[1]
        server.shutdown()


@contextlib.contextmanager
def browser(url):
    profile = tempfile.mkdtemp(prefix="weir-browser-")
    process = subprocess.Popen(["/usr/bin/chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                                "--disable-component-update", "--disable-sync", "--user-data-dir=" + profile, "--remote-debugging-port=0", url],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def in_the_browser(strategy):
    """The published browser bundle in a real browser, on a page of another origin: settings, preflight, text/plain."""
    install_node()
    pages = tempfile.mkdtemp(prefix="weir-pages-")
    shutil.copytree(os.path.join(DEPS, "node_modules", "@segment", "analytics-next", "dist", "umd"), pages, dirs_exist_ok=True)
    shutil.copy(os.path.join(HERE, "segment_browser.html"), pages)
    with Weir() as weir, served(pages) as site:
        key = weir.tenant("shop")
        query = urllib.parse.urlencode({"key": key["write_key"], "weir": weir.ingest(""), "strategy": strategy})
        with browser("%s/segment_browser.html?%s" % (site, query)):
            weir.settle("SELECT count() FROM events_raw", 56, key["read_key"])
        types = [row[0] for row in weir.sql("SELECT DISTINCT event_type FROM events_raw ORDER BY event_type", key["read_key"])]
        assert types == EXPECTED, types
        row = weir.sql("SELECT user_id, visitor_id != '', JSONExtractFloat(properties, 'amount') FROM events_raw WHERE event_name = 'Order Completed'", key["read_key"])[0]
        assert row == ["user-1", 1, 19.99], row
        assert int(weir.one("SELECT count() FROM dead_letters", key["read_key"])) == 0
        return "56 events"


def test_segment_analytics_next_in_chromium():
    return in_the_browser("standard")


def test_segment_analytics_next_in_chromium_batching():
    return in_the_browser("batching")


def test_clickhouse_connect_reads_the_engine():
    install_python()
    with Weir() as weir:
        key = weir.tenant("shop")
        weir.post("/track", [{"visitor_id": "v%d" % i, "event_type": "t", "event_name": "n"} for i in range(20)], key["write_key"])
        weir.settle("SELECT count() FROM events_raw", 20, key["read_key"])
        code = ("import clickhouse_connect, sys\n"
                "c = clickhouse_connect.get_client(host='127.0.0.1', port=%d, username='%s', password='%s', database='pub')\n"
                "print(c.query('SELECT count(), uniqExact(visitor_id), max(timestamp) FROM events_raw').result_rows[0][:2])\n"
                % (weir.olap_port, key["olap_user"], key["olap_password"]))
        done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, timeout=60)
        assert done.stdout.strip() == "(20, 20)", done.stdout + done.stderr
