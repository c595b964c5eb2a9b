"""Standby copies: a process keeps the state of partitions that others work on, and takes one over by its changelog's tail."""
import os, re, subprocess, tempfile

from crash_test import Load, check
from kafka import shared
from roles import Roles
from roles_test import await_true, wait_until_known
from weir import ROOT

EVENTS = 120000  # as many ids, which are state; half of them in each partition
YAML = "journal.partitions: 2\nkafka.session_timeout: 6s\nprocess.checkpoint_interval: 300ms\nprocess.standby: true\n"


def send_generated(weir, key):
    with tempfile.NamedTemporaryFile(suffix=".ndjson") as file:
        subprocess.run([os.path.join(ROOT, "build", "weir"), "generate", "--events", str(EVENTS), "--rate", "200", "--tenant", ""], check=True, stdout=file, timeout=120)
        subprocess.run([weir.binary, "send", file.name, "--quiet", "--key", key, "--url", "http://127.0.0.1:%d" % weir.ingests[0].ingest_port],
                       check=True, timeout=300, stdout=subprocess.DEVNULL)


def restored(role):
    """(from, records) of each start of a task, in order."""
    return [(source, int(records)) for source, records in re.findall(r"process\.restored partition=\d+ from=(\w+) replayed=(\d+)", role.log_text())]


def test_a_process_with_a_standby_copy_takes_over_by_the_tail_alone_and_nothing_is_lost_or_doubled():
    with Roles(shared().yaml(YAML), process=2) as weir:
        first, second = weir.processes
        bulk, live = weir.tenant("bulk"), weir.tenant("live")
        wait_until_known(weir, live["write_key"])
        await_true(lambda: first.metric("process_partitions") == second.metric("process_partitions") == 1)
        send_generated(weir, bulk["write_key"])
        await_true(lambda: (weir.metric("events_processed_total") or 0) >= EVENTS, 240)
        copied = lambda: second.metric("standby_records_total") or 0
        load = Load(weir, live["write_key"], pause=0.05)
        await_true(lambda: copied() > 400, 120)
        records = copied()
        first.kill9()
        await_true(lambda: second.metric("process_partitions") == 2 and second.is_ready(), 120)
        source, replayed = restored(second)[-1]
        assert source == "files" and replayed * 2 < records, "restored from %s, %d of more than %d records" % (source, replayed, records)
        await_true(lambda: second.metric("dedup_ids") >= EVENTS)
        first.start()  # has its partition again, by its own copy, and the other one's directory is a copy from now on
        await_true(lambda: first.metric("process_partitions") == 1 and first.is_ready(), 120)
        load.stop()
        note = check(weir, live["read_key"], load.acknowledged)
        for what in ("count() FROM events_raw", "uniqExact(event_id) FROM events_raw", "sum(event_count) FROM sessions"):
            weir.settle("SELECT " + what, EVENTS, bulk["read_key"])
        assert weir.stop() == 0
    return "%s; taken over by %d records, the copy had %d" % (note, replayed, records)
