"""PostgreSQL as the catalog, with a real server: the port's contract, what cannot work, kill -9 of weir and of the server under load, two weirs on one."""
import json, os, signal, subprocess, time

from crash_test import Load, check
from evolve_test import SHOP
from ports import free_port
from postgres import PASSWORD, Postgres, shared
from weir import ROOT, Weir


def weir_on(server, url, more="", **options):
    weir = Weir(yaml=server.yaml(url, more), **options)
    weir.environment = {"CATALOG_PASSWORD": PASSWORD}
    return weir


def test_the_catalog_keeps_its_contract_on_a_real_server():
    binary = os.path.join(ROOT, "build-debug", "test_contract_catalog_contract_test_c")
    assert os.path.exists(binary), "make debug builds the contract tests"
    server = shared()
    done = subprocess.run([binary], cwd=ROOT, capture_output=True, text=True, timeout=300,
                          env={**os.environ, "WEIR_TEST_POSTGRES": server.database("contract"), "WEIR_TEST_POSTGRES_OTHER": server.database("contract_other"),
                               "WEIR_TEST_POSTGRES_PASSWORD": PASSWORD, "PGPASSWORD": PASSWORD})
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert "backend postgres" in done.stdout + done.stderr


def refused(weir, code, *words):
    text = weir.refused(code, *words)
    assert "environments/dev.yaml:" in text and PASSWORD not in text, text
    return text


def test_what_cannot_work_is_refused_with_one_clear_error_where_it_was_set():
    server = shared()
    url = server.database("refused")
    server.sql("CREATE ROLE poor LOGIN PASSWORD '%s'" % PASSWORD)
    refused(weir_on(server, "postgresql://owner@127.0.0.1:%d/refused" % free_port(), "catalog.connect_timeout: 300ms\n"), 69, "Connection refused", "server is away")
    wrong = weir_on(server, url)
    wrong.environment = {"CATALOG_PASSWORD": "another-word"}
    assert "another-word" not in refused(wrong, 78, "password authentication failed")
    refused(weir_on(server, server.url("nowhere")), 78, 'database "nowhere" does not exist')
    refused(weir_on(server, server.url("refused", user="poor")), 78, "rights are missing", "permission denied")
    refused(weir_on(server, url + "?sslmode=require"), 78, "does not support SSL")
    refused(weir_on(server, ""), 78, "catalog.url does not say where")
    refused(weir_on(server, "postgresql://owner:word@127.0.0.1/refused"), 78, "catalog.password")
    missing = weir_on(server, url)
    missing.environment = {}
    refused(missing, 78, "CATALOG_PASSWORD")
    server.sql("CREATE SCHEMA weir", "refused")
    server.sql("CREATE TABLE weir.migrations(version integer); INSERT INTO weir.migrations VALUES(99)", "refused")
    refused(weir_on(server, url), 78, "the tables have version 99", "use the newer weir")


def test_a_right_that_was_taken_is_told_at_start():
    server = shared()
    url = server.database("rights")
    with weir_on(server, url) as weir:
        assert weir.stop() == 0
    server.sql("CREATE ROLE half LOGIN PASSWORD '%s'; GRANT USAGE ON SCHEMA weir TO half; GRANT SELECT ON ALL TABLES IN SCHEMA weir TO half;"
               "GRANT INSERT, UPDATE ON ALL TABLES IN SCHEMA weir TO half; REVOKE INSERT ON weir.audit FROM half" % PASSWORD, "rights")
    refused(weir_on(server, server.url("rights", user="half")), 78, "the user half has not the right to", "INSERT on weir.audit", "DELETE on weir.uses")
    server.sql("GRANT INSERT ON weir.audit TO half; GRANT DELETE ON weir.uses TO half", "rights")
    with weir_on(server, server.url("rights", user="half")) as weir:  # what the documentation says is enough
        weir.tenant("acme")
        server.sql("REVOKE INSERT ON weir.keys FROM half", "rights")  # while it runs
        done = weir.cli("tenant", "create", "later", "--url", weir.api(""))
        assert done.returncode != 0 and "permission denied" in done.stderr and "belongs to somebody" not in done.stderr, done.stderr
        assert weir.stop() == 0


