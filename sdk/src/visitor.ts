/* Who and when: the visitor's id, the user's, the session by inactivity, and the campaign that brought the session here.
 * All of it in storage that the tabs share, so a second tab goes on with the first one's session. Nothing orders what two
 * tabs write in the same instant, and an event cannot wait for a lock: so the id of a new session follows from what both
 * read, the visitor and the end of the session before. Whoever begins it gives it the same id. */
import type { Store } from './storage';
import type { Options, Properties } from './types';
import { uuidv7 } from './uuid';

const DAY_S = 86400;

interface Session {
  id: string;
  last: number;
  campaign?: Properties;
}

export interface Visitor {
  id(): string;
  user(): string | null;
  setUser(id: string): void;
  /** The session at this moment; a new one begins after the pause. */
  session(nowMs: number, touch: boolean): Session;
  reset(): void;
  forget(): void;
}

function campaignOf(): Properties | undefined {
  const found: Properties = {};
  for (const [name, value] of new URLSearchParams(location.search))
    if (name.startsWith('utm_') && value) found[name === 'utm_campaign' ? 'name' : name.slice(4)] = value.slice(0, 200);
  return Object.keys(found).length ? found : undefined;
}

/** UUIDv8: a moment as in a UUIDv7, then what is the visitor's own. A visitor's first session has the visitor's moment. */
function sessionId(visitor: string, endedMs: number | undefined, pauseMs: number, nowMs: number): string {
  const born = parseInt(visitor.slice(0, 8) + visitor.slice(9, 13), 16);
  const moment = endedMs ?? (Math.abs(nowMs - born) <= pauseMs ? born : nowMs);
  return moment.toString(16).padStart(12, '0').replace(/.{8}/, '$&-') + '-8' + visitor.slice(-21);
}

export function openVisitor(store: Store, options: Options): Visitor {
  const cookieName = 'weir_' + options.key.slice(-8).replace(/\W/g, '');
  const cookie = (value: string, days: number): void => {
    const { domain } = options.cookie!;
    document.cookie = `${cookieName}=${value};path=/;max-age=${days * DAY_S};samesite=lax${domain ? `;domain=${domain}` : ''}${
      location.protocol === 'https:' ? ';secure' : ''
    }`;
  };
  const fromCookie = (): string | undefined =>
    options.cookie && new RegExp(`(?:^|; )${cookieName}=([\\w-]{8,64})`).exec(document.cookie)?.[1];
  const keep = (id: string): string => {
    store.set('v', id);
    if (options.cookie) cookie(id, options.cookie.days ?? 390);
    return id;
  };
  const id = (): string => fromCookie() ?? store.get('v') ?? keep(uuidv7(Date.now()));
  return {
    id,
    user: () => store.get('u'),
    setUser: (id) => void store.set('u', id),
    session(nowMs, touch) {
      let session: Session | undefined;
      try {
        session = JSON.parse(store.get('s') ?? 'null') ?? undefined;
      } catch {
        // somebody else's text: begin anew
      }
      const pause = options.sessionTimeoutMs ?? 1800000;
      const campaign = touch ? campaignOf() : undefined;
      if (!session?.id || Math.abs(nowMs - session.last) > pause)
        session = { id: sessionId(id(), session?.last, pause, nowMs), last: nowMs };
      if (campaign) session.campaign = campaign;
      session.last = nowMs;
      if (touch) store.set('s', JSON.stringify(session));
      return session;
    },
    reset() {
      store.remove('u');
      store.remove('s');
      keep(uuidv7(Date.now()));
    },
    forget() {
      for (const name of ['v', 'u', 's']) store.remove(name);
      if (options.cookie) cookie('', 0);
    },
  };
}
