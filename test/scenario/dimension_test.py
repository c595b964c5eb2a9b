"""Dimension tables: a file beside the domain, asked in SQL and in the stream at the time of each event, replaced by SIGHUP without a restart."""
import os, re, signal, tempfile, time

from cli_test import weir as weir_cli
from weir import ROOT, Weir

DOMAIN = """domain: shop
event_types: [{name: purchase, attributes: [{name: product, required: true}], metrics: [{name: amount, type: money}]}]
dimension_tables:
  - name: products
    from: {csv: products.csv}
    key: product
    columns: {product: text, category: text, cost: money, rating: float, sale: boolean, made: timestamp, shelf: integer}
    valid_from: since
    valid_to: until
  - name: plans
    from: {csv: plans.csv}
    key: [product, tier]
    columns: {customer_id: text, product: text, tier: integer, plan: text}
transforms:
  - name: shelves
    where: event_type == 'purchase'
    set:
      properties.shelf: "lookup('products', properties.product, 'shelf')"
      properties.plan: "lookup('plans', properties.product, properties.amount / 80, 'plan')"
windows:
  - name: by_category
    size: 1h
    where: lookup('products', properties.product, 'sale')
    by: [{category: "lookup('products', properties.product, 'category')"}]
    measures: {n: count(), cost_cents: "sum(lookup('products', properties.product, 'cost_cents'))"}
    lateness: 400d
"""
PLANS = "tier,product,plan,customer_id\n1,boots,gold,demo_tenant\n2,boots,iron,demo_tenant\n1,boots,none of yours,other\n"
HEADER = "product,category,cost,rating,sale,made,shelf,since,until,nobody_asks\r\n"
ROWS = HEADER + """boots,"winter, \\ ""warm"" and
wide",41.50,4.5,true,2020-01-31,7,,2026-03-01,x\r
boots,spring,44,,TRUE,,8,2026-03-01,,\r
socks,,1.10,1e0,true,,,2026-02-01,2026-03-01,\r
"""
JOIN = """SELECT e.event_id, p.category, p.cost_cents FROM events_purchase AS e LEFT JOIN dim_products AS p
ON e.product = p.product AND e.timestamp >= p.valid_from AND e.timestamp < p.valid_to ORDER BY e.event_id"""
ASOF = """SELECT e.event_id, if(e.timestamp < p.valid_to, p.category, NULL) FROM events_purchase AS e ASOF LEFT JOIN dim_products AS p
ON e.product = p.product AND e.timestamp >= p.valid_from ORDER BY e.event_id"""


def test_the_example_of_the_document_is_right():
    text = open(os.path.join(ROOT, "docs", "domains.md")).read().split("## Dimension tables")[1]
    with tempfile.TemporaryDirectory() as directory:
        for folder in ("domains", "environments"):
            os.mkdir(os.path.join(directory, folder))
        open(os.path.join(directory, "environments", "dev.yaml"), "w").close()
        for form, name in (("yaml", "parts.yaml"), ("csv", "products.csv")):
            with open(os.path.join(directory, "domains", name), "w") as f:
                f.write(re.search(r"```%s\n(.*?)```" % form, text, re.S).group(1))
        done = weir_cli("check", "--config", directory)
        assert done.returncode == 0 and "products: dimension table, 3 rows, by sku, valid for a time" in done.stdout, done


def write(weir, text, name="products.csv"):
    with open(os.path.join(weir.config, "domains", name), "w", newline="") as f:
        f.write(text)


def send(weir, event_id, product, timestamp):
    event = {"event_type": "purchase", "event_id": event_id, "visitor_id": "v", "timestamp": timestamp, "properties": {"product": product, "amount": 80}}
    assert weir.post("/track", event, key="demo_write") == (200, {"accepted": 1, "rejected": 0, "results": []})


def counts(weir):
    return weir.sql("SELECT JSONExtractString(key, 'category') AS c, toString(window_start), JSONExtractInt(measures, 'n'), JSONExtractInt(measures, 'cost_cents')"
                    " FROM windows WHERE window = 'by_category' ORDER BY window_start, c")


def refused(weir, query):
    try:
        weir.sql(query)
    except RuntimeError:
        return True
    raise AssertionError("answered: " + query)


