/* What every view needs: whose data is shown, its feed and its answers. */
import { createContext, useCallback, useContext, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import type { ReactNode } from 'react';
import { ApiError, fetchConfig, fetchWhoAmI, type Config, type WhoAmI } from '../data/api';
import { Feed, type FeedView } from '../data/feed';
import { Queries, type Freshness, type QueryView } from '../data/queries';
import { loadTenants, saveTenants, withTenant, type Tenant } from './tenants';
import { setParams, useUrl } from './url';

interface Session {
  config: Config;
  tenants: readonly Tenant[];
  tenant: Tenant;
  who: WhoAmI | undefined;
  feed: Feed;
  queries: Queries;
  addTenant: (readKey: string) => Promise<void>;
  removeTenant: (id: string) => void;
}

const SessionContext = createContext<Session | undefined>(undefined);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('useSession outside of the session');
  return session;
}

export function useFeed(): FeedView {
  const { feed } = useSession();
  return useSyncExternalStore(feed.subscribe, () => feed.view);
}

export function useSql(sql: string, freshness: Freshness = {}): QueryView & { refresh: () => void } {
  const { queries } = useSession();
  const { everyMs, atMostMs } = freshness;
  const subscribe = useCallback(
    (listener: () => void) =>
      queries.subscribe(sql, { ...(everyMs ? { everyMs } : {}), ...(atMostMs ? { atMostMs } : {}) }, listener),
    [queries, sql, everyMs, atMostMs],
  );
  const view = useSyncExternalStore(subscribe, () => queries.view(sql));
  return { ...view, refresh: () => queries.refresh(sql) };
}

/** The last answer stays on screen while another question is under way. */
export function useSqlKeeping(sql: string, freshness: Freshness = {}): ReturnType<typeof useSql> & { isOld: boolean } {
  const now = useSql(sql, freshness);
  const [kept, setKept] = useState(now.answer);
  if (now.answer && now.answer !== kept) setKept(now.answer);
  const isOld = !now.answer && !now.error && kept !== undefined;
  return { ...now, answer: now.answer ?? (now.error ? undefined : kept), isOld };
}

/* Config: undefined while it is asked for. */
export function useConfig(): { config: Config | undefined; error: ApiError | undefined } {
  const [config, setConfig] = useState<Config>();
  const [error, setError] = useState<ApiError>();
  useEffect(() => {
    let timer = 0;
    let gone = false;
    const ask = async (): Promise<void> => {
      try {
        const answer = await fetchConfig();
        if (!gone) setConfig(answer);
      } catch (e) {
        if (gone || !(e instanceof ApiError)) return;
        setError(e);
        timer = window.setTimeout(() => void ask(), 2000);
      }
    };
    void ask();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, []);
  return { config, error: config ? undefined : error };
}

/** Every key that is used was checked by the server, which says whose it is. */
async function tenantOf(readKey: string): Promise<Tenant> {
  const who = await fetchWhoAmI(readKey);
  return { id: who.tenant, readKey, isDemo: false };
}

interface ProviderProps {
  config: Config;
  children: ReactNode;
  signIn: (wanted: string | undefined, add: (readKey: string) => Promise<void>) => ReactNode;
}

export function SessionProvider({ config, children, signIn }: ProviderProps): ReactNode {
  const url = useUrl();
  const [stored, setStored] = useState(loadTenants);
  const tenants = useMemo(() => {
    if (!config.demo) return stored;
    return [{ id: config.demo.tenant, readKey: config.demo.readKey, isDemo: true }, ...stored];
  }, [config, stored]);
  const wanted = url.params.get('t') ?? undefined;
  const tenant = wanted ? tenants.find((t) => t.id === wanted) : tenants[0];

  const addTenant = useCallback(async (readKey: string) => {
    const added = await tenantOf(readKey.trim());
    setStored((list) => {
      const next = withTenant(list, added);
      saveTenants(next);
      return next;
    });
    setParams({ t: added.id });
  }, []);

  const removeTenant = useCallback((id: string) => {
    setStored((list) => {
      const next = list.filter((t) => t.id !== id);
      saveTenants(next);
      return next;
    });
    setParams({ t: undefined });
  }, []);

  if (!tenant) return signIn(wanted, addTenant);
  return (
    <TenantProvider key={tenant.readKey} {...{ config, tenants, tenant, addTenant, removeTenant }}>
      {children}
    </TenantProvider>
  );
}

type TenantProps = Omit<Session, 'feed' | 'queries' | 'who'> & { children: ReactNode };

function TenantProvider({ children, ...session }: TenantProps): ReactNode {
  const { readKey } = session.tenant;
  const [who, setWho] = useState<WhoAmI>();
  const { feed, queries } = useMemo(() => {
    const made = new Feed(readKey);
    return { feed: made, queries: new Queries(readKey, made) };
  }, [readKey]);
  useEffect(() => {
    feed.start();
    queries.start();
    return () => {
      feed.stop();
      queries.stop();
    };
  }, [feed, queries]);
  useEffect(() => {
    fetchWhoAmI(readKey).then(setWho, () => setWho(undefined));
  }, [readKey]);
  return <SessionContext value={{ ...session, who, feed, queries }}>{children}</SessionContext>;
}
