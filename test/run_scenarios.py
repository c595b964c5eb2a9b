#!/usr/bin/env python3
"""Runs the scenarios: every function test_* of every test/scenario/*_test.py (and test/clients/*_test.py) against the built binary.
usage: test/run_scenarios.py [NAME…]     a part of a file's or function's name; none: all.  Ends with `N passed, N failed`."""
import importlib.util, inspect, os, sys, time, traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "support"))


class Skip(Exception):
    """Raised by a test that cannot run here, with the reason; never for a failure."""


sys.modules.setdefault("scenarios", sys.modules[__name__])


def load(path):
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(words):
    passed = failed = skipped = 0
    files = [os.path.join(HERE, d, f) for d in ("scenario", "clients") if os.path.isdir(os.path.join(HERE, d))
             for f in sorted(os.listdir(os.path.join(HERE, d))) if f.endswith("_test.py")]
    for path in files:
        name = os.path.basename(path)[:-8]
        text = open(path).read()
        if words and not any(w in name or ("def test_" in text and w in text) for w in words):
            continue
        module = load(path)
        for test, function in inspect.getmembers(module, inspect.isfunction):
            if not test.startswith("test_") or (words and not any(w in name or w in test for w in words)):
                continue
            began = time.time()
            try:
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
    print("scenarios: %d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
