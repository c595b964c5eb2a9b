import { useMemo } from 'react';
import type { ReactNode } from 'react';
import { useSqlKeeping } from '../../app/session';
import {
  isNumber,
  KEYS_MAX,
  windowKeysSql,
  windowSeriesSql,
  type Measure,
  type WindowPanel,
} from '../../data/dashboard_sql';
import { bucket, count, duration, measured, money } from '../../data/format';
import { members } from '../../data/json';
import { bucketsOf, parseUtc, STEP_MS, stepsOf, type Range, type Step } from '../../data/range';
import { Chart, Legend, type Series, type SeriesColor } from '../../ui/Chart';
import { Card } from '../../ui/layout';
import { Loaded, Note, SkeletonBlock, SkeletonRows } from '../../ui/states';
import { HEIGHT } from './EventTypes';
import { Near } from './Near';

const COLORS: readonly SeriesColor[] = ['1', '2', '3', '4', '5', '6'];

/** Of each window what it has counted: the first measure over time, and all of them by key. */
export function Windows({ panels, range }: { panels: readonly WindowPanel[]; range: Range }): ReactNode {
  if (panels.length === 0) return null;
  return (
    <section className="board-part" aria-label="Windows">
      <div className="section-bar">
        <h2>Windows</h2>
        <span className="hint">counted while events pass</span>
      </div>
      {panels.map((panel) => (
        <Card key={panel.definition} title={panel.title} hint={about(panel)} flush>
          <Near height={HEIGHT + 52}>
            <Results panel={panel} range={range} />
          </Near>
        </Card>
      ))}
    </section>
  );
}

function about({ window_kind: kind, size_ms: size, gap_ms: gap, keys }: WindowPanel): string {
  const by = keys.length ? ` by ${keys.join(', ')}` : '';
  return kind === 'session' ? `sessions${by}, at most ${span(gap)} apart` : `${kind}, ${span(size)}${by}`;
}

/* Sizes are whole numbers of their unit nearly always. */
function span(ms = 0): string {
  const units: [number, string][] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
  ];
  const fits = units.find(([unit]) => ms >= unit && ms % unit === 0);
  return fits ? `${ms / fits[0]} ${fits[1]}` : duration(ms);
}

function Results({ panel, range }: { panel: WindowPanel; range: Range }): ReactNode {
  const view = useSqlKeeping(windowKeysSql(panel, range), { everyMs: 4000 });
  const measure = panel.measures.find(isNumber);
  return (
    <Loaded
      of={view}
      compact
      skeleton={<SkeletonRows />}
      empty={<Note compact icon="stream" title="No results in this time" />}
    >
      {(rows) => (
        <div className={measure ? 'window-grid' : undefined}>
          {measure && <OverTime panel={panel} measure={measure} keys={rows.map((r) => String(r[0]))} range={range} />}
          <KeyTable panel={panel} rows={rows} />
        </div>
      )}
    </Loaded>
  );
}

/* No finer than the windows are. */
function stepFor(panel: WindowPanel, range: Range): Step {
  const steps = stepsOf(range);
  const finest = steps[0] ?? 'hour';
  const size = panel.size_ms ?? 0;
  return size > STEP_MS[finest] ? (size > STEP_MS.hour ? 'day' : 'hour') : finest;
}

interface OverTimeProps {
  panel: WindowPanel;
  measure: Measure;
  keys: string[];
  range: Range;
}

function OverTime({ panel, measure, keys: all, range }: OverTimeProps): ReactNode {
  const step = stepFor(panel, range);
  const keys = all.slice(0, COLORS.length);
  const view = useSqlKeeping(windowSeriesSql(panel, measure, keys, range, step), { everyMs: 4000 });
  return (
    <div className="window-chart">
      <Loaded
        of={view}
        compact
        skeleton={<SkeletonBlock height={HEIGHT} />}
        empty={<Note compact title="No results" />}
      >
        {(rows) => <ResultsChart panel={panel} measure={measure} keys={keys} rows={rows} range={range} step={step} />}
      </Loaded>
    </div>
  );
}

