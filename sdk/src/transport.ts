/* The way out. One request at a time, and across tabs one sender at a time where the browser has Web Locks; a sender takes
 * what all tabs left in the queue. A plain-text POST needs no preflight, so the key and the clock travel in the body.
 *
 *   200           on the server's disk: out of the queue, refused ones too (they are dead letters there)
 *   400 413 422   the batch is halved until the event that it cannot take stands alone, which is dropped
 *   everything else, and no answer: the same events again later, doubling the pause, with chance, and never before
 *                 Retry-After
 *
 * On leave: sendBeacon, whose answer nobody hears. So its events stay in the queue, and whoever is there next sends them
 * once more; their ids make that harmless. */
import type { Queue, Waiting } from './queue';
import type { Options, Properties, StepDetail, Step, WeirEvent } from './types';

const PAUSE_MS = 1000;
const PAUSE_MAX_MS = 300000;
const ANSWER_MAX_MS = 20000;
const KEEPALIVE_BYTES = 60000; // browsers allow 64 KiB in flight

export interface Transport {
  /** An event of so many bytes waits: it leaves soon, at once when there is a batch of it. */
  wake(bytes: number): void;
  /** Tries now, whatever the pause. */
  flush(): Promise<void>;
  /** The page goes away. */
  leave(): void;
  /** Forgets pauses and timers; waiting events stay. */
  stop(): void;
}

const events = (batch: readonly Waiting[]): WeirEvent[] => batch.map(({ event }) => event);

/** Retry-After as milliseconds: seconds or a date. */
export function retryAfterMs(header: string | null, nowMs: number): number {
  const ms = header ? (/^\d+$/.test(header) ? +header * 1000 : Date.parse(header) - nowMs) : 0;
  return ms > 0 ? Math.min(ms, 3600000) : 0;
}

/** Pause after so many failures: doubling, half of it chance, so that a thousand tabs do not come back at once. */
export const pauseMs = (failures: number, random: number): number =>
  Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** Math.min(failures - 1, 20)) * (0.5 + random / 2);

/** The longest beginning within the bounds, one event at least. */
export function takeBatch(waiting: readonly Waiting[], eventsMax: number, bytesMax: number): Waiting[] {
  let bytes = 0;
  let n = 0;
  while (n < waiting.length && n < eventsMax && (bytes += waiting[n]!.text.length + 1) <= bytesMax) n++;
  return waiting.slice(0, n || 1);
}

export function openTransport(
  queue: Queue,
  options: Options,
  context: () => Properties,
  observe: (step: Step, events: readonly WeirEvent[], detail?: StepDetail) => void,
): Transport {
  const url = (options.endpoint ?? '').replace(/\/+$/, '') + (options.path ?? '/e');
  const bytesMax = options.batchBytes ?? 48000;
  const eventsMax = options.batchEvents ?? 50;
  const beaconed = new Set<string>();
  let limit = eventsMax;
  let failures = 0;
  let waitingBytes = 0;
  let waitingEvents = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let dueMs = Infinity;
  let running: Promise<void> | undefined;
  let again = false; // asked for while it ran

  const body = (batch: readonly Waiting[]): string =>
    `{"writeKey":${JSON.stringify(options.key)},"sentAt":"${new Date().toISOString()}","context":${JSON.stringify(context())},"batch":[${batch
      .map(({ text }) => text)
      .join()}]}`;

  const calm = (): void => {
    clearTimeout(timer);
    timer = undefined;
    dueMs = Infinity;
  };
  const at = (ms: number): void => {
    const due = Date.now() + ms;
    if (timer && due >= dueMs) return;
    clearTimeout(timer);
    dueMs = due;
    timer = setTimeout(() => void run(), ms);
  };

  const fail = (batch: readonly Waiting[], reason: string, atLeastMs: number): boolean => {
    const retryInMs = Math.round(atLeastMs + pauseMs(++failures, Math.random()));
    observe('failed', events(batch), { reason, retryInMs });
    calm(); // what was due earlier waits, too
    at(retryInMs);
    return false;
  };

  const accept = async (batch: readonly Waiting[], answer: Response, tookMs: number): Promise<boolean> => {
    const results = ((await answer.json().catch(() => ({}))) as { results?: StepDetail['results'] }).results ?? [];
    const refused = new Set(results.map(({ index }) => index));
    queue.remove(events(batch));
    failures = 0;
    limit = Math.min(eventsMax, limit * 2);
    observe('acknowledged', events(batch).filter((_, i) => !refused.has(i)), { tookMs });
    observe('rejected', events(batch).filter((_, i) => refused.has(i)), { results });
    return true;
  };

  /** One batch; true: go on with the next. */
  const send = async (): Promise<boolean> => {
    const batch = takeBatch(queue.all(), limit, bytesMax);
    if (!batch[0]) return false;
    const text = body(batch);
    const broken = new AbortController();
    const giveUp = setTimeout(() => broken.abort(), ANSWER_MAX_MS);
    const began = Date.now();
    observe('sent', events(batch));
    try {
      const answer = await fetch(url, {
        method: 'POST', body: text, credentials: 'omit', signal: broken.signal, keepalive: text.length < KEEPALIVE_BYTES / 4,
      });
      if (answer.ok) return await accept(batch, answer, Date.now() - began);
      if (![400, 413, 422].includes(answer.status))
        return fail(batch, `status ${answer.status}`, retryAfterMs(answer.headers.get('Retry-After'), Date.now()));
      if (batch.length > 1) {
        limit = batch.length >> 1;
      } else {
        queue.remove(events(batch));
        observe('dropped', events(batch), { reason: `status ${answer.status}` });
      }
      return true;
    } catch (error) {
      return fail(batch, String(error), 0);
    } finally {
      clearTimeout(giveUp);
    }
  };

  const sendAll = async (): Promise<void> => {
    waitingBytes = waitingEvents = 0;
    while (await send());
  };

  const run = (): Promise<void> => {
    calm();
    again = !!running;
    if (running) return running;
    // Locks are for secure pages only, and a request for one may be refused: then tabs rely on ids alone.
    const locks = navigator.locks;
    running = (locks ? locks.request(`weir:${url}:${options.key}`, sendAll).catch(sendAll) : sendAll())
      .catch(() => undefined)
      .then(() => {
        running = undefined;
        if (again && !failures) at(0); // what came when it was about to end
      });
    return running;
  };

  return {
    wake(bytes) {
      waitingBytes += bytes;
      waitingEvents++;
      if (failures) return; // the pause goes on; its timer is set
      at(waitingBytes >= bytesMax || waitingEvents >= eventsMax ? 0 : (options.flushIntervalMs ?? 2000));
    },
    flush() {
      failures = 0;
      return run();
    },
    leave() {
      let rest = queue.all().filter(({ event }) => !beaconed.has(event.event_id));
      for (let requests = 0; rest.length && requests < 4; requests++) {
        const batch = takeBatch(rest, eventsMax, Math.min(bytesMax, KEEPALIVE_BYTES));
        const text = body(batch);
        rest = rest.slice(batch.length);
        try {
          if (!navigator.sendBeacon(url, text))
            void fetch(url, { method: 'POST', body: text, keepalive: true, credentials: 'omit' }).catch(() => undefined);
        } catch {
          // they are in the queue: the next page sends them
        }
        for (const { event } of batch) beaconed.add(event.event_id);
        observe('beaconed', events(batch));
      }
    },
    stop() {
      calm();
      failures = 0;
    },
  };
}
