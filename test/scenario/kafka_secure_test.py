"""Kafka with TLS, passwords and rights: what is right works, and each thing that is wrong is one clear error at start, soon, which names what to do."""
import functools, os, re, subprocess, tempfile, time
from concurrent.futures import ThreadPoolExecutor

from kafka import OUTSIDE, SCRIPT, Kafka, shared
from roles import Role, Roles
from roles_test import await_true, wait_until_known
from server import lasting
from weir import Weir

USERS = ["weir", "no-rights", "no-write", "no-read", "no-group", "no-id"]
# docs/kafka.md has the same as a table: what each role needs, and here no more, of the prefix ROLES. Create is the one's who is there first.
ROLES = "troles"
TOPIC, GROUP, ID = "--topic", "--group", "--transactional-id"
ROLE_RIGHTS = [
    ("ingest", "Write", [(TOPIC, "input"), (TOPIC, "output"), (ID, "start.ingest")]),
    ("ingest", "Read", [(TOPIC, "catalog")]),
    ("ingest", "Describe", [(GROUP, "reader")]),
    ("process", "Write", [(TOPIC, "input"), (TOPIC, "changelog"), (TOPIC, "output"), (TOPIC, "tasks"), (ID, "")]),
    ("process", "Read", [(TOPIC, "input"), (TOPIC, "changelog"), (TOPIC, "catalog"), (TOPIC, "dimensions"), (GROUP, "")]),
    ("process", "Create", [(TOPIC, "")]),
    ("serve", "Write", [(TOPIC, "output"), (TOPIC, "catalog"), (TOPIC, "dimensions"), (ID, "")]),
    ("serve", "Read", [(TOPIC, "output"), (TOPIC, "catalog"), (TOPIC, "tasks"), (TOPIC, "dimensions"), (GROUP, "")]),
]


@functools.cache
def secure():
    """One broker with TLS and users for all tests here. Each user has all rights that docs/kafka.md names for `weir up` but the one it is named for,
    or what it names for a role."""
    kafka = lasting(Kafka(users=["%s:pw-of-%s" % (user, user) for user in [*USERS, *sorted({right[0] for right in ROLE_RIGHTS})]], within=OUTSIDE))
    rights = [([user for user in USERS if user not in ("no-rights", without)], operation, [(kind, "t")]) for kind, operation, without in (
              (TOPIC, "Create", ""), (TOPIC, "Describe", ""), (TOPIC, "Read", "no-read"), (TOPIC, "Write", "no-write"), (GROUP, "Read", "no-group"),
              (ID, "Write", "no-id"))]
    rights += [([user], operation, [(kind, "%s.%s" % (ROLES, name)) for kind, name in on]) for user, operation, on in ROLE_RIGHTS]

    def allow(right):
        users, operation, on = right
        words = ["--add", "--operation", operation, "--resource-pattern-type", "prefixed", *(w for pair in on for w in pair)]
        kafka.tool("org.apache.kafka.tools.AclCommand", *words, *(w for user in users for w in ("--allow-principal", "User:" + user)))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(allow, rights))
    return kafka


def settings(user="weir", mechanism="PLAIN", more="", ca=None):
    kafka = secure()
    return kafka.yaml("kafka.security: sasl_ssl\nkafka.sasl_mechanism: %s\nkafka.sasl_user: %s\nkafka.sasl_password: ${secret:kafka_password}\n"
                      "kafka.tls_ca: %s\n%s" % (mechanism, user, ca or os.path.join(kafka.directory, "ca.pem"), more))


def weir_as(user="weir", password=None, mechanism="PLAIN", **more):
    """SCRAM by a librdkafka that can do it with these brokers."""
    weir = Weir(yaml=settings(user, mechanism, **more))
    if mechanism != "PLAIN":
        weir.environment["LD_LIBRARY_PATH"] = subprocess.run([SCRIPT, "client"], check=True, capture_output=True, text=True).stdout.strip()
    weir.environment["KAFKA_PASSWORD"] = password or "pw-of-" + user
    return weir


