import { useMemo } from 'react';
import type { ReactNode } from 'react';
import { RangePicker, useRange } from '../app/RangePicker';
import { useSqlKeeping } from '../app/session';
import { followLink, href } from '../app/url';
import { useKept } from '../app/useKept';
import { fetchTargets } from '../data/api';
import { bucket, count, EMPTY } from '../data/format';
import { courseSql, failuresSql, MEASURES, qualitySql, targetOf, type Targets } from '../data/quality_sql';
import { bucketsOf, formatRange, parseUtc, stepsOf, type Range, type Step } from '../data/range';
import { Chart, Legend, type Series } from '../ui/Chart';
import { Card, PageHead } from '../ui/layout';
import { ErrorNote, Loaded, Note, SkeletonBlock, SkeletonRows } from '../ui/states';

const HEIGHT = 200;
const COURSES: readonly [string, Series['color']][] = [
  ['Invalid', '4'],
  ['Duplicates', '2'],
  ['Late', '3'],
  ['Missing values', '5'],
];

/** Rounded down: 100 % is shown only where nothing is amiss. */
function share(ratio: number): string {
  return `${Math.floor(ratio * 10_000 + 1e-9) / 100} %`;
}

/** 0.9999 → "99.99 %" */
function percent(target: number): string {
  return `${Number((target * 100).toFixed(4))} %`;
}

export function QualityPage(): ReactNode {
  const range = useRange();
  return (
    <>
      <PageHead title="Quality">
        <RangePicker range={range} />
      </PageHead>
      <Types range={range} />
      <Course range={range} />
      <Failures range={range} />
    </>
  );
}

function Rows({ label, head, children }: { label: string; head: readonly string[]; children: ReactNode }): ReactNode {
  return (
    <div className="table-box tall" tabIndex={0} role="region" aria-label={label}>
      <table className="table events-table" data-testid="quality-table">
        <thead>
          <tr>
            {head.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

const SKELETON = (
  <div className="inset">
    <SkeletonRows />
  </div>
);

function Types({ range }: { range: Range }): ReactNode {
  const { value: targets, error } = useKept(fetchTargets); // domains may change them
  return (
    <Card title="By type" hint="against the targets, by the hour in which events came" flush>
      {targets ? <TypeRows range={range} targets={targets} /> : error ? <ErrorNote error={error} /> : SKELETON}
    </Card>
  );
}

function TypeRows({ range, targets }: { range: Range; targets: Targets }): ReactNode {
  const view = useSqlKeeping(qualitySql(range, targets), { everyMs: 5000 });
  return (
    <Loaded
      of={view}
      skeleton={SKELETON}
      empty={
        <Note compact icon="quality" title="No events in this time">
          Each event that comes is counted here, also one that is refused.
        </Note>
      }
    >
      {(rows) => (
        <Rows
          label="Quality by type"
          head={['Type', 'Events', ...MEASURES.map((m) => `${m.title} ≥ ${percent(targets.targets[m.name])}`)]}
        >
          {rows.map((row) => (
            <tr key={String(row[0])}>
              <td>{row[0] ? <strong>{String(row[0])}</strong> : <span className="dim">(none)</span>}</td>
              <td className="number">{count(Number(row[1]))}</td>
              {MEASURES.map((m, i) => {
                const target = targetOf(targets, String(row[0]), m.name);
                const own = target === targets.targets[m.name] ? undefined : target;
                return (
                  <td key={m.name}>
                    <Ratio value={row[2 + 2 * i]} target={target} hours={Number(row[3 + 2 * i])} />
                    {own !== undefined && <small className="dim"> ≥ {percent(own)}</small>}
                  </td>
                );
              })}
            </tr>
          ))}
        </Rows>
      )}
    </Loaded>
  );
}

function Ratio({ value, target, hours }: { value: unknown; target: number; hours: number }): ReactNode {
  if (value === null || value === undefined) return <span className="dim">{EMPTY}</span>;
  const isBelow = Number(value) < target && hours > 0;
  const tag = isBelow ? 'bad' : hours > 0 ? 'warn' : 'good';
  return (
    <>
      <span className={`tag ${tag}`}>{share(Number(value))}</span>
      {hours > 0 && <small className="dim"> {count(hours)} h below</small>}
    </>
  );
}

function Course({ range }: { range: Range }): ReactNode {
  const step: Step = stepsOf(range)[0] === 'day' ? 'day' : 'hour';
  const view = useSqlKeeping(courseSql(range, step), { everyMs: 5000 });
  return (
    <Card title="What counted against it" hint={`by ${step}`}>
      <Loaded
        of={view}
        skeleton={<SkeletonBlock height={HEIGHT} />}
        empty={<Note compact title="No events in this time" />}
      >
        {(rows) => <CourseChart rows={rows} range={range} step={step} />}
      </Loaded>
    </Card>
  );
}

function CourseChart({ rows, range, step }: { rows: unknown[][]; range: Range; step: Step }): ReactNode {
  const { x, series } = useMemo(() => {
    const byBucket = new Map(rows.map((r) => [parseUtc(r[0]), r]));
    const buckets = bucketsOf(range, step, Date.now());
    const lines = COURSES.map(([label, color], i): Series => {
      const values = buckets.map((b) => Number(byBucket.get(b)?.[i + 1] ?? 0));
      return { label, color, kind: 'line', values };
    });
    return { x: buckets.map((b) => b / 1000), series: lines };
  }, [rows, range, step]);
  return (
    <>
      <Chart
        x={x}
        series={series}
        height={HEIGHT}
        label={`Invalid, repeated, late events and missing values by ${step}`}
        formatX={(ms) => bucket(ms, step)}
        formatY={count}
      />
      <Legend series={series} />
    </>
  );
}

function Failures({ range }: { range: Range }): ReactNode {
  const view = useSqlKeeping(failuresSql(range), { everyMs: 5000 });
  return (
    <Card title="What failed most" flush>
      <Loaded of={view} skeleton={SKELETON} empty={<Note compact icon="check" title="Nothing was refused" />}>
        {(rows) => (
          <Rows label="What failed most" head={['Field or rule', 'Reason', 'Stage', 'Events', 'For example']}>
            {rows.map(([field, reason, stage, n, example]) => (
              <tr key={[field, reason, stage].join(' ')}>
                <td>{field ? String(field) : <span className="dim">{EMPTY}</span>}</td>
                <td>
                  <a
                    href={href('events', { view: 'dead', reason: String(reason), range: formatRange(range) })}
                    onClick={followLink}
                  >
                    {String(reason)}
                  </a>
                </td>
                <td>{String(stage)}</td>
                <td className="number">{count(Number(n))}</td>
                <td className="dim">{String(example)}</td>
              </tr>
            ))}
          </Rows>
        )}
      </Loaded>
    </Card>
  );
}
