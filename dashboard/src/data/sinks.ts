/* Sinks as people see them: one each, of however many partitions it delivers. */
import type { StreamHealth } from './api';

export interface Sink {
  name: string;
  /** No partition of it waits for the target. */
  isUp: boolean;
  /** Age of the oldest result that is not delivered. */
  lagSeconds: number;
  records: number;
  refused: number;
  skipped: number;
}

export function sinksOf(health: StreamHealth | undefined): Sink[] {
  const byName = new Map<string, Sink>();
  for (const part of health?.sinks ?? []) {
    const sink = byName.get(part.sink) ?? {
      name: part.sink,
      isUp: true,
      lagSeconds: 0,
      records: 0,
      refused: 0,
      skipped: 0,
    };
    sink.isUp &&= part.up !== 0;
    sink.lagSeconds = Math.max(sink.lagSeconds, part.lag_seconds ?? 0);
    sink.records += part.records ?? 0;
    sink.refused += part.refused ?? 0;
    sink.skipped += part.skipped ?? 0;
    byName.set(part.sink, sink);
  }
  return [...byName.values()];
}

/** undefined: nothing to compare with, or weir was started in between. */
export function sinkRate(now: StreamHealth, before: StreamHealth | undefined, name: string): number | undefined {
  const [to, from] = [now, before].map((h) => sinksOf(h).find((s) => s.name === name)?.records);
  if (!before || to === undefined || from === undefined || to < from || now.at_ms <= before.at_ms) return undefined;
  return ((to - from) * 1000) / (now.at_ms - before.at_ms);
}
