/* The questions of a domain's page: a panel that weir describes (`weir schema dashboard`) as SQL for a range. Columns are
 * named through the view's alias, since a field may have the name of anything else here. */
import { rangeWhere, type Range, type Step } from './range';
import { isOneOf, literal, where } from './sql';

export interface EventsPanel {
  kind: 'events';
  title: string;
  event_type: string;
  view: string;
  description?: string;
  deprecated?: string;
}

export interface TopPanel extends Omit<EventsPanel, 'kind'> {
  kind: 'top';
  column: string;
}

export interface MetricPanel extends Omit<EventsPanel, 'kind'> {
  kind: 'metric';
  column: string;
  first: 'sum' | 'mean';
  unit?: 'cents';
  /** The column that says what the amounts are in. */
  currency?: string;
}

export interface Measure {
  name: string;
  kind: string;
  combine: 'sum' | 'min' | 'max' | 'last';
  unit?: 'cents';
}

export interface WindowPanel {
  kind: 'window';
  title: string;
  definition: string;
  window_kind: 'tumbling' | 'sliding' | 'session';
  size_ms?: number;
  gap_ms?: number;
  keys: string[];
  currency?: string;
  measures: Measure[];
}

export interface SessionsPanel {
  kind: 'sessions';
  title: string;
  gap_ms: number;
}

export type Panel = EventsPanel | TopPanel | MetricPanel | WindowPanel | SessionsPanel;

export interface Dashboard {
  domain: string;
  description: string;
  panels: Panel[];
}

/** What has results in the range: ('event', a type) and ('window', a definition). */
export function aliveSql(range: Range): string {
  return `SELECT 'event' AS kind, event_type AS name
FROM events_hourly${where(rangeWhere('hour', range))}
GROUP BY name
UNION ALL
SELECT 'window' AS kind, definition AS name
FROM windows${where(rangeWhere('window_start', range))}
GROUP BY name`;
}

/** alive: rows of aliveSql. */
export function isAlive({ panels }: Dashboard, alive: readonly unknown[][]): boolean {
  return panels.some((p) =>
    alive.some(([kind, name]) =>
      p.kind === 'window'
        ? kind === 'window' && name === p.definition
        : 'event_type' in p && kind === 'event' && name === p.event_type,
    ),
  );
}

export const TOP_MAX = 8;
export const KEYS_MAX = 10;
export const CURRENCIES_MAX = 4;

const BUCKET: Record<Step, (column: string) => string> = {
  minute: (column) => `toStartOfMinute(${column})`,
  hour: (column) => `toStartOfHour(${column})`,
  day: (column) => `toDate(${column})`,
};

/* Names of views and columns are identifiers, by the rules of the domains' language. */
function column(name: string): string {
  return `e.\`${name}\``;
}

/** Rows of (bucket, currency, how many have it, sum): sum and mean of the whole follow from them. */
export function metricSql(panel: MetricPanel, range: Range, step: Step): string {
  const value = column(panel.column);
  const currency = panel.currency ? `ifNull(${column(panel.currency)}, '')` : "''";
  return `SELECT ${BUCKET[step]('e.timestamp')} AS at_, ${currency} AS currency_, count(${value}) AS count_, sum(${value}) AS sum_
FROM ${panel.view} AS e${where(rangeWhere('e.timestamp', range), `${value} IS NOT NULL`)}
GROUP BY at_, currency_
ORDER BY at_`;
}

/** Rows of (value, events), the most frequent first. */
export function topSql(panel: TopPanel, range: Range): string {
  return `SELECT toString(${column(panel.column)}) AS value_, count() AS events_
FROM ${panel.view} AS e${where(rangeWhere('e.timestamp', range), `${column(panel.column)} IS NOT NULL`)}
GROUP BY value_
ORDER BY events_ DESC, value_
LIMIT ${TOP_MAX}`;
}

const TEXTS = ['top', 'first', 'last'];

export function isNumber(measure: Measure): boolean {
  return !TEXTS.includes(measure.kind);
}

/* Cents and counts are whole, and exact; what is no number stays as the window has it. */
function combined(measure: Measure): string {
  const type = measure.kind === 'count' || (measure.unit && measure.kind !== 'mean') ? 'Int64' : 'Float64';
  const name = literal(measure.name);
  const value = isNumber(measure)
    ? `JSONExtract(measures, ${name}, 'Nullable(${type})')`
    : `nullIf(nullIf(JSONExtractRaw(measures, ${name}), ''), 'null')`;
  return measure.combine === 'last' ? `argMax(${value}, window_end)` : `${measure.combine}(${value})`;
}

function resultsWhere(panel: WindowPanel, range: Range, ...more: string[]): string {
  return where(
    `window = ${literal(panel.title)}`,
    `definition = ${literal(panel.definition)}`,
    rangeWhere('window_start', range),
    ...more,
  );
}

/** Rows of (key, windows, each measure), by the first number, the largest first. */
export function windowKeysSql(panel: WindowPanel, range: Range): string {
  const first = panel.measures.findIndex(isNumber);
  const measures = panel.measures.map((m, i) => `${combined(m)} AS m${i}`).join(', ');
  return `SELECT key, count() AS windows_, ${measures}
FROM windows${resultsWhere(panel, range)}
GROUP BY key
ORDER BY ${first >= 0 ? `m${first}` : 'windows_'} DESC, key
LIMIT ${KEYS_MAX}`;
}

/** Rows of (bucket, key, the measure). */
export function windowSeriesSql(
  panel: WindowPanel,
  measure: Measure,
  keys: readonly string[],
  range: Range,
  step: Step,
): string {
  return `SELECT ${BUCKET[step]('window_start')} AS at_, key, ${combined(measure)} AS m
FROM windows${resultsWhere(panel, range, isOneOf('key', keys))}
GROUP BY at_, key
ORDER BY at_`;
}

/** Rows of (bucket, visits, their mean length in seconds). */
export function visitsSql(range: Range, step: Step): string {
  return `SELECT ${BUCKET[step]('started_at')} AS at_, count() AS visits_, avg(duration_seconds) AS seconds_
FROM sessions${where(rangeWhere('started_at', range))}
GROUP BY at_
ORDER BY at_`;
}
