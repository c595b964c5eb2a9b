import type { ReactNode } from 'react';
import { RangePicker, useRange } from '../app/RangePicker';
import { useSqlKeeping } from '../app/session';
import { count, dateTime, duration, percent } from '../data/format';
import { members } from '../data/json';
import { parseUtc, type Range } from '../data/range';
import {
  isMissingTable,
  lateSql,
  sessionNumbersSql,
  sessionsSql,
  windowKindsSql,
  windowsSql,
} from '../data/stream_sql';
import { Card, PageHead } from '../ui/layout';
import { Loaded, Note, SkeletonRows } from '../ui/states';
import { Sinks } from './stream/Sinks';
import { Tasks } from './stream/Tasks';
import { Topology } from './stream/Topology';
import { useStreamHealth } from './stream/useStreamHealth';

export function StreamPage(): ReactNode {
  const range = useRange();
  const health = useStreamHealth();
  return (
    <>
      <PageHead title="Stream">
        <RangePicker range={range} />
      </PageHead>
      <Topology health={health} />
      <Tasks health={health} />
      <Sinks health={health} />
      <Sessions range={range} />
      <Windows range={range} />
      <Late range={range} />
    </>
  );
}

interface Column {
  name: string;
  number?: boolean;
}

interface RowsProps {
  title: string;
  sql: string;
  columns: readonly Column[];
  cells: (row: unknown[]) => ReactNode[];
  empty: ReactNode;
  missing: ReactNode;
  above?: ReactNode;
}

