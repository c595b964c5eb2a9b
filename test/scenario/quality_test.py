"""Data quality: a stream with known faults, whose five ratios SQL gives exactly, whatever is killed on the way and however often it is sent."""
import datetime, itertools, json, os, random, time

from by_seed import by_seed
from weir import Weir

DOMAIN = """domain: shop
event_types:
  - name: order
    attributes:
      - {name: order_id, required: true}
      - {name: country, format: country, on_failure: tag, required: true}
      - {name: coupon}
      - {name: channel, default: web}
      - {name: old_id, deprecated: use order_id}
    metrics: [{name: amount, type: money, min: 0, max: 1000}]
    rules:
      - {name: paid, expect: properties.amount_cents > 0, on_failure: quarantine}
"""
RATIOS = "completeness, validity, uniqueness, timeliness, consistency"
COUNTS = ["events", "accepted", "invalid", "duplicates", "tagged", "late", "required_values", "required_missing", "optional_values", "optional_missing", "stored"]
HOURS = ["2026-03-01T10", "2026-03-01T11"]


def order(id, hour=0, happened=None, type="order", **properties):
    """Received a minute after it happened, unless said."""
    received = "%s:30:00Z" % HOURS[hour]
    return {"event_id": id, "visitor_id": "v" + id[-1], "event_type": type, "event_name": "n", "received_at": received,
            "timestamp": happened or "%s:29:00Z" % HOURS[hour], "properties": properties}


GOOD = dict(order_id="o", country="DE", amount=5)
STREAM = (
    [order("good%d" % i, coupon="x", **GOOD) for i in range(6)]
    + [order("plain%d" % i, 1, **GOOD) for i in range(4)]
    + [order("late%d" % i, 1, "2026-03-01T11:19:59Z", **GOOD) for i in range(2)]  # ten minutes and a second
    + [order("bound", 1, "2026-03-01T11:20:00Z", **GOOD)]  # ten minutes: not late
    + [order("no_id", country="DE", amount=1), order("high", **{**GOOD, "amount": 2000}), order("free", **{**GOOD, "amount": 0})]  # refused, refused, in quarantine
    + [order("country", **{**GOOD, "country": "Germany"}), order("nowhere", order_id="o", amount=1)]  # stored, tagged
    + [order("other%d" % i, type="visit") for i in range(3)]  # of nobody's type
)
# (hour, type): counts, of the stream sent once. order asks for 2 required values (order_id, country) and 2 others (coupon, amount).
ONCE = {
    ("10", "order"): dict(events=11, invalid=3, tagged=2, late=0, required_values=22, required_missing=2, optional_values=22, optional_missing=5),
    ("11", "order"): dict(events=7, invalid=0, tagged=0, late=2, required_values=14, required_missing=0, optional_values=14, optional_missing=7),
    ("10", "visit"): dict(events=3, invalid=0, tagged=0, late=0, required_values=0, required_missing=0, optional_values=0, optional_missing=0),
}


def expected(times):
    """What is refused is refused each time, and asked for its values; what was accepted is a duplicate from the second time on."""
    rows = {}
    for key, once in ONCE.items():
        accepted = once["events"] - once["invalid"]
        row = {**once, "accepted": accepted, "stored": accepted, "events": once["events"] * times, "invalid": once["invalid"] * times, "duplicates": accepted * (times - 1)}
        if key == ("10", "order"):  # each refused one again: of no_id a required value, of all three the coupon
            row["required_values"] += 6 * (times - 1)
            row["required_missing"] += 1 * (times - 1)
            row["optional_values"] += 6 * (times - 1)
            row["optional_missing"] += 3 * (times - 1)
        rows[key] = row
    return rows


def ratio(bad, of):
    return 1 - bad / of if of else None


def ratios(row):
    return [ratio(row["required_missing"], row["required_values"]), ratio(row["invalid"] + row["tagged"], row["events"] - row["duplicates"]),
            ratio(row["duplicates"], row["events"] - row["invalid"]), ratio(row["late"], row["accepted"]), 1.0]


