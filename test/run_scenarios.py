#!/usr/bin/env python3
"""Runs the scenarios against the built binary: every function test_* of test/scenario/*_test.py and test/clients/*_test.py, and every test of
test/browser/*_test.mjs in a browser. Each file runs in one of a few lanes, processes of their own: most tests wait most of the time. A test that does
not end is broken off with a note of where it stood. Ends with the slowest tests and `N passed, N failed`.
usage: test/run_scenarios.py [--lanes N] [--limit S] [--of DIR] [NAME…]
NAME: a part of a file's or function's name; none: all. N: 1 unless said. S: seconds that a test may take. DIR: where the files are, in place of test/."""
import argparse, contextlib, faulthandler, importlib.util, inspect, json, os, re, signal, subprocess, sys, tempfile, threading, time, traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "support"))
sys.path.insert(0, os.path.join(HERE, "scenario"))  # a scenario may use another one's helpers
from scratch import end_all, once, scratch  # noqa: E402

LIMIT_S = 3000 if os.environ.get("WEIR_LONG") else 600  # of one test; the longest takes a minute when the machine is quiet
LONGEST_FIRST = "kafka_contract kafka roles kafka_changelog sink crash kafka_network kafka_secure dashboard engine_url demo differential".split()
RECORD = "\x1e"  # begins a line in which a lane tells of a test


class Skip(Exception):
    """Raised by a test that cannot run here, with the reason; never for a failure."""


class Endless(Exception):
    """A test that took longer than it may."""


sys.modules.setdefault("scenarios", sys.modules[__name__])


def load(path):
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tell(verdict, name, test, seconds, note=""):
    print(RECORD + json.dumps([verdict, name, test, seconds, note]), flush=True)


def time_limit(seconds):
    """The main thread gets an exception then, and every ten seconds after it, for code that catches all; 0: none any more."""
    def broken_off(*_):
        raise Endless("not done after %g s" % seconds)
    signal.signal(signal.SIGALRM, broken_off)
    signal.setitimer(signal.ITIMER_REAL, seconds, 10 if seconds else 0)
    if seconds:
        faulthandler.dump_traceback_later(seconds * 1.4, exit=True)
    else:
        faulthandler.cancel_dump_traceback_later()


def run_function(name, test, function, limit):
    began, title = time.time(), test[5:].replace("_", " ")
    try:
        time_limit(limit)
        try:
            with scratch():
                note = function()
        finally:
            time_limit(0)
        tell("ok", name, title, time.time() - began, str(note or ""))
    except Exception as e:  # any failure of a test is told and counted
        skipped = type(e).__name__ == "Skip"
        tell("skip" if skipped else "FAIL", name, title, time.time() - began, str(e) if skipped else traceback.format_exc())


def run_python_file(path, words, limit):
    name = os.path.basename(path)[:-8]
    try:
        module = load(path)
    except Exception:  # the other files are run
        return tell("FAIL", name, "cannot be loaded", 0, traceback.format_exc())
    for test, function in inspect.getmembers(module, inspect.isfunction):
        if test.startswith("test_") and function.__module__ == module.__name__ and (not words or any(w in name or w in test for w in words)):
            run_function(name, test, function, limit)


def install_browser_tests():
    """What test/browser/ imports, into .deps/browser: pinned in its package.json."""
    source, target = os.path.join(HERE, "browser", "package.json"), os.path.join(HERE, "..", ".deps", "browser")
    wanted = open(source).read()
    stamp = os.path.join(target, "package.json")
    with once(target):
        if os.path.exists(os.path.join(target, "node_modules")) and os.path.exists(stamp) and open(stamp).read() == wanted:
            return
        os.makedirs(target, exist_ok=True)
        with open(stamp, "w") as f:
            f.write(wanted)
        done = subprocess.run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund"], cwd=target, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr


def run_browser_file(path, words, limit):
    """A file of node's test runner."""
    name = os.path.basename(path)[:-9]
    within = [] if any(w in name for w in words) else [w for w in words if w in open(path).read()]
    pattern = ["--test-name-pattern=" + "|".join(re.escape(w) for w in within)] if within else []
    left = None
    try:
        with scratch():
            done = subprocess.run(["node", "--test", "--test-reporter=tap", *pattern, path], capture_output=True, text=True, timeout=2 * limit)
    except (AssertionError, subprocess.TimeoutExpired) as e:
        left = str(e)
        if isinstance(e, subprocess.TimeoutExpired):
            return tell("FAIL", name, os.path.basename(path), 2 * limit, "%s\n%s" % (e, (e.stdout or b"").decode(errors="replace")[-3000:]))
    found = 0
    for block in re.split(r"(?m)^ *# Subtest: ", done.stdout)[1:]:
        verdict = re.search(r"(?m)^ *(not ok|ok) \d+ - (.*?)( # SKIP.*)?$", block)
        if not verdict or verdict.group(3) or verdict.group(2).endswith("_test.mjs"):
            continue
        took = re.search(r"duration_ms: ([\d.]+)", block)
        found += 1
        good = verdict.group(1) == "ok"
        tell("ok" if good else "FAIL", name, verdict.group(2), float(took.group(1)) / 1000 if took else 0, "" if good else block)
    if done.returncode != 0 and (not found or "\nnot ok" in done.stdout and not re.search(r"(?m)^ *not ok \d+ - (?!.*_test\.mjs)", done.stdout)):
        tell("FAIL", name, os.path.basename(path), 0, done.stdout[-3000:] + done.stderr[-3000:])
    if left:
        tell("FAIL", name, os.path.basename(path), 0, left)


