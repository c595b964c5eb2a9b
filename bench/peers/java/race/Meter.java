package race;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.atomic.LongAdder;

/** What a run costs: wall and CPU time of the whole process (collector and compiler too) from the first event on, and of the second half of the events alone. */
public final class Meter {
  private static final com.sun.management.OperatingSystemMXBean SYSTEM =
      (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
  private static final LongAdder SEEN = new LongAdder();
  private static volatile Mark first, half, last;
  private static volatile long halfSeen, total;

  private record Mark(long wallNs, long cpuNs, double broker) {
    static Mark now() {
      return new Mark(System.nanoTime(), SYSTEM.getProcessCpuTime(), brokerS());
    }
  }

  private Meter() {}

  /** Call before the job starts; all: how many will be seen, of all events or of those that are counted. */
  public static void expect(long all) {
    total = all;
    Thread watch = new Thread(() -> {
      try {
        while (SEEN.sum() < total / 2) Thread.sleep(2);
        halfSeen = SEEN.sum();
        half = Mark.now();
      } catch (InterruptedException e) { /* the job is over */ }
    });
    watch.setDaemon(true);
    watch.start();
  }

  /** Call with the first event that a source reads. */
  public static void first() {
    if (first == null) synchronized (Meter.class) { if (first == null) first = Mark.now(); }
  }

  public static void seen(long events) { SEEN.add(events); }

  public static long seen() { return SEEN.sum(); }

  /** Call when all is done. */
  public static void last() { last = Mark.now(); }

  public static String json(long events) {
    double wall = (last.wallNs - first.wallNs) / 1e9, cpu = (last.cpuNs - first.cpuNs) / 1e9;
    double warmWall = (last.wallNs - half.wallNs) / 1e9, warmCpu = (last.cpuNs - half.cpuNs) / 1e9;
    long warm = events - (long) (events * (double) halfSeen / total);
    return String.format(Locale.ROOT, "{\"events\":%d,\"wall_s\":%.3f,\"cpu_s\":%.3f,\"warm_events\":%d,\"warm_wall_s\":%.3f,\"warm_cpu_s\":%.3f,"
        + "\"broker_cpu_s\":%.2f,\"memory_mib\":%d}", events, wall, cpu, warm, warmWall, warmCpu, last.broker - first.broker, memoryMib());
  }

  /** Resident at most. */
  private static long memoryMib() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/status")))
        if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("[^0-9]", "")) / 1024;
    } catch (IOException e) { /* then it is not known */ }
    return 0;
  }

  private static double brokerS() {
    String pid = System.getenv("BROKER_PID");
    if (pid == null) return 0;
    try {
      String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
      return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / 100.0;
    } catch (IOException e) { return 0; }
  }
}
