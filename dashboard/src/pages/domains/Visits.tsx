import { useMemo } from 'react';
import type { ReactNode } from 'react';
import { useSqlKeeping } from '../../app/session';
import { visitsSql, type SessionsPanel } from '../../data/dashboard_sql';
import { bucket, count, duration, percent } from '../../data/format';
import { bucketsOf, parseUtc, stepsOf, type Range } from '../../data/range';
import { sessionNumbersSql } from '../../data/stream_sql';
import { Chart, type Series } from '../../ui/Chart';
import { Card } from '../../ui/layout';
import { Loaded, Note, SkeletonBlock } from '../../ui/states';
import { HEIGHT } from './EventTypes';
import { Near } from './Near';
import { Stats } from './Stats';

/** How many visits there were and how long they took: of all events, since a visit does not end where a domain does. */
export function Visits({ panel, range }: { panel: SessionsPanel; range: Range }): ReactNode {
  return (
    <section className="board-part" aria-label={panel.title}>
      <div className="section-bar">
        <h2>{panel.title}</h2>
        <span className="hint">of all domains, {duration(panel.gap_ms)} without an event end one</span>
      </div>
      <Near height={HEIGHT + 100}>
        <VisitsOverTime range={range} />
      </Near>
    </section>
  );
}

function VisitsOverTime({ range }: { range: Range }): ReactNode {
  const step = stepsOf(range)[0] ?? 'hour';
  const view = useSqlKeeping(visitsSql(range, step), { everyMs: 4000 });
  const { answer } = useSqlKeeping(sessionNumbersSql(range), { everyMs: 4000 });
  const [visits, seconds, events, single] = (answer?.rows[0] ?? []).map(Number);
  const skeleton = <SkeletonBlock height={HEIGHT + 52} />;
  const empty = <Note compact icon="person" title="No visits in this time" />;
  return (
    <div className="board columns-2">
      <Card title="Number of visits">
        <Loaded of={view} compact skeleton={skeleton} empty={empty}>
          {(rows) => (
            <>
              <Stats
                stats={[
                  { name: 'Visits', value: count(visits), id: 'visits' },
                  { name: 'With one event', value: visits ? percent((single ?? 0) / visits) : '–' },
                ]}
              />
              <Over rows={rows} column={1} range={range} />
            </>
          )}
        </Loaded>
      </Card>
      <Card title="Length of visits">
        <Loaded of={view} compact skeleton={skeleton} empty={empty}>
          {(rows) => (
            <>
              <Stats
                stats={[
                  {
                    name: 'Mean length',
                    value: seconds === undefined ? '–' : duration(seconds * 1000),
                    id: 'visit-length',
                  },
                  { name: 'Events a visit', value: events === undefined ? '–' : events.toFixed(1) },
                ]}
              />
              <Over rows={rows} column={2} range={range} />
            </>
          )}
        </Loaded>
      </Card>
    </div>
  );
}

/* Column 1: how many; column 2: how many seconds they took in the mean. */
function Over({ rows, column, range }: { rows: unknown[][]; column: 1 | 2; range: Range }): ReactNode {
  const step = stepsOf(range)[0] ?? 'hour';
  const { x, series } = useMemo(() => {
    const byBucket = new Map(rows.map((r) => [parseUtc(r[0]), Number(r[column])]));
    const buckets = bucketsOf(range, step, Date.now());
    const one: Series = {
      label: column === 1 ? 'Visits' : 'Mean length',
      values: buckets.map((b) => byBucket.get(b) ?? (column === 1 ? 0 : null)),
      color: column === 1 ? '1' : '3',
      kind: column === 1 ? 'bars' : 'line',
      joins: column === 2,
    };
    return { x: buckets.map((b) => b / 1000), series: [one] };
  }, [rows, column, range, step]);
  return (
    <Chart
      x={x}
      series={series}
      height={HEIGHT}
      isMeasured={column === 2}
      label={column === 1 ? `Visits by ${step}` : `Mean length in seconds by ${step}`}
      formatX={(ms) => bucket(ms, step)}
      formatY={(v) => (column === 1 ? count(v) : duration(v * 1000))}
    />
  );
}
