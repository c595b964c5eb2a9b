import { useEffect, useRef } from 'react';
import type { ReactNode } from 'react';
import { DomainsPage } from '../pages/DomainsPage';
import { EventsPage } from '../pages/EventsPage';
import { ExplorePage } from '../pages/ExplorePage';
import { LivePage } from '../pages/LivePage';
import { QualityPage } from '../pages/QualityPage';
import { SetupPage } from '../pages/SetupPage';
import { SignInPage } from '../pages/SignInPage';
import { SqlPage } from '../pages/SqlPage';
import { StreamPage } from '../pages/StreamPage';
import { Boundary } from '../ui/Boundary';
import { Note } from '../ui/states';
import { ConnectionBanner } from './Connection';
import { Nav } from './Nav';
import { SessionProvider, useConfig, useFeed, useSession } from './session';
import { useUrl, type Page } from './url';

const TITLES: Record<Page, string> = {
  live: 'Live',
  domains: 'Domains',
  explore: 'Explore',
  events: 'Events',
  stream: 'Stream',
  quality: 'Quality',
  sql: 'SQL',
  setup: 'Setup',
};

const VIEWS: Record<Page, () => ReactNode> = {
  live: LivePage,
  domains: DomainsPage,
  explore: ExplorePage,
  events: EventsPage,
  stream: StreamPage,
  quality: QualityPage,
  sql: SqlPage,
  setup: SetupPage,
};

export function App(): ReactNode {
  const { config, error } = useConfig();
  if (config)
    return (
      <SessionProvider config={config} signIn={(wanted, add) => <SignInPage wanted={wanted} add={add} />}>
        <Shell />
      </SessionProvider>
    );
  return (
    <main className="sign-in">
      {error && (
        <Note icon="refresh" title="Waiting for weir">
          <p>{error.status === 0 ? 'It does not answer yet.' : error.message} Asked again every two seconds.</p>
        </Note>
      )}
    </main>
  );
}

function Shell(): ReactNode {
  const { page } = useUrl();
  const { tenant, removeTenant } = useSession();
  const { connection } = useFeed();
  const View = VIEWS[page];
  useTitle(page, tenant.id);
  if (connection.is === 'refused')
    return (
      <main className="sign-in">
        <Note icon="alert" title={`The key of ${tenant.id} is no longer valid`}>
          <p>{connection.message}</p>
          <p>
            <button type="button" className="button" onClick={() => removeTenant(tenant.id)}>
              Remove it here
            </button>
          </p>
        </Note>
      </main>
    );
  return (
    <div className="shell">
      <a className="skip" href="#title" onClick={focusTitle}>
        Skip to content
      </a>
      <Nav titles={TITLES} />
      <main className="main" id="main">
        <ConnectionBanner />
        <div className="page" key={page}>
          <Boundary>
            <View />
          </Boundary>
        </div>
      </main>
    </div>
  );
}

function focusTitle(event: React.MouseEvent): void {
  event.preventDefault();
  document.getElementById('title')?.focus();
}

/* A page that was opened by a link begins at its heading, also for a screen reader. */
function useTitle(page: Page, tenant: string): void {
  const shown = useRef(page);
  useEffect(() => {
    document.title = `${TITLES[page]} · ${tenant} · weir`;
    if (shown.current === page) return;
    shown.current = page;
    window.scrollTo(0, 0);
    document.getElementById('title')?.focus({ preventScroll: true });
  }, [page, tenant]);
}
