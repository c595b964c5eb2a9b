import type { ReactNode } from 'react';
import { useSql } from '../app/session';
import type { FeedEvent } from '../data/feed';
import { dateTime, milliseconds } from '../data/format';
import { pretty } from '../data/json';
import { parseUtc } from '../data/range';
import { literal } from '../data/sql';
import { Code, Drawer } from '../ui/layout';

const FIELDS =
  'visitor_id, user_id, session_id, event_id, event_type, event_name, timestamp, received_at, identity_stitched, properties, context';

/* The primary key is by time: a window around the event's own keeps the search for its id small. */
function eventSql(id: string, timestampMs: number): string {
  const at = (ms: number): string => `fromUnixTimestamp64Milli(${Math.round(ms)}, 'UTC')`;
  return `SELECT ${FIELDS}
FROM events_raw
WHERE timestamp >= ${at(timestampMs - 1000)} AND timestamp <= ${at(timestampMs + 1000)}
  AND event_id = ${literal(id)}
LIMIT 1`;
}

/** All there is of one event: at once what the feed said, then everything that is stored. */
export function EventDrawer({ event, onClose }: { event: FeedEvent; onClose: () => void }): ReactNode {
  const { answer } = useSql(eventSql(event.event_id, event.timestamp_ms), { everyMs: 1000 });
  const row = answer?.rows[0];
  const stored = new Map(answer?.columns.map((c, i) => [c.name, row?.[i]]));
  const field = (name: string): string => {
    const value = row ? stored.get(name) : event[name];
    return value === null || value === undefined || value === '' ? '–' : String(value);
  };
  const happened = row ? parseUtc(stored.get('timestamp')) : event.timestamp_ms;
  const received = row ? parseUtc(stored.get('received_at')) : event.received_ms;
  const facts: [string, string][] = [
    ['Type', field('event_type')],
    ['Name', field('event_name')],
    ['Happened', `${dateTime(happened)} UTC`],
    ['Received', `${dateTime(received)} UTC (${milliseconds(Math.max(0, received - happened))} later)`],
    ['Visitor', field('visitor_id')],
    ['User', field('user_id')],
    ['Session', field('session_id')],
    ['Event id', field('event_id')],
  ];
  const properties = pretty(row ? stored.get('properties') : event.properties);
  return (
    <Drawer title={event.event_name || event.event_type} onClose={onClose}>
      <dl className="facts">
        {facts.map(([name, value]) => (
          <div key={name} className="fact">
            <dt>{name}</dt>
            <dd className="number">{value}</dd>
          </div>
        ))}
      </dl>
      <section>
        <h3 className="section-head">Properties</h3>
        <Code text={properties} what="properties" wraps />
      </section>
      <section>
        <h3 className="section-head">Context</h3>
        {row ? (
          <Code text={pretty(stored.get('context'))} what="context" wraps />
        ) : (
          <p className="dim">Being stored…</p>
        )}
      </section>
    </Drawer>
  );
}
