import { useState } from 'react';
import type { ReactNode } from 'react';
import { useSql } from '../../app/session';
import { followLink, href, setParams } from '../../app/url';
import type { FeedEvent } from '../../data/feed';
import { eventsSql } from '../../data/events_sql';
import { typesSql } from '../../data/explore_sql';
import { clock, clockMs, dateTime, day } from '../../data/format';
import { parseUtc, type Range } from '../../data/range';
import { SearchField, Select } from '../../ui/controls';
import { Note } from '../../ui/states';
import { EventDrawer } from '../EventDrawer';
import { RowsCard } from './RowsCard';
import { PAGE_ROWS, useRows } from './useRows';
import { useGradually } from '../../ui/useGradually';
import { EventWords } from './EventWords';
import { parseProperties, typeTone } from './words';

export function EventTable({
  range,
  type,
  text,
  search,
}: {
  range: Range;
  type: string | undefined;
  text: string;
  search: (text: string) => void;
}): ReactNode {
  const [rowsWanted, setRowsWanted] = useState(PAGE_ROWS);
  const [shown, setShown] = useState<FeedEvent>();
  const view = useRows(eventsSql({ range, type, text, rows: rowsWanted }), 'accepted');
  return (
    <>
      <RowsCard
        view={view}
        what="Events"
        rowsWanted={rowsWanted}
        more={() => setRowsWanted(rowsWanted + 200)}
        filters={
          <>
            <SearchField
              label="Search events"
              placeholder="Name, id, page, any property…"
              value={text}
              onChange={search}
            />
            <TypeSelect range={range} type={type} />
          </>
        }
        empty={
          <Note icon="search" title="No events found">
            {text || type ? 'Nothing in this time matches. ' : 'Nothing came in this time. '}
            <a href={href('setup')} onClick={followLink}>
              How to send
            </a>
          </Note>
        }
      >
        {(rows) => <Rows rows={rows} onOpen={setShown} />}
      </RowsCard>
      {shown && <EventDrawer event={shown} onClose={() => setShown(undefined)} />}
    </>
  );
}

function TypeSelect({ range, type }: { range: Range; type: string | undefined }): ReactNode {
  const { answer } = useSql(typesSql(range), { everyMs: 15_000 });
  const names = (answer?.rows ?? []).map((r) => String(r[0]));
  if (type && !names.includes(type)) names.unshift(type);
  return (
    <Select
      label="Event type"
      hideLabel
      value={type ?? ''}
      options={[{ value: '', label: 'All types' }, ...names.map((n) => ({ value: n, label: n }))]}
      onChange={(value) => setParams({ type: value || undefined })}
    />
  );
}

function eventOf(row: unknown[]): FeedEvent {
  const [timestamp, type, name, visitor, user, id, properties] = row;
  return {
    event_id: String(id),
    event_type: String(type),
    event_name: String(name),
    visitor_id: String(visitor),
    user_id: user ?? '',
    timestamp_ms: parseUtc(timestamp),
    received_ms: parseUtc(timestamp),
    properties: parseProperties(properties),
  };
}

function Rows({ rows, onOpen }: { rows: unknown[][]; onOpen: (event: FeedEvent) => void }): ReactNode {
  const shown = useGradually(rows.length, 30);
  return (
    <table className="table events-table">
      <thead>
        <tr>
          <th scope="col">Time (UTC)</th>
          <th scope="col">Type</th>
          <th scope="col">What</th>
          <th scope="col">Visitor</th>
          <th scope="col">User</th>
        </tr>
      </thead>
      <tbody>
        {rows.slice(0, shown).map((row) => {
          const event = eventOf(row);
          return (
            <tr key={event.event_id} className="opens" onClick={() => onOpen(event)}>
              <td className="time dim" title={dateTime(event.timestamp_ms)}>
                <span className="day">{day(event.timestamp_ms)} </span>
                {clock(event.timestamp_ms)}
                <span className="ms">{clockMs(event.timestamp_ms).slice(8)}</span>
              </td>
              <td>
                <span className={`tag ${typeTone(event.event_type)}`}>{event.event_type}</span>
              </td>
              <td className="wide">
                <button type="button" className="row-button" onClick={(e) => (e.stopPropagation(), onOpen(event))}>
                  <EventWords name={event.event_name || event.event_type} properties={event.properties} />
                </button>
              </td>
              <td className="dim">{event.visitor_id}</td>
              <td className="dim">{String(event['user_id'])}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
