"""What the tests themselves stand on: a run that ends badly leaves nothing, and two runs on one machine do not meet on a port."""
import glob, os, subprocess, sys, tempfile

import ports
from weir import ROOT

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
