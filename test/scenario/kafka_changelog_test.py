"""The changelog on a real broker is bounded: the state goes into it from time to time, what is older is deleted, and a process with an empty
disk begins there, killed at any moment of it."""
import os, random, re, subprocess, tempfile, time

from datetime import datetime

from crash_test import Load, check
from kafka import shared
from roles import Role, Roles
from roles_test import await_true, wait_until_known
from scenarios import Skip
from weir import ROOT

# A snapshot every few seconds of load, in pieces so small that most kills fall into one.
YAML = """journal.partitions: 1
kafka.session_timeout: 6s
process.checkpoint_interval: 300ms
process.snapshot_after: 1 MiB
process.snapshot_piece: 64 KiB
"""


def low_watermark(topic):
    """The oldest offset that the broker still has."""
    said = shared().tool("org.apache.kafka.tools.GetOffsetShell", "--topic", topic, "--time", "earliest")
    return int(re.search(r"^%s:0:(\d+)$" % re.escape(topic), said, re.M).group(1))


def restored(role):
    return re.findall(r"process\.restored partition=0 from=(\w+)", role.log_text())


def test_a_process_with_an_empty_disk_begins_at_the_snapshot_and_the_changelog_is_deleted_before_it():
    seed = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
    random.seed(seed)
    yaml = shared().yaml(YAML)
    topic = re.search(r"kafka\.prefix: (\w+)", yaml).group(1) + ".changelog"
    with Roles(yaml) as weir:
        key = weir.tenant("crash")
        wait_until_known(weir, key["write_key"])
        load = Load(weir, key["write_key"])
        sources, took = [], []
        # A file that grows as fast as pieces come does not hold it up (that took 200 s at 14,000 events a second; 10 s since).
        await_true(lambda: weir.processes[0].metric("process_snapshots_total"), 120)
        kills = 6 if os.environ.get("WEIR_LONG") else 2
        for _ in range(kills):
            time.sleep(0.5 + 2 * random.random())
            weir.processes[0].kill9()
            weir.processes[0].close()
            weir.processes[0] = Role("process", weir.config)  # another machine: nothing of it is there
            began = time.time()
            weir.processes[0].start()
            took.append(time.time() - began)
            sources += restored(weir.processes[0])
        await_true(lambda: weir.processes[0].metric("process_checkpoint_seconds_count"), 20)  # under full load, too: without one no snapshot begins
        await_true(lambda: "kafka.changelog_trimmed" in weir.processes[0].log_text())
        load.stop()
        assert sources == ["snapshot"] * kills, sources
        assert low_watermark(topic) > 0
        note = check(weir, key["read_key"], load.acknowledged)
        again = list(load.acknowledged)[:2000]  # who has been seen before is still known
        before = weir.metric("duplicates_total")
        for i in range(0, len(again), 100):
            body = [{"event_id": e, "visitor_id": "v" + e[:2], "event_type": "t" + e[0], "event_name": "n"} for e in again[i:i + 100]]
            assert weir.post("/track", body, key["write_key"])[0] == 200
        await_true(lambda: weir.metric("duplicates_total") - before == len(again))
        assert weir.stop() == 0
    return "seed %d: %s; ready again, session of the dead one included, after %s s" % (seed, note, " ".join("%.1f" % t for t in took))


def seconds_between(log, first, second):
    """From the last line with one word to the next one with the other."""
    at = [datetime.fromisoformat(re.findall(r"(?m)^(\S+)Z .*%s" % word, log)[-1]) for word in (first, second)]
    return (at[1] - at[0]).total_seconds()


def take_over(after, file, events):
    """What a process that never had the partition reads, and how long that takes, when so many events have gone through it."""
    with Roles(shared().yaml(YAML.replace("1 MiB", after) + "process.dedup_horizon: 5s\n")) as weir:  # many horizons in a minute
        key = weir.tenant("crash")
        wait_until_known(weir, key["write_key"])
        subprocess.run([weir.binary, "send", file, "--quiet", "--key", key["write_key"], "--url", "http://127.0.0.1:%d" % weir.ingests[0].ingest_port],
                       check=True, timeout=600, stdout=subprocess.DEVNULL)
        await_true(lambda: weir.metric("events_processed_total") >= events, 300)
        time.sleep(2)  # a snapshot that is due is written
        changes, snapshot = weir.metric("process_changelog_bytes"), weir.metric("process_snapshot_bytes")
        assert weir.processes[0].stop() == 0
        weir.processes[0].close()
        weir.processes[0] = Role("process", weir.config).start()
        took = seconds_between(weir.processes[0].log_text(), r"kafka\.share ", r"process\.restored ")
        assert weir.processes[0].stop() == 0
        return "%d events, snapshot after %s: %.1f MB of changes and %.1f MB of snapshot, restored in %.2f s" % (
            events, after, changes / 1e6, snapshot / 1e6, took)


def test_what_a_takeover_reads_with_and_without_snapshots():
    if not os.environ.get("WEIR_LONG"):
        raise Skip("a measurement, for WEIR_LONG=1")
    events = int(os.environ.get("WEIR_EVENTS", "1000000"))
    with tempfile.NamedTemporaryFile(suffix=".ndjson") as file:
        subprocess.run([os.path.join(ROOT, "build", "weir"), "generate", "--events", str(events), "--rate", "20", "--tenant", ""], check=True, stdout=file)
        return "; ".join(take_over(after, file.name, events) for after in ("1 TiB", "1 MiB"))
