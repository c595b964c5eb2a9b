/* For tests: as much of a browser as the parts touch, with storage that can refuse. */
export class FakeStorage implements Storage {
  [name: string]: unknown;
  #limit = Infinity;
  get length(): number {
    return Object.keys(this).length;
  }
  key(index: number): string | null {
    return Object.keys(this)[index] ?? null;
  }
  getItem(name: string): string | null {
    return (this[name] as string | undefined) ?? null;
  }
  setItem(name: string, value: string): void {
    if (this.length >= this.#limit) throw new Error('QuotaExceededError');
    this[name] = value;
  }
  removeItem(name: string): void {
    delete this[name];
  }
  clear(): void {
    for (const name of Object.keys(this)) delete this[name];
  }
  limitTo(names: number): void {
    this.#limit = names;
  }
}

const RealDate = Date;

export function define(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

export function freshStorage(): FakeStorage {
  const storage = new FakeStorage();
  define('localStorage', storage);
  return storage;
}

/** setTimeout and Date on a clock that tests turn. node's own mock of Date is too new for Debian's node. */
export function freshClock(startMs: number): { tick(ms: number): void } {
  let nowMs = startMs;
  let made = 0;
  const due = new Map<number, { at: number; run: () => void }>();
  class FakeDate extends RealDate {
    constructor(...args: [] | [number | string]) {
      super(args[0] ?? nowMs);
    }
    static override now(): number {
      return nowMs;
    }
  }
  define('Date', FakeDate);
  define('setTimeout', (run: () => void, ms = 0) => {
    due.set(++made, { at: nowMs + ms, run });
    return made;
  });
  define('clearTimeout', (id: number) => due.delete(id));
  return {
    tick(ms) {
      const end = nowMs + ms;
      for (;;) {
        const [next] = [...due].filter(([, { at }]) => at <= end).sort(([a, x], [b, y]) => x.at - y.at || a - b);
        if (!next) break;
        due.delete(next[0]);
        nowMs = Math.max(nowMs, next[1].at);
        next[1].run();
      }
      nowMs = end;
    },
  };
}
