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

export function define(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

export function freshStorage(): FakeStorage {
  const storage = new FakeStorage();
  define('localStorage', storage);
  return storage;
}