/* A table of the engine that an older weir, or one that was set up without it, does not have. */
function Rows({ title, sql, columns, cells, empty, missing, above }: RowsProps): ReactNode {
  const view = useSqlKeeping(sql, { everyMs: 3000 });
  const isMissing = view.error !== undefined && isMissingTable(view.error.message);
  return (
    <Card title={title} hint={view.answer && view.answer.rows.length >= 50 ? 'the newest 50' : undefined} flush>
      {isMissing ? (
        missing
      ) : (
        <>
          {view.answer && view.answer.rows.length > 0 && above}
          <Loaded
            of={view}
            skeleton={
              <div className="inset">
                <SkeletonRows />
              </div>
            }
            empty={empty}
          >
            {(rows) => (
              <div className="table-box tall" tabIndex={0} role="region" aria-label={title}>
                <table className="table events-table">
                  <thead>
                    <tr>
                      {columns.map((c) => (
                        <th key={c.name} scope="col" className={c.number ? 'number' : undefined}>
                          {c.name}
                        </th>
                      ))}
                    </tr>
                  </thead>
                  <tbody>
                    {rows.map((row, i) => (
                      <tr key={i}>
                        {cells(row).map((cell, c) => (
                          <td key={c} className={columns[c]?.number ? 'number' : undefined}>
                            {cell}
                          </td>
                        ))}
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )}
          </Loaded>
        </>
      )}
    </Card>
  );
}

function NotHere({ what }: { what: string }): ReactNode {
  return (
    <Note compact icon="stream" title={`No ${what} yet`}>
      This weir does not have the table. The stream engine fills it when its version brings it.
    </Note>
  );
}

function Sessions({ range }: { range: Range }): ReactNode {
  return (
    <Rows
      title="Sessions"
      sql={sessionsSql(range)}
      columns={[
        { name: 'Started (UTC)' },
        { name: 'Visitor' },
        { name: 'User' },
        { name: 'Session' },
        { name: 'Duration', number: true },
        { name: 'Events', number: true },
      ]}
      cells={([started, session, visitor, user, seconds, events]) => [
        <span className="number">{dateTime(parseUtc(started)).slice(0, 19)}</span>,
        String(visitor),
        user ? String(user) : <span className="dim">–</span>,
        <span className="dim">{String(session)}</span>,
        duration(Number(seconds) * 1000),
        count(Number(events)),
      ]}
      above={<SessionNumbers range={range} />}
      empty={
        <Note compact icon="person" title="No sessions in this time">
          A session begins with a visitor’s first event and ends when they rest.
        </Note>
      }
      missing={<NotHere what="sessions" />}
    />
  );
}

function SessionNumbers({ range }: { range: Range }): ReactNode {
  const { answer } = useSqlKeeping(sessionNumbersSql(range), { everyMs: 3000 });
  const [sessions, seconds, events, single] = (answer?.rows[0] ?? []).map(Number);
  if (sessions === undefined || !sessions) return null;
  const facts: [string, string][] = [
    ['Sessions', count(sessions)],
    ['Mean duration', duration((seconds ?? 0) * 1000)],
    ['Events a session', (events ?? 0).toFixed(1)],
    ['With one event', percent((single ?? 0) / sessions)],
  ];
  return (
    <dl className="mini-stats">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className="number">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Windows({ range }: { range: Range }): ReactNode {
  return (
    <Rows
      title="Windows"
      sql={windowsSql(range)}
      columns={[
        { name: 'Window' },
        { name: 'From (UTC)' },
        { name: 'To' },
        { name: 'Key' },
        { name: 'Events', number: true },
        { name: 'Measures' },
        { name: 'State' },
      ]}
      cells={([start, end, window, key, events, measures, revision, isFinal]) => [
        <strong>{String(window)}</strong>,
        <span className="number">{dateTime(parseUtc(start)).slice(0, 19)}</span>,
        <span className="number">{dateTime(parseUtc(end)).slice(11, 19)}</span>,
        members(key)
          .map(([, text]) => text)
          .join(' · ') || <span className="dim">all</span>,
        count(Number(events)),
        members(measures).map(([name, text]) => (
          <span key={name} className="measure">
            <span className="dim">{name}</span> {text}
          </span>
        )),
        Number(isFinal) || isFinal === true ? (
          <span className="tag good">final</span>
        ) : (
          <span className="tag warn">{Number(revision) > 0 ? `revision ${Number(revision)}` : 'open'}</span>
        ),
      ]}
      above={<WindowKinds range={range} />}
      empty={
        <Note compact icon="stream" title="No windows in this time">
          Windows that a domain file defines are counted while events pass.
        </Note>
      }
      missing={<NotHere what="windows" />}
    />
  );
}

function WindowKinds({ range }: { range: Range }): ReactNode {
  const { answer } = useSqlKeeping(windowKindsSql(range), { everyMs: 3000 });
  return (
    <dl className="mini-stats">
      {(answer?.rows ?? []).map(([window, kind, windows, finals]) => (
        <div key={String(window)}>
          <dt>
            {String(window)} <span className="tag">{String(kind)}</span>
          </dt>
          <dd className="number">
            {count(Number(windows))} <small className="dim">{count(Number(finals))} final</small>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Late({ range }: { range: Range }): ReactNode {
  return (
    <Rows
      title="Late events"
      sql={lateSql(range)}
      columns={[
        { name: 'Received (UTC)' },
        { name: 'Happened' },
        { name: 'Missed window' },
        { name: 'Type' },
        { name: 'Name' },
        { name: 'Visitor' },
      ]}
      cells={([received, window, start, happened, type, name, visitor]) => [
        <span className="number">{dateTime(parseUtc(received)).slice(0, 19)}</span>,
        <span className="number">{dateTime(parseUtc(happened)).slice(0, 19)}</span>,
        `${String(window)} of ${dateTime(parseUtc(start)).slice(0, 16)}`,
        <span className="tag">{String(type)}</span>,
        String(name),
        <span className="dim">{String(visitor)}</span>,
      ]}
      empty={
        <Note compact icon="check" title="Nothing came too late">
          An event that its window can no longer take is kept here, with the window that it missed.
        </Note>
      }
      missing={<NotHere what="late events" />}
    />
  );
}
