import { useEffect, useState } from 'react';
import type { ReactNode } from 'react';
import { RangePicker, useRange } from '../app/RangePicker';
import { useSession } from '../app/session';
import { setParams, useUrl } from '../app/url';
import { ApiError, fetchDashboards } from '../data/api';
import type { Dashboard } from '../data/dashboard_sql';
import type { Range } from '../data/range';
import { Select } from '../ui/controls';
import { Card, PageHead } from '../ui/layout';
import { ErrorNote, Note, SkeletonBlock } from '../ui/states';
import { EventTypes } from './domains/EventTypes';
import { Visits } from './domains/Visits';
import { Windows } from './domains/Windows';

const EVERY_MS = 15_000;
const RETRY_MS = 2000;

/** What the domains declare; they may change while weir runs. */
function useDashboards(): { dashboards: Dashboard[] | undefined; error: ApiError | undefined } {
  const { readKey } = useSession().tenant;
  const [known, setKnown] = useState<{ dashboards?: Dashboard[]; error?: ApiError }>({});
  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    const ask = async (): Promise<void> => {
      let pause = EVERY_MS;
      try {
        const dashboards = await fetchDashboards(readKey, abort.signal);
        // The same again keeps its place, so that nothing is drawn anew.
        setKnown((was) => (JSON.stringify(was.dashboards) === JSON.stringify(dashboards) ? was : { dashboards }));
      } catch (e) {
        pause = RETRY_MS;
        if (e instanceof ApiError) setKnown((was) => (was.dashboards ? was : { error: e }));
      }
      if (!abort.signal.aborted) timer = window.setTimeout(() => void ask(), pause);
    };
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [readKey]);
  return { dashboards: known.dashboards, error: known.error };
}

export function DomainsPage(): ReactNode {
  const { dashboards, error } = useDashboards();
  const range = useRange('24h');
  const wanted = useUrl().params.get('domain');
  const shown = dashboards?.find((d) => d.domain === wanted) ?? dashboards?.[0];
  return (
    <>
      <PageHead title="Domains" {...(shown?.description ? { lead: shown.description } : {})}>
        {dashboards && shown && (
          <Select
            label="Domain"
            hideLabel
            value={shown.domain}
            options={dashboards.map(({ domain }) => ({ value: domain, label: domain }))}
            onChange={(domain) => setParams({ domain })}
          />
        )}
        <RangePicker range={range} />
      </PageHead>
      {shown ? (
        <Board key={shown.domain} dashboard={shown} range={range} />
      ) : (
        <Card>{error ? <ErrorNote error={error} /> : dashboards ? <NoDomains /> : <SkeletonBlock height={240} />}</Card>
      )}
    </>
  );
}

function NoDomains(): ReactNode {
  return (
    <Note icon="domains" title="No domain is declared yet">
      A file <code>config/domains/NAME.yaml</code> says what your events are and what is counted of them; its dashboard
      appears here by itself. docs/domains.md teaches the language in ten minutes.
    </Note>
  );
}

function Board({ dashboard, range }: { dashboard: Dashboard; range: Range }): ReactNode {
  const { panels } = dashboard;
  return (
    <>
      <EventTypes panels={panels} range={range} />
      <Windows panels={panels.filter((p) => p.kind === 'window')} range={range} />
      {panels
        .filter((p) => p.kind === 'sessions')
        .map((p) => (
          <Visits key={p.title} panel={p} range={range} />
        ))}
      {panels.length === 0 && (
        <Card>
          <Note icon="empty" title="This domain declares no event types and no windows" />
        </Card>
      )}
    </>
  );
}
