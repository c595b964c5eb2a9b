import type { ReactNode } from 'react';
import { count } from '../data/format';
import { followLink } from '../app/url';

export interface BarRow {
  label: string;
  value: number;
  more?: number | undefined;
  href?: string | undefined;
}

/** Values by size, each with a bar; `more` is a second number (visitors). */
export function BarList({
  rows,
  what,
  more,
  name,
}: {
  rows: readonly BarRow[];
  what: string;
  more?: string;
  name: string;
}): ReactNode {
  const most = Math.max(...rows.map((r) => r.value), 1);
  return (
    <>
      <div className="bars-head" aria-hidden="true">
        <span>{name}</span>
        <span className="value">{what}</span>
        {more && <span className="more">{more}</span>}
      </div>
      <ol className="bars">
        {rows.map((row) => (
          <li key={row.label}>
            <span className="bar" style={{ width: `${(row.value / most) * 100}%` }} />
            {row.href ? (
              <a className="cut" href={row.href} onClick={followLink} title={row.label}>
                {row.label}
              </a>
            ) : (
              <span className="name cut" title={row.label}>
                {row.label}
              </span>
            )}
            <span className="value">
              {count(row.value)}
              <span className="hidden-visually"> {what}</span>
            </span>
            {row.more !== undefined && (
              <span className="more">
                {count(row.more)}
                <span className="hidden-visually"> {more}</span>
              </span>
            )}
          </li>
        ))}
      </ol>
    </>
  );
}
