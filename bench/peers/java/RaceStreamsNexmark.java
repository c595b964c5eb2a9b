import java.time.Duration;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.WindowStore;
import race.Event;
import race.Job;
import race.Meter;

/**
 * Nexmark's queries by Kafka Streams. The topic is keyed by the bidder, so q5, q7 and q18 pass through a repartition topic. q18 takes the bid that came last:
 * bids of a bidder lie in one partition in the order of their times.
 */
public class RaceStreamsNexmark {
  static final Duration GRACE = Duration.ofMinutes(10);

  static KStream<String, String> bids(KStream<String, Event> bids, boolean euros) {
    return bids.mapValues(bid -> {
      Meter.seen(1);
      return bid.bid(euros);
    });
  }

  static long next(String query, long price, long before) {
    Meter.seen(1);
    switch (query) {
      case "q7": return Math.max(before, price);
      case "q18": return price;
      default: return before + 1;
    }
  }

  static KStream<String, String> lines(KTable<Windowed<String>, Long> results) {
    return results.toStream().filter((key, value) -> value != null) // a session that grew is taken back under its old end
        .map((key, value) -> KeyValue.pair(key.key(), key.key() + "," + key.window().start() + "," + value));
  }

  static KStream<String, String> windowed(Job job, KGroupedStream<String, Long> grouped, TimeWindows windows) {
    String query = job.workload;
    return lines(grouped.windowedBy(windows).aggregate(() -> 0L, (key, price, before) -> next(query, price, before),
        Materialized.<String, Long, WindowStore<Bytes, byte[]>>as("windows").withKeySerde(Serdes.String()).withValueSerde(Serdes.Long())));
  }

  static KStream<String, String> sessions(Job job, KGroupedStream<String, Long> grouped) {
    return lines(grouped.windowedBy(SessionWindows.ofInactivityGapAndGrace(Duration.ofMillis(job.windowMs), GRACE))
        .aggregate(() -> 0L, (key, price, before) -> next("q11", price, before), (key, a, b) -> a + b,
            Materialized.<String, Long, SessionStore<Bytes, byte[]>>as("sessions").withKeySerde(Serdes.String()).withValueSerde(Serdes.Long())));
  }

  static KStream<String, String> results(Job job, KStream<String, Event> events) {
    String query = job.workload;
    KStream<String, Event> bids = events.filter((key, event) -> event.isBid());
    if (query.equals("q0") || query.equals("q1")) return bids(bids, query.equals("q1"));
    Grouped<String, Long> as = Grouped.with(Serdes.String(), Serdes.Long());
    KGroupedStream<String, Long> grouped = query.equals("q11") || query.equals("q12") ? bids.mapValues(bid -> bid.price).groupByKey(as)
        : bids.map((key, bid) -> KeyValue.pair(bid.key(query), bid.price)).groupByKey(as);
    if (query.equals("q11")) return sessions(job, grouped);
    TimeWindows windows = TimeWindows.ofSizeAndGrace(Duration.ofMillis(job.windowMs), GRACE);
    return windowed(job, grouped, query.equals("q5") ? windows.advanceBy(Duration.ofMillis(Job.SLIDE_MS)) : windows);
  }
}
