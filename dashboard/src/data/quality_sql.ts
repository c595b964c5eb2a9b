/* The questions of the quality page. Ratios of several hours are made of sums. */
import { rangeWhere, type Range, type Step } from './range';
import { literal, where } from './sql';

export type RatioName = 'completeness' | 'validity' | 'uniqueness' | 'timeliness' | 'consistency';

/** What hours should reach: the platform's settings, and those of domains that say something else. */
export interface Targets {
  targets: Record<RatioName, number>;
  domains: readonly { domain: string; targets: Record<RatioName, number>; event_types: readonly string[] }[];
}

export interface Measure {
  name: RatioName;
  title: string;
  bad: string;
  all: string;
}

const ACCEPTED = 'sum(events) - sum(invalid) - sum(duplicates)';

/** In the order of the table. */
export const MEASURES: readonly Measure[] = [
  { name: 'completeness', title: 'Completeness', bad: 'sum(required_missing)', all: 'sum(required_values)' },
  { name: 'validity', title: 'Validity', bad: 'sum(invalid) + sum(tagged)', all: 'sum(events) - sum(duplicates)' },
  { name: 'uniqueness', title: 'Uniqueness', bad: 'sum(duplicates)', all: 'sum(events) - sum(invalid)' },
  { name: 'timeliness', title: 'Timeliness', bad: 'sum(late)', all: ACCEPTED },
  {
    name: 'consistency',
    title: 'Consistency',
    bad: `greatest(sum(stored), ${ACCEPTED}) - least(sum(stored), ${ACCEPTED})`,
    all: `greatest(sum(stored), ${ACCEPTED})`,
  },
];

/** The target of an event type: its domain's, else the platform's. */
export function targetOf(targets: Targets, type: string, ratio: RatioName): number {
  return (targets.domains.find((d) => d.event_types.includes(type)) ?? targets).targets[ratio];
}

/** The same as SQL, of the column event_type. */
function targetSql(targets: Targets, ratio: RatioName): string {
  const types = targets.domains
    .filter((d) => d.targets[ratio] !== targets.targets[ratio])
    .flatMap((d) => d.event_types);
  if (!types.length) return `${targets.targets[ratio]}`;
  const values = types.map((type) => `toFloat64(${targetOf(targets, type, ratio)})`);
  return `transform(toString(event_type), [${types.map(literal).join(', ')}], [${values.join(', ')}], toFloat64(${targets.targets[ratio]}))`;
}

function ratio(measure: Measure): string {
  return `1 - (${measure.bad}) / nullIf(${measure.all}, 0)`;
}

/** Of the running hour some events are on their way into the tables: consistency is told of hours that have ended. */
function hoursBelow(measure: Measure, targets: Targets): string {
  const ended = measure.name === 'consistency' ? " AND hour < toStartOfHour(now('UTC') - INTERVAL 1 MINUTE)" : '';
  return `countIf(${measure.name} < ${targetSql(targets, measure.name)}${ended})`;
}

/** event_type, events, then of each measure its ratio and how many hours missed the target. */
export function qualitySql(range: Range, targets: Targets): string {
  const columns = MEASURES.flatMap((m) => [ratio(m), hoursBelow(m, targets)]);
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
