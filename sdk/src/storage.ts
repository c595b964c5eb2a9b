/* localStorage where it works, memory where it does not: private windows, blocked storage, a full quota. One prefix. */

export interface Store {
  get(name: string): string | null;
  /** False: it is in memory only, and gone with the page. */
  set(name: string, value: string): boolean;
  remove(name: string): void;
  /** Names that begin with `start`, in order. */
  names(start: string): string[];
}

export function openStore(prefix: string): Store {
  const memory = new Map<string, string>();
  let disk: Storage | undefined;
  try {
    disk = localStorage;
    disk.setItem(prefix + '?', '1');
    disk.removeItem(prefix + '?');
  } catch {
    disk = undefined;
  }
  return {
    get(name) {
      try {
        return memory.get(name) ?? disk?.getItem(prefix + name) ?? null;
      } catch {
        return null;
      }
    },
    set(name, value) {
      try {
        disk!.setItem(prefix + name, value);
        memory.delete(name);
        return true;
      } catch {
        memory.set(name, value);
        return false;
      }
    },
    remove(name) {
      memory.delete(name);
      try {
        disk?.removeItem(prefix + name);
      } catch {
        // as good as removed
      }
    },
    names(start) {
      const found = new Set([...memory.keys()].filter((name) => name.startsWith(start)));
      try {
        for (const key of Object.keys(disk ?? {}))
          if (key.startsWith(prefix + start)) found.add(key.slice(prefix.length));
      } catch {
        // memory alone
      }
      return [...found].sort();
    },
  };
}
