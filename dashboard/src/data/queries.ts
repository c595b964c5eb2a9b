/* Answers of SQL that views share, kept fresh. The feed says that something changed; the question is then asked again,
 * not oftener than its cost allows, and once more when what was accepted last has had time to become queryable. */
import { ApiError, askSql, type Answer } from './api';
import type { Feed } from './feed';

export interface QueryView {
  answer: Answer | undefined;
  error: ApiError | undefined;
  /** The answer on screen is being replaced, or could not be. */
  asking: boolean;
}

interface Entry {
  sql: string;
  view: QueryView;
  everyMs: number;
  atMostMs: number;
  askedAt: number;
  answeredAt: number;
  tookMs: number;
  abort: AbortController | undefined;
  listeners: Set<() => void>;
}

const NOTHING: QueryView = { answer: undefined, error: undefined, asking: true };
const ENTRIES_MAX = 80;
/* A page of many panels asks for them one after the other: weir takes 16 questions of a tenant, others' included. */
const ASKING_MAX = 6;
const TICK_MS = 150;
/* An event that the feed showed is in the tables this much later at most, unless storing lags. */
const SETTLE_MS = 2500;
const COST_FACTOR = 8;
const RETRY_MS = 2000;

export interface Freshness {
  /** Shortest time between two askings. */
  everyMs?: number;
  /** Asked again after this time even if nothing changed: ranges end now. */
  atMostMs?: number;
}

/** What is known of a question, and when it was asked and answered (performance.now). */
export type Asked = Pick<Entry, 'view' | 'everyMs' | 'atMostMs' | 'askedAt' | 'answeredAt' | 'tookMs'>;

/** Whether a question that nobody is asking just now is to be asked. */
export function isDue(asked: Asked, feed: Pick<Feed, 'view' | 'changedAt'>, now: number): boolean {
  const { answer, error } = asked.view;
  if (!answer && !error) return true;
  const is = feed.view.connection.is;
  const since = now - asked.answeredAt;
  // The same text gets the same answer, unless it had another one before: a machine that was too busy once.
  if (error && !error.isPassing && !(answer && since >= asked.atMostMs)) return false;
  if ((is === 'waiting' || is === 'paused') && answer) return false;
  if (error && since < RETRY_MS) return false;
  const settle = Math.max(SETTLE_MS, 2 * (feed.view.state?.queryable_ms ?? 0));
  const isDirty = asked.askedAt < feed.changedAt + settle;
  const pause = Math.max(asked.everyMs, COST_FACTOR * asked.tookMs);
  return error !== undefined || (isDirty && since >= pause) || since >= asked.atMostMs;
}

export class Queries {
  private readonly entries = new Map<string, Entry>();
  private timer = 0;
  private askingCount = 0;

  constructor(
    private readonly key: string,
    private readonly feed: Feed,
  ) {}

  start(): void {
    this.timer = window.setInterval(() => this.tick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.timer);
    for (const entry of this.entries.values()) entry.abort?.abort();
  }

  view(sql: string): QueryView {
    return this.entries.get(sql)?.view ?? NOTHING;
  }

  subscribe(sql: string, freshness: Freshness, listener: () => void): () => void {
    const entry = this.entry(sql);
    entry.everyMs = freshness.everyMs ?? 2000;
    entry.atMostMs = freshness.atMostMs ?? 60_000;
    entry.listeners.add(listener);
    this.askIfDue(entry, performance.now());
    return () => {
      entry.listeners.delete(listener);
      if (entry.listeners.size === 0) entry.abort?.abort();
    };
  }

  refresh(sql: string): void {
    const entry = this.entries.get(sql);
    if (entry && !entry.abort) void this.ask(entry);
  }

  private entry(sql: string): Entry {
    const known = this.entries.get(sql);
    if (known) {
      this.entries.delete(sql); // to the end: the least recently used goes first
      this.entries.set(sql, known);
      return known;
    }
    const entry: Entry = {
      sql,
      view: NOTHING,
      everyMs: 2000,
      atMostMs: 60_000,
      askedAt: -Infinity,
      answeredAt: -Infinity,
      tookMs: 0,
      abort: undefined,
      listeners: new Set(),
    };
    this.entries.set(sql, entry);
    for (const old of this.entries.values()) {
      if (this.entries.size <= ENTRIES_MAX) break;
      if (old.listeners.size === 0) this.entries.delete(old.sql);
    }
    return entry;
  }

  private tick(): void {
    const now = performance.now();
    if (document.visibilityState === 'hidden') return;
    for (const entry of this.entries.values()) if (entry.listeners.size) this.askIfDue(entry, now);
  }

  private askIfDue(entry: Entry, now: number): void {
    if (entry.abort || this.askingCount >= ASKING_MAX) return;
    if (isDue(entry, this.feed, now)) void this.ask(entry);
  }

  private async ask(entry: Entry): Promise<void> {
    const abort = new AbortController();
    entry.abort = abort;
    this.askingCount++;
    entry.askedAt = performance.now();
    if (!entry.view.answer && !entry.view.asking) this.set(entry, { asking: true });
    try {
      const answer = await askSql(this.key, entry.sql, abort.signal);
      entry.tookMs = performance.now() - entry.askedAt;
      this.set(entry, { answer, error: undefined, asking: false });
    } catch (e) {
      if (e instanceof ApiError) this.set(entry, { error: e, asking: false });
    }
    this.askingCount--;
    entry.answeredAt = performance.now();
    if (entry.abort === abort) entry.abort = undefined;
  }

  private set(entry: Entry, change: Partial<QueryView>): void {
    entry.view = { ...entry.view, ...change };
    for (const listener of entry.listeners) listener();
  }
}
