"""A stock client that reads a whole topic, what is committed alone, and prints a JSON object a record: usage: read_topic.py BROKERS TOPIC"""
import json, sys, uuid

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

brokers, topic = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": brokers, "group.id": "reader-" + uuid.uuid4().hex, "isolation.level": "read_committed", "enable.partition.eof": True,
                     "enable.auto.commit": False, "auto.offset.reset": "earliest"})
waiting = set(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in waiting])
while waiting:
    message = consumer.poll(30)
    assert message is not None, "no answer in 30 s"
    if message.error():
        assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
        waiting.discard(message.partition())
        continue
    headers = {name: value.decode() for name, value in message.headers() or []}
    print(json.dumps({"partition": message.partition(), "offset": message.offset(), "key": json.loads(message.key()), "headers": headers,
                      "value": json.loads(message.value())}))
consumer.close()