def refused(weir, *words, code=78, seconds=20, command="up"):
    """It ends by itself, soon, with the code; its last line has the words, and no line the password."""
    weir.spawn()
    try:
        assert weir.process.wait(seconds) == code, weir.process.returncode
        text = weir.log_text()
        last = text.strip().splitlines()[-1]
        assert last.startswith("weir %s: " % command) and all(word in last for word in words), text[-2000:]
        assert weir.environment.get("KAFKA_PASSWORD", "\0") not in text
    except subprocess.TimeoutExpired:
        raise AssertionError("still there after %d s: %s" % (seconds, weir.log_text()[-2000:]))
    finally:
        weir.close()


def test_right_credentials_work_by_both_mechanisms_and_the_rights_of_the_docs_are_enough():
    for mechanism in "PLAIN", "SCRAM-SHA-512":
        with weir_as(mechanism=mechanism) as weir:
            key = weir.tenant("secure")
            events = [{"visitor_id": "v%d" % i, "event_type": "view", "event_name": "n"} for i in range(100)]
            assert weir.post("/track", events, key["write_key"])[0] == 200
            weir.settle("SELECT count() FROM events_raw", 100, key["read_key"])
            assert weir.stop() == 0
            assert "pw-of-weir" not in weir.log_text()


def test_wrong_credentials_and_authorities_are_told_at_once():
    refused(weir_as(password="guessed"), "kafka.sasl_password", seconds=8)
    refused(weir_as(password="guessed", mechanism="SCRAM-SHA-512"), "kafka.sasl_password", seconds=8)
    old = weir_as(mechanism="SCRAM-SHA-512")
    del old.environment["LD_LIBRARY_PATH"]
    refused(old, "librdkafka 2.6.1", "PLAIN", seconds=8)
    refused(weir_as(mechanism="SCRAM-SHA-256"), "kafka.sasl_mechanism", seconds=8)
    other = tempfile.NamedTemporaryFile(suffix=".pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=somebody else", "-keyout", "/dev/null", "-out", other.name],
                   check=True, capture_output=True)
    refused(weir_as(ca=other.name), "kafka.tls_ca", seconds=8)
    refused(weir_as(ca="/nowhere/ca.pem"), "kafka.tls_ca", "/nowhere/ca.pem")
    plain = Weir(yaml=secure().yaml())
    refused(plain, "no broker of", "kafka.security", code=74)


def test_a_missing_right_is_named_at_start():
    refused(weir_as("no-rights"), "look at topic", "needs Describe on the topic")
    refused(weir_as("no-write"), "write to topic", "Write")
    refused(weir_as("no-read"), "read topic", "Read")
    refused(weir_as("no-group"), "right Read on the groups")
    refused(weir_as("no-id"), "right Write on the transactional ids")


def run_as(role, user):
    """The role in an environment of its own, which is as the others' but for the user."""
    with open(os.path.join(role.config, "environments", "dev.yaml")) as f:
        text = f.read()
    with open(os.path.join(role.config, "environments", user + ".yaml"), "w") as f:
        f.write(text.replace("kafka.sasl_user: weir\n", "kafka.sasl_user: %s\n" % user))
    role.env, role.environment["KAFKA_PASSWORD"] = user, "pw-of-" + user
    return role


