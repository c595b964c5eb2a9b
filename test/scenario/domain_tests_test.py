"""`weir test`: the cases that come with weir pass, and one that is wrong says where and by how much."""
import json, os, re, shutil, subprocess, tempfile
import xml.etree.ElementTree as ET

from weir import ROOT

BINARY = os.path.join(ROOT, "build", "weir")

CASES = os.path.join(ROOT, "config", "tests", "web.yaml")


def run(*words):
    return subprocess.run([BINARY, "test", *words], cwd=ROOT, capture_output=True, text=True, timeout=120)


def changed(directory, *pairs):
    text = open(CASES).read()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = os.path.join(directory, "changed.yaml")
    with open(path, "w") as f:
        f.write(text)
    return path


def test_the_cases_that_come_with_weir_pass():
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no case counts anything" not in done.stdout, done.stdout
    return done.stdout.strip().splitlines()[-1]


def test_examples_pass():
    ran = []
    examples = os.path.join(ROOT, "examples")
    for name in sorted(os.listdir(examples)):
        if os.path.isdir(os.path.join(examples, name, "tests")):
            done = run("--config", os.path.join(examples, name))
            assert done.returncode == 0, done.stdout + done.stderr
            assert "no case counts anything" not in done.stdout, done.stdout
            ran.append(name)
    assert len(ran) >= 2, ran
    return ", ".join(ran)


def test_what_differs_is_told_with_its_place():
    with tempfile.TemporaryDirectory() as directory:
        path = changed(directory, ("revenue_cents: 2499", "revenue_cents: 2498"), ("      events: 1\n", "      events: 2\n"))
        report = os.path.join(directory, "report.xml")
        done = run(path, "--junit", report)
        assert done.returncode == 1, done.stdout
        assert re.search(r"^FAIL .*changed.yaml:3 purchases of five", done.stdout, re.M), done.stdout
        assert "measures.revenue_cents: expected 2498, is 2499" in done.stdout, done.stdout
        assert "events: expected 2 rows, there are 1" in done.stdout, done.stdout
        suite = ET.parse(report).getroot()
        assert (suite.get("failures"), suite.get("tests")) == ("2", "5"), ET.tostring(suite)
        assert "expected 2498" in suite.find("testcase/failure").text
        lines = [json.loads(line) for line in run(path, "--json").stdout.splitlines()]
        assert [line["passed"] for line in lines[:-1]].count(False) == 2 and lines[-1]["failed"] == 2, lines
        # A row too many fails as one that is missing does.
        path = changed(directory, ("          - {start: 2026-05-01T10:05:00Z, measures: {purchases: 1, revenue_cents: 101}}\n", ""))
        done = run(path, "--only", "five minutes")
        assert done.returncode == 1 and '+ nobody expected {"window":"purchases_5m","start":"2026-05-01T10:05' in done.stdout, done.stdout


def test_every_mistake_of_a_file_is_told_at_once_and_nothing_runs():
    with tempfile.TemporaryDirectory() as directory:
        path = changed(directory, ("at: 2026-05-01T10:20:00Z", "at: noon"), ("restart: kill", "restart: explode"),
                       ("purchases_1h:", "purchases_2h:"), ("wait: 30m", "wait: half an hour"), ("sessions:", "visits:"))
        done = run(path)
        assert done.returncode == 78 and not done.stdout, done.stdout + done.stderr
        for what in ("at is a time", "restart is kill, stop or power", "no domain has a window purchases_2h", "wait: ", "expect has no visits"):
            assert what in done.stderr, (what, done.stderr)
        assert "has 5 mistakes" in done.stderr, done.stderr
        empty = os.path.join(directory, "config")
        shutil.copytree(os.path.join(ROOT, "config", "domains"), os.path.join(empty, "domains"))
        done = run("--config", empty)
        assert done.returncode == 66 and "docs/testing.md" in done.stderr, done.stderr
