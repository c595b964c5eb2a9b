/* Time ranges, in UTC as the tables are. A range begins at a full minute, hour or day, so that the rollups, which know
 * full hours and days, give the same numbers as the raw table. It ends now; a custom one at the end of its last day. */

export type Step = 'minute' | 'hour' | 'day';
export type RangeKey = '1h' | 'today' | '24h' | '7d' | '30d' | '90d';
export type Range = { key: RangeKey } | { key: 'custom'; from: string; to: string };

export const STEP_MS: Record<Step, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

interface Preset {
  label: string;
  /** How many units back the range begins, the current one included. */
  unit: Step;
  count: number;
  steps: readonly Step[];
}

export const PRESETS: Record<RangeKey, Preset> = {
  '1h': { label: 'Last hour', unit: 'minute', count: 60, steps: ['minute'] },
  today: { label: 'Today', unit: 'day', count: 1, steps: ['hour'] },
  '24h': { label: 'Last 24 hours', unit: 'hour', count: 24, steps: ['hour'] },
  '7d': { label: 'Last 7 days', unit: 'day', count: 7, steps: ['hour', 'day'] },
  '30d': { label: 'Last 30 days', unit: 'day', count: 30, steps: ['day', 'hour'] },
  '90d': { label: 'Last 90 days', unit: 'day', count: 90, steps: ['day'] },
};

const DAY_TEXT = /^\d{4}-\d{2}-\d{2}$/;

function dayStart(text: string): number {
  return DAY_TEXT.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN;
}

/** The form that stands in the URL: a key, or `2026-01-01..2026-01-31`. */
export function parseRange(text: string | null | undefined, otherwise: RangeKey): Range {
  if (text && Object.hasOwn(PRESETS, text)) return { key: text as RangeKey };
  const [from, to] = (text ?? '').split('..');
  if (from && to && dayStart(from) <= dayStart(to)) return { key: 'custom', from, to };
  return { key: otherwise };
}

export function formatRange(range: Range): string {
  return range.key === 'custom' ? `${range.from}..${range.to}` : range.key;
}

export function rangeLabel(range: Range): string {
  if (range.key !== 'custom') return PRESETS[range.key].label;
  return range.from === range.to ? range.from : `${range.from} – ${range.to}`;
}

export function stepsOf(range: Range): readonly Step[] {
  if (range.key !== 'custom') return PRESETS[range.key].steps;
  const days = customDays(range);
  return days <= 2 ? ['hour'] : days <= 31 ? ['day', 'hour'] : ['day'];
}

function customDays(range: { from: string; to: string }): number {
  return Math.round((dayStart(range.to) - dayStart(range.from)) / STEP_MS.day) + 1;
}

const START_OF: Record<Step, string> = {
  minute: 'toStartOfMinute',
  hour: 'toStartOfHour',
  day: 'toStartOfDay',
};

const UNIT: Record<Step, string> = { minute: 'MINUTE', hour: 'HOUR', day: 'DAY' };

function back(expression: string, count: number, unit: Step): string {
  return count === 0 ? expression : `${expression} - INTERVAL ${count} ${UNIT[unit]}`;
}

function dayLiteral(day: string, plusDays = 0): string {
  const text = new Date(dayStart(day) + plusDays * STEP_MS.day).toISOString().slice(0, 10);
  return `toDateTime('${text} 00:00:00', 'UTC')`;
}

/** The condition on a column of time for the range. `day` columns are dates: they compare with dates. */
export function rangeWhere(column: string, range: Range): string {
  if (range.key === 'custom')
    return `${column} >= ${dayLiteral(range.from)} AND ${column} < ${dayLiteral(range.to, 1)}`;
  const { unit, count } = PRESETS[range.key];
  return `${column} >= ${back(`${START_OF[unit]}(now('UTC'))`, count - 1, unit)}`;
}

/** The same for the period of equal length before. */
export function previousWhere(column: string, range: Range): string {
  if (range.key === 'custom') {
    const days = customDays(range);
    return `${column} >= ${dayLiteral(range.from, -days)} AND ${column} < ${dayLiteral(range.from)}`;
  }
  const { unit, count } = PRESETS[range.key];
  const start = `${START_OF[unit]}(now('UTC'))`;
  return `${column} >= ${back(start, 2 * count - 1, unit)} AND ${column} < ${back(start, count - 1, unit)}`;
}

/** The period before up to the moment that corresponds to now, so that what is compared has lasted equally long. */
export function previousUntilNowWhere(column: string, range: Range): string {
  if (range.key === 'custom') return previousWhere(column, range);
  const { unit, count } = PRESETS[range.key];
  const start = `${START_OF[unit]}(now('UTC'))`;
  const now = back("now64(3, 'UTC')", count, unit);
  return `${column} >= ${back(start, 2 * count - 1, unit)} AND ${column} < ${now}`;
}

/** Length of the range: what separates a moment from the same moment of the previous period. */
export function rangeLengthMs(range: Range): number {
  if (range.key === 'custom') return customDays(range) * STEP_MS.day;
  return PRESETS[range.key].count * STEP_MS[PRESETS[range.key].unit];
}

export function rangeStartMs(range: Range, nowMs: number): number {
  if (range.key === 'custom') return dayStart(range.from);
  const { unit, count } = PRESETS[range.key];
  return floorTo(nowMs, unit) - (count - 1) * STEP_MS[unit];
}

export function rangeEndMs(range: Range, nowMs: number): number {
  return range.key === 'custom' ? dayStart(range.to) + STEP_MS.day : nowMs;
}

export function floorTo(ms: number, step: Step): number {
  return ms - (ms % STEP_MS[step]);
}

/** Start of every bucket of the range, ascending, so that an hour without events is drawn as zero. */
export function bucketsOf(range: Range, step: Step, nowMs: number): number[] {
  const end = range.key === 'custom' ? rangeEndMs(range, nowMs) : floorTo(nowMs, step) + STEP_MS[step];
  const buckets: number[] = [];
  for (let at = floorTo(rangeStartMs(range, nowMs), step); at < end; at += STEP_MS[step]) buckets.push(at);
  return buckets;
}

/** The engine's text of a moment or a day (always UTC) as milliseconds. */
export function parseUtc(text: unknown): number {
  const t = String(text);
  return DAY_TEXT.test(t) ? dayStart(t) : Date.parse(`${t.replace(' ', 'T')}Z`);
}