function keyLabel(key: string): string {
  return (
    members(key)
      .map(([, value]) => value)
      .join(' · ') || 'all'
  );
}

function ResultsChart({
  panel,
  measure,
  keys,
  rows,
  range,
  step,
}: OverTimeProps & { rows: unknown[][]; step: Step }): ReactNode {
  const scale = measure.unit ? 100 : 1;
  const { x, series } = useMemo(() => {
    const buckets = bucketsOf(range, step, Date.now());
    const cells = new Map(rows.map((r) => [`${parseUtc(r[0])} ${String(r[1])}`, Number(r[2]) / scale]));
    const drawn = keys.map((key, i): Series => ({
      label: keyLabel(key),
      values: buckets.map((b) => cells.get(`${b} ${key}`) ?? (measure.combine === 'sum' ? 0 : null)),
      color: COLORS[i] ?? 'rest',
      kind: keys.length === 1 && measure.combine === 'sum' ? 'bars' : 'line',
      joins: measure.combine !== 'sum',
    }));
    return { x: buckets.map((b) => b / 1000), series: drawn };
  }, [rows, range, step, keys.join()]); // eslint-disable-line react-hooks/exhaustive-deps
  return (
    <>
      <p className="dim">
        {label(measure)}
        {measure.combine === 'sum'
          ? ''
          : measure.combine === 'last'
            ? ', the newest'
            : `, the ${measure.combine === 'min' ? 'smallest' : 'largest'}`}{' '}
        by {step}
      </p>
      <Chart
        x={x}
        series={series}
        height={HEIGHT}
        isMeasured={measure.kind !== 'count' && measure.kind !== 'distinct'}
        label={`${panel.title}: ${measure.name} by ${step}`}
        formatX={(ms) => bucket(ms, step)}
        formatY={(v) => number(measure, v * scale)}
      />
      {series.length > 1 && <Legend series={series} />}
    </>
  );
}

/* Shown as amounts, they are no cents. */
function label(measure: Measure): string {
  return measure.unit ? measure.name.replace(/_cents$/, '') : measure.name;
}

function number(measure: Measure, value: number, currency = ''): string {
  return measure.unit ? money(value, currency) : measured(value);
}

/* A list of the most frequent values, or a text. */
function words(json: unknown): string {
  if (json === null || json === undefined) return '–';
  let value: unknown;
  try {
    value = JSON.parse(String(json));
  } catch {
    return String(json);
  }
  if (!Array.isArray(value)) return String(value);
  return value.map((v: { value: unknown; count: unknown }) => `${String(v.value)} ${String(v.count)}`).join(' · ');
}

function KeyTable({ panel, rows }: { panel: WindowPanel; rows: unknown[][] }): ReactNode {
  const keys = panel.keys.length ? panel.keys : [''];
  return (
    <div className="table-box" tabIndex={0} role="region" aria-label={`${panel.title} by key`}>
      <table className="table" data-testid={`window ${panel.title}`}>
        <thead>
          <tr>
            {keys.map((k) => (
              <th key={k} scope="col">
                {k || 'Key'}
              </th>
            ))}
            {panel.measures.map((m) => (
              <th key={m.name} scope="col" className={isNumber(m) ? 'number' : undefined}>
                {label(m)}
                {m.combine === 'last' && ', newest'}
              </th>
            ))}
            <th scope="col" className="number">
              Windows
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([key, windows, ...values]) => {
            const of = new Map(members(key));
            const currency = panel.currency ? (of.get(panel.currency) ?? '') : '';
            return (
              <tr key={String(key)}>
                {keys.map((k) => (
                  <td key={k}>{k ? (of.get(k) ?? '–') : <span className="dim">all</span>}</td>
                ))}
                {panel.measures.map((m, i) => (
                  <td key={m.name} className={isNumber(m) ? 'number' : undefined}>
                    {isNumber(m)
                      ? values[i] === null
                        ? '–'
                        : number(m, Number(values[i]), currency)
                      : words(values[i])}
                  </td>
                ))}
                <td className="number">{count(Number(windows))}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {rows.length === KEYS_MAX && <p className="dim table-foot">the {KEYS_MAX} largest</p>}
    </div>
  );
}
