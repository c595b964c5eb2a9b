/* Events per second out of totals. A total that comes with a message is spread over nothing but the second in which it
 * came; after a gap in the connection it is spread evenly over the gap, since when in the gap they came is not known. */

export class RateBins {
  private readonly bins = new Map<number, number>();
  private total: number | undefined;
  private lastMs = 0;

  constructor(private readonly seconds: number) {}

  /** `gap`: the time since the last message was not watched. */
  add(total: number, atMs: number, gap = false): void {
    const before = this.total;
    this.total = total;
    const from = this.lastMs;
    this.lastMs = atMs;
    if (before === undefined) return;
    // A smaller total is that of a server that was started again: all of it is new.
    const delta = total >= before ? total - before : total;
    if (gap && atMs - from > 1000) this.spread(delta, from, atMs);
    else this.put(Math.floor(atMs / 1000), delta);
    this.forget(atMs);
  }

  /** What came before the first message, second by second. Seconds that are known are left alone. */
  seed(perSecond: Iterable<readonly [second: number, events: number]>): void {
    for (const [second, events] of perSecond) if (!this.bins.has(second)) this.bins.set(second, events);
  }

  private put(second: number, events: number): void {
    if (events) this.bins.set(second, (this.bins.get(second) ?? 0) + events);
  }

  private spread(delta: number, fromMs: number, toMs: number): void {
    const first = Math.floor(fromMs / 1000) + 1;
    const last = Math.floor(toMs / 1000);
    const n = Math.max(1, last - first + 1);
    for (let i = 0; i < n; i++) this.put(last - i, Math.floor((delta * (i + 1)) / n) - Math.floor((delta * i) / n));
  }

  private forget(nowMs: number): void {
    const oldest = Math.floor(nowMs / 1000) - this.seconds - 5;
    for (const second of this.bins.keys()) if (second < oldest) this.bins.delete(second);
  }

  /** Events of each of the last seconds, oldest first; the last one is the second that runs. */
  series(nowMs: number): { seconds: number[]; events: number[] } {
    const last = Math.floor(nowMs / 1000);
    const seconds: number[] = [];
    const events: number[] = [];
    for (let s = last - this.seconds; s <= last; s++) {
      seconds.push(s);
      events.push(this.bins.get(s) ?? 0);
    }
    return { seconds, events };
  }

  /** The mean of the seconds around each: what the eye follows. */
  static smooth(events: readonly number[], reach: number): number[] {
    return events.map((_, i) => {
      const part = events.slice(Math.max(0, i - reach), i + reach + 1);
      return part.reduce((a, b) => a + b, 0) / part.length;
    });
  }

  /** Mean of the last full seconds and the one that runs. */
  now(nowMs: number, overSeconds = 5): number {
    const last = Math.floor(nowMs / 1000);
    let sum = 0;
    for (let s = last - overSeconds + 1; s <= last; s++) sum += this.bins.get(s) ?? 0;
    return sum / (overSeconds - 1 + (nowMs % 1000) / 1000);
  }
}
