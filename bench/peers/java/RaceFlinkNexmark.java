import java.time.Duration;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.EventTimeSessionWindows;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.WindowAssigner;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import race.Event;
import race.Job;

/** Nexmark's queries by Flink: bids become (key, value, time), a window of them one result. q0 and q1 have no window. */
public class RaceFlinkNexmark {
  static final TypeInformation<Tuple3<String, Long, Long>> BID = Types.TUPLE(Types.STRING, Types.LONG, Types.LONG);
  static final TypeInformation<Tuple2<Long, Long>> LAST = Types.TUPLE(Types.LONG, Types.LONG);

  public static class Count implements AggregateFunction<Tuple3<String, Long, Long>, Long, Long> {
    @Override public Long createAccumulator() { return 0L; }
    @Override public Long add(Tuple3<String, Long, Long> bid, Long count) { return count + 1; }
    @Override public Long getResult(Long count) { return count; }
    @Override public Long merge(Long a, Long b) { return a + b; }
  }

  public static class Highest implements AggregateFunction<Tuple3<String, Long, Long>, Long, Long> {
    @Override public Long createAccumulator() { return 0L; }
    @Override public Long add(Tuple3<String, Long, Long> bid, Long highest) { return Math.max(highest, bid.f1); }
    @Override public Long getResult(Long highest) { return highest; }
    @Override public Long merge(Long a, Long b) { return Math.max(a, b); }
  }

  /** The value with the latest time. */
  public static class Last implements AggregateFunction<Tuple3<String, Long, Long>, Tuple2<Long, Long>, Long> {
    @Override public Tuple2<Long, Long> createAccumulator() { return Tuple2.of(0L, Long.MIN_VALUE); }
    @Override public Tuple2<Long, Long> add(Tuple3<String, Long, Long> bid, Tuple2<Long, Long> last) { return bid.f2 < last.f1 ? last : Tuple2.of(bid.f1, bid.f2); }
    @Override public Long getResult(Tuple2<Long, Long> last) { return last.f0; }
    @Override public Tuple2<Long, Long> merge(Tuple2<Long, Long> a, Tuple2<Long, Long> b) { return a.f1 < b.f1 ? b : a; }
  }

  public static class Result extends ProcessWindowFunction<Long, String, String, TimeWindow> {
    @Override public void process(String key, Context context, Iterable<Long> values, Collector<String> out) {
      out.collect(key + "," + context.window().getStart() + "," + values.iterator().next());
    }
  }

  static SingleOutputStreamOperator<String> bids(SingleOutputStreamOperator<Event> events, boolean euros) {
    return events.flatMap((Event event, Collector<String> out) -> {
      if (event.isBid()) out.collect(event.bid(euros));
    }).returns(Types.STRING);
  }

  static SingleOutputStreamOperator<String> windowed(Job job, SingleOutputStreamOperator<Event> events, WindowAssigner<Object, TimeWindow> windows) {
    String query = job.workload;
    KeyedStream<Tuple3<String, Long, Long>, String> keyed = events.flatMap((Event event, Collector<Tuple3<String, Long, Long>> out) -> {
      if (event.isBid()) out.collect(Tuple3.of(event.key(query), event.price, event.time));
    }).returns(BID).keyBy(bid -> bid.f0, Types.STRING);
    if (query.equals("q18")) return keyed.window(windows).aggregate(new Last(), new Result(), LAST, Types.LONG, Types.STRING);
    return keyed.window(windows).aggregate(query.equals("q7") ? new Highest() : new Count(), new Result(), Types.LONG, Types.LONG, Types.STRING);
  }

  static SingleOutputStreamOperator<String> results(Job job, SingleOutputStreamOperator<Event> events) {
    Duration size = Duration.ofMillis(job.windowMs);
    switch (job.workload) {
      case "q0": return bids(events, false);
      case "q1": return bids(events, true);
      case "q5": return windowed(job, events, SlidingEventTimeWindows.of(size, Duration.ofMillis(Job.SLIDE_MS)));
      case "q11": return windowed(job, events, EventTimeSessionWindows.withGap(size));
      default: return windowed(job, events, TumblingEventTimeWindows.of(size));
    }
  }
}