def test_each_role_needs_its_own_rights_only_and_those_of_another_do_not_do():
    weir = Roles(re.sub("kafka.prefix: .*", "kafka.prefix: " + ROLES, settings()))
    try:
        for role in weir.all():
            run_as(role, role.role)
        process = weir.processes[0].spawn()
        await_true(lambda: "topic_made topic=%s.dimensions" % ROLES in process.log_text())
        for role in weir.serve, *weir.ingests:
            role.spawn()
        for role in weir.all():
            role.await_ready()
        key = weir.tenant("least")
        wait_until_known(weir, key["write_key"])
        events = [{"visitor_id": "v%d" % i, "event_type": "view", "event_name": "n"} for i in range(99)] + [{"event_type": "no visitor"}]
        status, answer = weir.post("/track", events, key["write_key"])
        assert (status, answer["accepted"], answer["rejected"]) == (200, 99, 1), (status, answer)
        weir.settle("SELECT count() FROM events_raw", 99, key["read_key"])
        weir.settle("SELECT sum(event_count) FROM sessions", 99, key["read_key"])
        weir.settle("SELECT count() FROM dead_letters", 1, key["read_key"])
        assert weir.stop() == 0
        refused(run_as(Role("serve", weir.config), "process"), "read topic %s." % ROLES, command="serve")
        refused(run_as(Role("process", weir.config), "serve"), "look at topic %s.input" % ROLES, command="process")
    finally:
        weir.close()


def test_without_the_right_to_delete_the_changelog_grows_it_is_told_once_and_all_goes_on():
    with weir_as(more="journal.partitions: 1\nprocess.checkpoint_interval: 300ms\nprocess.snapshot_after: 1 MiB\n") as weir:  # no user here has the right
        key = weir.tenant("grows")
        def send(first):
            events = [{"event_id": "e%d" % i, "visitor_id": "v%d" % i, "event_type": "view", "event_name": "n"} for i in range(first, first + 1000)]
            assert weir.post("/track", events, key["write_key"])[0] == 200
        count, end = 0, time.time() + 120
        while "kafka.changelog_not_trimmed" not in weir.log_text():
            assert time.time() < end, "nothing was told in 120 s, after %d events" % count
            send(count)
            count += 1000
        assert "right Delete on the topic" in weir.log_text()
        send(count)
        weir.settle("SELECT count() FROM events_raw", count + 1000, key["read_key"])
        assert weir.stop() == 0
        assert weir.log_text().count("kafka.changelog_not_trimmed") == 1
    return "after %d events" % count


def test_a_secret_that_is_not_there_ends_before_any_connection_and_none_is_shown():
    weir = Weir(yaml=settings())
    refused(weir, "1 mistake in the configuration", seconds=5)
    weir = Weir(yaml=settings())
    with open(os.path.join(weir.config, ".env"), "w") as f:
        f.write("kafka_password='pw-of-weir'\n")
    listed = weir.cli("check", "--config", weir.config, "--list")
    assert listed.returncode == 0 and "kafka.sasl_password = ***" in listed.stdout and "pw-of" not in listed.stdout, listed
    with weir:
        assert weir.stop() == 0


def test_topics_that_would_keep_less_than_is_promised_are_refused():
    kafka = shared()
    refused(Weir(yaml=kafka.yaml("kafka.min_insync: 2\n").replace("kafka.min_insync: 1\n", "")), "kafka.min_insync is 2", "kafka.replication 1")
    for words, config, topic in ((("1 copy", "kafka.replication says 3"), None, "input"),
                                 (("min.insync.replicas=2", "kafka.min_insync, 1"), "min.insync.replicas=2", "input"),
                                 (("cleanup.policy=compact", "delete"), "cleanup.policy=compact", "input"),
                                 (("cleanup.policy=delete", "would be forgotten, or pile up"), "cleanup.policy=delete", "tasks"),
                                 (("has 1 partitions", "journal.partitions says 2"), "", "input")):
        yaml = kafka.yaml() if config is not None else kafka.yaml(copies=3)
        prefix = yaml.split("kafka.prefix: ")[1].split("\n")[0]
        more = ["--config", config] if config else []
        kafka.tool("org.apache.kafka.tools.TopicCommand", "--create", "--topic", "%s.%s" % (prefix, topic), "--partitions", "2" if config != "" else "1",
                   "--replication-factor", "1", *more)
        refused(Weir(yaml=yaml), *words)
