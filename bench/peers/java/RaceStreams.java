import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.WindowStore;
import race.Event;
import race.Job;
import race.Meter;

/**
 * Kafka Streams' side of the race. Modes: eo (exactly_once_v2, commits each 100 ms) and alo (at_least_once). State is RocksDB's with a changelog topic
 * and a cache of 256 MB; results are updates, of which the last one of a key counts.
 */
public class RaceStreams {
  static final byte[] NOTHING = new byte[0];

  static final class Reader implements Deserializer<Event> {
    @Override public Event deserialize(String topic, byte[] value) {
      Meter.first();
      try {
        return new Event().read(value);
      } catch (IOException e) {
        throw new IllegalArgumentException(e);
      }
    }
  }

  static Properties settings(Job job) {
    Properties settings = new Properties();
    settings.put("application.id", job.output + ".app");
    settings.put("bootstrap.servers", job.brokers);
    settings.put("state.dir", job.directory);
    settings.put("processing.guarantee", job.mode.equals("eo") ? "exactly_once_v2" : "at_least_once");
    settings.put("auto.offset.reset", "earliest");
    settings.put("commit.interval.ms", "100");
    settings.put("num.stream.threads", "" + job.parallelism);
    settings.put("replication.factor", "1");
    settings.put("statestore.cache.max.bytes", "" + (256L << 20));
    settings.put("producer.batch.size", "131072");
    settings.put("topology.optimization", "all");
    return settings;
  }

  static KGroupedStream<String, byte[]> grouped(Job job, KStream<String, Event> events) throws IOException {
    Grouped<String, byte[]> as = Grouped.with(Serdes.String(), Serdes.ByteArray());
    if (!job.byCampaign) return events.mapValues(event -> NOTHING).groupByKey(as); // the topic is keyed by user_id
    HashMap<String, String> campaigns = Event.campaigns(job.ads);
    return events.filter((key, event) -> "view".equals(event.type)).map((key, event) -> KeyValue.pair(campaigns.get(event.ad), NOTHING)).groupByKey(as);
  }

  static KStream<String, String> counts(Job job, KStream<String, Event> events) throws IOException {
    return grouped(job, events).windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMillis(job.windowMs), Duration.ofMinutes(10)))
        .aggregate(() -> 0L, (key, nothing, count) -> { Meter.seen(1); return count + 1; },
            Materialized.<String, Long, WindowStore<Bytes, byte[]>>as("counts").withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()))
        .toStream().map((key, count) -> KeyValue.pair(key.key(), key.key() + "," + key.window().start() + "," + count));
  }

  static boolean allCommitted(Job job) throws Exception {
    Map<TopicPartition, OffsetSpec> places = new HashMap<>();
    for (int i = 0; i < job.partitions; i++) places.put(new TopicPartition(job.topic, i), OffsetSpec.latest());
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", job.brokers))) {
      Map<TopicPartition, OffsetAndMetadata> committed = admin.listConsumerGroupOffsets(job.output + ".app").partitionsToOffsetAndMetadata().get();
      for (Map.Entry<TopicPartition, ListOffsetsResultInfo> end : admin.listOffsets(places).all().get().entrySet()) {
        OffsetAndMetadata at = committed.get(end.getKey());
        if (at == null || at.offset() < end.getValue().offset()) return false;
      }
    }
    return true;
  }

  public static void main(String[] words) throws Exception {
    Job job = new Job(words);
    job.makeOutput();
    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, Event> events = builder.stream(job.topic, Consumed.with(Serdes.String(), Serdes.serdeFrom((topic, event) -> NOTHING, new Reader()))
        .withTimestampExtractor((record, before) -> job.workload.equals("q12") ? System.currentTimeMillis() : ((Event) record.value()).time));
    (job.nexmark ? RaceStreamsNexmark.results(job, events) : counts(job, events)).to(job.output, Produced.with(Serdes.String(), Serdes.String()));
    Properties settings = settings(job);
    KafkaStreams streams = new KafkaStreams(builder.build(settings), settings);
    long counted = job.workload.equals("q5") ? job.counted * job.windowMs / Job.SLIDE_MS : job.counted; // once for each window
    Meter.expect(counted);
    streams.start();
    while (job.events == 0 || Meter.seen() < counted) {
      if (streams.state() == KafkaStreams.State.ERROR) throw new IllegalStateException("Kafka Streams has failed");
      Thread.sleep(2);
    }
    Thread.sleep(100); // the last commit belongs to the work
    while (!allCommitted(job)) Thread.sleep(20); // what an aborted transaction had counted is counted again
    Meter.last();
    streams.close(Duration.ofSeconds(120));
    System.out.println(Meter.json(job.events));
    System.exit(0);
  }
}
