"""Dead letters from the refusal to the replay that counts: through the command line, against the real binary."""
import json

from weir import Weir

SCRIPT = """domain: letters
event_types:
  - {name: order}
transforms:
  - name: strict
    where: event_type == 'order'
    set: {event_type: "if(properties.currency is null, 17, 'order')"}
"""


def event(i, **more):
    return {"customer_id": "demo_tenant", "visitor_id": "v%d" % i, "event_type": "view", "event_name": "n", "event_id": "e-%d" % i, **more}


def letters(weir, *words, code=0, stdin=None):
    done = weir.cli("dead-letters", *words, "--url", weir.api(""), *(["--ingest-url", weir.ingest("")] if words[0] == "replay" else []), stdin=stdin)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done


def refuse_some(weir):
    bad = [{k: v for k, v in event(i).items() if k != "event_type"} for i in range(3)]
    status, answer = weir.post("/track", bad + [event(9)])
    assert (status, answer["accepted"], answer["rejected"]) == (200, 1, 3), answer
    status, answer = weir.post("/track", b'{"customer_id":"demo_tenant","visitor_id":"no-id","event_name":"n"}\n{broken \xff\n', headers={"Content-Type": "application/x-ndjson"})
    assert status == 200 and answer["rejected"] == 2, answer
    weir.settle("SELECT count() FROM dead_letters", 4)


def test_letters_are_listed_counted_shown_and_an_unknown_one_is_said_to_be_unknown():
    with Weir() as weir:
        assert "nothing was refused" in letters(weir, "list").stdout
        refuse_some(weir)
        listed = json.loads(letters(weir, "list", "--json").stdout)["dead_letters"]
        assert len(listed) == 4 and {l["reason"] for l in listed} == {"missing_field"}, listed
        assert [l["received_at"] for l in listed] == sorted((l["received_at"] for l in listed), reverse=True)
        assert len(json.loads(letters(weir, "list", "--json", "--limit", "2").stdout)["dead_letters"]) == 2
        assert "no dead letters fit" in letters(weir, "list", "--reason", "bad_json").stdout
        assert "no dead letters fit" in letters(weir, "list", "--since", "2299-01-01T00:00:00Z").stdout
        assert "--since wants" in letters(weir, "list", "--since", "yesterday", code=64).stderr
        lines = letters(weir, "list", "--stage", "ingest", "--since", "1h").stdout.splitlines()
        assert lines[0].split("\t")[:2] == ["id", "received_at"] and len(lines) == 5, lines
        counted = json.loads(letters(weir, "list", "--summary", "--json").stdout)["reasons"]
        assert [(r["stage"], r["reason"], r["letters"]) for r in counted] == [("ingest", "missing_field", 4)], counted
        one = next(l for l in listed if l["event_id"] == "e-1")
        page = letters(weir, "show", one["id"]).stdout
        assert '\n  "visitor_id": "v1",\n' in page and "what to do" in page and "event_type" in page, page
        assert json.loads(letters(weir, "show", one["id"], "--json").stdout) == one
        assert "there is no dead letter 0-99999" in letters(weir, "show", "0-99999", code=65).stderr
        assert "3-1842" in letters(weir, "show", "x'; --", code=64).stderr
        assert "1 of 2 that are named are there" in letters(weir, "replay", one["id"], "0-99999", "--dry-run", code=65).stderr
        assert "0 of 1" in letters(weir, "replay", "0-99999", code=65).stderr


def test_replayed_twice_counts_once_also_for_events_without_an_id():
    with Weir() as weir:
        refuse_some(weir)
        count = "SELECT count() FROM events_raw"
        weir.settle(count, 1)
        assert "which letters?" in letters(weir, "replay", code=64).stderr
        letters(weir, "replay", "--reason", "missing_field", "--json", code=65)  # nothing was mended: refused again, kept again
        weir.settle("SELECT count() FROM dead_letters", 8)
        for _ in range(2):
            done = json.loads(letters(weir, "replay", "--reason", "missing_field", "--set", "event_type=view", "--set", "properties.mended=true", "--json").stdout)
            assert done["accepted"] == done["selected"] and done["rejected"] == 0, done
        weir.settle(count, 5)
        weir.decided(1 + 2 * done["accepted"])
        assert int(weir.one(count)) == 5
        assert weir.settle("SELECT count() FROM events_raw WHERE event_id LIKE 'letter-%' AND JSONExtractBool(properties, 'mended')", 1)
        assert weir.settle("SELECT abs(dateDiff('second', min(timestamp), min(received_at))) < 60 FROM events_raw", 1)


