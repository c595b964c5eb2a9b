"""What must be one thing for a tenant is what the closest of its domains says: a tenant's small difference comes and goes in a running weir, beside a domain for
everybody and the web domain that ships, which yields to both."""
import json, os

from evolve_test import hup, put
from validate_test import reload
from weir import Weir

BIKES = """domain: bikes
sessions: {gap: 30m}
quality: {validity: 0.5}
event_types:
  - {name: purchase, attributes: [{name: frame, type: integer, min: 40, max: 70}], metrics: [{name: amount, type: money, required: true}]}
  - {name: ride}
windows:
  - {name: sold, size: 1d, where: event_type == 'purchase', measures: {purchases: count(), paid_cents: sum(properties.amount_cents)}}
"""
KIDS = """domain: kids
tenants: [acme]
sessions: {gap: 1h}
quality: {validity: 0.9}
event_types:
  - {name: purchase, attributes: [{name: frame, type: integer, min: 24, max: 70}, {name: child, default: unknown}], metrics: [{name: amount, type: money, required: true}]}
"""


def bought(id, minute, visitor="ann"):
    return {"event_id": id, "event_type": "purchase", "visitor_id": visitor, "timestamp": "2026-03-01T10:%02d:00Z" % minute, "properties": {"amount": 19.99, "frame": 28}}


def of(weir, path, key):
    status, body, _ = weir.request("GET", weir.api(path), headers={"Authorization": "Bearer " + key})
    assert status == 200, body
    return json.loads(body)


def declared(weir, key):
    return dict(weir.sql("SELECT event_type, domain FROM event_types", key))


def purchases_drawn(weir, key):
    return [board["domain"] for board in of(weir, "/v1/dashboards", key)["dashboards"] if any(p["title"] == "purchase" for p in board["panels"])]


def validity(weir, key):
    """By event type; '' of those that nobody declares."""
    told = of(weir, "/v1/quality", key)
    return {"": told["targets"]["validity"], **{t: d["targets"]["validity"] for d in told["domains"] for t in d["event_types"]}}


def test_one_tenants_difference_is_a_file_of_a_few_lines_and_comes_and_goes_while_weir_runs():
    weir = Weir(yaml="")
    put(weir.config, bikes=BIKES)
    try:
        weir.start()
        acme, other = weir.tenant("acme"), weir.tenant("other")
        a, o = acme["read_key"], other["read_key"]
        usual = {"purchase": "bikes", "ride": "bikes", **dict.fromkeys(("page_view", "click", "login", "add_to_cart", "cart_abandon"), "web")}
        assert declared(weir, a) == declared(weir, o) == usual and purchases_drawn(weir, a) == ["bikes"]
        weir.post("/track", [bought("early", 0)], acme["write_key"])
        weir.settle("SELECT any(field) FROM dead_letters", "properties.frame", a)

        put(weir.config, kids=KIDS)
        reload(weir, "process.changed")
        for tenant in (acme, other):
            # A pause of three quarters of an hour; large frames are everybody's.
            events = [{**bought("a", 1), "properties": {"amount": 5, "frame": 50}}, {**bought("b", 46), "properties": {"amount": 5, "frame": 50}}, bought("c", 47, "bob")]
            assert weir.post("/track", events, tenant["write_key"])[1]["accepted"] == 3
        weir.settle("SELECT count() FROM events_raw", 3, a)
        weir.settle("SELECT count() FROM events_raw", 2, o)
        weir.settle("SELECT arrayStringConcat(arraySort(groupArray(toString(event_id)))) FROM dead_letters", "early", a)
        weir.settle("SELECT any(event_id) FROM dead_letters WHERE reason = 'out_of_range'", "c", o)
        # The window of the domain whose purchase was replaced counts what is now one.
        weir.settle("SELECT max(JSONExtractInt(measures, 'paid_cents')) FROM windows WHERE window = 'sold'", 500 + 500 + 1999, a)
        weir.settle("SELECT max(JSONExtractInt(measures, 'paid_cents')) FROM windows WHERE window = 'sold'", 1000, o)
        weir.settle("SELECT count() FROM sessions WHERE visitor_id = 'ann'", 1, a)
        weir.settle("SELECT count() FROM sessions WHERE visitor_id = 'ann'", 2, o)
        # Each is shown its own.
        weir.settle("SELECT domain FROM event_types WHERE event_type = 'purchase'", "kids", a)
        assert declared(weir, a) == {**usual, "purchase": "kids"} and declared(weir, o) == usual
        assert weir.sql("SELECT DISTINCT child, amount_cents FROM events_kids_purchase WHERE event_id = 'c'", a) == [["unknown", 1999]]
        assert purchases_drawn(weir, a) == ["kids"] and purchases_drawn(weir, o) == ["bikes"]
        assert validity(weir, a) == {"": 0.9997, "purchase": 0.9, "ride": 0.5} and validity(weir, o) == {"": 0.9997, "purchase": 0.5, "ride": 0.5}

        # A second file for the same tenant, which says something else, is no closer.
        said = hup(weir, more="domain: more\ntenants: [acme]\nsessions: {gap: 2h}\nevent_types: [{name: purchase}]\n")
        assert "config.refused" in said and "more.yaml:4:22" in said and "kids.yaml:6:12" in said and "more.yaml:3:17: sessions.gap is another one in domain kids" in said, said
        for name in ("more", "kids"):
            os.unlink(os.path.join(weir.config, "domains", name + ".yaml"))
        reload(weir, "process.changed")
        weir.settle("SELECT domain FROM event_types WHERE event_type = 'purchase'", "bikes", a)
        assert declared(weir, a) == usual and validity(weir, a)["purchase"] == 0.5
        weir.post("/track", [bought("late", 48)], acme["write_key"])
        weir.settle("SELECT count() FROM dead_letters", 2, a)
    finally:
        weir.close()