def quality(weir, key):
    rows = weir.sql("SELECT formatDateTime(hour, '%%H'), event_type, %s, %s FROM data_quality WHERE hour < '2026-03-02 00:00:00'" % (", ".join(COUNTS), RATIOS), key)
    return {(row[0], row[1]): (dict(zip(COUNTS, map(int, row[2:-5]))), row[-5:]) for row in rows}


def check(weir, key, times):
    want = expected(times)
    total = sum(row["events"] for row in want.values())
    weir.settle("SELECT sum(events) FROM data_quality WHERE hour < '2026-03-02 00:00:00'", total, key)
    weir.settle("SELECT sum(stored) FROM data_quality", sum(row["stored"] for row in want.values()), key)
    got = quality(weir, key)
    assert got.keys() == want.keys(), got
    for name, (counts, of_five) in got.items():
        assert counts == want[name], (name, counts, want[name])
        assert of_five == ratios(want[name]) or all(a == b or abs(a - b) < 1e-12 for a, b in zip(of_five, ratios(want[name]))), (name, of_five, ratios(want[name]))
    # The same from the rows themselves: nobody counted for himself alone.
    stored = weir.sql("SELECT formatDateTime(toStartOfHour(received_at), '%H'), event_type, count(), uniqExact(event_id) FROM events_raw GROUP BY ALL", key)
    assert {(h, t): (int(n), int(u)) for h, t, n, u in stored} == {name: (row["stored"],) * 2 for name, row in want.items()}, stored
    letters = int(weir.one("SELECT count() FROM dead_letters WHERE stage IN ('validate', 'quarantine')", key))
    assert letters == sum(row["invalid"] for row in want.values()), letters


def send(weir, key, events):
    status, answer = weir.post("/track", events, key)
    assert (status, answer["accepted"]) == (200, len(events)), answer


def test_known_faults_give_exactly_their_ratios_also_sent_twice():
    with Weir(domain=DOMAIN) as weir:
        keys, other = weir.tenant("acme"), weir.tenant("other")
        send(weir, keys["write_key"], STREAM)
        check(weir, keys["read_key"], 1)
        send(weir, keys["write_key"], STREAM)
        check(weir, keys["read_key"], 2)
        assert weir.sql("SELECT * FROM data_quality", other["read_key"]) == []


def test_what_ingestion_refuses_counts_under_the_type_it_named():
    with Weir(domain=DOMAIN) as weir:
        keys = weir.tenant("acme")
        bad = order("x", **GOOD)
        del bad["visitor_id"]
        status, answer = weir.post("/track", [order("fine", **GOOD), bad, {"event_type": 7}, "no event"], keys["write_key"])
        assert (status, answer["accepted"]) == (200, 1), answer
        weir.settle("SELECT sum(events) FROM data_quality", 4, keys["read_key"])
        rows = weir.sql("SELECT event_type, sum(invalid) FROM data_quality GROUP BY event_type HAVING sum(invalid) > 0 ORDER BY event_type", keys["read_key"])
        assert [[t, int(n)] for t, n in rows] == [["", 2], ["order", 1]], rows


def targets(weir, key):
    status, body, _ = weir.request("GET", weir.api("/v1/quality"), headers={"Authorization": "Bearer " + key})
    assert status == 200, body
    return json.loads(body)


def told_of(weir, tenant, after, seconds=60):
    end = time.time() + seconds
    while time.time() < end:
        for line in weir.log_text()[after:].splitlines():
            if "quality.target_missed tenant=%s " % tenant in line:
                return line
        time.sleep(0.05)
    raise AssertionError("%s is not told of: %s" % (tenant, weir.log_text()[-2000:]))


def below(weir, tenant, ratio):
    """How many event types: None is no such series."""
    series = 'data_quality_below_target{customer_id="%s",ratio="%s"} ' % (tenant, ratio)
    for line in weir.request("GET", weir.api("/metrics"))[1].decode().splitlines():
        if line.startswith(series):
            return float(line[len(series):])


