/* Events that wait, one storage key each: `q.EVENT_ID`. An event is stored before anything else happens to it and removed
 * when the server acknowledged it, so a reload, a crash or a dead battery loses none. Tabs share the keys and write
 * different ones, so they cannot overwrite each other. Who sends what is transport.ts's matter; should two tabs send the
 * same event after all, its id makes the server count it once. */
import type { Store } from './storage';
import type { WeirEvent } from './types';

const NAME = 'q.';

export interface Waiting {
  text: string;
  event: WeirEvent;
}

export interface Queue {
  /** Returns the events that had to go for it: the oldest. */
  add(event: WeirEvent, text: string): WeirEvent[];
  /** The oldest first. */
  all(): Waiting[];
  remove(events: readonly WeirEvent[]): void;
  size(): number;
}

export function openQueue(store: Store, eventsMax: number): Queue {
  let size = -1; // what this tab believes; counted anew when the bound seems reached
  const names = (): string[] => {
    const found = store.names(NAME);
    size = found.length;
    return found;
  };
  /** What is not an event (somebody else's text, half a write) goes, or it would block the way for ever. */
  const read = (name: string): Waiting[] => {
    const text = store.get(name);
    try {
      const event = JSON.parse(text!) as WeirEvent;
      if (NAME + event.event_id === name) return [{ text: text!, event }];
    } catch {
      // below
    }
    store.remove(name);
    return [];
  };
  const remove = (events: readonly WeirEvent[]): void => {
    for (const { event_id } of events) store.remove(NAME + event_id);
    size -= events.length;
  };
  return {
    add(event, text) {
      const full = size < 0 || size >= eventsMax;
      const gone = full ? names().slice(0, Math.max(0, size + 1 - eventsMax)).flatMap(read).map((one) => one.event) : [];
      remove(gone);
      store.set(NAME + event.event_id, text);
      size++;
      return gone;
    },
    all: () => names().flatMap(read),
    remove,
    size: () => names().length,
  };
}