def test_a_table_is_joined_and_counted_by_and_its_file_is_replaced_while_it_runs():
    weir = Weir(yaml="", domain=DOMAIN)
    winter = 'winter, \\ "warm" and\nwide'
    try:
        write(weir, ROWS)
        write(weir, PLANS, "plans.csv")
        weir.start()
        assert weir.sql("SELECT * FROM dim_products ORDER BY product, valid_from") == [
            ["boots", winter, 4150, 4.5, True, "2020-01-31 00:00:00.000", 7, "1900-01-01 00:00:00.000", "2026-03-01 00:00:00.000"],
            ["boots", "spring", 4400, None, True, None, 8, "2026-03-01 00:00:00.000", "2299-12-31 23:59:59.999"],
            ["socks", None, 110, 1, True, None, None, "2026-02-01 00:00:00.000", "2026-03-01 00:00:00.000"]]
        for event in [("e1", "boots", "2026-02-28T23:59:59.999Z"), ("e2", "boots", "2026-03-01T00:00:00Z"), ("e3", "socks", "2026-02-28T23:00:00Z"),
                      ("e4", "socks", "2026-03-01T00:30:00Z"), ("e5", "hat", "2026-03-01T00:31:00Z")]:
            send(weir, *event)
        weir.settle("SELECT count() FROM events_purchase", 5)
        assert weir.sql(JOIN) == [["e1", winter, 4150], ["e2", "spring", 4400], ["e3", None, 110], ["e4", None, None], ["e5", None, None]]
        assert weir.sql(ASOF) == [["e1", winter], ["e2", "spring"], ["e3", None], ["e4", None], ["e5", None]]
        assert weir.sql("SELECT event_id, JSONExtractInt(properties, 'shelf') FROM events_raw WHERE JSONExtractInt(properties, 'shelf') > 0 ORDER BY event_id") == [["e1", 7], ["e2", 8]]
        weir.settle("SELECT sum(JSONExtractInt(measures, 'n')) FROM windows WHERE window = 'by_category'", 3)
        before = [["", "2026-02-28 23:00:00.000", 1, 110], [winter, "2026-02-28 23:00:00.000", 1, 4150], ["spring", "2026-03-01 00:00:00.000", 1, 4400]]
        assert counts(weir) == before

        assert weir.sql("SELECT event_id, JSONExtractString(properties, 'plan') FROM events_raw ORDER BY event_id")[:3] == [["e1", "gold"], ["e2", "gold"], ["e3", ""]]
        assert weir.sql("SELECT * FROM dim_plans ORDER BY tier") == [["demo_tenant", "boots", 1, "gold"], ["demo_tenant", "boots", 2, "iron"]]
        assert weir.sql("SELECT view, columns, key FROM dimension_tables WHERE dimension_table = 'products'") == [["dim_products", "product, category, cost_cents, rating, sale, made, shelf, valid_from, valid_to", "product"]], weir.sql("SELECT * FROM dimension_tables")
        other = weir.tenant("other")  # the same rows for everybody, and the tables behind the views for nobody
        assert weir.one("SELECT count() FROM dim_products", key=other["read_key"]) == 3
        assert weir.sql("SELECT customer_id, plan FROM dim_plans", key=other["read_key"]) == [[other["tenant"], "none of yours"]]
        refused(weir, "SELECT count() FROM weir.dim_products")

        write(weir, ROWS + "hat,clothes,6,,maybe,,,,,\r\n")  # wrong: nothing changes
        weir.process.send_signal(signal.SIGHUP)
        logged(weir, "products.csv:6:16: sale is true or false; 'maybe' is not")
        assert weir.one("SELECT count() FROM dim_products") == 3

        write(weir, ROWS + "hat,clothes,6,,true,,9,,,\r\n")
        weir.process.send_signal(signal.SIGHUP)
        weir.settle("SELECT count() FROM dim_products", 4)
        send_until_counted(weir)
        assert weir.sql(JOIN)[4] == ["e5", "clothes", 600]  # SQL joins with what is known now, of events before it as well
        now = counts(weir)
        assert all(row in now for row in before), now  # they are the same windows, and go on
        clothes = [row for row in now if row[0] == "clothes"]
        assert len(clothes) == 1 and clothes[0][3] == 600 * clothes[0][2], now

        weir.stop()
        weir.start()
        assert weir.one("SELECT count() FROM dim_products") == 4
        weir.declare(DOMAIN.split("dimension_tables")[0])
        weir.process.send_signal(signal.SIGHUP)
        until(lambda: gone(weir), weir)
    finally:
        weir.close()


def until(condition, weir, seconds=60):
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, (counts(weir), weir.log_text()[-3000:])
        time.sleep(0.1)


def logged(weir, words, times=1):
    until(lambda: weir.log_text().count(words) >= times, weir)


def send_until_counted(weir):
    """The tasks change at a moment of their own: what is counted after it is counted with the new rows. How many were."""
    sent = []

    def counted():
        sent.append("h%d" % len(sent))
        send(weir, sent[-1], "hat", "2026-03-01T00:40:00Z")
        return [row for row in counts(weir) if row[0] == "clothes"]
    until(counted, weir)
    weir.settle("SELECT count() FROM events_purchase", 5 + len(sent))


def gone(weir):
    try:
        weir.sql("SELECT 1 FROM dim_products")
        return False
    except RuntimeError:
        return True


FOR_OTHERS = "domain: web\ntenants: others\ndimension_tables: [{name: tiers, from: {csv: tiers.csv}, key: tier, columns: {tier: text, price: integer}}]\n"


def test_a_table_for_the_others_is_not_shown_to_whom_a_domain_names():
    weir = Weir(domain=FOR_OTHERS)
    write(weir, "tier,price\na,1\nb,2\n", "tiers.csv")
    write(weir, "domain: own\ntenants: [acme]\n", "own.yaml")
    try:
        weir.start()
        acme, other = (weir.tenant(name)["read_key"] for name in ("acme", "other"))
        weir.settle("SELECT count() FROM dim_tiers", 2, other)
        weir.settle("SELECT count() FROM dim_tiers", 0, acme)
        write(weir, "domain: own\ntenants: [acme, other]\n", "own.yaml")
        weir.process.send_signal(signal.SIGHUP)
        weir.settle("SELECT count() FROM dim_tiers", 0, other)
    finally:
        weir.close()
