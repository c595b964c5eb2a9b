import { useState } from 'react';
import type { ReactNode } from 'react';
import type { Answer } from '../../data/api';
import { toCsv } from '../../data/csv';
import { count, milliseconds } from '../../data/format';
import { Button } from '../../ui/controls';
import { Card } from '../../ui/layout';
import { Note } from '../../ui/states';

const ROWS_SHOWN = 200;

export function Results({ answer }: { answer: Answer }): ReactNode {
  const [shown, setShown] = useState(ROWS_SHOWN);
  const { rows, columns } = answer;
  return (
    <Card
      title="Result"
      flush
      hint={
        <span role="status">
          {count(rows.length)} {rows.length === 1 ? 'row' : 'rows'} in {milliseconds(answer.elapsedMs)}
          {answer.truncated && <span className="tag warn cut-note">cut: add a LIMIT</span>}
        </span>
      }
      actions={
        <Button size="small" icon="download" onClick={() => download(answer)} disabled={rows.length === 0}>
          CSV
        </Button>
      }
    >
      {rows.length === 0 ? (
        <Note compact title="No rows">
          The statement is fine; nothing matches it.
        </Note>
      ) : (
        <div className="table-box tall" tabIndex={0} role="region" aria-label="Result">
          <table className="table result-table" data-testid="sql-result">
            <thead>
              <tr>
                {columns.map((c, i) => (
                  <th key={i} scope="col" className={isNumber(c.type) ? 'number' : undefined} title={c.type}>
                    {c.name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.slice(0, shown).map((row, r) => (
                <tr key={r}>
                  {row.map((cell, i) => (
                    <td key={i} className={isNumber(columns[i]?.type ?? '') ? 'number' : undefined}>
                      <Cell value={cell} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {rows.length > shown && (
        <div className="rows-foot">
          <span className="dim">
            {count(shown)} of {count(rows.length)} are shown.
          </span>
          <Button onClick={() => setShown(shown + 1000)}>Show more</Button>
        </div>
      )}
    </Card>
  );
}

function isNumber(type: string): boolean {
  return /^(Nullable\()?(SimpleAggregateFunction\(\w+, )?U?(Int|Float|Decimal)/.test(type);
}

function Cell({ value }: { value: unknown }): ReactNode {
  if (value === null) return <span className="dim">NULL</span>;
  if (typeof value === 'object') return JSON.stringify(value);
  const text = String(value);
  return text.length > 400 ? <span title={text.slice(0, 4000)}>{text.slice(0, 400)}…</span> : text;
}

function download(answer: Answer): void {
  const csv = toCsv(
    answer.columns.map((c) => c.name),
    answer.rows,
  );
  const url = URL.createObjectURL(new Blob([csv], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `weir-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, '-')}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
