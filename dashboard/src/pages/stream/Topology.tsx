import type { ReactNode } from 'react';
import { useFeed, useSql } from '../../app/session';
import { count, milliseconds } from '../../data/format';
import { sinksOf } from '../../data/sinks';
import { LATE_COUNT_SQL, STORED_SQL } from '../../data/stream_sql';
import { Card } from '../../ui/layout';
import type { Health } from './useStreamHealth';

interface Stage {
  name: string;
  value: string | undefined;
  what: string;
  aside?: string | undefined;
}

/** What an event passes, and how many did since weir was started. */
export function Topology({ health }: { health: Health }): ReactNode {
  const { state } = useFeed();
  const stored = useSql(STORED_SQL, { everyMs: 2000 });
  const late = useSql(LATE_COUNT_SQL, { everyMs: 5000 }).answer?.rows[0]?.[0];
  const sinks = sinksOf(health.now);
  const away = sinks.filter((sink) => !sink.isUp).length;
  const total = stored.answer?.rows[0]?.[0];
  const all = state && state.accepted + state.duplicates + state.dead_letters;
  const stages: Stage[] = [
    { name: 'Journal', value: all === undefined ? undefined : count(all), what: 'events on disk' },
    {
      name: 'Validate, transform',
      value: state && count(state.accepted + state.duplicates),
      what: 'valid',
      aside: state && `${count(state.dead_letters)} dead letters`,
    },
    {
      name: 'Deduplicate',
      value: state && count(state.accepted),
      what: 'seen once',
      aside: state && `${count(state.duplicates)} duplicates`,
    },
    {
      name: 'Sessions, windows',
      value: state && count(Math.max(0, state.accepted - state.lag_events)),
      what: state?.lag_events ? `passed, ${count(state.lag_events)} wait` : 'passed, none wait',
      aside: late === undefined ? undefined : `${count(Number(late))} too late for a window`,
    },
    {
      name: 'Store',
      value: total === undefined ? undefined : count(Number(total)),
      what: 'rows in all',
      aside: state?.queryable_ms ? `${milliseconds(state.queryable_ms)} until queryable` : undefined,
    },
  ];
  if (sinks.length > 0)
    stages.push({
      name: 'Sinks',
      value: count(sinks.reduce((sum, sink) => sum + sink.records, 0)),
      what: 'results delivered',
      aside: away ? `${away} of ${sinks.length} away` : `${sinks.length} up`,
    });
  return (
    <Card title="What an event passes" hint="since weir was started">
      <ol className="topology">
        {stages.map((stage) => (
          <li key={stage.name}>
            <h3>{stage.name}</h3>
            <p className="stage-value number">{stage.value ?? <span className="skeleton" aria-hidden="true" />}</p>
            <p className="dim">{stage.what}</p>
            <p className="aside number">{stage.aside ?? '\u00a0'}</p>
          </li>
        ))}
      </ol>
    </Card>
  );
}
