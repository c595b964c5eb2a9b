"""`weir test`: the cases that come with weir pass, and one that is wrong says where and by how much."""
import json, os, re, shutil, subprocess, tempfile, time
import xml.etree.ElementTree as ET

from weir import ROOT

BINARY = os.path.join(ROOT, "build", "weir")

COUNTED = ("no case counts", "no case has a value", "no case is changed")
CASES = os.path.join(ROOT, "config", "tests", "web.yaml")


def run(*words):
    return subprocess.run([BINARY, "test", *words], cwd=ROOT, capture_output=True, text=True, timeout=120)


def written(directory, text):
    path = os.path.join(directory, "written.yaml")
    with open(path, "w") as f:
        f.write(text)
    return path


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
    assert not [line for line in done.stdout.splitlines() if line.startswith(COUNTED)], done.stdout
    return done.stdout.strip().splitlines()[-1]


def test_examples_pass():
    ran = []
    examples = os.path.join(ROOT, "examples")
    for name in sorted(os.listdir(examples)):
        if os.path.isdir(os.path.join(examples, name, "tests")):
            done = run("--config", os.path.join(examples, name))
            assert done.returncode == 0, done.stdout + done.stderr
            assert not [line for line in done.stdout.splitlines() if line.startswith(COUNTED)], done.stdout
            ran.append(name)
    assert len(ran) >= 2, ran
    return ", ".join(ran)


def test_the_example_of_a_tenants_difference_works_as_docs_domains_has_it():
    """Beside the bicycles of that page and the web domain that ships, which declare a purchase, too."""
    with open(os.path.join(ROOT, "docs", "domains.md")) as f:
        blocks = re.findall(r"(?ms)^```yaml\n(.*?)^```$", f.read())
    club = [i for i, block in enumerate(blocks) if block.startswith("domain: kids_club")][0]
    with tempfile.TemporaryDirectory() as directory:
        config = os.path.join(directory, "config")
        shutil.copytree(os.path.join(ROOT, "config"), config)
        for name, block in (("domains/bikes", blocks[0]), ("domains/kids_club", blocks[club]), ("tests/kids_club", blocks[club + 1])):
            with open(os.path.join(config, name + ".yaml"), "w") as f:
                f.write(block)
        done = run("--config", config, os.path.join(config, "tests", "kids_club.yaml"))
        assert done.returncode == 0 and "2 passed, 0 failed" in done.stdout, done.stdout + done.stderr
        checked = subprocess.run([BINARY, "check", "--config", config], capture_output=True, text=True, timeout=120).stdout
        assert "for kids_club\n  in place of bikes's: purchase, sessions.gap\n  in place of web's: purchase\n" in checked, checked


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
        assert (suite.get("failures"), suite.get("tests")) == ("2", "7"), ET.tostring(suite)
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
        path = written(directory, """tests:
  - {case: two things in one step, steps: [{wait: 1s, expect: {events: 7}}], expect: {events: 0}}
  - {case: nothing is expected, steps: [{send: [{event_type: p, visitor_id: a}]}, {expect: {}}]}
  - {case: two tenants, tenant: [a, b], expect: {events: 0}}
""")
        done = run(path)
        assert done.returncode == 78 and not done.stdout, done.stdout + done.stderr
        for what in ("2:45: a step is one thing", "3:6: a case that expects nothing cannot fail", "4:34: tenant is a name"):
            assert what in done.stderr, (what, done.stderr)
        empty = os.path.join(directory, "config")
        shutil.copytree(os.path.join(ROOT, "config", "domains"), os.path.join(empty, "domains"))
        done = run("--config", empty)
        assert done.returncode == 66 and "docs/testing.md" in done.stderr, done.stderr


def test_values_are_those_of_json_and_texts_are_compared_as_texts():
    event = '{event_type: p, visitor_id: a, user_id: "007", properties: {k: -01, l: -.5, m: 1.e5, n: -0.5e-3, o: 0}}'
    with tempfile.TemporaryDirectory() as directory:
        done = run(written(directory, """tests:
  - {case: right, given: [%s], expect: {events: [{user_id: "007", properties: {k: "-01", l: "-.5", m: "1.e5", n: -0.0005, o: 0.0}}]}}
  - {case: wrong, given: [%s], expect: {events: [{user_id: "7"}]}}
""" % (event, event)))
        assert done.returncode == 1 and "1 passed, 1 failed" in done.stdout and 'user_id: expected "7", is "007"' in done.stdout, done.stdout + done.stderr


def test_a_row_that_names_little_does_not_take_what_another_one_needs():
    events = "".join("{event_type: p, visitor_id: %s}, " % v for v in "abcd")
    chain = "{}, {event_type: p, visitor_id: a}, {visitor_id: b}, {event_type: p}"  # the first must leave a to the second, and so on
    with tempfile.TemporaryDirectory() as directory:
        done = run(written(directory, """tests:
  - {case: moves on, given: [%s], expect: {events: [%s]}}
  - {case: but there must be another, given: [%s], expect: {events: [%s]}}
""" % (events, chain, events, chain.replace("visitor_id: b", "visitor_id: a"))))
        assert done.returncode == 1 and "1 passed, 1 failed" in done.stdout, done.stdout + done.stderr
        assert "- expected {\"visitor_id\":\"a\"}" in done.stdout and "visitor_id: expected \"a\", is " in done.stdout, done.stdout


