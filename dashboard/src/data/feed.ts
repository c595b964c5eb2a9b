/* The live feed of one tenant: connects, adds up, and connects again with growing pauses. Views subscribe; they are told
 * at most ten times a second, at once when nothing was told lately, so that a lone event is on screen within a frame. */
import { RateBins } from './rates';
import { SseParser } from './sse';

export interface FeedEvent {
  event_id: string;
  event_type: string;
  event_name: string;
  visitor_id: string;
  timestamp_ms: number;
  received_ms: number;
  properties: unknown;
  [field: string]: unknown;
}

export interface FeedState {
  tenant: string;
  since_ms: number;
  at_ms: number;
  accepted: number;
  duplicates: number;
  dead_letters: number;
  latency_ms: number;
  lag_ms: number;
  lag_events: number;
  types: { type: string; accepted: number; duplicates: number; dead_letters: number }[];
  quota: { limit: number | null; used: number };
  /** Dead letters by reason, since weir was started. */
  rejected: Record<string, number>;
  /** Whole requests that were turned away: nothing of them is kept. */
  refused: { quota: number; journal_full: number };
  latency: { p50_ms: number | null; p95_ms: number | null; p99_ms: number | null };
  queryable_ms: number | null;
  engine: string;
}

export type Connection =
  | { is: 'connecting' }
  | { is: 'live' }
  | { is: 'waiting'; untilMs: number; attempt: number }
  | { is: 'refused'; status: number; message: string }
  | { is: 'paused' };

/** What a message may leave out: what is not known yet. */
const NOT_YET: Pick<FeedState, 'quota' | 'rejected' | 'refused' | 'latency' | 'queryable_ms' | 'engine'> = {
  quota: { limit: null, used: 0 },
  rejected: {},
  refused: { quota: 0, journal_full: 0 },
  latency: { p50_ms: null, p95_ms: null, p99_ms: null },
  queryable_ms: null,
  engine: 'ready',
};

const EVENTS_MAX = 200;
const TELL_EVERY_MS = 100;
const SILENCE_MAX_MS = 35_000;
const PAUSES_MS = [500, 1000, 2000, 4000, 8000, 15_000];
export const RATE_SECONDS = 300;

export function pauseMs(attempt: number, random: number): number {
  const base = PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)] ?? 15_000;
  return Math.round(base * (0.75 + random * 0.5));
}

/** What a view shows; a new object each time something changed. */
export interface FeedView {
  connection: Connection;
  state: FeedState | undefined;
  events: readonly FeedEvent[]; // newest first
}

export class Feed {
  readonly rates = new RateBins(RATE_SECONDS);
  view: FeedView = { connection: { is: 'connecting' }, state: undefined, events: [] };
  /** When (performance.now) the last message came that changed what SQL gives. */
  changedAt = 0;

  private readonly listeners = new Set<() => void>();
  private abort: AbortController | undefined;
  private retryTimer = 0;
  private tellTimer = 0;
  private silenceTimer = 0;
  private toldAt = 0;
  private attempt = 0;
  private lastId: string | undefined;
  private readonly ids = new Set<string>();
  private gap = false;

  constructor(private readonly key: string) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  start(): void {
    document.addEventListener('visibilitychange', this.onVisibility);
    window.addEventListener('online', this.retryNow);
    void this.connect();
  }

  stop(): void {
    document.removeEventListener('visibilitychange', this.onVisibility);
    window.removeEventListener('online', this.retryNow);
    this.disconnect();
  }

  retryNow = (): void => {
    if (this.view.connection.is !== 'waiting') return;
    this.attempt = 0;
    void this.connect();
  };

  private disconnect(): void {
    this.abort?.abort();
    this.abort = undefined;
    clearTimeout(this.retryTimer);
    clearTimeout(this.silenceTimer);
    this.gap = true;
  }

