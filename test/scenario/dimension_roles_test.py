"""Dimension tables whose rows a query gives, with roles apart on a real broker: `weir serve` asks and tells, each `weir process` reads, whole versions alone."""
import os, shutil, signal, time

from dimension_sql_test import counted, engine, send
from dimension_test import until
from kafka import shared
from roles import Role, Roles

DOMAIN = """domain: shop
dimension_tables:
  - name: prices
    from: {sql: "SELECT * FROM shop.prices", every: 1s}
    key: [country, sku]
    columns: {country: text, sku: integer, price: money, note: text}
transforms:
  - name: price
    set:
      properties.price: "lookup('prices', properties.country, properties.sku, 'price_cents')"
"""
MANY = 100_000  # rows of 100 bytes: a version of 20 chunks


def roles(process=1):
    weir = Roles(shared().yaml(), process=process)
    domains = os.path.join(weir.config, "domains")
    shutil.rmtree(domains)
    os.mkdir(domains)
    weir.declare(DOMAIN)
    return weir


def fill(weir, price, rows=1):
    """The table as it is from now on, in one step: all rows have this price."""
    engine(weir.serve, "CREATE DATABASE IF NOT EXISTS shop")
    engine(weir.serve, "CREATE OR REPLACE TABLE shop.prices ENGINE = MergeTree ORDER BY sku AS SELECT 'DE' AS country, toUInt32(number + 7) AS sku, "
           "toDecimal64('%s', 2) AS price, repeat('%s ', 20) AS note FROM numbers(%d)" % (price, price, rows))


def priced(weir, event_id, cents):
    """An event that is sent now has this price."""
    send(weir, event_id, 7)
    until(lambda: event_id in counted(weir, "price"), weir)
    assert counted(weir, "price")[event_id] == cents, (event_id, counted(weir, "price"), weir.log_text())


def topic(weir, count):
    """The first values of the topic, as Kafka's own tool shows them."""
    with open(os.path.join(weir.config, "environments", "dev.yaml")) as f:
        prefix = f.read().split("kafka.prefix: ")[1].split("\n")[0]
    return shared().tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", prefix + ".dimensions", "--from-beginning", "--isolation-level", "read_committed", "--max-messages", str(count),
                         "--property", "value.deserializer=org.apache.kafka.common.serialization.BytesDeserializer").splitlines()


def all_have(weir, cents, seconds=60):
    """Every process has taken rows with this price: asked by events, since nobody else knows."""
    end, n = time.time() + seconds, 0
    while True:
        event_id, n = "%d-%d" % (cents, n), n + 1
        send(weir, event_id, 7)
        until(lambda: event_id in counted(weir, "price"), weir)
        if counted(weir, "price")[event_id] == cents:
            return
        assert time.time() < end, (cents, counted(weir, "price"), weir.log_text())
        time.sleep(0.2)


def test_rows_come_to_processes_without_an_engine_and_outlive_every_restart():
    with roles() as weir:
        process = weir.processes[0]
        priced(weir, "before", 0)  # events wait for no query
        fill(weir, 19.99)
        all_have(weir, 1999)
        began = time.time()
        fill(weir, 29.99)
        all_have(weir, 2999)
        took = time.time() - began
        assert -1 < time.time() - process.metric("dimension_refreshed_seconds") < 60
        assert process.metric("dimension_rows") == 1
        weir.declare(DOMAIN + '      properties.twice: "2 * lookup(\'prices\', properties.country, properties.sku, \'price_cents\')"\n')
        for role in weir.all():
            os.kill(role.process.pid, signal.SIGHUP)
        until(lambda: "process.changed" in process.log_text().split("config.reloaded")[-1] and "config.reloaded" in process.log_text(), weir)
        priced(weir, "reloaded", 2999)  # from the first event on
        assert counted(weir, "twice")["reloaded"] == 5998
        told = weir.serve.metric("dimension_versions_told_total")
        assert told == 2, told  # the same rows are told once
        assert weir.sql("SELECT sku, price_cents FROM dim_prices") == [[7, 2999]]
        values = topic(weir, 5)  # two versions, and what has the first one's chunk forgotten
        assert values.count("null") == 1 and values.index("null") == 4, values
        weir.serve.kill9()  # who has rows keeps them, and a process that has never run finds them in the topic
        process.kill9()
        weir.processes[0] = Role("process", weir.config)
        process.close()
        weir.processes[0].start()
        weir.serve.start()
        priced(weir, "after", 2999)
        assert counted(weir, "price")["before"] == 0
        assert weir.serve.metric("dimension_versions_told_total") == 0
        assert weir.stop() == 0
    return "new rows are looked up %.1f s after the table has changed, asked each second" % took


def test_a_serve_killed_while_it_tells_leaves_the_rows_of_before():
    with roles() as weir:
        fill(weir, 1, MANY)
        all_have(weir, 100)
        process, cut = weir.processes[0], 0
        for attempt in range(2, 12):
            told = weir.serve.metric("dimension_chunks_told_total")
            versions = weir.serve.metric("dimension_versions_told_total")
            fill(weir, attempt, MANY)
            while weir.serve.metric("dimension_chunks_told_total") < told + 3:
                time.sleep(0.005)
            is_cut = weir.serve.metric("dimension_versions_told_total") == versions
            weir.serve.kill9()
            taken = process.log_text().count("dimension.taken")
            if not is_cut or taken_more(process, taken):
                weir.serve.start()
                all_have(weir, attempt * 100)
                continue
            cut += 1
            process.kill9()  # and who reads the topic from its beginning meets the half
            weir.processes[0] = other = Role("process", weir.config)
            process.close()
            process = other.start()
            assert process.log_text().count("dimension.taken") == 1, process.log_text()
            weir.serve.start()  # tells it anew: what was half is forgotten
            all_have(weir, attempt * 100)
            break
        assert cut, "ten versions, none was cut"
        assert weir.stop() == 0


def taken_more(process, before, seconds=2):
    end = time.time() + seconds
    while time.time() < end:
        if process.log_text().count("dimension.taken") > before:
            return True
        time.sleep(0.1)
    return False
