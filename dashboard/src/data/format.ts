/* How numbers and times are written, everywhere the same. */
import { STEP_MS, type Step } from './range';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const EMPTY = '–';

/** Every digit: a number that is shown is the one that SQL gives. */
export function count(n: number | undefined | null): string {
  return n === undefined || n === null || Number.isNaN(n) ? EMPTY : whole.format(n);
}

const twoDigits = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });

/** What is not counted but measured: up to two digits behind the point. */
export function measured(n: number | undefined | null): string {
  return n === undefined || n === null || Number.isNaN(n) ? EMPTY : twoDigits.format(n);
}

const amount = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** Cents as the amount that they are, with the currency's sign where it is known. */
export function money(cents: number | undefined | null, currency = ''): string {
  if (cents === undefined || cents === null || Number.isNaN(cents)) return EMPTY;
  const digits = amount.format(cents / 100);
  if (!/^[A-Z]{3}$/.test(currency)) return currency ? `${digits} ${currency}` : digits;
  const options = { style: 'currency', currency, minimumFractionDigits: 2, maximumFractionDigits: 2 } as const;
  return new Intl.NumberFormat('en', options).format(cents / 100);
}

/** For axes alone. */
export function axisCount(n: number): string {
  return Math.abs(n) < 10_000 ? oneDigit.format(n) : short.format(n);
}

export function axisMeasured(n: number): string {
  return Math.abs(n) < 10 ? twoDigits.format(n) : axisCount(n);
}

export function rate(n: number): string {
  return n > 0 && n < 9.95 ? oneDigit.format(n) : whole.format(n);
}

export function milliseconds(ms: number | undefined | null): string {
  if (ms === undefined || ms === null || Number.isNaN(ms)) return EMPTY;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms);
}

/** +12.3 % against a base; undefined where there is nothing to compare with. */
export function change(now: number, before: number): number | undefined {
  return before > 0 ? (now - before) / before : undefined;
}

export function percent(ratio: number): string {
  if (ratio >= 10) return `${whole.format(ratio)} ×`;
  const p = ratio * 100;
  return `${Math.abs(p) >= 100 ? whole.format(p) : oneDigit.format(p)} %`;
}

export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

export function bytes(n: number | undefined): string {
  if (n === undefined) return EMPTY;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, n)) / 3)));
  const scaled = n / 1000 ** power;
  return `${power && scaled < 10 ? oneDigit.format(scaled) : whole.format(scaled)} ${units[power]}`;
}

export function ago(ms: number): string {
  if (ms < 1500) return 'just now';
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86_400)} d ago`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

export function clock(ms: number): string {
  return iso(ms).slice(11, 19);
}

export function clockMs(ms: number): string {
  return iso(ms).slice(11, 23);
}

export function dateTime(ms: number): string {
  return Number.isNaN(ms) ? EMPTY : iso(ms).replace('T', ' ').slice(0, 23);
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

export function day(ms: number): string {
  const d = new Date(ms);
  return `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}`;
}

/** A bucket of a chart or table, as long as it needs to be to be told from its neighbours. */
export function bucket(ms: number, step: Step): string {
  const d = new Date(ms);
  if (step === 'day') return `${DAYS[d.getUTCDay()]} ${day(ms)}`;
  const from = iso(ms).slice(11, 16);
  const to = iso(ms + STEP_MS[step]).slice(11, 16);
  return step === 'minute' ? from : `${DAYS[d.getUTCDay()]} ${day(ms)}, ${from}–${to}`;
}
