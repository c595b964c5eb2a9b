/* The questions of the quality page. Ratios of several hours are made of sums. */
import { rangeWhere, type Range, type Step } from './range';
import { where } from './sql';

export interface Measure {
  name: string;
  target: number;
  bad: string;
  all: string;
}

const ACCEPTED = 'sum(events) - sum(invalid) - sum(duplicates)';

/** In the order of the table, with the target of each (docs/quality.md). */
export const MEASURES: readonly Measure[] = [
  { name: 'Completeness', target: 0.9999, bad: 'sum(required_missing)', all: 'sum(required_values)' },
  { name: 'Validity', target: 0.9997, bad: 'sum(invalid) + sum(tagged)', all: 'sum(events) - sum(duplicates)' },
  { name: 'Uniqueness', target: 1, bad: 'sum(duplicates)', all: 'sum(events) - sum(invalid)' },
  { name: 'Timeliness', target: 0.998, bad: 'sum(late)', all: ACCEPTED },
  {
    name: 'Consistency',
    target: 1,
    bad: `greatest(sum(stored), ${ACCEPTED}) - least(sum(stored), ${ACCEPTED})`,
    all: `greatest(sum(stored), ${ACCEPTED})`,
  },
];

function ratio(measure: Measure): string {
  return `1 - (${measure.bad}) / nullIf(${measure.all}, 0)`;
}

/** Of the running hour some events are on their way into the tables: consistency is told of hours that have ended. */
function hoursBelow(measure: Measure): string {
  const column = measure.name.toLowerCase();
  const ended = measure.name === 'Consistency' ? " AND hour < toStartOfHour(now('UTC') - INTERVAL 1 MINUTE)" : '';
  return `countIf(${column} < ${measure.target}${ended})`;
}

/** event_type, events, then of each measure its ratio and how many hours missed the target. */
export function qualitySql(range: Range): string {
  const columns = MEASURES.flatMap((m) => [ratio(m), hoursBelow(m)]);
  return `SELECT event_type, sum(events) AS n, ${columns.join(',\n  ')}
FROM data_quality${where(rangeWhere('hour', range))}
GROUP BY event_type
ORDER BY n DESC, event_type
LIMIT 100`;
}

export function courseSql(range: Range, step: Step): string {
  const at = step === 'day' ? 'toStartOfDay(hour)' : 'hour';
  return `SELECT ${at} AS at, sum(invalid) + sum(tagged), sum(duplicates), sum(late), sum(required_missing)
FROM data_quality${where(rangeWhere('hour', range))}
GROUP BY at
ORDER BY at`;
}

export function failuresSql(range: Range): string {
  return `SELECT field, reason, stage, count() AS n, any(message) AS example
FROM dead_letters${where(rangeWhere('received_at', range))}
GROUP BY field, reason, stage
ORDER BY n DESC, field, reason
LIMIT 20`;
}
