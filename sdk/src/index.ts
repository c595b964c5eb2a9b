/* createWeir puts the parts together. Nothing here throws into the page: every way in is guarded, and what goes wrong is
 * told to options.observe as 'dropped'. */
import { clean, cleanName } from './clean';
import { watchClicks } from './clicks';
import { pageContext, pageProperties } from './context';
import { watchPages, type Pages } from './pages';
import { openQueue } from './queue';
import { openStore } from './storage';
import { openTransport } from './transport';
import type { EventMap, Options, Properties, Step, StepDetail, Weir, WeirEvent } from './types';
import { uuidv7 } from './uuid';
import { openVisitor } from './visitor';

export type * from './types';

const EVENT_BYTES = 32000;

function signalsOff(): boolean {
  const { globalPrivacyControl, doNotTrack } = navigator as Navigator & { globalPrivacyControl?: boolean; doNotTrack?: string };
  return globalPrivacyControl === true || doNotTrack === '1';
}

export function createWeir<Events extends EventMap = EventMap>(options: Options): Weir<Events> {
  if (!options?.key) console.warn('weir: no key: createWeir({ key: "wk_…" })');
  options = { ...options, key: String(options?.key) };
  const store = openStore(`weir.${options.key}.`);
  const queue = openQueue(store, options.queueEvents ?? 1000);
  const visitor = openVisitor(store, options);
  let pages: Pages | undefined;
  let landing = true;

  const observe = (step: Step, events: readonly WeirEvent[], detail: StepDetail = {}): void => {
    try {
      if (events.length || step === 'dropped') options.observe?.(step, events, detail);
    } catch {
      // the page's own matter
    }
  };
  const guard =
    <A extends unknown[]>(run: (...args: A) => void) =>
    (...args: A): void => {
      try {
        run(...args);
      } catch (error) {
        observe('dropped', [], { reason: String(error) });
      }
    };
  const transport = openTransport(queue, options, pageContext, observe);

  const enabled = (): boolean =>
    (options.doNotTrack === 'ignore' || !signalsOff()) && (store.get('c') ?? options.consent ?? 'granted') === 'granted';

  const record = (type: unknown, name: unknown, properties: Properties): void => {
    if (!enabled()) return;
    pages?.settle(); // a navigation comes before what follows it
    const now = Date.now();
    const session = visitor.session(now, true);
    const user = visitor.user();
    const event_type = cleanName(type, 128) || 'event';
    let event: WeirEvent | null = {
      event_id: uuidv7(now),
      event_type,
      event_name: cleanName(name, 256) || event_type,
      visitor_id: visitor.id(),
      ...(user ? { user_id: user } : {}),
      session_id: session.id,
      timestamp: new Date(now).toISOString(),
      properties: clean(properties),
      context: session.campaign ? { campaign: session.campaign } : {},
    };
    if (options.beforeSend) event = options.beforeSend(event);
    if (!event) return;
    const text = JSON.stringify(event);
    if (text.length > EVENT_BYTES) {
      observe('dropped', [event], { reason: `larger than ${EVENT_BYTES} bytes` });
      return;
    }
    const gone = queue.add(event, text);
    if (gone[0]) observe('dropped', gone, { reason: 'the queue is full' });
    observe('made', [event]);
    transport.wake(text.length);
  };

  const view = (name?: string, properties: Properties = {}): void => {
    if (!enabled()) return;
    const where = pageProperties(landing);
    landing = false;
    record('page_view', name || document.title || location.pathname, { ...where, ...properties });
  };
  const forget = (): void => {
    transport.stop();
    queue.remove(queue.all().map(({ event }) => event));
    visitor.forget();
  };

  const weir: Weir<Events> = {
    track: guard((type: string, properties?: Properties, name?: string) => {
      record(type, name ?? type, { page: location.pathname, ...clean(properties) });
    }),
    page: guard((name?: string, properties?: Properties) => view(name, clean(properties))),
    identify: guard((userId: string, traits?: Properties) => {
      const id = cleanName(userId, 256);
      if (!id || !enabled()) return;
      visitor.setUser(id);
      record('identify', 'identify', traits ?? {});
    }),
    reset: guard(() => {
      if (enabled()) visitor.reset();
    }),
    flush: async () => {
      if (enabled()) await transport.flush();
    },
    consent: guard((decision) => {
      const before = enabled();
      if (decision === 'denied') forget();
      store.set('c', decision === 'granted' ? decision : 'denied');
      if (!before && enabled() && options.pages !== false) view();
    }),
    purge: guard(() => {
      forget();
      store.remove('c');
    }),
    get enabled() {
      return enabled();
    },
    get visitorId() {
      return enabled() ? visitor.id() : '';
    },
    get sessionId() {
      return enabled() ? visitor.session(Date.now(), false).id : '';
    },
    get waiting() {
      return queue.size();
    },
  };

  guard(() => {
    if (options.pages !== false) pages = watchPages(guard(() => view()));
    if (options.clicks !== false)
      watchClicks(
        guard((name: string, properties: Properties) => {
          record('click', name, { page: location.pathname, ...properties });
        }),
      );
    const leave = guard(() => {
      pages?.settle();
      if (enabled()) transport.leave();
    });
    addEventListener('pagehide', leave);
    document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && leave());
    addEventListener('online', guard(() => void weir.flush()));
    if (enabled() && queue.size()) void transport.flush(); // what an earlier page left behind
  })();
  return weir;
}

export default createWeir;
