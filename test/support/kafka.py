"""Real brokers of a test's own, by tools/kafka/kafka.sh."""
import atexit, os, shutil, subprocess, tempfile, uuid

from weir import ROOT

SCRIPT = os.path.join(ROOT, "tools", "kafka", "kafka.sh")


class Kafka:
    def __init__(self, brokers=1, users=()):
        """users: NAME:PASSWORD…; then `address` is the listener of TLS and passwords."""
        self.users = users
        self.brokers, self.directory, self.address = brokers, tempfile.mkdtemp(prefix="weir-kafka-"), None

    def run(self, *words, timeout=300):
        done = subprocess.run([SCRIPT, words[0], self.directory, *map(str, words[1:])], capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def start(self):
        self.address = self.run("start", self.brokers, *self.users)
        return self

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

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *what):
        try:
            self.run("kill")
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


_shared = []


def shared():
    """One broker for all tests that leave it alone; ends with the process."""
    if not _shared:
        kafka = Kafka()
        atexit.register(kafka.__exit__)
        _shared.append(kafka.start())
    return _shared[0]