def test_an_hour_that_missed_a_target_is_told_once_for_each_tenant():
    """Both hours that can be the last judged one have the same faults, so the test does not depend on when it runs; the start after it judges one of them."""
    now = datetime.datetime.now(datetime.timezone.utc)
    hours = [(now - datetime.timedelta(hours=n)).strftime("%Y-%m-%dT%H") for n in (1, 2)]
    weir = Weir(domain=DOMAIN + "tenants: [acme, fine]\nquality: {validity: 0.5, uniqueness: 25 %}\n", yaml="quality: {timeliness: 0.9, validity: 0.4}\n").start()
    try:
        acme, fine, other = weir.tenant("acme"), weir.tenant("fine"), weir.tenant("other")
        told = targets(weir, acme["read_key"])
        assert told["targets"] == {"completeness": 0.9999, "validity": 0.4, "uniqueness": 1, "timeliness": 0.9, "consistency": 1}, told
        assert told["domains"] == [{"domain": "shop", "targets": {**told["targets"], "validity": 0.5, "uniqueness": 0.25}, "event_types": ["order"]}], told
        assert targets(weir, other["read_key"]) == {"targets": told["targets"], "domains": []}, "of a domain that it has not, a tenant is told nothing"
        assert weir.request("GET", weir.api("/v1/quality"))[0] == 401
        for hour in hours:
            at = {"received_at": hour + ":30:00Z", "timestamp": hour + ":29:00Z"}
            name = hour[-2:]
            # One of two is refused: the domain's validity is reached, completeness is not.
            send(weir, acme["write_key"], [{**order("a" + name, **GOOD), **at}, {**order("b" + name, country="DE", amount=1), **at}])
            # Late, of a type of nobody's: the platform's target.
            send(weir, acme["write_key"], [{**order("c" + name, type="visit"), **at, "timestamp": hour + ":00:00Z"}])
            send(weir, fine["write_key"], [{**order("d" + name, **GOOD), **at}] * 2)  # one is a duplicate: the domain's target allows it
            send(weir, other["write_key"], [{**order("e" + name, **GOOD), **at}] * 2)  # the platform's does not
        weir.settle("SELECT concat(sum(events), ' ', sum(stored)) FROM data_quality", "6 4", acme["read_key"])
        weir.settle("SELECT concat(sum(events), ' ', sum(stored)) FROM data_quality", "4 2", fine["read_key"])
        weir.settle("SELECT concat(sum(events), ' ', sum(stored)) FROM data_quality", "4 2", other["read_key"])
        weir.stop()
        before = len(weir.log_text())  # of a slow machine, the first life may have told of it, too
        weir.start()
        line = told_of(weir, "acme", before)
        assert line.endswith("completeness 0.75 < 0.9999 (order), timeliness 0 < 0.9 (visit)"), line
        line = told_of(weir, "other", before)
        assert line.endswith(" uniqueness 0.5 < 1 (order)"), line
        assert [below(weir, "acme", ratio) for ratio in RATIOS.split(", ")] == [1, 0, 0, 1, 0]
        assert below(weir, "fine", "uniqueness") is None, "its domain's target is reached"
        log = weir.log_text()[before:]
        assert log.count("quality.target_missed tenant=acme") == 1 and "tenant=fine" not in log, log
    finally:
        weir.close()


@by_seed
def test_the_counts_survive_kill_9():
    """Killed again and again, at once after an answer, while what was answered for is on its way through the stages and into the tables."""
    weir = Weir(domain=DOMAIN, yaml="process.checkpoint_interval: 1s\n").start()
    try:
        keys, times = weir.tenant("acme"), 3
        parts = [STREAM[i::4] for i in range(4)]
        for part in itertools.chain(*[random.sample(parts, 4) for _ in range(times)]):
            send(weir, keys["write_key"], part)
            if random.random() < 0.4:
                time.sleep(random.random() * 0.3)
                engine = weir.engine_pid() if random.random() < 0.3 else None  # none, too, while it is between two lives
                if engine:
                    os.kill(engine, 9)
                else:
                    weir.kill9()
                    weir.start()
        weir.kill9()
        weir.start()
        check(weir, keys["read_key"], times)
        return "%d events of %d, %d times over" % (sum(r["events"] for r in expected(times).values()), len(STREAM), times)
    finally:
        weir.close()