def test_the_end_of_a_window_is_told_unless_it_emits_updates_alone():
    window = "  - {name: %s, size: 1m, emit: %s, lateness: 1h, measures: {n: count()}}\n"
    event = "- send: [{event_type: p, visitor_id: a, timestamp: 2026-05-01T%s}]\n"
    case = """tests:
  - case: the end, and an amendment
    at: 2026-05-01T12:00:00Z
    steps:
      %s      - expect: {windows: {update: [{final: false}], close: 0, both: [{final: false}]}}
      - wait: 30m
      - expect: {windows: {update: [{final: false, revision: 1}], close: [{final: true}], both: [{final: true}]}}
      %s    expect: {windows: {update: [{final: true, events: 2}], close: [{final: true, events: 2}], both: [{final: true, events: 2}]}}
""" % (event % "12:00:01Z", event % "12:00:02Z")
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(os.path.join(directory, "domains"))
        with open(os.path.join(directory, "domains", "d.yaml"), "w") as f:
            f.write("domain: d\nwindows:\n" + "".join(window % (name, name) for name in ("update", "close", "both")))
        done = run("--config", directory, written(directory, case))
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_no_case_hits_is_named():
    domain = """domain: d
event_types:
  - {name: p, rules: [{name: kept, expect: properties.good < 1}, {name: broken, expect: properties.good != -7}, {name: noted, expect: properties.good != -8, on_failure: tag}]}
  - {name: q, rules: [{name: broken, expect: properties.good != 7}]}
transforms:
  - {name: used, set: {properties.x: "1"}}
  - {name: unused, where: event_type == 'q', set: {properties.y: "1"}}
windows:
  - {name: w, size: 1m, by: [{good: properties.good}, properties.misspelt], measures: {n: count(), good: sum(properties.good), bad: sum(properties.bad), few: distinct(properties.bad), many: "top(properties.bad, 3)"}}
  - {name: silent, size: 1m, where: event_type == 'q', measures: {n: count()}}
"""
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(os.path.join(directory, "domains"))
        with open(os.path.join(directory, "domains", "d.yaml"), "w") as f:
            f.write(domain)
        path = written(directory, "tests:\n  - {case: c, given: [{event_type: p, visitor_id: a, properties: {good: 0}}, {event_type: p, visitor_id: a, properties: {good: -7}}, "
                                  "{event_type: p, visitor_id: a, properties: {good: -8}}], steps: [{restart: kill}], expect: {events: 2, dead_letters: [{reason: rule_failed, field: broken}]}}\n")
        done = run("--config", directory, path)
        for line in ("no case counts anything in: silent", "no case has a value in: w.properties.misspelt, w.bad, w.few, w.many", "no case is changed by: unused", "no case stores an event of: q",
                     "no case breaks the rule: p.kept, q.broken"):
            assert line in done.stdout.splitlines(), done.stdout + done.stderr
        last = json.loads(run("--config", directory, path, "--json").stdout.splitlines()[-1])
        assert (last["windows_never_counted"], last["columns_never_filled"], last["transforms_never_used"], last["event_types_never_stored"], last["rules_never_broken"]) == (
            ["silent"], ["w.properties.misspelt", "w.bad", "w.few", "w.many"], ["unused"], ["q"], ["p.kept", "q.broken"]), last


def test_twenty_thousand_keys_in_one_step_are_as_many_results():
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(os.path.join(directory, "domains"))
        with open(os.path.join(directory, "domains", "d.yaml"), "w") as f:
            f.write("domain: d\nwindows:\n  - {name: n, size: 1m, by: [{k: properties.k}], measures: {n: count()}}\n")
        events = "".join("      - {event_type: p, visitor_id: v%d, properties: {k: k%d}}\n" % (i % 100, i) for i in range(20000))
        begun = time.monotonic()
        done = run("--config", directory, written(directory, "tests:\n  - case: many\n    given:\n" + events
                                                  + "    steps: [{wait: 30m}]\n    expect: {events: 20000, windows: {n: 20000}}\n"))
        assert done.returncode == 0, done.stdout + done.stderr
        return "%.1f s" % (time.monotonic() - begun)


def test_aliases_do_not_multiply_without_end():
    doubled = "".join("  - &a%d [*a%d, *a%d]\n" % (i, i - 1, i - 1) for i in range(1, 41))
    bomb = "description:\n  - &a0 [1]\n" + doubled + "tests: [{case: c, given: [{event_type: p, properties: {k: *a40}}], expect: {events: 1}}]\n"
    steps = "      - &s {send: [&e {event_type: p}" + ", *e" * 2000 + "]}\n" + "      - *s\n" * 2000
    with tempfile.TemporaryDirectory() as directory:
        for text in (bomb, "tests:\n  - case: c\n    steps:\n" + steps + "    expect: {events: 1}\n"):
            done = run(written(directory, text))
            assert done.returncode == 78 and "more than 1000000 values" in done.stderr, done.stderr
        done = run(written(directory, "tests:\n  - &c {case: c, expect: {events: 0}}\n" + "  - *c\n" * 10000))
        assert done.returncode == 78 and "more than 10000 cases" in done.stderr, done.stderr
