"""Real brokers of a test's own, by tools/kafka/kafka.sh."""
import functools, os, shutil, subprocess, tempfile, uuid

from proxy import Proxy
from server import Server, lasting
from weir import ROOT

SCRIPT = os.path.join(ROOT, "tools", "kafka", "kafka.sh")
OUTSIDE = tempfile.gettempdir()  # of any test's own files (scratch.py)


class Kafka(Server):
    def __init__(self, brokers=1, users=(), proxied=False, within=None):
        """users: NAME:PASSWORD…; then `address` is the listener of TLS and passwords. proxied: clients come through `proxies`, one a broker."""
        self.users, self.proxies = users, [Proxy() for _ in range(brokers)] if proxied else []
        self.brokers, self.directory, self.address = brokers, tempfile.mkdtemp(prefix="weir-kafka-", dir=within), None

    def run(self, *words, timeout=300):
        done = subprocess.run([SCRIPT, words[0], self.directory, *map(str, words[1:])], capture_output=True, text=True, timeout=timeout,
                              env={**os.environ, "TMPDIR": self.directory, **({"KAFKA_PROXY": ",".join(str(p.port) for p in self.proxies)} if self.proxies else {})})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def start(self):
        self.address = self.run("start", self.brokers, *self.users)
        for number, proxy in enumerate(self.proxies, 1):
            with open(os.path.join(self.directory, str(number), "behind")) as f:
                proxy.forward_to(f.read().strip())
        return self

    def signal(self, signal, broker=1):
        """SIGSTOP and SIGCONT: a broker that stands still, as on a machine that swaps."""
        with open(os.path.join(self.directory, str(broker), "pid")) as f:
            os.kill(int(f.read()), signal)

    def stop(self, *broker):
        self.run("stop", *broker)

    def kill(self, *broker):
        self.run("kill", *broker)

    def again(self, *broker):
        self.run("again", *broker)

    def tool(self, name, *words):
        """One of Kafka's own tools against the plain listener: its output."""
        return self.run("tool", name, *words)

    def yaml(self, more="", copies=None):
        """Settings for a journal of its own on these brokers."""
        copies = copies or min(self.brokers, 3)
        return "journal.backend: kafka\nkafka.brokers: %s\nkafka.replication: %d\nkafka.min_insync: %d\nkafka.prefix: t%s\n%s" % (
            self.address, copies, (copies + 1) // 2, uuid.uuid4().hex[:8], more)

    def __exit__(self, *what):
        try:
            self.run("kill")
        finally:
            for proxy in self.proxies:
                proxy.close()
            shutil.rmtree(self.directory, ignore_errors=True)


@functools.cache
def shared():
    """One broker for all tests that leave it alone."""
    return lasting(Kafka(within=OUTSIDE))
