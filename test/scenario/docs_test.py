"""The documents for users: every snippet of docs/{quick-start,send-events,query}.md is run as it stands, with other ports, against a weir of its own.
A block of `console` is not run (it starts what the test starts)."""
import importlib.util, json, os, re, shutil, subprocess, tempfile

from weir import ROOT, Weir

CLIENTS = os.path.join(ROOT, "test", "clients", "clients_test.py")


def clients():
    spec = importlib.util.spec_from_file_location("clients_test", CLIENTS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(document):
    """(language, text, line) of every fenced block."""
    with open(os.path.join(ROOT, "docs", document)) as f:
        text = f.read()
    for found in re.finditer(r"(?ms)^```(\w+)\n(.*?)^```$", text):
        yield found.group(1), found.group(2), text.count("\n", 0, found.start()) + 1


class Reader:
    """Somebody who tries one document, in a folder of their own."""

    def __init__(self, weir):
        self.weir, self.folder, self.count = weir, tempfile.mkdtemp(prefix="weir-docs-"), 0
        os.symlink(os.path.join(ROOT, "build"), os.path.join(self.folder, "build"))
        self.env = {**os.environ, "WEIR_URL": weir.api(""), "WEIR_INGEST_URL": weir.ingest("")}

    def run(self, command, text, where):
        for written, real in ((8000, self.weir.ingest_port), (8001, self.weir.api_port), (8123, self.weir.olap_port)):
            text = re.sub(r"(127\.0\.0\.1:|port=)%d\b" % written, r"\g<1>%d" % real, text)
        done = subprocess.run(command + [text], cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, "%s: %s\n%s" % (where, done.stdout[-2000:], done.stderr[-2000:])
        self.count += 1
        return done.stdout

    def try_all(self, document):
        for language, text, line in blocks(document):
            where = "docs/%s:%d" % (document, line)
            if language == "sh":
                self.run(["bash", "-euc"], text, where)
            elif language == "sql":
                assert self.weir.sql(text), where
                self.count += 1
            elif language == "python":
                self.run([clients().PYTHON, "-c"], text, where)
            elif language == "js":
                self.env["NODE_PATH"] = os.path.join(clients().DEPS, "node_modules")
                self.run(["node", "-e"], text, where)
            else:
                assert language == "console", "%s: a block of %s is not tried" % (where, language)
        shutil.rmtree(self.folder)
        return self.count


def test_the_quick_start_works_as_written():
    with Weir() as weir:
        tried = Reader(weir).try_all("quick-start.md")
        weir.settle("SELECT count() FROM events_raw WHERE visitor_id = 'test_123' AND event_name = 'Homepage View'", 1)
        weir.settle("SELECT count() FROM dead_letters WHERE reason = 'bad_timestamp' AND position(original, 'test_123') > 0", 1)
        return "%d snippets" % tried


def test_every_client_of_send_events_works_as_written():
    clients().install_node()
    clients().install_python()
    with Weir() as weir:
        tried = Reader(weir).try_all("send-events.md")
        weir.settle("SELECT count() FROM events_raw WHERE event_id LIKE 'order-100%'", 2)
        weir.settle("SELECT count() FROM events_raw WHERE visitor_id LIKE 'vid_%'", 2000)  # the file was sent twice
        weir.settle("SELECT arrayStringConcat(arraySort(groupUniqArray(user_id)), ' ') FROM events_raw WHERE event_name = 'Order Completed'",
                    "user-1 user-2 user-3 user-4")
        assert int(weir.one("SELECT count() FROM dead_letters")) == 0
        return "%d snippets" % tried


def test_every_question_of_query_is_answered():
    clients().install_python()
    with Weir() as weir:
        made = weir.cli("generate", "--until", "now", "--days", "14", "--rate", "0.05", "--faults", "1", "--surge", "0.5")
        weir.cli("send", "-", "--url", weir.ingest(""), "--key", "demo_write", "--quiet", stdin=made.stdout)
        weir.settle("SELECT sum(event_count) > 50000 AND (SELECT count() FROM dead_letters) > 100 FROM events_daily", 1)
        look_at_tables(weir)
        return "%d snippets" % Reader(weir).try_all("query.md")


def look_at_tables(weir):
    """The table of tables in query.md has each that a refused question names, with the columns that it has."""
    with open(os.path.join(ROOT, "docs", "query.md")) as f:
        written = {name: set(re.findall(r"`([a-z_]+)`", columns)) for name, columns in re.findall(r"(?m)^\| `([a-z_]+)`.*\| (.*) \|$", f.read())}

    def ask(table):
        status, answer, _ = weir.request("POST", weir.api("/v1/sql"), json.dumps({"sql": "SELECT * FROM %s LIMIT 0" % table}).encode(), {"Authorization": "Bearer demo_read"})
        return status, json.loads(answer)

    status, answer = ask("nowhere")
    told = re.search(r"The tables are (.*), and those", answer["message"])
    assert status == 400 and set(told.group(1).split(", ")) == set(written), (answer, set(written))
    for name, columns in written.items():
        status, answer = ask(name)
        assert status == 200 and {c["name"] for c in answer["columns"]} - {"customer_id"} == columns, (name, answer, columns)


def test_links_between_the_documents_lead_somewhere():
    for folder, _, names in os.walk(os.path.join(ROOT, "docs")):
        for name in (n for n in names if n.endswith(".md")):
            with open(os.path.join(folder, name)) as f:
                for target in re.findall(r"\]\((?!https?:)([^)#]+)", f.read()):
                    assert os.path.exists(os.path.join(folder, target)), "%s leads to %s" % (name, target)
    with open(os.path.join(ROOT, "README.md")) as f:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", f.read()):
            assert os.path.exists(os.path.join(ROOT, target)), "README.md leads to %s" % target
