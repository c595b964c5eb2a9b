"""Bad days: each of these fails when its protection is taken out."""
import contextlib, json, os, re, shutil, socket, subprocess, tempfile, threading, time, uuid

from scenarios import Skip
from weir import Weir


def event(i, tenant="demo_tenant", **more):
    return {"customer_id": tenant, "visitor_id": "v%d" % (i % 7), "event_type": "t", "event_name": "n", "event_id": "e-%d" % i, **more}


@contextlib.contextmanager
def small_disk(mib):
    directory = tempfile.mkdtemp(prefix="weir-disk-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dm,mode=0755" % mib, "tmpfs", directory], capture_output=True).returncode:
        os.rmdir(directory)
        raise Skip("mounting a small file system needs root")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", directory])
        shutil.rmtree(directory, ignore_errors=True)


def test_full_disk_answers_503_with_retry_after_loses_nothing_and_goes_on_by_itself():
    with small_disk(400) as disk:
        os.mkdir(os.path.join(disk, "data"))
        with Weir(data=os.path.join(disk, "data"), yaml="journal: {segment_size: 4 MiB, retention_size: 8 MiB, disk_reserve: 8 MiB}\n") as weir:
            acknowledged = 0
            status, answer = weir.post("/track", [event(i) for i in range(100)])
            assert (status, answer["accepted"]) == (200, 100)
            acknowledged += 100
            balloon = os.path.join(disk, "balloon")
            with open(balloon, "wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * (1 << 20))
            refused, i = None, 100
            pad = "p" * 3000
            for _ in range(400):
                code, answer, headers = weir.request("POST", weir.ingest("/track"), json.dumps([event(j, properties={"pad": pad}) for j in range(i, i + 50)]).encode())
                if code == 200:
                    acknowledged += 50
                    i += 50
                    continue
                refused = (code, headers.get("Retry-After") or headers.get("retry-after"))
                break
            assert refused and refused[0] == 503 and refused[1], "a full disk was answered %s" % (refused,)
            assert weir.process.poll() is None, "weir ended on a full disk"
            os.remove(balloon)
            end = time.time() + 30
            while time.time() < end:
                status, answer = weir.post("/track", [event(j, properties={"pad": pad}) for j in range(i, i + 50)])
                if status == 200:
                    acknowledged += 50
                    break
                time.sleep(0.2)
            assert status == 200, "there is room again, but it answers %d" % status
            weir.settle("SELECT count() FROM events_raw", acknowledged)
            weir.settle("SELECT sum(event_count) FROM events_hourly", acknowledged)
            assert weir.stop() == 0
    return "%d acknowledged" % acknowledged


def test_second_weir_on_the_same_directory_is_refused_with_the_reason():
    with Weir() as weir:
        other = Weir(data=weir.data)
        other.refused(75, "another weir (process %d) runs on %s" % (weir.process.pid, weir.data))
        assert weir.post("/track", [event(1)])[0] == 200


def test_taken_port_is_one_clear_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(0)  # a connection more than it takes hangs
        port = taken.getsockname()[1]
        for which in ("ingest_port", "api_port", "olap_port"):
            weir = Weir()
            setattr(weir, which, port)
            weir.refused(69, str(port), "taken", "--" + which.replace("_", "-"))


def test_engine_port_taken_by_another_weirs_engine_is_one_clear_line():
    with Weir() as first:  # its engine answers pings, as our own would
        other = Weir()
        other.olap_port = first.olap_port
        text = other.refused(69, "port %d on 127.0.0.1 is taken" % first.olap_port, "--olap-port", wait=40)
        assert text.count("engine.prepare_failed") <= 3, text[-1500:]
        assert first.post("/track", [event(1)])[0] == 200


def test_typo_in_the_yaml_names_file_line_column_and_the_right_key():
    text = Weir(yaml="jurnal:\n  partitions: 3\n").refused(78, "jurnal", "did you mean journal")
    assert re.search(r"dev\.yaml:\d+:\d+", text), text


def test_missing_engine_library_is_one_clear_line():
    Weir(yaml="olap: {library: /nowhere/libchdb.so}\n").refused(69, "/nowhere/libchdb.so", "make setup")


def test_unwritable_data_directory_is_one_clear_line():
    Weir(data="/proc/weir-cannot-be-here").refused(73, "/proc/weir-cannot-be-here")


def test_sigterm_under_load_drains_and_exits_0():
    weir = Weir().start()
    accepted, ended = [0], threading.Event()

    def load():
        while not ended.is_set():
            ids = [str(uuid.uuid4()) for _ in range(20)]
            try:
                status, answer = weir.post("/track", [event(0, event_id=None) | {"event_id": i} for i in ids], timeout=5)
                if status == 200:
                    accepted[0] += answer["accepted"]
            except (OSError, ValueError):
                time.sleep(0.01)

    try:
        thread = threading.Thread(target=load, daemon=True)
        thread.start()
        time.sleep(1.5)
        began = time.time()
        assert weir.stop(20) == 0, weir.log_text()[-2000:]
        took = time.time() - began
        ended.set()
        thread.join(10)
        weir.start()
        weir.settle("SELECT count() FROM events_raw", accepted[0])
        replayed = re.findall(r"process\.restored .*?replayed=(\d+)", weir.log_text())
        assert len(replayed) >= 4 and max(int(n) for n in replayed[-2:]) < 10, "state was not checkpointed: %s records replayed" % replayed
        return "%d accepted, stopped in %.1f s" % (accepted[0], took)
    finally:
        ended.set()
        weir.close()


def test_data_directory_of_another_partition_count_is_refused_with_the_reason():
    weir = Weir()
    try:
        weir.start()
        weir.stop()
        Weir(data=weir.data, yaml="journal: {partitions: 5}\n").refused(78, "partitions")
    finally:
        weir.close()


def test_clock_jumps_of_days_both_ways_lose_and_double_nothing():
    library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
    if not os.path.exists(library):
        raise Skip("libfaketime is not installed (tools/setup.sh --tests)")
    weir = Weir()
    clock = weir.data.rstrip("/") + ".clock"

    def jump(offset):
        with open(clock + ".new", "w") as f:
            f.write(offset + "\n")
        os.rename(clock + ".new", clock)
        time.sleep(0.3)
    jump("+0")
    weir.environment = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    try:
        weir.start()
        sent = 0
        for offset in ("+0", "+2d", "-3d", "+1h", "-40d", "+0"):
            jump(offset)
            for _ in range(3):
                status, answer = weir.post("/track", [event(i) for i in range(sent, sent + 40)])
                assert (status, answer["accepted"]) == (200, 40), (offset, status, answer)
                sent += 40
            weir.settle("SELECT count() FROM events_raw", sent, seconds=20)
        # Repeats of all of them, after all the jumps.
        for i in range(0, sent, 40):
            assert weir.post("/track", [event(j) for j in range(i, i + 40)])[0] == 200
        weir.decided(2 * sent)
        row = weir.sql("SELECT count(), uniqExact(event_id), (SELECT sum(event_count) FROM events_hourly) FROM events_raw")[0]
        assert [int(x) for x in row] == [sent] * 3, (row, sent)
        days = int(weir.one("SELECT uniqExact(toDate(received_at)) FROM events_raw"))
        assert days >= 4, "the clock did not jump: %d days" % days
        assert weir.stop() == 0
        return "%d events over %d days" % (sent, days)
    finally:
        weir.close()
        with contextlib.suppress(OSError):
            os.remove(clock)
