"""A stock client that reads a whole topic of Avro records, what is committed alone, and prints a JSON object a record: usage: read_avro.py BROKERS REGISTRY TOPIC"""
import datetime, json, struct, sys, uuid

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

brokers, registry, topic = sys.argv[1:]
client, names = SchemaRegistryClient({"url": registry}), {}
read = AvroDeserializer(client)
consumer = Consumer({"bootstrap.servers": brokers, "group.id": "reader-" + uuid.uuid4().hex, "isolation.level": "read_committed", "enable.partition.eof": True,
                     "enable.auto.commit": False, "auto.offset.reset": "earliest"})
waiting = set(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in waiting])


def plain(value):
    assert isinstance(value, datetime.datetime), type(value)
    return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (value.microsecond // 1000)


def name_of(number):
    if number not in names:
        schema = json.loads(client.get_schema(number).schema_str)
        names[number] = schema["namespace"] + "." + schema["name"]
    return names[number]


while waiting:
    message = consumer.poll(30)
    assert message is not None, "no answer in 30 s"
    if message.error():
        assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
        waiting.discard(message.partition())
        continue
    value = read(message.value(), SerializationContext(topic, MessageField.VALUE))
    headers = {name: text.decode() for name, text in message.headers() or []}
    print(json.dumps({"record": name_of(struct.unpack(">bI", message.value()[:5])[1]), "headers": headers, "key": message.key().decode(), "value": value}, default=plain))
consumer.close()