  /* A browser opens six connections to one address: pages that nobody sees give theirs back. */
  private readonly onVisibility = (): void => {
    clearTimeout(this.retryTimer);
    if (document.visibilityState === 'hidden') {
      this.retryTimer = window.setTimeout(() => {
        this.disconnect();
        this.set({ is: 'paused' });
      }, 30_000);
    } else if (this.view.connection.is === 'paused' || this.view.connection.is === 'waiting') {
      this.attempt = 0;
      void this.connect();
    }
  };

  private set(connection: Connection): void {
    this.view = { ...this.view, connection };
    this.tellSoon(true);
  }

  private async connect(): Promise<void> {
    this.disconnect();
    const abort = new AbortController();
    this.abort = abort;
    if (this.view.connection.is !== 'waiting') this.set({ is: 'connecting' });
    this.listenForSilence();
    try {
      const headers: Record<string, string> = { Authorization: `Bearer ${this.key}`, Accept: 'text/event-stream' };
      if (this.lastId !== undefined) headers['Last-Event-ID'] = this.lastId;
      const response = await fetch('/v1/live', {
        headers,
        cache: 'no-store',
        credentials: 'omit',
        signal: abort.signal,
      });
      if (response.status === 401 || response.status === 403) {
        const { message } = (await response.json()) as { message?: string };
        this.set({ is: 'refused', status: response.status, message: message ?? 'this key is not known' });
        this.disconnect();
        return;
      }
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      await this.read(response.body);
    } catch {
      /* Told below: whatever ended the stream, the answer is to try again. */
    }
    if (this.abort === abort) this.wait();
  }

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    const parser = new SseParser();
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.listenForSilence();
      for (const message of parser.push(value)) {
        if (message.id !== undefined) this.lastId = message.id;
        this.take(JSON.parse(message.data) as FeedState & { events?: FeedEvent[] });
      }
    }
  }

  private wait(): void {
    this.disconnect();
    const pause = pauseMs(this.attempt++, Math.random());
    this.retryTimer = window.setTimeout(() => void this.connect(), pause);
    this.set({ is: 'waiting', untilMs: Date.now() + pause, attempt: this.attempt });
  }

  /* A connection that died without a word: even an idle feed says something every ten seconds. */
  private listenForSilence(): void {
    clearTimeout(this.silenceTimer);
    const abort = this.abort;
    this.silenceTimer = window.setTimeout(() => abort?.abort(), SILENCE_MAX_MS);
  }

  private take(message: FeedState & { events?: FeedEvent[] }): void {
    const before = this.view.state;
    const { events = [], ...said } = message;
    const state: FeedState = { ...NOT_YET, ...said };
    this.attempt = 0;
    const restarted = before !== undefined && before.since_ms !== state.since_ms;
    if (restarted) this.rates.add(0, Date.now());
    this.rates.add(state.accepted, Date.now(), this.gap && !restarted);
    const changed =
      this.gap || !before || before.accepted !== state.accepted || before.dead_letters !== state.dead_letters;
    if (changed) this.changedAt = performance.now();
    this.gap = false;
    this.view = { connection: { is: 'live' }, state, events: this.merge(events) };
    this.tellSoon(false);
  }

  private merge(fresh: FeedEvent[]): readonly FeedEvent[] {
    const added = fresh.filter((e) => !this.ids.has(e.event_id));
    if (!added.length) return this.view.events;
    for (const e of added) this.ids.add(e.event_id);
    const all = [...added.reverse(), ...this.view.events];
    for (const e of all.slice(EVENTS_MAX)) this.ids.delete(e.event_id);
    return all.slice(0, EVENTS_MAX);
  }

  private tellSoon(atOnce: boolean): void {
    const tell = (): void => {
      clearTimeout(this.tellTimer);
      this.tellTimer = 0;
      this.toldAt = performance.now();
      for (const listener of this.listeners) listener();
    };
    const wait = this.toldAt + TELL_EVERY_MS - performance.now();
    if (atOnce || wait <= 0) tell();
    else if (!this.tellTimer) this.tellTimer = window.setTimeout(tell, wait);
  }
}