def test_a_letter_of_the_stream_is_readable_json_and_its_replay_counts_when_the_transform_is_mended():
    with Weir(domain=SCRIPT) as weir:
        order = event(1, event_type="order", properties={"n": 1}, user_id="u", timestamp="2026-01-02T03:04:05.678Z")
        assert weir.post("/track", order)[1]["accepted"] == 1
        weir.settle("SELECT count() FROM dead_letters WHERE stage = 'transform'", 1)
        letter = json.loads(letters(weir, "list", "--json").stdout)["dead_letters"][0]
        original = json.loads(letter["original"])
        assert {k: original[k] for k in order} == order, original
        letters(weir, "replay", letter["id"], "--json")  # still refused, now a second letter
        weir.settle("SELECT count() FROM dead_letters", 2)
        assert int(weir.one("SELECT count() FROM events_raw")) == 0
        assert weir.stop() == 0
        weir.declare(SCRIPT.replace("17", "'order'"))
        weir.start()
        sent = sum(json.loads(letters(weir, "replay", "--stage", "transform", "--json").stdout)["accepted"] for _ in range(2))
        weir.settle("SELECT count() FROM events_raw WHERE event_id = 'e-1' AND user_id = 'u' AND timestamp = '2026-01-02 03:04:05.678'", 1)
        weir.decided(sent)
        assert int(weir.one("SELECT count() FROM events_raw")) == 1


def test_a_filter_command_and_an_edited_file_mend_what_set_cannot():
    with Weir() as weir:
        refuse_some(weir)
        status, answer = weir.post("/track", b'{"customer_id":"demo_tenant","visitor_id":"v","event_type":"t","event_id":"cut"\n' + json.dumps(event(20)).encode(),
                                   key="demo_write", headers={"Content-Type": "application/x-ndjson"})  # without a key nobody knows whose broken line it is
        assert answer["rejected"] == 1, answer
        weir.settle("SELECT count() FROM dead_letters WHERE reason = 'bad_json'", answer["rejected"])
        failed = letters(weir, "replay", "--all", "--filter", "exit 3", code=65)
        assert "exit code 3" in failed.stderr and "nothing was sent" in failed.stderr
        letters(weir, "replay", "--reason", "bad_json", "--filter", "sed -n 's/\"cut\" *$/\"cut\"}/p'")
        weir.settle("SELECT count() FROM events_raw WHERE event_id = 'cut'", 1)
        printed = letters(weir, "replay", "--reason", "missing_field", "--dry-run").stdout
        edited = [dict(json.loads(line), event_type="edited") for line in printed.splitlines()]
        assert len(edited) == 4 and all(e["event_id"] and e["timestamp"] for e in edited), edited
        before = int(weir.one("SELECT count() FROM events_raw"))
        for _ in range(2):
            done = letters(weir, "replay", "--file", "-", "--json", stdin="".join(json.dumps(e) + "\n" for e in edited))
            assert json.loads(done.stdout)["accepted"] == 4, done
        weir.settle("SELECT count() FROM events_raw WHERE event_type = 'edited'", 4)
        assert int(weir.one("SELECT count() FROM events_raw")) == before + 4


def test_many_letters_are_paged_and_another_tenants_are_not_seen():
    with Weir() as weir:
        tenant = weir.tenant("other")
        bad = [{"visitor_id": "v", "event_id": "p-%d" % i} for i in range(1234)]
        assert weir.post("/track", bad, key=tenant["write_key"])[1]["rejected"] == 1234
        weir.settle("SELECT count() FROM dead_letters", 1234, key=tenant["read_key"], seconds=90)
        got = json.loads(letters(weir, "list", "--json", "--limit", "10000", "--key", tenant["read_key"]).stdout)["dead_letters"]
        assert len({l["id"] for l in got}) == 1234 and len({l["event_id"] for l in got}) == 1234
        assert "nothing was refused" in letters(weir, "list").stdout
        assert "there is no dead letter" in letters(weir, "show", got[0]["id"], code=65).stderr
        keyless = letters(weir, "replay", got[0]["id"], "--key", tenant["read_key"], "--set", "customer_id=", code=77)
        assert "--write-key" in keyless.stderr, keyless.stderr
        done = letters(weir, "replay", "--all", "--set", "event_type=t", "--key", tenant["read_key"], "--write-key", tenant["write_key"], "--json")
        assert json.loads(done.stdout)["accepted"] == 1234
        weir.settle("SELECT count(), uniqExact(event_id) FROM events_raw", 1234, key=tenant["read_key"])