def lane(words, limit):
    """Runs the files whose paths come by standard input; an empty record ends each."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what is open is closed, and removed
    paths, nothing = os.fdopen(os.dup(0)), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for path in iter(paths.readline, ""):
        path = path.strip()
        if path.endswith(".mjs"):
            install_browser_tests()
            run_browser_file(path, words, limit)
        else:
            run_python_file(path, words, limit)
        print(RECORD, flush=True)


class Run:
    def __init__(self, options, files):
        self.command = [sys.executable, os.path.abspath(__file__), "--lane", "--limit", str(options.limit), *options.words]
        self.files, self.lock = files, threading.Lock()
        self.counts, self.times, self.lanes = {"ok": 0, "FAIL": 0, "skip": 0}, [], set()

    def say(self, verdict, name, test, seconds, note):
        with self.lock:
            self.counts[verdict] += 1
            self.times.append((seconds, name, test))
            if verdict == "FAIL" and os.environ.get("FAILURES"):
                with open(os.environ["FAILURES"], "a") as f:
                    f.write("%s: %s: %s\n" % (name, test, (note.strip().splitlines() or [""])[-1][:300]))
            time_ = "" if verdict == "skip" else " (%.1f s)" % seconds
            print("%-5s %-10s %s%s%s" % (verdict, name, test, time_, note and ("\n" if verdict == "FAIL" else ": ") + note), flush=True)

    def drive(self):
        """A thread: hands one lane a file after the other, and begins a new lane when one ends by itself."""
        process = directory = None
        while True:
            with self.lock:
                if not self.files:
                    break
                path = self.files.pop(0)
            if process is None:
                directory = tempfile.mkdtemp(prefix="weir-lane-")
                os.chmod(directory, 0o755)
                process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace",
                                           env={**os.environ, "TMPDIR": directory})
                self.lanes.add(process)
            process.stdin.write(path + "\n")
            process.stdin.flush()
            for line in process.stdout:
                if line == RECORD + "\n":
                    break
                if line.startswith(RECORD):
                    self.say(*json.loads(line[1:]))
                else:
                    with self.lock:
                        print(line, end="", flush=True)
            else:
                self.say("FAIL", os.path.basename(path), "the lane ended within it, see above", 0, "exit code %d" % process.wait())
                end_all(directory)
                process = None
        if process:
            process.stdin.close()
            process.wait()
            end_all(directory)

    def stop(self, *_):
        self.files.clear()
        for process in self.lanes:
            if process.poll() is None:
                process.terminate()
        self.summary("stopped from outside; ")
        for process in self.lanes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)  # it ends what its tests have started
        os._exit(143)

    def summary(self, before=""):
        for seconds, name, test in sorted(self.times, reverse=True)[:10 if len(self.times) > 20 else 0]:
            print("slowest: %6.1f s  %s: %s" % (seconds, name, test))
        print("%sscenarios: %d passed, %d failed, %d skipped" % (before, self.counts["ok"], self.counts["FAIL"], self.counts["skip"]), flush=True)


def chosen(words, within):
    """The files that have something to run, those that take longest first."""
    files = []
    for directory in ("scenario", "clients", "browser"):
        for file in sorted(os.listdir(os.path.join(within, directory))) if os.path.isdir(os.path.join(within, directory)) else []:
            path = os.path.join(within, directory, file)
            end = next((e for e in ("_test.py", "_test.mjs") if file.endswith(e)), None)
            if end and (not words or any(w in file[:-len(end)] or (w in open(path).read()) for w in words)):
                files.append((LONGEST_FIRST.index(file[:-len(end)]) if file[:-len(end)] in LONGEST_FIRST else 99, len(files), path))
    return [path for _, _, path in sorted(files)]


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("--limit", type=float, default=LIMIT_S)
    parser.add_argument("--of", default=HERE)
    parser.add_argument("--lane", action="store_true")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    if options.lane:
        return lane(options.words, options.limit)
    run = Run(options, chosen(options.words, os.path.abspath(options.of)))
    signal.signal(signal.SIGTERM, run.stop)
    signal.signal(signal.SIGINT, run.stop)
    threads = [threading.Thread(target=run.drive) for _ in range(max(1, min(options.lanes, len(run.files))))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.summary()
    return 1 if run.counts["FAIL"] or not run.counts["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
