"""Dimension tables whose rows a query gives: asked at start and again, put in place while events flow, kept for the next start, each tenant's own."""
import hashlib, hmac, urllib.request

from dimension_test import logged, until
from weir import Weir

DOMAIN = """domain: shop
dimension_tables:
  - name: prices
    from: {sql: "SELECT * FROM shop.prices", every: 1s}
    key: [country, sku]
    columns: {country: text, sku: integer, price: money, since: timestamp}
    valid_from: since
  - name: seen
    from: {sql: "SELECT customer_id, visitor_id, count() AS events FROM weir.events_raw GROUP BY ALL", every: 1s}
    key: visitor_id
    columns: {customer_id: text, visitor_id: text, events: integer}
transforms:
  - name: price
    set:
      properties.price: "lookup('prices', properties.country, properties.sku, 'price_cents')"
      properties.before: "lookup('seen', visitor_id, 'events')"
"""
PRICES = "SELECT country, sku, price_cents FROM dim_prices ORDER BY country, sku, valid_from"


def engine(weir, statement):
    """As whoever keeps tables in the engine."""
    password = hmac.new(open(weir.data + "/olap/secret", "rb").read(), b"writer", hashlib.sha256).hexdigest()
    request = urllib.request.Request("http://127.0.0.1:%d/" % weir.olap_port, statement.encode(), {"X-ClickHouse-User": "writer", "X-ClickHouse-Key": password})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read().decode()


def send(weir, event_id, sku, key="demo_write"):
    event = {"event_type": "purchase", "event_id": event_id, "visitor_id": "ann", "timestamp": "2026-03-01T00:00:00Z", "properties": {"country": "DE", "sku": sku}}
    assert weir.post("/track", event, key=key)[1]["accepted"] == 1


def counted(weir, field, key="demo_read"):
    return dict(weir.sql("SELECT event_id, JSONExtractInt(properties, '%s') FROM events_raw" % field, key=key))


def test_rows_of_a_query_are_looked_up_refreshed_and_kept():
    weir = Weir(yaml="", domain=DOMAIN)
    try:
        weir.start()
        logged(weir, "dimension.refresh_failed table=prices")
        assert weir.sql(PRICES) == []  # a table from the start, and no reason to be away
        engine(weir, "CREATE DATABASE shop")
        engine(weir, "CREATE TABLE shop.prices (country String, sku UInt32, price Decimal(9, 2), since Nullable(DateTime('UTC'))) ENGINE = MergeTree ORDER BY country")
        engine(weir, "INSERT INTO shop.prices VALUES ('DE', 7, 19.99, NULL), ('DE', 7, 29.99, '2026-03-02 00:00:00'), ('\"F\"\\n,R', 7, 1, NULL)")
        until(lambda: weir.sql(PRICES) == [['"F"\n,R', 7, 100], ["DE", 7, 1999], ["DE", 7, 2999]], weir)
        send(weir, "a", 7)
        until(lambda: counted(weir, "price") == {"a": 1999}, weir)

        other = weir.tenant("other")
        until(lambda: weir.sql("SELECT * FROM dim_seen") == [["demo_tenant", "ann", 1]], weir)
        assert weir.sql("SELECT * FROM dim_seen", key=other["read_key"]) == []
        send(weir, "theirs", 7, key=other["write_key"])  # the same visitor, of another tenant
        until(lambda: counted(weir, "before", other["read_key"]) == {"theirs": 0}, weir)

        engine(weir, "INSERT INTO shop.prices VALUES ('DE', 8, 5, NULL), ('DE', 8, 6, NULL)")  # two at one time: what was stays
        logged(weir, "this row of DE, 8 and the one of line ")
        assert len(weir.sql(PRICES)) == 3 and weir.metric("dimension_failures_total") >= 2
        engine(weir, "ALTER TABLE shop.prices DELETE WHERE price = 6 SETTINGS mutations_sync = 1")
        until(lambda: len(weir.sql(PRICES)) == 4, weir)
        send(weir, "b", 8)
        until(lambda: counted(weir, "price").get("b") == 500, weir)
        assert counted(weir, "before")["b"] == 1

        engine(weir, "DROP TABLE shop.prices SYNC")
        weir.process.kill()  # and the rows of the last good answer are those of the next start
        weir.process.wait(60)
        weir.start()
        send(weir, "c", 8)
        until(lambda: counted(weir, "price").get("c") == 500, weir)
        assert len(weir.sql(PRICES)) == 4
        assert sorted(counted(weir, "price")) == ["a", "b", "c"]
    finally:
        weir.close()
