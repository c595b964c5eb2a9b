import { useState } from 'react';
import type { ReactNode } from 'react';
import { useSql } from '../../app/session';
import { setParams } from '../../app/url';
import { lettersSql, reasonsSql } from '../../data/events_sql';
import { count, dateTime } from '../../data/format';
import { pretty } from '../../data/json';
import { parseUtc, type Range } from '../../data/range';
import { SearchField, Segments, Select } from '../../ui/controls';
import { Code, Drawer } from '../../ui/layout';
import { Note } from '../../ui/states';
import { RowsCard } from './RowsCard';
import { PAGE_ROWS, useRows } from './useRows';

interface Letter {
  receivedMs: number;
  reason: string;
  stage: string;
  field: string;
  message: string;
  eventId: string;
  bytes: number;
  original: string;
}

function letterOf(row: unknown[]): Letter {
  const [received, reason, stage, field, message, id, bytes, original] = row;
  return {
    receivedMs: parseUtc(received),
    reason: String(reason),
    stage: String(stage),
    field: String(field),
    message: String(message),
    eventId: String(id),
    bytes: Number(bytes),
    original: String(original),
  };
}

export function DeadLetterTable({
  range,
  reason,
  text,
  search,
}: {
  range: Range;
  reason: string | undefined;
  text: string;
  search: (text: string) => void;
}): ReactNode {
  const [rowsWanted, setRowsWanted] = useState(PAGE_ROWS);
  const [shown, setShown] = useState<Letter>();
  const view = useRows(lettersSql({ range, reason, text, rows: rowsWanted }), 'dead_letters');
  return (
    <>
      <RowsCard
        view={view}
        what="Dead letters"
        rowsWanted={rowsWanted}
        more={() => setRowsWanted(rowsWanted + 200)}
        filters={
          <>
            <SearchField
              label="Search dead letters"
              placeholder="Any text of the original…"
              value={text}
              onChange={search}
            />
            <ReasonSelect range={range} reason={reason} />
          </>
        }
        empty={
          text || reason ? (
            <Note icon="search" title="No dead letters found">
              Nothing in this time matches.
            </Note>
          ) : (
            <Note icon="check" title="No dead letters">
              An event that is refused is kept here, with the reason and the bytes that were sent.
            </Note>
          )
        }
      >
        {(rows) => <Rows letters={rows.map(letterOf)} onOpen={setShown} />}
      </RowsCard>
      {shown && <LetterDrawer letter={shown} onClose={() => setShown(undefined)} />}
    </>
  );
}

function ReasonSelect({ range, reason }: { range: Range; reason: string | undefined }): ReactNode {
  const { answer } = useSql(reasonsSql(range), { everyMs: 15_000 });
  const options = (answer?.rows ?? []).map((r) => ({
    value: String(r[0]),
    label: `${String(r[0])} (${count(Number(r[1]))})`,
  }));
  if (reason && !options.some((o) => o.value === reason)) options.unshift({ value: reason, label: reason });
  return (
    <Select
      label="Reason"
      hideLabel
      value={reason ?? ''}
      options={[{ value: '', label: 'All reasons' }, ...options]}
      onChange={(value) => setParams({ reason: value || undefined })}
    />
  );
}

function Rows({ letters, onOpen }: { letters: Letter[]; onOpen: (letter: Letter) => void }): ReactNode {
  return (
    <table className="table events-table">
      <thead>
        <tr>
          <th scope="col">Received (UTC)</th>
          <th scope="col">Reason</th>
          <th scope="col">What was wrong</th>
          <th scope="col">Field</th>
          <th scope="col">Original</th>
        </tr>
      </thead>
      <tbody>
        {letters.map((letter, i) => (
          <tr key={`${letter.receivedMs} ${i}`} className="opens" onClick={() => onOpen(letter)}>
            <td className="time dim">{dateTime(letter.receivedMs)}</td>
            <td>
              <span className="tag bad">{letter.reason}</span>
            </td>
            <td className="wide">
              <button type="button" className="row-button" onClick={(e) => (e.stopPropagation(), onOpen(letter))}>
                {letter.message || letter.reason}
              </button>
            </td>
            <td className="mono">{letter.field || '–'}</td>
            <td className="mono dim original">
              <span className="cut">{letter.original.slice(0, 120)}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function LetterDrawer({ letter, onClose }: { letter: Letter; onClose: () => void }): ReactNode {
  const [form, setForm] = useState<'sent' | 'indented'>('sent');
  const facts: [string, string][] = [
    ['Reason', letter.reason],
    ['Message', letter.message],
    ['Field', letter.field || '–'],
    ['Stage', letter.stage],
    ['Received', `${dateTime(letter.receivedMs)} UTC`],
    ['Event id', letter.eventId || '–'],
  ];
  return (
    <Drawer title="Dead letter" onClose={onClose}>
      <dl className="facts">
        {facts.map(([name, value]) => (
          <div key={name} className="fact">
            <dt>{name}</dt>
            <dd className="number">{value}</dd>
          </div>
        ))}
      </dl>
      <section>
        <div className="section-head">
          <h3>Original, {count(letter.bytes)} bytes</h3>
          <Segments
            label="Form"
            hideLabel
            value={form}
            options={[
              { value: 'sent', label: 'As sent' },
              { value: 'indented', label: 'Indented' },
            ]}
            onChange={setForm}
          />
        </div>
        <Code text={form === 'sent' ? letter.original : pretty(letter.original)} what="original" wraps />
      </section>
    </Drawer>
  );
}
