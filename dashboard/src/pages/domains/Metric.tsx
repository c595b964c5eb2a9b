import { useMemo, useState } from 'react';
import type { ReactNode } from 'react';
import { useSqlKeeping } from '../../app/session';
import { CURRENCIES_MAX, metricSql, type MetricPanel } from '../../data/dashboard_sql';
import { bucket, count, measured, money } from '../../data/format';
import { bucketsOf, parseUtc, stepsOf, type Range } from '../../data/range';
import { Chart, type Series, type SeriesColor } from '../../ui/Chart';
import { Segments } from '../../ui/controls';
import { Card } from '../../ui/layout';
import { Loaded, Note, SkeletonBlock } from '../../ui/states';
import { HEIGHT } from './EventTypes';
import { Near } from './Near';
import { Stats } from './Stats';

const COLORS: readonly SeriesColor[] = ['1', '2', '3', '4'];

type Shown = 'sum' | 'mean';

interface Point {
  at: number;
  count: number;
  sum: number;
}

/* A currency's amounts, or all values where there is none. */
interface Line {
  currency: string;
  count: number;
  sum: number;
  points: Map<number, Point>;
}

/** Amounts of different currencies are never added up. */
function linesOf(rows: unknown[][]): Line[] {
  const lines = new Map<string, Line>();
  for (const row of rows) {
    const currency = String(row[1]);
    const point = { at: parseUtc(row[0]), count: Number(row[2]), sum: Number(row[3]) };
    const line = lines.get(currency) ?? { currency, count: 0, sum: 0, points: new Map<number, Point>() };
    line.count += point.count;
    line.sum += point.sum;
    line.points.set(point.at, point);
    lines.set(currency, line);
  }
  return [...lines.values()].sort((a, b) => b.count - a.count || a.currency.localeCompare(b.currency));
}

function text(panel: MetricPanel, line: Line, value: number): string {
  return panel.unit === 'cents' ? money(value, line.currency) : measured(value);
}

/** A metric over time: its sum or its mean. */
export function Metric({ panel, range }: { panel: MetricPanel; range: Range }): ReactNode {
  const [shown, setShown] = useState<Shown>(panel.first);
  return (
    <Card
      title={panel.title}
      hint={panel.description}
      actions={
        <Segments<Shown>
          label={`${panel.title}: sum or mean`}
          hideLabel
          value={shown}
          options={[
            { value: 'sum', label: 'Sum' },
            { value: 'mean', label: 'Mean' },
          ]}
          onChange={setShown}
        />
      }
    >
      <Near height={HEIGHT + 52}>
        <MetricOverTime panel={panel} range={range} shown={shown} />
      </Near>
    </Card>
  );
}

function MetricOverTime({ panel, range, shown }: { panel: MetricPanel; range: Range; shown: Shown }): ReactNode {
  const step = stepsOf(range)[0] ?? 'hour';
  const view = useSqlKeeping(metricSql(panel, range, step), { everyMs: 4000 });
  return (
    <Loaded
      of={view}
      compact
      skeleton={<SkeletonBlock height={HEIGHT + 52} />}
      empty={<Note compact title="No values in this time" />}
    >
      {(rows) => <MetricChart rows={rows} panel={panel} range={range} shown={shown} />}
    </Loaded>
  );
}

interface ChartProps {
  rows: unknown[][];
  panel: MetricPanel;
  range: Range;
  shown: Shown;
}

function MetricChart({ rows, panel, range, shown }: ChartProps): ReactNode {
  const step = stepsOf(range)[0] ?? 'hour';
  const all = useMemo(() => linesOf(rows), [rows]);
  const lines = all.slice(0, CURRENCIES_MAX);
  const { x, series } = useMemo(() => {
    const buckets = bucketsOf(range, step, Date.now());
    const drawn = lines.map((line, i) => seriesOf(panel, line, i, lines.length, shown, buckets));
    return { x: buckets.map((b) => b / 1000), series: drawn };
  }, [rows, range, step, shown, panel]); // eslint-disable-line react-hooks/exhaustive-deps
  const scale = panel.unit === 'cents' ? 100 : 1;
  return (
    <>
      {all.length === 1 && lines[0] ? (
        <Numbers panel={panel} line={lines[0]} />
      ) : (
        <ByCurrency panel={panel} lines={all} shown={shown} />
      )}
      <Chart
        x={x}
        series={series}
        height={HEIGHT}
        isMeasured
        label={`${shown === 'sum' ? 'Sum' : 'Mean'} of ${panel.event_type} ${panel.title} by ${step}`}
        formatX={(ms) => bucket(ms, step)}
        formatY={(v) => (lines[0] ? text(panel, lines.length === 1 ? lines[0] : NO_CURRENCY, v * scale) : '')}
      />
    </>
  );
}

/* Beside several currencies the name of the series says which one it is. */
const NO_CURRENCY: Line = { currency: '', count: 0, sum: 0, points: new Map() };

function seriesOf(
  panel: MetricPanel,
  line: Line,
  index: number,
  lines: number,
  shown: Shown,
  buckets: readonly number[],
): Series {
  const scale = panel.unit === 'cents' ? 100 : 1;
  const value = (p: Point | undefined): number | null =>
    shown === 'sum' ? (p?.sum ?? 0) / scale : p ? p.sum / p.count / scale : null;
  return {
    label: line.currency || panel.title,
    values: buckets.map((b) => value(line.points.get(b))),
    color: COLORS[index] ?? 'rest',
    kind: shown === 'sum' && lines === 1 ? 'bars' : 'line',
    joins: shown === 'mean',
  };
}

function Numbers({ panel, line }: { panel: MetricPanel; line: Line }): ReactNode {
  const id = testId(panel, line);
  return (
    <Stats
      stats={[
        { name: 'Sum', value: text(panel, line, line.sum), id: `sum ${id}` },
        { name: 'Mean', value: text(panel, line, line.sum / line.count), id: `mean ${id}` },
      ]}
    />
  );
}

/** Each currency by itself, and which colour it is drawn in. */
function ByCurrency({ panel, lines, shown }: { panel: MetricPanel; lines: readonly Line[]; shown: Shown }): ReactNode {
  return (
    <table className="currencies">
      <thead>
        <tr>
          {['Currency', shown === 'sum' ? 'Sum' : 'Mean', 'Values'].map((name, i) => (
            <th key={name} scope="col" className={i ? 'number' : undefined}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {lines.map((line, i) => (
          <tr key={line.currency}>
            <td>
              <span className={`swatch ${i < CURRENCIES_MAX ? `s${COLORS[i] ?? ''}` : 'none'}`} />
              {line.currency || '–'}
            </td>
            <td className="number" data-testid={`${shown} ${testId(panel, line)}`}>
              {text(panel, line, shown === 'sum' ? line.sum : line.sum / line.count)}
            </td>
            <td className="number">{count(line.count)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function testId(panel: MetricPanel, line: Line): string {
  return `${panel.event_type} ${panel.column}${line.currency ? ` ${line.currency}` : ''}`;
}
