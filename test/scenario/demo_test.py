"""`make demo`: history first, then live; broken off at any moment it leaves nothing running, and the next run neither doubles nor loses."""
import contextlib, os, pty, re, shutil, signal, subprocess, tempfile, threading, time

from weir import ROOT, Weir


class Demo:
    """tools/demo.sh in a session of its own, so that whatever it leaves behind can be found."""

    def __init__(self, days):
        self.data = tempfile.mkdtemp(prefix="weir-demo-")
        os.chmod(self.data, 0o755)
        self.env = {**os.environ, "DEMO_DATA": self.data, "DEMO_DAYS": str(days)}

    def start(self, terminal=False):
        self.asker = Weir(data=self.data)  # never started: it asks for us
        ports = {"DEMO_INGEST_PORT": self.asker.ingest_port, "DEMO_API_PORT": self.asker.api_port, "DEMO_OLAP_PORT": self.asker.olap_port}
        self.output = open(os.path.join(self.data, "output"), "w+")
        self.copying = None
        there, here = pty.openpty() if terminal else (None, None)
        self.process = subprocess.Popen([os.path.join(ROOT, "tools", "demo.sh")], stdin=here or subprocess.DEVNULL, stdout=here or self.output, stderr=subprocess.STDOUT,
                                        start_new_session=True, env={**{k: str(v) for k, v in ports.items()}, **self.env},
                                        # a shell's background job has SIGINT ignored, and what is ignored at its start a script cannot trap
                                        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        if terminal:
            os.close(here)
            self.copying = threading.Thread(target=self.copy, args=(there,), daemon=True)
            self.copying.start()
        return self

    def copy(self, terminal):
        """What comes to the terminal, until nobody is there any more."""
        with contextlib.suppress(OSError):
            while True:
                self.output.write(os.read(terminal, 65536).decode(errors="replace"))
                self.output.flush()
        os.close(terminal)

    def text(self):
        with open(self.output.name) as f:
            return f.read()

    def wait_for(self, words, seconds=240):
        end = time.time() + seconds
        while words not in self.text():
            assert self.process.poll() is None and time.time() < end, self.text()
            time.sleep(0.02)

    def left(self):
        """Command lines of what still runs in the session."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % pid) as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                if int(fields[3]) == self.process.pid and fields[0] != "Z":
                    with open("/proc/%s/cmdline" % pid) as f:
                        found.append(f.read().replace("\0", " "))
            except (OSError, IndexError):
                pass
        return found

    def interrupt(self, by=signal.SIGINT):
        began = time.time()
        self.process.send_signal(by)
        self.process.wait(60)
        if self.copying:
            self.copying.join(30)
        assert self.left() == [], self.left()
        assert "all is stopped" in self.text(), self.text()
        return time.time() - began

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.data, ignore_errors=True)


def test_the_demo_broken_off_while_loading_goes_on_without_doubling():
    demo = Demo(days=60)  # enough for some seconds of loading, also when the machine answers slowly
    try:
        demo.start().wait_for("dashboard")
        end = time.time() + 60
        stored = 0
        while stored < 5000 and time.time() < end:
            time.sleep(0.02)
            with contextlib.suppress(OSError, RuntimeError):  # not up yet
                stored = int(demo.asker.one("SELECT count() FROM events_raw"))
        assert "days of history" not in demo.text(), "loaded before it could be broken off"
        stopped = demo.interrupt()
        demo.start().wait_for("The dashboard is live")
        accepted = int(re.search(r"60 days of history: (\d+) events", demo.text()).group(1))
        until = open(os.path.join(demo.data, "history")).read().split()[1].replace("T", " ").replace("Z", "")
        ask = "SELECT count(), uniqExact(event_id) FROM events_raw WHERE timestamp < '%s'" % until
        made = subprocess.run([os.path.join(ROOT, "build", "weir"), "generate", "--visitors", "4000", "--seed", "11", "--rate", "0.45", "--growth", "8", "--surge",
                               "2.5", "--days", "60", "--until", until.replace(" ", "T") + "Z"], capture_output=True, text=True, check=True).stdout.count("\n")
        demo.asker.settle("SELECT count() - uniqExact(event_id) FROM events_raw", 0)
        demo.asker.settle("SELECT count() > %d FROM events_raw WHERE timestamp < '%s'" % (made * 0.99, until), 1)
        time.sleep(2)  # the store has everything, the last letters too
        broken = int(demo.asker.one("SELECT uniqExact(original) FROM dead_letters WHERE received_at < now() + 60"))
        count, distinct = (int(n) for n in demo.asker.sql(ask)[0])
        assert count == distinct and count <= made <= count + broken + 5, (count, distinct, made, broken)
        assert int(demo.asker.one("SELECT uniqExact(reason) FROM dead_letters")) >= 4
        demo.interrupt()
        demo.env.update(DEMO_PAUSE="0.1", TERM="xterm")
        demo.start(terminal=True).wait_for("The dashboard is live")
        assert "earlier run" in demo.text(), demo.text()
        assert [int(n) for n in demo.asker.sql(ask)[0]] == [count, distinct]
        live = int(demo.asker.one("SELECT count() FROM events_raw WHERE timestamp > '%s'" % until))
        demo.asker.settle("SELECT count() > %d FROM events_raw WHERE timestamp > '%s'" % (live + 5, until), 1)
        demo.wait_for("\033[?1049h")  # `weir top` has the terminal
        demo.interrupt(signal.SIGTERM)  # of the script alone
        assert "\033[?1049l" in demo.text(), "the terminal is as it was"
        return "%d events, stopped in the middle in %.1f s" % (accepted, stopped)
    finally:
        demo.close()


def test_the_demo_says_what_to_do_when_a_port_is_taken():
    with Weir() as other:
        demo = Demo(days=1)
        try:
            demo.env["DEMO_INGEST_PORT"] = str(other.ingest_port)
            demo.start()
            assert demo.process.wait(60) == 1
            assert "DEMO_INGEST_PORT" in demo.text() and demo.left() == [], demo.text()
        finally:
            demo.close()
