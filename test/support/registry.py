"""Real schema registries of a test's own, by tools/kafka/registry.sh."""
import atexit, functools, os, shutil, subprocess, tempfile

from weir import ROOT

SCRIPT = os.path.join(ROOT, "tools", "kafka", "registry.sh")
OUTSIDE = tempfile.gettempdir()  # of any test's own files (scratch.py)


class Registry:
    def __init__(self, within=None):
        self.within = within

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="weir-registry-", dir=self.within)
        done = subprocess.run([SCRIPT, "start", self.directory], capture_output=True, text=True, timeout=600, env={**os.environ, "TMPDIR": self.directory})
        if done.returncode != 0:
            self.__exit__()
            raise AssertionError(done.stderr)
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
    registry = Registry(within=OUTSIDE)
    atexit.register(registry.__exit__)
    return registry.__enter__()
