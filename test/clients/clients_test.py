"""Client libraries as they are published, unmodified: all call types delivered and stored. They are installed into .deps/clients."""
import json, os, subprocess, sys, time

from weir import ROOT, Weir

HERE = os.path.dirname(os.path.abspath(__file__))
DEPS = os.path.join(ROOT, ".deps", "clients")
PYTHON = os.path.join(DEPS, "venv", "bin", "python")
EXPECTED = ["alias", "group", "identify", "page_view", "screen_view", "track"]


def install_python():
    if not os.path.exists(PYTHON):
        subprocess.run([sys.executable, "-m", "venv", os.path.join(DEPS, "venv")], check=True)
    done = subprocess.run([PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", os.path.join(HERE, "requirements.txt")],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def install_node():
    os.makedirs(DEPS, exist_ok=True)
    with open(os.path.join(HERE, "package.json")) as source, open(os.path.join(DEPS, "package.json"), "w") as target:
        target.write(source.read())
    done = subprocess.run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund"], cwd=DEPS, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


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
