"""A real PostgreSQL server of a test's own: made in a temporary directory, on loopback, as a user without rights; ended by its process's id."""
import functools, glob, os, shutil, signal, subprocess, tempfile, time

from ports import free_port
from server import Server, lasting

OUTSIDE = tempfile.gettempdir()  # of any test's own files (scratch.py)
PASSWORD = "n0t-shown:%/word"  # with what has a meaning in a URL


class Postgres(Server):
    def __init__(self, within=None, tls=False):
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        # The server refuses to run as root. The package brings a user.
        self.as_user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        self.directory, self.port, self.process, self.tls = tempfile.mkdtemp(prefix="weir-postgres-", dir=within), free_port(), None, tls
        if self.as_user:
            shutil.chown(self.directory, "postgres", "postgres")

    def path(self, name):
        return os.path.join(self.directory, name)

    def environment(self):
        return {**os.environ, "TMPDIR": self.directory, "LC_ALL": "C"}

    def run(self, name, *words, **more):
        done = subprocess.run([os.path.join(self.bin, name), *words], cwd=self.directory, capture_output=True, text=True, timeout=120, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def make(self):
        with open(self.path("password"), "w") as f:
            f.write(PASSWORD)
        os.chmod(self.path("password"), 0o644)
        self.run("initdb", "--pgdata=" + self.path("data"), "--username=owner", "--pwfile=" + self.path("password"), "--auth=scram-sha-256", "--encoding=UTF8",
                 "--locale=C", "--no-sync", "--no-instructions", env=self.environment(), **self.as_user)
        if self.tls:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                            "-keyout", self.path("key.pem"), "-out", self.path("certificate.pem")], check=True, capture_output=True, timeout=60)
            os.chmod(self.path("key.pem"), 0o600)
            if self.as_user:
                shutil.chown(self.path("key.pem"), "postgres", "postgres")

    def start(self, wait=60):
        if not os.path.exists(self.path("data")):
            self.make()
        end = time.time() + wait
        while time.time() < end:
            if not self.process or self.process.poll() is not None:  # what a killed one left may still be ending: then once more
                self.spawn()
            if self.answers():
                return self
            time.sleep(0.1)
        raise AssertionError("no server in %d s: %s" % (wait, open(self.path("server.log")).read()[-2000:]))

    def spawn(self):
        options = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off", "max_connections": 40, "shared_buffers": "16MB",
                   **({"ssl": "on", "ssl_cert_file": self.path("certificate.pem"), "ssl_key_file": self.path("key.pem")} if self.tls else {})}
        with open(self.path("server.log"), "ab") as log:
            self.process = subprocess.Popen([os.path.join(self.bin, "postgres"), "-D", self.path("data"), *("-c%s=%s" % option for option in options.items())],
                                            stdout=log, stderr=subprocess.STDOUT, env=self.environment(), start_new_session=True, **self.as_user)

    def answers(self):
        return subprocess.run([os.path.join(self.bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "2"], timeout=30).returncode == 0

    def sql(self, text, database="postgres"):
        """As the owner of the server: rows, as text."""
        out = self.run("psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", "owner", "-d", database, "-c", text,
                       env={**self.environment(), "PGPASSWORD": PASSWORD})
        return [line for line in out.split("\n") if line]

    def database(self, name):
        self.sql("CREATE DATABASE " + name)
        return self.url(name)

    def url(self, database, user="owner", more=""):
        return "postgresql://%s@127.0.0.1:%d/%s%s" % (user, self.port, database, more)

    def yaml(self, url, more=""):
        """Settings for a catalog there; the password is in the environment of `weir_environment`."""
        return "catalog.backend: postgres\ncatalog.url: %s\ncatalog.password: ${secret:CATALOG_PASSWORD}\n%s" % (url, more)

    def signal(self, which):
        self.process.send_signal(which)

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def __exit__(self, *what):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGQUIT)  # at once: nothing here is kept
            self.process.wait(30)
        shutil.rmtree(self.directory, ignore_errors=True)


@functools.cache
def shared():
    """One server for all tests that leave it alone; it ends with the process."""
    return lasting(Postgres(within=OUTSIDE))
