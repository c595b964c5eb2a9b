"""Real schema registries of a test's own, by tools/kafka/registry.sh."""
import functools, os, shutil, subprocess, tempfile

from server import Server, lasting
from weir import ROOT

SCRIPT = os.path.join(ROOT, "tools", "kafka", "registry.sh")
OUTSIDE = tempfile.gettempdir()  # of any test's own files (scratch.py)


class Registry(Server):
    def __init__(self, within=None):
        self.directory = tempfile.mkdtemp(prefix="weir-registry-", dir=within)

    def start(self):
        done = subprocess.run([SCRIPT, "start", self.directory], capture_output=True, text=True, timeout=600, env={**os.environ, "TMPDIR": self.directory})
        assert done.returncode == 0, done.stderr
        self.url = done.stdout.strip()
        return self

    def signal(self, signal):
        """SIGSTOP and SIGCONT: a registry that takes connections and does not answer."""
        with open(os.path.join(self.directory, "registry.pid")) as f:
            os.kill(int(f.read()), signal)

    def __exit__(self, *what):
        subprocess.run([SCRIPT, "stop", self.directory], timeout=60)
        shutil.rmtree(self.directory, ignore_errors=True)


@functools.cache
def shared():
    """One registry for all tests that choose names of their own in it: it ends with the process."""
    return lasting(Registry(within=OUTSIDE))
