/* Events a second of each task, from what its counter said some seconds apart. */
import type { StreamHealth } from './api';

/** undefined: nothing to compare with, or weir was started in between. */
export function taskRate(now: StreamHealth, before: StreamHealth | undefined, partition: number): number | undefined {
  const [to, from] = [now, before].map((h) => h?.partitions.find((p) => p.partition === partition)?.events);
  if (!before || to === undefined || from === undefined || to < from || now.at_ms <= before.at_ms) return undefined;
  return ((to - from) * 1000) / (now.at_ms - before.at_ms);
}
