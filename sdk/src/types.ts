/* The public face: what a page says, and what leaves it. */

export type Properties = Record<string, unknown>;

/** Event types with their properties, for a typed track(): createWeir<{ purchase: { amount_cents: number } }>(…) */
export type EventMap = Record<string, Properties>;

/** What stands behind the type in track(): properties may be left out where none is needed. */
export type TrackArguments<P> = Record<never, never> extends P ? [properties?: P, name?: string] : [properties: P, name?: string];

/** One event as it leaves, in weir's own form. */
export interface WeirEvent {
  event_id: string;
  event_type: string;
  event_name: string;
  visitor_id: string;
  user_id?: string;
  session_id: string;
  timestamp: string;
  properties: Properties;
  context: Properties;
}

export type Consent = 'granted' | 'denied' | 'pending';

/** What happened to events: made; on the way; on the server's disk; refused with a verdict (kept there as dead letters);
 *  given to a beacon, whose answer nobody hears; given up, with the reason. */
export type Step = 'made' | 'sent' | 'acknowledged' | 'rejected' | 'beaconed' | 'dropped' | 'failed';

export interface Rejection {
  index: number;
  code: string;
  field?: string;
  message: string;
}

export interface StepDetail {
  /** Why events were dropped, or a request failed. */
  reason?: string;
  /** The server's verdicts, for 'rejected'. */
  results?: Rejection[];
  /** Milliseconds until the next try, for 'failed'. */
  retryInMs?: number;
  /** How long the answer took, for 'acknowledged'. */
  tookMs?: number;
}

export interface Options {
  /** The write key of the tenant. */
  key: string;
  /** Where events go: an origin, or '' for the page's own (a reverse proxy then passes `path` on to weir). Default ''. */
  endpoint?: string;
  /** The path there. Default '/e'. */
  path?: string;
  /** Page views by themselves, on load and when a single-page application navigates. Default true. */
  pages?: boolean;
  /** Clicks on elements with data-weir-event. Default true. */
  clicks?: boolean;
  /** 'pending': nothing is stored or sent until consent('granted'). What a visitor decided is remembered. Default 'granted'. */
  consent?: Consent;
  /** Whether Do-Not-Track and Global Privacy Control turn everything off. Default 'honour'. */
  doNotTrack?: 'honour' | 'ignore';
  /** A session ends after so long without an event. Default 30 minutes. */
  sessionTimeoutMs?: number;
  /** Keeps the visitor id in a cookie too, for subdomains: { domain: 'example.com' }. Default: no cookie. */
  cookie?: { domain?: string; days?: number };
  /** Events in a request, at most. Default 50. */
  batchEvents?: number;
  /** Bytes of a request, at most. Default 48,000 (a beacon takes 64 KiB). */
  batchBytes?: number;
  /** How long an event waits for company. Default 2,000. */
  flushIntervalMs?: number;
  /** Events kept while offline, at most; then the oldest go. Default 1,000. */
  queueEvents?: number;
  /** Sees each event before it is kept; may change it, or return null to drop it. */
  beforeSend?: (event: WeirEvent) => WeirEvent | null;
  /** Sees what becomes of events. */
  observe?: (step: Step, events: readonly WeirEvent[], detail: StepDetail) => void;
}

export interface Weir<Events extends EventMap = EventMap> {
  /** An event of a kind; its name is the kind unless said. */
  track<T extends keyof Events & string>(type: T, ...rest: TrackArguments<Events[T]>): void;
  /** A page view now; by itself unless options.pages is false. */
  page(name?: string, properties?: Properties): void;
  /** Who the visitor is: links all their events, past ones too. */
  identify(userId: string, traits?: Properties): void;
  /** A new visitor from here on: call it on logout. */
  reset(): void;
  /** Sends what waits. Resolves when it was tried, whatever came of it. */
  flush(): Promise<void>;
  /** What the visitor decided; remembered. 'denied' also forgets everything. */
  consent(decision: 'granted' | 'denied'): void;
  /** Forgets everything that is stored here: queue, visitor, session, user. */
  purge(): void;
  readonly enabled: boolean;
  readonly visitorId: string;
  readonly sessionId: string;
  /** Events that wait to be acknowledged. */
  readonly waiting: number;
}
