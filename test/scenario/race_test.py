"""The race against other engines (bench/peers): its events are the same for the same seed, its judge finds one wrong count, weir's side counts right."""
import collections, hashlib, json, os, subprocess, tempfile, uuid

from kafka import shared
from weir import ROOT

TOPIC = os.path.join(ROOT, "build", "race_topic")
WEIR = os.path.join(ROOT, "build", "race_weir")
WORK = ["--workload", "ysb", "--events", "20000", "--seed", "7"]


def printed(*words):
    return subprocess.run([TOPIC, *words], check=True, capture_output=True, timeout=180).stdout


def judged(lines, work=WORK):
    done = subprocess.run([TOPIC, "check", *work, "--lines"], input="".join(line + "\n" for line in lines), capture_output=True, text=True, timeout=180)
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


def nexmark(query):
    return ["--workload", query, "--events", "20000", "--seed", "7"]


def bids():
    for line in printed("print", *nexmark("q0")).splitlines():
        event = json.loads(line)
        if event["event_type"] == "bid":
            yield event["user_id"], event["properties"]["auction"], event["properties"]["price"], event["timestamp"]


def answers():
    """Lines of KEY,START,VALUE for each query of Nexmark, counted here."""
    found, sessions = collections.defaultdict(collections.Counter), {}
    for bidder, auction, price, time in bids():
        found["q0"][bidder, time] = price
        found["q1"][bidder, time] = int(price * 0.908)
        for start in range(time // 2000 * 2000, time - 10000, -2000):
            found["q5"][auction, start] += 1
        found["q7"]["", time // 10000 * 10000] = max(price, found["q7"]["", time // 10000 * 10000])
        start, last = sessions.get(bidder, (time, time))
        sessions[bidder] = (start if time - last <= 10000 else time), time
        found["q11"][bidder, sessions[bidder][0]] += 1
        found["q12"][bidder, 0] += 1
        found["q18"]["%s/%d" % (bidder, auction), time // 86400000 * 86400000] = price
    return {query: ["%s,%d,%d" % (key, start, n) for (key, start), n in of.items()] for query, of in found.items()}


def test_the_judge_knows_the_answers_of_nexmark_and_one_wrong_line():
    right = answers()
    for query, lines in right.items():
        code, verdict = judged(lines, nexmark(query))
        assert code == 0 and verdict["windows"] == len(lines), (query, verdict)
        assert judged([*lines[:-1], lines[-1] + "0"], nexmark(query))[0] == 1, query
    assert judged(right["q5"][1:], nexmark("q5"))[0] == 1, "a window is missing"
    assert judged(right["q0"] + right["q0"][:1], nexmark("q0"))[0] == 1, "an event is handed on twice"


def test_weir_answers_nexmark():
    """A query of each kind: changed and handed on, sliding, sessions, the last one; q0, q7 and q12 (whose windows end when the clock says so) are in `make race`."""
    directory, broker = tempfile.mkdtemp(prefix="weir-race-"), ["--brokers", shared().address, "--partitions", "2"]
    topic = "race" + uuid.uuid4().hex[:8]
    subprocess.run([TOPIC, "load", *nexmark("q0"), *broker, "--topic", topic], check=True, timeout=180)
    for query in "q1", "q5", "q11", "q18":
        name, windows = topic + query, json.loads(printed("expect", *nexmark(query)))["windows"] if query != "q1" else 0
        done = subprocess.run([WEIR, "--workload", query, *broker, "--topic", topic, "--prefix", name, "--dir", os.path.join(directory, query), "--results", str(windows)],
                              capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, query + done.stdout + done.stderr
        done = subprocess.run([TOPIC, "check", *nexmark(query), *broker, "--prefix", name], capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, query + done.stdout + done.stderr


def test_weir_counts_right_in_both_workloads():
    directory, broker = tempfile.mkdtemp(prefix="weir-race-"), ["--brokers", shared().address, "--partitions", "2"]
    for workload in "ysb", "users-1m":
        name, words = "race" + uuid.uuid4().hex[:8], ["--workload", workload, "--events", "20000"]
        subprocess.run([TOPIC, "load", *words, *broker, "--topic", name], check=True, timeout=180)
        windows = json.loads(printed("expect", *words))["windows"]
        done = subprocess.run([WEIR, "--workload", workload, *broker, "--topic", name, "--prefix", name, "--dir", os.path.join(directory, workload), "--results", str(windows)],
                              capture_output=True, text=True, timeout=180)
        assert done.returncode == 0 and json.loads(done.stdout)["events"] == 20000, done.stdout + done.stderr
        done = subprocess.run([TOPIC, "check", *words, *broker, "--prefix", name], capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, done.stdout + done.stderr
