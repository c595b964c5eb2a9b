import { useState } from 'react';
import type { ReactNode } from 'react';
import { RangePicker, useRange } from '../app/RangePicker';
import { useSqlKeeping } from '../app/session';
import { followLink, href, setParams, useUrl } from '../app/url';
import { useKept } from '../app/useKept';
import { fetchDashboards } from '../data/api';
import { aliveSql, isAlive, type Dashboard } from '../data/dashboard_sql';
import type { Range } from '../data/range';
import { Select } from '../ui/controls';
import { Card, PageHead } from '../ui/layout';
import { ErrorNote, Note, SkeletonBlock } from '../ui/states';
import { EventTypes } from './domains/EventTypes';
import { Visits } from './domains/Visits';
import { Windows } from './domains/Windows';

const EVERY_MS = 15_000;

/** The domain of the URL, else the first that has anything to show; that one stays while the range changes. */
function useShown(dashboards: readonly Dashboard[] | undefined, alive: unknown[][] | undefined): Dashboard | undefined {
  const wanted = useUrl().params.get('domain');
  const [chosen, setChosen] = useState<string>();
  const named = dashboards?.find((d) => d.domain === wanted) ?? dashboards?.find((d) => d.domain === chosen);
  if (named || !dashboards || !alive) return named;
  const first = dashboards.find((d) => isAlive(d, alive));
  if (first) setChosen(first.domain);
  return first ?? dashboards[0];
}

export function DomainsPage(): ReactNode {
  const { value: dashboards, error } = useKept(fetchDashboards); // what the domains declare
  const range = useRange('24h');
  const view = useSqlKeeping(aliveSql(range), { everyMs: EVERY_MS });
  const alive = view.answer?.rows ?? (view.error ? [] : undefined);
  const shown = useShown(dashboards, alive);
  const isEmpty = shown && view.answer && !view.isOld && !isAlive(shown, view.answer.rows);
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
      {isEmpty && shown.panels.length > 0 && <NothingCame domain={shown.domain} />}
      {shown ? (
        <Board key={shown.domain} dashboard={shown} range={range} />
      ) : (
        <Card>
          {error ? (
            <ErrorNote error={error} />
          ) : dashboards?.length === 0 ? (
            <NoDomains />
          ) : (
            <SkeletonBlock height={240} />
          )}
        </Card>
      )}
    </>
  );
}

function NothingCame({ domain }: { domain: string }): ReactNode {
  return (
    <Card>
      <Note compact icon="empty" title={`Nothing of the domain ${domain} came in this time`}>
        A longer range may have some, or another domain;{' '}
        <a href={href('setup')} onClick={followLink}>
          Setup
        </a>{' '}
        says how to send events.
      </Note>
    </Card>
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
