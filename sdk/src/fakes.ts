/* For tests: as much of a browser as the parts touch, with storage that can refuse. */
const RealDate = Date;

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

export function define(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

export function freshStorage(): FakeStorage {
  const storage = new FakeStorage();
  define('localStorage', storage);
  return storage;
}

/** Time stands still; what is returned turns it on, timers included. (node 18's own mock does not know Date.) */
export function stopClock(startMs: number): (ms: number) => void {
  let nowMs = startMs;
  let number = 0;
  const timers = new Map<number, { dueMs: number; run: () => void }>();
  define('setTimeout', (run: () => void, ms = 0) => {
    timers.set(++number, { dueMs: nowMs + ms, run });
    return number;
  });
  define('clearTimeout', (which: number) => void timers.delete(which));
  define('Date', class extends RealDate {
    constructor(...args: [] | [number]) {
      super(...((args.length ? args : [nowMs]) as [number]));
    }
    static override now(): number {
      return nowMs;
    }
  });
  return (ms) => {
    const endMs = nowMs + ms;
    for (;;) {
      const next = [...timers].filter(([, timer]) => timer.dueMs <= endMs).sort(([a, x], [b, y]) => x.dueMs - y.dueMs || a - b)[0];
      if (!next) break;
      timers.delete(next[0]);
      nowMs = Math.max(nowMs, next[1].dueMs);
      next[1].run();
    }
    nowMs = endMs;
  };
}
