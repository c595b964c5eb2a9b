import type { ReactNode } from 'react';
import { useSqlKeeping } from '../../app/session';
import { totalsBeforeSql, totalsSql, type Question } from '../../data/explore_sql';
import { change, count, percent } from '../../data/format';
import { rangeLabel } from '../../data/range';

/** Events and visitors of the whole range. Visitors are merged over it: the days' numbers don't add up to them. */
export function ExploreTotals({ question, compare }: { question: Question; compare: boolean }): ReactNode {
  return compare ? <Compared question={question} /> : <Totals question={question} />;
}

function Compared({ question }: { question: Question }): ReactNode {
  const { answer } = useSqlKeeping(totalsBeforeSql(question), { everyMs: 30_000 });
  return <Totals question={question} before={(answer?.rows[0] ?? []).map(Number)} />;
}

function Totals({ question, before = [] }: { question: Question; before?: number[] }): ReactNode {
  const now = useSqlKeeping(totalsSql({ ...question, by: undefined }));
  const [events, visitors] = (now.answer?.rows[0] ?? []).map(Number);
  const label = rangeLabel(question.range);
  return (
    <dl className={`numbers two card ${now.isOld ? 'is-old' : ''}`}>
      <Total id="total-events" name="Events" now={events} before={before[0]} label={label} />
      <Total id="total-visitors" name="Visitors" now={visitors} before={before[1]} label={label} />
    </dl>
  );
}

function Total({
  id,
  name,
  now,
  before,
  label,
}: {
  id: string;
  name: string;
  now: number | undefined;
  before: number | undefined;
  label: string;
}): ReactNode {
  const ratio = now === undefined || before === undefined ? undefined : change(now, before);
  return (
    <div className="stat" data-testid={id}>
      <dt>{name}</dt>
      <dd className="stat-value number">
        {now === undefined ? <span className="skeleton" aria-hidden="true" /> : count(now)}
      </dd>
      <dd className="stat-sub">
        {before === undefined ? (
          label
        ) : (
          <>
            {ratio !== undefined && (
              <span className={`delta ${ratio >= 0 ? 'up' : 'down'}`}>
                {ratio >= 0 ? '↑' : '↓'} {percent(Math.abs(ratio))}
              </span>
            )}
            <span>{count(before)} by the same time before</span>
          </>
        )}
      </dd>
    </div>
  );
}