def test_keys_go_on_working_and_nothing_is_lost_when_weir_and_the_server_are_killed_under_load():
    with Postgres() as server, weir_on(server, server.database("crash")) as weir:
        key = weir.tenant("crash")
        load = Load(weir, key["write_key"])
        weir.settle("SELECT count() > 500 FROM events_raw", 1, key["read_key"])
        weir.kill9()
        weir.start()
        server.kill()
        sent = len(load.acknowledged)
        await_true(lambda: len(load.acknowledged) > sent + 500)  # known keys need no server
        assert int(weir.one("SELECT count() FROM events_raw", key["read_key"])) > 0
        refused_now = weir.cli("tenant", "create", "later", "--url", weir.api(""))
        assert refused_now.returncode != 0 and PASSWORD not in refused_now.stderr, refused_now.stderr
        await_true(lambda: "catalog.away" in weir.log_text())
        server.start()
        await_true(lambda: weir.cli("tenant", "create", "later", "--url", weir.api("")).returncode == 0)
        await_true(lambda: "catalog.back" in weir.log_text())
        server.signal(signal.SIGSTOP)  # its postmaster takes connections and says nothing
        sent = len(load.acknowledged)
        await_true(lambda: len(load.acknowledged) > sent + 500)
        server.signal(signal.SIGCONT)
        load.stop()
        note = check(weir, key["read_key"], load.acknowledged)
        assert weir.stop() == 0
        assert PASSWORD not in weir.log_text()
        assert server.sql("SELECT id FROM weir.tenants ORDER BY id", "crash") == ["crash", "demo_tenant", "later"]
        return note


def test_two_weirs_on_one_catalog_know_each_others_tenants_and_keep_out_of_each_others_way():
    server = shared()
    url = server.database("two")
    with weir_on(server, url) as first, weir_on(server, url) as second:
        key = first.tenant("acme")
        await_true(lambda: second.post("/track", EVENT, key["write_key"])[0] == 200)
        second.settle("SELECT count() FROM events_raw", 1, key["read_key"])  # its engine has come to know the tenant, too
        taken = second.cli("tenant", "create", "acme", "--url", second.api(""))
        assert taken.returncode != 0 and "exists already" in taken.stderr, taken.stderr
        assert first.cli("tenant", "revoke", "acme", "--all", "--url", first.api("")).returncode == 0
        await_true(lambda: second.post("/track", EVENT, key["write_key"])[0] == 401)
        assert first.stop() == 0 and second.stop() == 0
    prod = weir_on(server, url, "demo_tenant: false\n", env="prod")
    with open(os.path.join(prod.config, "environments", "prod.yaml")) as f:
        text = f.read().replace("demo_tenant: true\n", "")
    with open(os.path.join(prod.config, "environments", "prod.yaml"), "w") as f:
        f.write(text)
    with prod:
        assert prod.post("/track", {**EVENT, "customer_id": "demo_tenant"})[0] == 401
        weir_on(server, url).refused(78, "give each environment a database of its own")
    lines = server.sql("SELECT new_value->>'tenant' FROM weir.audit WHERE entity_type = 'tenant' AND action = 'create' ORDER BY 1", "two")
    assert lines == ["acme", "demo_tenant"], lines


EVENT = {"visitor_id": "v", "event_type": "t", "event_name": "n", "properties": {}}


def await_true(condition, seconds=60):
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, "not in %d s" % seconds
        time.sleep(0.05)


