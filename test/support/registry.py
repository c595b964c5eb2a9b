"""A real schema registry of a test's own, by tools/kafka/registry.sh."""
import os, shutil, subprocess, tempfile

from weir import ROOT

SCRIPT = os.path.join(ROOT, "tools", "kafka", "registry.sh")


class Registry:
    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="weir-registry-")
        done = subprocess.run([SCRIPT, "start", self.directory], capture_output=True, text=True, timeout=600)
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
