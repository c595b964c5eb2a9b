"""weir in roles: `weir ingest`, `weir process`, `weir serve` (on one journal) and `weir olap` as processes of their own. Spoken to as a Weir is."""
import contextlib, itertools, os, shutil, signal, time

from ports import free_port
from weir import Weir


class Role(Weir):
    """One process of a role, on a data directory of its own."""

    def __init__(self, role, config, env="dev"):
        super().__init__(config=config, env=env)
        self.role, self.port = role, free_port()

    def command(self):
        ports = {"ingest": ["--ingest-port", self.ingest_port], "process": ["--port", self.port],
                 "serve": ["--api-port", self.api_port, "--olap-port", self.olap_port], "olap": ["--olap-port", self.olap_port]}[self.role]
        return [self.binary, self.role, "--config", self.config, "--env", self.env, "--data", self.data, *map(str, ports)]

    def door(self):
        return {"ingest": self.ingest_port, "process": self.port, "serve": self.api_port, "olap": self.olap_port}[self.role]

    def is_ready(self):
        with contextlib.suppress(OSError):
            return self.request("GET", "http://127.0.0.1:%d/%s" % (self.door(), "ping" if self.role == "olap" else "ready"), timeout=5)[0] == 200
        return False

    def start(self, wait=60):
        self.spawn()
        return self.await_ready(wait)

    def await_ready(self, wait=60):
        end = time.time() + wait
        while time.time() < end:
            if self.process.poll() is not None:
                raise AssertionError("weir %s ended with %s: %s" % (self.role, self.process.returncode, self.log_text()[-2000:]))
            if self.is_ready():
                return self
            time.sleep(0.02)
        raise AssertionError("weir %s is not ready in %d s: %s" % (self.role, wait, self.log_text()[-2000:]))

    def metric(self, name, port=None):
        return super().metric(name, port or self.door())

    def twin(self):
        """Another one on the same directory."""
        other = Role(self.role, self.config, self.env)
        shutil.rmtree(other.data)
        other.data, other.own_data = self.data, False
        return other

    def pause(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def wake(self):
        os.kill(self.process.pid, signal.SIGCONT)


class Roles(Weir):
    """Several of each; `post` goes to the ingest processes in turn."""

    def __init__(self, yaml, ingest=1, process=1):
        super().__init__(yaml=yaml)
        self.serve = Role("serve", self.config)
        self.ingests = [Role("ingest", self.config) for _ in range(ingest)]
        self.processes = [Role("process", self.config) for _ in range(process)]
        self.turns = itertools.cycle(range(ingest))
        self.api_port = self.serve.api_port

    def all(self):
        return [self.serve, *self.ingests, *self.processes]

    def start(self, wait=60):
        for role in self.all():
            role.spawn()
        for role in self.all():
            role.await_ready(wait)
        return self

    def ingest(self, path):
        return self.ingests[next(self.turns)].ingest(path)

    def metric(self, name, port=None):
        values = [value for value in (role.metric(name) for role in self.processes) if value is not None]
        return sum(values) if values else None

    def log_text(self):
        return "".join("==== %s\n%s" % (role.role, role.log_text()[-1500:]) for role in self.all())

    def stop(self, wait=30):
        """From the front to the back; the first exit code that is not 0."""
        codes = [role.stop(wait) for role in (*self.ingests, *self.processes, self.serve)]
        return next((code for code in codes if code), 0)

    def close(self):
        for role in self.all():
            role.close()
        shutil.rmtree(self.data, ignore_errors=True)
