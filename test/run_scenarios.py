#!/usr/bin/env python3
"""Runs the scenarios: every function test_* of every test/scenario/*_test.py (and test/clients/*_test.py) against the built binary, and every test
of test/browser/*_test.mjs in a browser.
usage: test/run_scenarios.py [NAME…]     a part of a file's or function's name; none: all.  Ends with `N passed, N failed`."""
import importlib.util, inspect, os, re, signal, subprocess, sys, time, traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "support"))
sys.path.insert(0, os.path.join(HERE, "scenario"))  # a scenario may use another one's helpers
from scratch import scratch  # noqa: E402


class Skip(Exception):
    """Raised by a test that cannot run here, with the reason; never for a failure."""


sys.modules.setdefault("scenarios", sys.modules[__name__])


def load(path):
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def install_browser_tests():
    """What test/browser/ imports, into .deps/browser: pinned in its package.json."""
    source, target = os.path.join(HERE, "browser", "package.json"), os.path.join(HERE, "..", ".deps", "browser")
    wanted = open(source).read()
    stamp = os.path.join(target, "package.json")
    if os.path.exists(os.path.join(target, "node_modules")) and os.path.exists(stamp) and open(stamp).read() == wanted:
        return
    os.makedirs(target, exist_ok=True)
    with open(stamp, "w") as f:
        f.write(wanted)
    done = subprocess.run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund"], cwd=target, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


def run_browser_file(path, pattern):
    """A file of node's test runner: yields (name, seconds, what went wrong or None)."""
    command = ["node", "--test", "--test-reporter=tap"] + (["--test-name-pattern=" + pattern] if pattern else []) + [path]
    left = None
    try:
        with scratch():
            done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    except AssertionError as e:
        left = str(e)
    found = 0
    blocks = re.split(r"(?m)^ *# Subtest: ", done.stdout)[1:]
    for block in blocks:
        verdict = re.search(r"(?m)^ *(not ok|ok) \d+ - (.*?)( # SKIP.*)?$", block)
        if not verdict or verdict.group(3) or verdict.group(2).endswith("_test.mjs"):
            continue
        took = re.search(r"duration_ms: ([\d.]+)", block)
        found += 1
        yield verdict.group(2), float(took.group(1)) / 1000 if took else 0, None if verdict.group(1) == "ok" else block
    if done.returncode != 0 and (not found or "\nnot ok" in done.stdout and not re.search(r"(?m)^ *not ok \d+ - (?!.*_test\.mjs)", done.stdout)):
        yield os.path.basename(path), 0, done.stdout[-3000:] + done.stderr[-3000:]
    if left:
        yield os.path.basename(path), 0, left


def run_browser(words):
    """(passed, failed) of test/browser/*_test.mjs."""
    directory, counts = os.path.join(HERE, "browser"), [0, 0]
    for file in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
        if not file.endswith("_test.mjs"):
            continue
        name, path = file[:-9], os.path.join(directory, file)
        named = not words or any(w in name for w in words)
        within = [w for w in words if w in open(path).read()]
        if not named and not within:
            continue
        install_browser_tests()
        for test, seconds, problem in run_browser_file(path, "" if named else "|".join(re.escape(w) for w in within)):
            counts[1 if problem else 0] += 1
            print("%s %-10s %s (%.1f s)%s" % ("FAIL " if problem else "ok   ", name, test, seconds, "\n" + problem if problem else ""), flush=True)
    return counts


def main(words):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what is open is closed, and removed
    passed = failed = skipped = 0
    files = [os.path.join(HERE, d, f) for d in ("scenario", "clients") if os.path.isdir(os.path.join(HERE, d))
             for f in sorted(os.listdir(os.path.join(HERE, d))) if f.endswith("_test.py")]
    for path in files:
        name = os.path.basename(path)[:-8]
        text = open(path).read()
        if words and not any(w in name or ("def test_" in text and w in text) for w in words):
            continue
        try:
            module = load(path)
        except Exception:  # the other files are run
            failed += 1
            print("FAIL  %-10s cannot be loaded\n%s" % (name, traceback.format_exc()), flush=True)
            continue
        for test, function in inspect.getmembers(module, inspect.isfunction):
            if not test.startswith("test_") or (words and not any(w in name or w in test for w in words)):
                continue
            began = time.time()
            try:
                with scratch():
                    note = function()
                passed += 1
                print("ok    %-10s %s (%.1f s)%s" % (name, test[5:].replace("_", " "), time.time() - began, ": %s" % note if note else ""), flush=True)
            except Exception as e:  # any failure of a test is told and counted
                if type(e).__name__ == "Skip":
                    skipped += 1
                    print("skip  %-10s %s: %s" % (name, test[5:].replace("_", " "), e), flush=True)
                    continue
                failed += 1
                print("FAIL  %-10s %s (%.1f s)\n%s" % (name, test[5:].replace("_", " "), time.time() - began, traceback.format_exc()), flush=True)
    in_browser = run_browser(words)
    passed, failed = passed + in_browser[0], failed + in_browser[1]
    print("scenarios: %d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
