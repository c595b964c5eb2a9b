import type { ReactNode } from 'react';
import { useSqlKeeping } from '../../app/session';
import { followLink, href } from '../../app/url';
import { topSql, type EventsPanel, type Panel, type TopPanel } from '../../data/dashboard_sql';
import { seriesSql } from '../../data/explore_sql';
import { count } from '../../data/format';
import { formatRange, stepsOf, type Range } from '../../data/range';
import { BarList } from '../../ui/BarList';
import { EventBars } from '../../ui/EventBars';
import { Card } from '../../ui/layout';
import { Loaded, Note, SkeletonBlock, SkeletonRows } from '../../ui/states';
import { Metric } from './Metric';
import { Near } from './Near';
import { Stats } from './Stats';

export const HEIGHT = 180;

type OfType = Extract<Panel, { event_type: string }>;

/** A section for each event type: its count, then what its metrics and dimensions say. */
export function EventTypes({ panels, range }: { panels: readonly Panel[]; range: Range }): ReactNode {
  const all = panels.filter((p): p is OfType => 'event_type' in p);
  return all
    .filter((p) => p.kind === 'events')
    .map((type) => (
      <section key={type.event_type} className="board-part" aria-label={`Event type ${type.event_type}`}>
        <div className="section-bar">
          <h2>{type.event_type}</h2>
          {type.deprecated && <span className="tag warn">deprecated: {type.deprecated}</span>}
          {type.description && <span className="hint">{type.description}</span>}
        </div>
        <Board panels={all.filter((p) => p.event_type === type.event_type)} range={range} />
      </section>
    ));
}

/* So many beside each other that the last row is not one alone, where the screen has the room. */
function columnsFor(panels: number): number {
  return panels <= 4 ? panels : panels % 3 === 1 ? 4 : 3;
}

function Board({ panels, range }: { panels: readonly OfType[]; range: Range }): ReactNode {
  return (
    <div className={`board columns-${columnsFor(panels.length)}`}>
      {panels.map((p) => {
        if (p.kind === 'events') return <Count key={p.kind} panel={p} range={range} />;
        const key = `${p.kind} ${p.column}`;
        return p.kind === 'metric' ? (
          <Metric key={key} panel={p} range={range} />
        ) : (
          <Top key={key} panel={p} range={range} />
        );
      })}
    </div>
  );
}

function Count({ panel, range }: { panel: EventsPanel; range: Range }): ReactNode {
  const to = href('explore', { range: formatRange(range), type: panel.event_type });
  return (
    <Card
      title="Events"
      actions={
        <a href={to} onClick={followLink} className="card-link" aria-label={`Explore ${panel.event_type}`}>
          Explore
        </a>
      }
    >
      <Near height={HEIGHT + 52}>
        <CountOverTime panel={panel} range={range} />
      </Near>
    </Card>
  );
}

function CountOverTime({ panel, range }: { panel: EventsPanel; range: Range }): ReactNode {
  const step = stepsOf(range)[0] ?? 'hour';
  const question = { range, step, measure: 'events', by: undefined, values: [] } as const;
  const view = useSqlKeeping(seriesSql({ ...question, type: panel.event_type }));
  return (
    <Loaded
      of={view}
      compact
      skeleton={<SkeletonBlock height={HEIGHT + 52} />}
      empty={<Note compact title={`No ${panel.event_type} in this time`} />}
    >
      {(rows) => <CountChart rows={rows} panel={panel} range={range} />}
    </Loaded>
  );
}

function CountChart({ rows, panel, range }: { rows: unknown[][]; panel: EventsPanel; range: Range }): ReactNode {
  const total = rows.reduce((sum, r) => sum + Number(r[1]), 0);
  return (
    <>
      <Stats stats={[{ name: 'Total', value: count(total), id: `count ${panel.event_type}` }]} />
      <EventBars rows={rows} range={range} height={HEIGHT} name={panel.event_type} />
    </>
  );
}

function Top({ panel, range }: { panel: TopPanel; range: Range }): ReactNode {
  return (
    <Card title={panel.title} hint={panel.description}>
      <Near height={HEIGHT + 52}>
        <TopValues panel={panel} range={range} />
      </Near>
    </Card>
  );
}

function TopValues({ panel, range }: { panel: TopPanel; range: Range }): ReactNode {
  const view = useSqlKeeping(topSql(panel, range), { everyMs: 4000 });
  return (
    <Loaded of={view} compact skeleton={<SkeletonRows />} empty={<Note compact title="No values in this time" />}>
      {(rows) => (
        <BarList
          name="Value"
          what="Events"
          rows={rows.map(([value, events]) => ({
            label: String(value) || '(empty)',
            value: Number(events),
          }))}
        />
      )}
    </Loaded>
  );
}
