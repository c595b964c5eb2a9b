import { useState } from 'react';
import type { ReactNode } from 'react';
import { useSql } from '../../app/session';
import { followLink, href } from '../../app/url';
import type { Question } from '../../data/explore_sql';
import { bucket, change, count, percent } from '../../data/format';
import { formatRange, parseUtc, rangeLengthMs } from '../../data/range';
import { Button } from '../../ui/controls';
import { valueLabel } from './ExploreChart';

/* A month of hours is 720 rows: laying them out would make the click that led here wait. */
const ROWS_AT_FIRST = 60;

interface TableProps {
  question: Question;
  rows: unknown[][];
  previousSql?: string | undefined;
}

export function ExploreTable(props: TableProps): ReactNode {
  return props.previousSql ? <Compared {...props} previousSql={props.previousSql} /> : <Rows {...props} />;
}

function Compared({ question, rows, previousSql }: TableProps & { previousSql: string }): ReactNode {
  const { answer } = useSql(previousSql, { everyMs: 30_000 });
  return <Rows question={question} rows={rows} previous={previousNumbers(question, answer?.rows ?? [])} />;
}

/* The number that stood at the same place a period earlier. */
function previousNumbers(question: Question, rows: unknown[][]): Map<string, number> {
  if (question.by) {
    const column = question.measure === 'events' ? 1 : 2;
    return new Map(rows.map((r) => [String(r[0]), Number(r[column])]));
  }
  const length = rangeLengthMs(question.range);
  return new Map(rows.map((r) => [String(parseUtc(r[0]) + length), Number(r[1])]));
}

function Rows({ question, rows, previous }: TableProps & { previous?: Map<string, number> }): ReactNode {
  const { by, step, measure } = question;
  const [all, setAll] = useState(false);
  const body = (by ? rows : [...rows].reverse()).slice(0, all ? rows.length : ROWS_AT_FIRST);
  const columns = by ? ['Events', 'Visitors'] : [measure === 'events' ? 'Events' : 'Visitors'];
  return (
    <div className="table-box tall" tabIndex={0} role="region" aria-label="Numbers as a table">
      <table className="table" data-testid="explore-table">
        <thead>
          <tr>
            <th scope="col">{by ? 'Value' : step === 'day' ? 'Day' : 'Time (UTC)'}</th>
            {columns.map((c) => (
              <th key={c} scope="col" className="number">
                {c}
              </th>
            ))}
            {previous && (
              <>
                <th scope="col" className="number">
                  {measure === 'events' ? 'Events' : 'Visitors'} before
                </th>
                <th scope="col" className="number">
                  Change
                </th>
              </>
            )}
          </tr>
        </thead>
        <tbody>
          {body.map((row) => {
            const key = by ? String(row[0]) : String(parseUtc(row[0]));
            const numbers = row.slice(1).map(Number);
            return (
              <tr key={key}>
                <td>{by ? <ValueCell question={question} value={key} /> : bucket(Number(key), step)}</td>
                {numbers.map((n, i) => (
                  <td key={i} className="number">
                    {count(n)}
                  </td>
                ))}
                {previous && (
                  <Change now={numbers[by && measure === 'visitors' ? 1 : 0] ?? 0} before={previous.get(key) ?? 0} />
                )}
              </tr>
            );
          })}
        </tbody>
      </table>
      {body.length < rows.length && (
        <div className="rows-foot">
          <Button onClick={() => setAll(true)}>Show all {count(rows.length)} rows</Button>
        </div>
      )}
    </div>
  );
}

/* A type leads deeper into it; a value leads to its events. */
function ValueCell({ question, value }: { question: Question; value: string }): ReactNode {
  const range = formatRange(question.range);
  if (value === '') return <span className="dim">{valueLabel(value)}</span>;
  const to =
    question.by === 'type'
      ? href('explore', { range, type: value, by: 'name' })
      : href('events', { range, type: question.type, q: value });
  return (
    <a href={to} onClick={followLink}>
      {value}
    </a>
  );
}

function Change({ now, before }: { now: number; before: number }): ReactNode {
  const ratio = change(now, before);
  return (
    <>
      <td className="number">{count(before)}</td>
      <td className="number">
        {ratio === undefined ? (
          <span className="dim">{now > 0 ? 'new' : '–'}</span>
        ) : (
          <span className={`delta ${ratio >= 0 ? 'up' : 'down'}`}>
            {ratio >= 0 ? '+' : '−'}
            {percent(Math.abs(ratio))}
          </span>
        )}
      </td>
    </>
  );
}
