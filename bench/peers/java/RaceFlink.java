import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.KafkaSourceBuilder;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import race.Event;
import race.Job;
import race.Meter;

/**
 * Flink's side of the race. Modes: heap (no checkpoints), heap-eo and rocksdb-eo (exactly-once checkpoints each second, results by a transactional sink). One final
 * result for each window and key; objects are used again; one JVM, so nothing goes over a network.
 */
public class RaceFlink {
  public static class Read implements KafkaRecordDeserializationSchema<Event> {
    private transient Event event;
    private long read;

    @Override public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Event> out) throws IOException {
      if (event == null) {
        event = new Event();
        Meter.first();
      }
      if ((++read & 1023) == 0) Meter.seen(1024);
      out.collect(event.read(record.value()));
    }

    @Override public TypeInformation<Event> getProducedType() { return Types.POJO(Event.class); }
  }

  public static class Join extends RichFlatMapFunction<Event, String> {
    private final HashMap<String, String> campaigns;

    Join(HashMap<String, String> campaigns) { this.campaigns = campaigns; }

    @Override public void flatMap(Event event, Collector<String> out) {
      if (!"view".equals(event.type)) return;
      String campaign = campaigns.get(event.ad);
      if (campaign != null) out.collect(campaign);
    }
  }

  public static class Count implements AggregateFunction<String, Long, Long> {
    @Override public Long createAccumulator() { return 0L; }
    @Override public Long add(String key, Long count) { return count + 1; }
    @Override public Long getResult(Long count) { return count; }
    @Override public Long merge(Long a, Long b) { return a + b; }
  }

  public static class Result extends ProcessWindowFunction<Long, String, String, TimeWindow> {
    @Override public void process(String key, Context context, Iterable<Long> counts, Collector<String> out) {
      out.collect(key + "," + context.window().getStart() + "," + counts.iterator().next());
    }
  }

  static Configuration settings(Job job, boolean exactlyOnce, boolean rocks) {
    Configuration settings = new Configuration();
    settings.setString("taskmanager.memory.managed.size", rocks ? "1g" : "128m");
    settings.setString("taskmanager.memory.network.max", "256m");
    settings.setString("state.backend.type", rocks ? "rocksdb" : "hashmap");
    if (rocks) {
      settings.setString("execution.checkpointing.incremental", "true");
      settings.setString("state.backend.rocksdb.localdir", job.directory + "/rocks");
    }
    if (exactlyOnce) {
      settings.setString("execution.checkpointing.interval", "1000");
      settings.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
      settings.setString("execution.checkpointing.dir", "file://" + job.directory + "/checkpoints");
      settings.setString("state.checkpoints.dir", "file://" + job.directory + "/checkpoints");
    }
    return settings;
  }

  static KafkaSink<String> sink(Job job, boolean exactlyOnce) {
    return KafkaSink.<String>builder().setBootstrapServers(job.brokers)
        .setDeliveryGuarantee(exactlyOnce ? DeliveryGuarantee.EXACTLY_ONCE : DeliveryGuarantee.AT_LEAST_ONCE)
        .setTransactionalIdPrefix(job.output).setProperty("transaction.timeout.ms", "600000")
        .setProperty("linger.ms", "20").setProperty("batch.size", "131072")
        .setRecordSerializer(KafkaRecordSerializationSchema.builder().setTopic(job.output).setValueSerializationSchema(new SimpleStringSchema()).build()).build();
  }

  /** q12 counts by the time of arrival: a window by the clock that is still open would be lost at the end of a bounded source. */
  static WatermarkStrategy<Event> watermarks(Job job) {
    if (job.workload.equals("q12")) return WatermarkStrategy.<Event>forMonotonousTimestamps().withTimestampAssigner((event, before) -> System.currentTimeMillis());
    return WatermarkStrategy.<Event>forBoundedOutOfOrderness(Duration.ofMillis(job.disorderMs)).withTimestampAssigner((event, before) -> event.time);
  }

  static SingleOutputStreamOperator<String> counts(Job job, SingleOutputStreamOperator<Event> events) throws IOException {
    SingleOutputStreamOperator<String> keys = job.byCampaign ? events.flatMap(new Join(Event.campaigns(job.ads))).returns(Types.STRING)
        : events.map(event -> event.user).returns(Types.STRING);
    return keys.keyBy(key -> key).window(TumblingEventTimeWindows.of(Duration.ofMillis(job.windowMs)))
        .aggregate(new Count(), new Result(), Types.LONG, Types.LONG, Types.STRING);
  }

  public static void main(String[] words) throws Exception {
    Job job = new Job(words);
    boolean exactlyOnce = job.mode.endsWith("-eo");
    job.makeOutput();
    StreamExecutionEnvironment flink = StreamExecutionEnvironment.createLocalEnvironment(job.parallelism, settings(job, exactlyOnce, job.mode.startsWith("rocksdb")));
    flink.getConfig().enableObjectReuse();
    KafkaSourceBuilder<Event> source = KafkaSource.<Event>builder().setBootstrapServers(job.brokers).setTopics(job.topic).setGroupId(job.output + ".group")
        .setStartingOffsets(OffsetsInitializer.earliest()).setDeserializer(new Read());
    if (job.events > 0) source.setBounded(OffsetsInitializer.latest());
    SingleOutputStreamOperator<Event> events = flink.fromSource(source.build(), watermarks(job), "events");
    (job.nexmark ? RaceFlinkNexmark.results(job, events) : counts(job, events)).sinkTo(sink(job, exactlyOnce));
    Meter.expect(job.events);
    flink.execute("race");
    Meter.last();
    System.out.println(Meter.json(job.events));
    System.exit(0);
  }
}
