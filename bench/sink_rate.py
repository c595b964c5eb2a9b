#!/usr/bin/env python3
"""How fast results reach a topic: events are loaded, then weir is started with a sink, which delivers all of them from the journal's beginning: into Kafka as JSON and as Avro, then a file.
Prints results a second and the sink's own CPU. usage: bench/sink_rate.py [EVENTS]     needs Java (tools/setup.sh --tests)"""
import importlib, json, os, shutil, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "test", "support"), os.path.join(HERE, "..", "test", "scenario"), os.path.join(HERE, "..", "test")]
importlib.import_module("run_scenarios")  # the helpers of scenarios want it
from kafka import Kafka
from registry import Registry
from sink_test import make_topic, metric, sink
from weir import Weir

DOMAIN = """domain: rates
event_types:
  - {name: view, attributes: [{name: page, required: true}], metrics: [{name: n, type: integer}]}
"""


def load(weir, events):
    for first in range(0, events, 5000):
        body = [{"visitor_id": "v%d" % (i % 9973), "event_type": "view", "properties": {"page": "/%d" % (i % 97), "n": i}} for i in range(first, first + 5000)]
        assert weir.post("/track", body, "demo_write")[0] == 200
    weir.settle("SELECT count() FROM events_raw", events)


def sink_cpu_s(weir):
    """Of the sinks' own threads and librdkafka's."""
    total = 0
    for task in os.listdir("/proc/%d/task" % weir.process.pid):
        with open("/proc/%d/task/%s/stat" % (weir.process.pid, task)) as f:
            name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
        if name == "sink" or name.startswith("rdk:"):
            total += sum(int(x) for x in rest.split()[11:13])
    return total / os.sysconf("SC_CLK_TCK")


def deliver(data, events, what, **keys):
    name, began = "rate_" + keys.get("format", keys.get("kind", "topic")), time.time()
    with Weir(data=data, domain=DOMAIN, yaml=sink(name, results="events", **keys)) as weir:
        while not (metric(weir, "sink_records_total", sink=name) or 0):
            time.sleep(0.01)
        first, before = time.time(), metric(weir, "sink_records_total", sink=name)
        while metric(weir, "sink_records_total", sink=name) < events:
            time.sleep(0.02)
        took, cpu = time.time() - first, sink_cpu_s(weir)
    print(json.dumps({"what": what, "results": events, "results_per_s": round((events - before) / took), "sink_cpu_us_per_result": round(cpu / events * 1e6, 2),
                      "start_to_first_s": round(first - began, 2)}))


def main(events):
    data, directory = tempfile.mkdtemp(prefix="weir-rate-"), tempfile.mkdtemp(prefix="weir-rate-")
    os.chmod(data, 0o755)
    try:
        with Kafka() as kafka, Registry() as registry:
            with Weir(data=data, domain=DOMAIN, yaml="") as weir:
                load(weir, events)
                weir.stop()
            deliver(data, events, "a Kafka topic, JSON", brokers=kafka.address, topic=make_topic(kafka))
            deliver(data, events, "a Kafka topic, Avro", brokers=kafka.address, topic=make_topic(kafka), format="avro", registry=registry.url)
            deliver(data, events, "a file, JSON", kind="file", path=os.path.join(directory, "r.jsonl"))
    finally:
        shutil.rmtree(data, ignore_errors=True)
        shutil.rmtree(directory, ignore_errors=True)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 300000)
