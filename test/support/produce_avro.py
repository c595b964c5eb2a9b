"""Stock clients write random records of two versions of a schema, and some that cannot be read, in Confluent's framing.
usage: produce_avro.py BROKERS REGISTRY TOPIC SEED COUNT
prints a JSON object a good record: the event that it should become"""
import base64, datetime, decimal, json, random, struct, sys

from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

brokers, registry, topic, seed, count = sys.argv[1:]
dice = random.Random(int(seed))
client, producer = SchemaRegistryClient({"url": registry}), Producer({"bootstrap.servers": brokers})

FIELDS = [{"name": "event_id", "type": "string"}, {"name": "visitor_id", "type": "string"}, {"name": "user_id", "type": ["null", "string"], "default": None},
          {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}}, {"name": "product_id", "type": ["null", "string"], "default": None},
          {"name": "amount_cents", "type": "long"}, {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2}},
          {"name": "weight", "type": "double"}, {"name": "ratio", "type": ["null", "float"], "default": None}, {"name": "stars", "type": "int"},
          {"name": "gift", "type": "boolean"}, {"name": "day", "type": {"type": "int", "logicalType": "date"}}, {"name": "paid_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
          {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["NEW", "USED"]}}, {"name": "photo", "type": "bytes"},
          {"name": "pair", "type": {"type": "fixed", "name": "Pair", "size": 2}}, {"name": "tags", "type": {"type": "array", "items": "string"}},
          {"name": "sizes", "type": {"type": "map", "values": "long"}}, {"name": "any", "type": ["null", "boolean", "long", "string"], "default": None},
          {"name": "shop", "type": {"type": "record", "name": "Shop", "fields": [{"name": "city", "type": "string"}, {"name": "again", "type": ["null", "Kind"], "default": None}]}}]
NEWER = FIELDS + [{"name": "voucher", "type": ["null", "string"], "default": None}]
UTC = datetime.timezone.utc


def text():
    return "".join(dice.choice("abc \"\\\n\u00e9\u4e16\U0001f6b2") for _ in range(dice.randrange(12)))


def moment(micros):
    return datetime.datetime(2026, 1, 1, tzinfo=UTC) + datetime.timedelta(microseconds=micros)


def iso(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (at.microsecond // 1000)


def record(i, newer):
    cents, at, paid = dice.randrange(-10**15, 10**15), moment(1000 * dice.randrange(10**9)), moment(dice.randrange(10**13))
    value = {"event_id": "a-%d" % i, "visitor_id": "v%d" % dice.randrange(20), "user_id": dice.choice([None, "u"]), "timestamp": at, "product_id": dice.choice([None, text()]),
             "amount_cents": dice.choice([cents, 2**63 - 1, -2**63]), "price": decimal.Decimal(cents).scaleb(-2), "weight": dice.choice([0.1, 1e300, -2.5, dice.random()]),
             "ratio": dice.choice([None, 0.5, -3.25]), "stars": dice.choice([-2**31, 2**31 - 1, 5]), "gift": dice.random() < 0.5,
             "day": datetime.date(1970, 1, 1) + datetime.timedelta(days=dice.randrange(-9000, 30000)), "paid_at": paid, "kind": dice.choice(["NEW", "USED"]),
             "photo": dice.randbytes(dice.randrange(9)), "pair": dice.randbytes(2), "tags": [text() for _ in range(dice.randrange(4))],
             "sizes": {k: dice.randrange(-9, 9) for k in dice.sample("abcd", dice.randrange(4))}, "any": dice.choice([None, True, 7, "x"]),
             "shop": {"city": text(), "again": dice.choice([None, "USED"])}}
    if newer:
        value["voucher"] = dice.choice([None, text()])
    top = {"event_id", "visitor_id", "user_id", "timestamp"}
    plain = {"price": "%.2f" % value["price"], "day": value["day"].isoformat(), "paid_at": iso(paid), "photo": base64.b64encode(value["photo"]).decode(),
             "pair": base64.b64encode(value["pair"]).decode()}
    properties = {k: plain.get(k, v) for k, v in value.items() if k not in top}
    print(json.dumps({"event_id": value["event_id"], "visitor_id": value["visitor_id"], "user_id": value["user_id"] or "", "timestamp": iso(at), "event_type": "purchase",
                      "properties": properties}))
    return value


def serializer(fields, name="purchase"):
    return AvroSerializer(client, json.dumps({"type": "record", "name": name, "namespace": "shop", "fields": fields}))


context, written = SerializationContext(topic, MessageField.VALUE), [serializer(FIELDS), serializer(NEWER)]
for i in range(int(count)):
    newer = i % 2
    producer.produce(topic, written[newer](record(i, newer), context))
good = written[0](record(int(count), 0), context)
producer.produce(topic, good)
text_id = client.register_schema("text", Schema('"string"', "AVRO"))
json_id = client.register_schema("json", Schema('{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}', "JSON"))
for bad in (b"hello", b"", b"\0\0\0", struct.pack(">bI", 0, 999999) + b"x", good[:-3], good + b"x", struct.pack(">bI", 0, text_id) + b"\x02a", struct.pack(">bI", 0, json_id) + b"{}"):
    producer.produce(topic, bad)
assert producer.flush(30) == 0
