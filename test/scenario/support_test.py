"""What the tests themselves stand on: a run that ends badly leaves nothing, two runs on one machine do not meet on a port, and a test without end ends. And bench/run
measures nothing that nobody asked for."""
import glob, os, subprocess, sys, tempfile

import ports
from weir import ROOT, Weir

SCRATCH = os.path.join(ROOT, "tools", "scratch.sh")


def test_a_test_that_is_killed_leaves_nothing_where_temporary_files_lie():
    made = 'mkdir "$TMPDIR/weir-of-a-test" && touch "$TMPDIR/weir-of-a-test/file"; '
    for end, code in (("exit 3", 3), ("kill -9 $$", 137), ("kill -TERM $PPID; exit 0", 143)):
        done = subprocess.run([SCRATCH, "sh", "-c", made + 'ls "$TMPDIR"; ' + end], capture_output=True, text=True, timeout=60)
        assert done.stdout == "weir-of-a-test\n" and done.returncode == code, (end, done)
        assert not glob.glob(os.path.join(tempfile.gettempdir(), "weir-run-*")), end


def test_a_port_that_one_run_has_chosen_is_not_chosen_by_another():
    chosen = ports.free_port()
    again = "import ports; ports.FIRST, ports._last = %d, lambda: %d; ports.free_port()" % (chosen, chosen + 1)
    done = subprocess.run([sys.executable, "-c", again], cwd=os.path.dirname(ports.__file__), capture_output=True, text=True, timeout=60)
    assert "no free port" in done.stderr, done
    assert len({ports.free_port() for _ in range(ports.LOCKS_MAX)}) == ports.LOCKS_MAX


ENDLESS = """import os, signal, subprocess
def test_a_waits(): subprocess.run(["sleep", "100"])
def test_b_goes_on(): return "nothing"
def test_c_dies(): os.kill(os.getpid(), signal.SIGKILL)
def test_d_is_never_run(): pass
"""


def test_a_test_without_end_is_broken_off_and_the_others_run():
    with tempfile.TemporaryDirectory() as within:
        os.mkdir(os.path.join(within, "scenario"))
        for name, text in (("a", ENDLESS), ("b", "def test_is_run(): pass\n")):
            with open(os.path.join(within, "scenario", name + "_test.py"), "w") as f:
                f.write(text)
        done = subprocess.run([sys.executable, os.path.join(ROOT, "test", "run_scenarios.py"), "--limit", "1", "--of", within], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "scenarios: 2 passed, 2 failed, 0 skipped\n" in done.stdout, done
        assert 'subprocess.run(["sleep", "100"])' in done.stdout and "not done after 1 s" in done.stdout and "the lane ended within it" in done.stdout, done.stdout


def test_rows_that_fill_their_pages_to_the_last_are_read_to_the_end():
    class Paged:
        def __init__(self, n):
            self.n, self.asked = n, 0

        def sql(self, query, _):
            self.asked += 1
            limit, offset = (int(query.split(word + " ")[1].split(" ")[0]) for word in ("LIMIT", "OFFSET"))
            return list(range(self.n))[offset:offset + limit]

    for n, asked in ((0, 1), (9, 1), (10, 2), (20, 3), (21, 3)):
        paged = Paged(n)
        assert Weir.all_rows(paged, "SELECT", "", page=10) == list(range(n)) and paged.asked == asked, (n, paged.asked)


def test_a_benchmark_that_is_not_there_is_told_and_help_measures_nothing():
    """Neither begins to build or to measure: that takes minutes."""
    for words, code, told in ((("--help",), 0, "types"), (("avro", "--help"), 0, "types"), (("ingst",), 64, "there is no ingst; groups: "), (("--quik", "avro"), 64, "there is no --quik")):
        done = subprocess.run([os.path.join(ROOT, "bench", "run"), *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == code and told in done.stdout + done.stderr and "machine:" not in done.stdout, (words, done)
