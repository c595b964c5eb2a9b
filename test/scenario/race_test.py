"""The race against other engines (bench/peers): its events are the same for the same seed, its judge finds one wrong count, weir's side counts right."""
import collections, hashlib, json, os, subprocess, tempfile, uuid

from kafka import shared
from weir import ROOT

TOPIC = os.path.join(ROOT, "build", "race_topic")
WEIR = os.path.join(ROOT, "build", "race_weir")
WORK = ["--workload", "ysb", "--events", "20000", "--seed", "7"]


def printed(*words):
    return subprocess.run([TOPIC, *words], check=True, capture_output=True, timeout=60).stdout


def judged(lines):
    done = subprocess.run([TOPIC, "check", *WORK, "--lines"], input="".join(line + "\n" for line in lines), capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout)


def counted():
    """The right results, counted here from the printed events and not by the judge."""
    campaigns = dict(line.split(",") for line in printed("ads", "--seed", "7").decode().split())
    counts = collections.Counter()
    for line in printed("print", *WORK).splitlines():
        event = json.loads(line)
        if event["event_type"] == "view":
            counts[campaigns[event["properties"]["ad_id"]], event["timestamp"] // 10000 * 10000] += 1
    return ["%s,%d,%d" % (campaign, start, n) for (campaign, start), n in sorted(counts.items())]


def test_the_same_seed_makes_the_same_bytes():
    text = printed("print", *WORK)
    assert text == printed("print", *WORK)
    assert text != printed("print", *WORK[:-1], "8")
    assert hashlib.sha256(text).hexdigest() == "9019982bbb324151379a7782724304210c9acda5dad9e6b391d23ac5d56e50f0", hashlib.sha256(text).hexdigest()


def test_the_judge_takes_right_counts_and_no_others():
    lines = counted()
    code, verdict = judged(lines)
    assert code == 0 and verdict["different"] == 0 and verdict["windows"] == len(lines) > 90, verdict
    key, start, n = lines[3].split(",")
    wrong = {"one too many": lines[:3] + ["%s,%s,%d" % (key, start, int(n) + 1)] + lines[4:], "one is missing": lines[1:],
             "one is not ours": lines + ["0,%s,1" % start], "unreadable": lines + ["what is this"]}
    for what, planted in wrong.items():
        code, verdict = judged(planted)
        assert code == 1 and verdict["different"] + verdict["unreadable"] == 1, (what, verdict)
    assert judged(["%s,%s,0" % (key, start)] + lines)[0] == 0, "of one key's results the last one counts"


def test_weir_counts_right_in_both_workloads():
    directory, broker = tempfile.mkdtemp(prefix="weir-race-"), ["--brokers", shared().address, "--partitions", "2"]
    for workload in "ysb", "users-1m":
        name, words = "race" + uuid.uuid4().hex[:8], ["--workload", workload, "--events", "20000"]
        subprocess.run([TOPIC, "load", *words, *broker, "--topic", name], check=True, timeout=60)
        windows = json.loads(printed("expect", *words))["windows"]
        done = subprocess.run([WEIR, "--workload", workload, *broker, "--topic", name, "--prefix", name, "--dir", os.path.join(directory, workload), "--results", str(windows)],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and json.loads(done.stdout)["events"] == 20000, done.stdout + done.stderr
        done = subprocess.run([TOPIC, "check", *words, *broker, "--prefix", name], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
