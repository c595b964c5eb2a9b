package race;

import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;

/** What a contestant is told: BROKERS TOPIC OUTPUT WORKLOAD MODE PARALLELISM PARTITIONS EVENTS COUNTED WINDOW_MS ADS DIRECTORY DISORDER_MS. */
public final class Job {
  public static final long SLIDE_MS = 2000; // of q5

  public final String brokers, topic, output, workload, mode, ads, directory;
  public final boolean byCampaign, nexmark;
  public final int parallelism, partitions;
  /** events: all of the topic, 0 when it has no end; counted: those that windows count. */
  public final long events, counted, windowMs, disorderMs;

  public Job(String[] words) {
    if (words.length != 13) throw new IllegalArgumentException("usage: see Job.java; got " + words.length + " words");
    brokers = words[0];
    topic = words[1];
    output = words[2];
    workload = words[3];
    byCampaign = workload.equals("ysb");
    nexmark = workload.startsWith("q");
    mode = words[4];
    parallelism = Integer.parseInt(words[5]);
    partitions = Integer.parseInt(words[6]);
    events = Long.parseLong(words[7]);
    counted = Long.parseLong(words[8]);
    windowMs = Long.parseLong(words[9]);
    ads = words[10];
    directory = words[11];
    disorderMs = Long.parseLong(words[12]);
  }

  /** Both peers give results the time of their events, which is years ago: the broker would roll a segment with each transaction, and delete those before its next look. */
  public void makeOutput() throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", brokers))) {
      NewTopic topic = new NewTopic(output, partitions, (short) 1).configs(Map.of("retention.ms", "-1", "segment.ms", "3153600000000"));
      admin.createTopics(List.of(topic)).all().get();
    }
  }
}