def test_the_servers_certificate_is_checked():
    with Postgres(tls=True) as server:
        server.database("tls")
        url = "postgresql://owner@localhost:%d/tls?sslmode=verify-full&sslrootcert=" % server.port
        with weir_on(server, url + server.path("certificate.pem")) as weir:
            assert server.sql("SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING(pid) WHERE application_name = 'weir'") == ["t"]
            assert weir.stop() == 0
        refused(weir_on(server, url + "/etc/ssl/certs/ca-certificates.crt"), 78, "certificate verify failed")


def test_what_is_deployed_is_written_there_with_its_history():
    server = shared()
    url = server.database("deployed")
    with weir_on(server, url, domain=SHOP) as weir:
        assert weir.stop() == 0
        types = server.sql("SELECT count(*) FROM weir.event_types WHERE active AND body->>'name' = name", "deployed")
        assert types == ["2"], types
        rules = json.loads(server.sql("SELECT json_build_array(count(*), count(source_id)) FROM weir.processing_rules", "deployed")[0])
        assert rules[0] == rules[1] > 0, rules
        shown = subprocess.run([weir.binary, "catalog", "types", "--env", weir.env, "--config", weir.config, "--json"], capture_output=True, text=True, timeout=60,
                               env={**os.environ, **weir.environment})
        assert shown.returncode == 0 and '"purchase"' in shown.stdout and '"refund"' in shown.stdout, shown.stdout + shown.stderr
        before = server.sql("SELECT count(*) FROM weir.audit", "deployed")
        weir.start()
        assert weir.stop() == 0
        assert server.sql("SELECT count(*) FROM weir.audit", "deployed") == before
        weir.declare(SHOP.replace("name: order_no, type: integer", "name: order_no, type: text"))
        refused_at = weir.spawn()
        assert refused_at.process.wait(60) == 78 and "is not BACKWARD" in weir.log_text(), weir.log_text()[-2000:]


def test_commands_that_ask_no_weir_work_on_the_catalog_that_the_configuration_names():
    server = shared()
    weir = weir_on(server, server.database("offline"), "catalog.connect_timeout: 2s\n", domain=SHOP)

    def ran(code, *words, **environment):
        done = subprocess.run([weir.binary, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, env={**os.environ, **weir.environment, **environment})
        assert done.returncode == code and PASSWORD not in done.stdout + done.stderr, (words, done)
        return done.stdout if code == 0 else done.stderr

    there = ("--config", weir.config)
    keys = json.loads(ran(0, "tenant", "create", "acme", *there, "--json"))  # before any weir has run
    weir.start()
    try:
        assert weir.post("/track", {**EVENT, "event_type": "refund"}, keys["write_key"])[0] == 200
        ran(0, "tenant", "rotate", "acme", "--write", "--grace", "0", "--env", "dev", *there)  # while one runs
        await_true(lambda: weir.post("/track", EVENT, keys["write_key"])[0] == 401)
        assert weir.stop() == 0
        assert [tenant["tenant"] for tenant in json.loads(ran(0, "tenant", "list", *there, "--json"))["tenants"]] == ["acme", "demo_tenant"]
        assert '"refund"' in ran(0, "catalog", "types", *there, "--json")
        for words in (("tenant", "create", "lost"), ("catalog", "types")):
            assert "environment dev keeps its catalog at a server" in ran(64, *words, *there, "--data", weir.data)
        assert "its catalog is not there" in ran(65, "tenant", "create", "lost", "--data", weir.data)  # by the settings of the working directory
        assert "name it with --data" in ran(64, "tenant", "create", "lost", "--env", "dev")
        assert not os.path.exists(os.path.join(weir.data, "catalog.db"))
        ran(0, "check", *there)
        weir.declare(SHOP.replace("name: order_no, type: integer", "name: order_no, type: text"))
        assert "is not BACKWARD" in ran(78, "check", *there)
        weir.environment = {"CATALOG_PASSWORD": "another-word"}
        assert "password authentication failed" in ran(65, "tenant", "list", *there)
        done = weir.cli("check", *there, "--without-secrets")
        assert done.returncode == 0 and "not held against" not in done.stderr, done
    finally:
        weir.close()
