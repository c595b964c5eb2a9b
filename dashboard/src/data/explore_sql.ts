/* The questions of the explore page. Hours and days of types are in the rollups; everything else is asked of the raw
 * table. Visitors of several rows of a rollup are merged, never summed. */
import { previousUntilNowWhere, previousWhere, rangeWhere, type Range, type Step } from './range';
import { isOneOf, jsonText, literal, where } from './sql';

export type Measure = 'events' | 'visitors';

/** `type`, `name`, `p.KEY` of the properties, `c.KEY` of the context. */
export type By = string;

export interface Question {
  range: Range;
  step: Step;
  measure: Measure;
  type: string | undefined;
  by: By | undefined;
  /** The values of `by` whose series are asked for. */
  values: readonly string[];
  previous?: boolean;
}

const BUCKET: Record<Step, string> = {
  minute: 'toStartOfMinute(timestamp)',
  hour: 'toStartOfHour(timestamp)',
  day: 'toDate(timestamp)',
};

interface Source {
  table: string;
  time: string;
  bucket: string;
  measures: Record<Measure, string>;
}

export function usesRollup(q: Pick<Question, 'range' | 'by'>): boolean {
  return q.range.key !== '1h' && (q.by === undefined || q.by === 'type');
}

function sourceOf(q: Question): Source {
  if (!usesRollup(q))
    return {
      table: 'events_raw',
      time: 'timestamp',
      bucket: BUCKET[q.step],
      measures: { events: 'count()', visitors: 'uniq(visitor_id)' },
    };
  const time = q.step === 'day' ? 'day' : 'hour';
  return {
    table: q.step === 'day' ? 'events_daily' : 'events_hourly',
    time,
    bucket: time,
    measures: { events: 'sum(event_count)', visitors: 'uniqMerge(unique_visitors)' },
  };
}

export function byExpression(by: By): string {
  if (by === 'type') return 'event_type';
  if (by === 'name') return 'event_name';
  return jsonText(by.startsWith('c.') ? 'context' : 'properties', by.slice(2));
}

function conditions(q: Question, source: Source): string[] {
  const inRange = (q.previous ? previousWhere : rangeWhere)(source.time, q.range);
  return [inRange, ...(q.type ? [`event_type = ${literal(q.type)}`] : [])];
}

/** Rows of (bucket, number), or (bucket, value, number) with `by`. */
export function seriesSql(q: Question): string {
  const source = sourceOf(q);
  const measure = `${source.measures[q.measure]} AS ${q.measure}`;
  if (q.by === undefined)
    return `SELECT ${source.bucket} AS at, ${measure}
FROM ${source.table}${where(...conditions(q, source))}
GROUP BY at
ORDER BY at`;
  return `SELECT ${source.bucket} AS at, ${byExpression(q.by)} AS value, ${measure}
FROM ${source.table}${where(...conditions(q, source), isOneOf('value', q.values))}
GROUP BY at, value
ORDER BY at`;
}

/** One row of (events, visitors) over the whole range; with `by` rows of (value, events, visitors), the largest first. */
export function totalsSql(q: Question, rowsMax = 50): string {
  const source = sourceOf(q);
  const numbers = `${source.measures.events} AS events, ${source.measures.visitors} AS visitors`;
  if (q.by === undefined) return `SELECT ${numbers}\nFROM ${source.table}${where(...conditions(q, source))}`;
  return `SELECT ${byExpression(q.by)} AS value, ${numbers}
FROM ${source.table}${where(...conditions(q, source))}
GROUP BY value
ORDER BY ${q.measure} DESC, value
LIMIT ${rowsMax}`;
}

/** What the period before had by the moment that corresponds to now: of the raw table, since rollups know full hours only. */
export function totalsBeforeSql({ range, type }: Pick<Question, 'range' | 'type'>): string {
  return `SELECT count() AS events, uniq(visitor_id) AS visitors
FROM events_raw${where(previousUntilNowWhere('timestamp', range), type !== undefined && `event_type = ${literal(type)}`)}`;
}

/** The types of the range, the most frequent first. */
export function typesSql(range: Range): string {
  const raw = range.key === '1h';
  return `SELECT event_type, ${raw ? 'count()' : 'sum(event_count)'} AS events
FROM ${raw ? 'events_raw' : 'events_hourly'}${where(rangeWhere(raw ? 'timestamp' : 'hour', range))}
GROUP BY event_type
ORDER BY events DESC, event_type
LIMIT 200`;
}

/** Names of members that the newest events have. */
export function keysSql(column: 'properties' | 'context', type: string | undefined, range: Range): string {
  return `SELECT arrayJoin(JSONExtractKeys(${column})) AS key, count() AS events
FROM (
  SELECT ${column}
  FROM events_raw${where(rangeWhere('timestamp', range), type !== undefined && `event_type = ${literal(type)}`).replaceAll('\n', '\n  ')}
  ORDER BY timestamp DESC
  LIMIT 1000
)
GROUP BY key
ORDER BY events DESC, key
LIMIT 60`;
}
