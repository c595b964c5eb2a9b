"""A weir of its own for a test: started on free ports with a fresh data directory, spoken to only through its outside, ended by pid."""
import base64, contextlib, json, os, shutil, signal, subprocess, tempfile, time, urllib.error, urllib.request

from ports import free_port

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SHARED = os.path.join(ROOT, "..", "shared")


class Weir:
    def __init__(self, data=None, config=None, env="dev", yaml=None, domain=None, extra=(), build="build"):
        """yaml: settings on top of the project's own; domain: text of the only domain. Then `config` is a copy of the project's."""
        self.binary = os.path.join(ROOT, build, "weir")
        self.own_data = data is None
        self.data = data or tempfile.mkdtemp(prefix="weir-test-")
        if self.own_data:
            os.chmod(self.data, 0o755)
        self.env, self.extra = env, list(extra)
        self.config = config or os.path.join(ROOT, "config")
        if yaml is not None or domain is not None:
            self.config = tempfile.mkdtemp(prefix="weir-conf-")
            shutil.copytree(os.path.join(ROOT, "config"), self.config, dirs_exist_ok=True)
            with open(os.path.join(self.config, "environments", self.env + ".yaml"), "w") as f:
                f.write("demo_tenant: true\ningest.host: 127.0.0.1\n" + ("" if "disk_reserve" in (yaml or "") else "journal.disk_reserve: 64 MiB\n") + (yaml or ""))
        if domain is not None:
            shutil.rmtree(os.path.join(self.config, "domains"))
            os.mkdir(os.path.join(self.config, "domains"))
            self.declare(domain)
        self.ingest_port, self.api_port, self.olap_port = free_port(), free_port(), free_port()
        self.log = (self.data if self.own_data else tempfile.mktemp(prefix="weir-test-")) + ".log"
        self.process, self.environment = None, {}

    def declare(self, domain):
        """Takes effect at the next start."""
        with open(os.path.join(self.config, "domains", "of_test.yaml"), "w") as f:
            f.write(domain)

    def command(self):
        return [self.binary, "up", "--config", self.config, "--env", self.env, "--data", self.data, "--ingest-port", str(self.ingest_port),
                "--api-port", str(self.api_port), "--olap-port", str(self.olap_port), *self.extra]

    def spawn(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                                            env={**os.environ, **self.environment})
        return self

    def start(self, wait=60):
        began = time.time()
        self.spawn()
        while time.time() - began < wait:
            if self.process.poll() is not None:
                raise AssertionError("weir up ended with %s: %s" % (self.process.returncode, self.log_text()[-2000:]))
            with contextlib.suppress(OSError):
                if self.request("GET", self.ingest("/ready"))[0] == 200:
                    self.ready_s = time.time() - began
                    return self
            time.sleep(0.02)
        raise AssertionError("not ready in %d s: %s" % (wait, self.log_text()[-2000:]))

    def refused(self, code, *words, wait=30):
        """It ends by itself, soon, with that exit code and all the words; is closed then. What it said."""
        self.spawn()
        try:
            assert self.process.wait(wait) == code, (self.process.returncode, self.log_text()[-2000:])
            text = self.log_text()
            assert all(word in text for word in words), text[-2000:]
            return text
        finally:
            self.close()

    def log_text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def ingest(self, path):
        return "http://127.0.0.1:%d%s" % (self.ingest_port, path)

    def api(self, path):
        return "http://127.0.0.1:%d%s" % (self.api_port, path)

    def request(self, method, url, body=None, headers=None, timeout=30):
        request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read(), dict(answer.headers)
        except urllib.error.HTTPError as e:
            return e.code, e.read(), dict(e.headers)

    def post(self, path, body, key=None, timeout=30, headers=None):
        headers = {"Content-Type": "application/json", **(headers or {})}
        if key:
            headers["Authorization"] = "Basic " + base64.b64encode((key + ":").encode()).decode()
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, answer, _ = self.request("POST", self.ingest(path), data, headers, timeout)
        return status, json.loads(answer) if answer else None

    def sql(self, query, key="demo_read", timeout=60):
        status, answer, _ = self.request("POST", self.api("/v1/sql"), json.dumps({"sql": query}).encode(),
                                         {"Authorization": "Bearer " + key, "Content-Type": "application/json"}, timeout)
        if status != 200:
            raise RuntimeError("sql answered %d: %s" % (status, answer[:500]))
        return json.loads(answer)["rows"]

    def all_rows(self, query, key="demo_read", page=10000):
        """Of a query with an order that names each row: as many answers as it takes, since one has 10,000 rows at most."""
        rows, got = [], None
        while got is None or len(got) == page:
            got = self.sql("%s LIMIT %d OFFSET %d" % (query, page, len(rows)), key)
            rows += got
        return rows

    def one(self, query, key="demo_read"):
        return self.sql(query, key)[0][0]

    def settle(self, query, want, key="demo_read", seconds=60):
        """Asks until the first cell is `want`; fails with what it was at the end."""
        end, got = time.time() + seconds, None
        while time.time() < end:
            try:
                got = self.one(query, key)
                if str(got) == str(want):
                    return got
            except (RuntimeError, OSError, IndexError) as e:
                got = e
            time.sleep(0.05)
        raise AssertionError("%s: %s, not %s" % (query, got, want))

    def until(self, what, seconds=60):
        """Asks until it is true; fails with what it was at the end. What cannot be asked yet is not true."""
        end, got = time.time() + seconds, None
        while time.time() < end:
            try:
                got = what()
                if got:
                    return got
            except (RuntimeError, OSError, IndexError, KeyError) as e:
                got = e
            time.sleep(0.05)
        raise AssertionError("not in %d s, but %s: %s" % (seconds, got, self.log_text()[-1000:]))

    def decided(self, events):
        """Until so many events have been looked at since the start, repeats too: what was to be stored of them is on its way."""
        self.until(lambda: (self.metric("events_processed_total") or 0) >= events)

    def cli(self, *words, timeout=120, stdin=None):
        return subprocess.run([self.binary, *map(str, words)], cwd=ROOT, timeout=timeout, capture_output=True, text=True, input=stdin)

    def tenant(self, name, *options):
        done = self.cli("tenant", "create", name, "--quota", "unlimited", "--retention", "unlimited", *options, "--url", self.api(""), "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def metric(self, name, port=None):
        """Sum over all series of the name."""
        text = self.request("GET", "http://127.0.0.1:%d/metrics" % (port or self.ingest_port))[1].decode()
        values = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name]
        return sum(values) if values else None

    def engine_pid(self):
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as f:
            direct = [int(p) for p in f.read().split()]
        if not direct:  # spawned by another thread
            for task in os.listdir("/proc/%d/task" % self.process.pid):
                with open("/proc/%d/task/%s/children" % (self.process.pid, task)) as f:
                    direct += [int(p) for p in f.read().split()]
        return direct[0] if direct else None

    def kill9(self):
        """The whole process group: weir and its engine."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill9_self(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, wait=30):
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(wait)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError("SIGTERM did not end weir in %d s: %s" % (wait, self.log_text()[-2000:]))

    def close(self):
        with contextlib.suppress(Exception):
            self.stop()
        with contextlib.suppress(Exception):
            self.kill9()
        if self.own_data:
            shutil.rmtree(self.data, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *what):
        self.close()
