import { describe, expect, test } from 'vitest';
import {
  bucketsOf,
  formatRange,
  parseRange,
  parseUtc,
  previousUntilNowWhere,
  previousWhere,
  rangeLengthMs,
  rangeStartMs,
  rangeWhere,
  stepsOf,
} from './range';

const NOW = Date.parse('2026-11-25T20:27:13.250Z');
const iso = (ms: number | undefined): string => new Date(ms ?? NaN).toISOString();

test('the address gives a range back as it was', () => {
  for (const text of ['1h', 'today', '24h', '7d', '30d', '90d', '2026-01-01..2026-01-31'])
    expect(formatRange(parseRange(text, '24h'))).toBe(text);
});

test('what is no range is the usual one', () => {
  for (const text of [null, '', 'x', '2026-02-01..2026-01-01', '2026-13-01..2026-14-01', "..'; --", 'toString'])
    expect(parseRange(text, '24h')).toEqual({ key: '24h' });
});

describe('conditions', () => {
  test('begin at full units', () => {
    expect(rangeWhere('hour', { key: '24h' })).toBe("hour >= toStartOfHour(now('UTC')) - INTERVAL 23 HOUR");
    expect(rangeWhere('day', { key: 'today' })).toBe("day >= toStartOfDay(now('UTC'))");
    expect(rangeWhere('day', { key: '7d' })).toBe("day >= toStartOfDay(now('UTC')) - INTERVAL 6 DAY");
  });
  test('the period before ends where the range begins', () => {
    expect(previousWhere('day', { key: '7d' })).toBe(
      "day >= toStartOfDay(now('UTC')) - INTERVAL 13 DAY AND day < toStartOfDay(now('UTC')) - INTERVAL 6 DAY",
    );
    expect(previousUntilNowWhere('t', { key: 'today' })).toBe(
      "t >= toStartOfDay(now('UTC')) - INTERVAL 1 DAY AND t < now64(3, 'UTC') - INTERVAL 1 DAY",
    );
  });
  test('chosen days are whole, the last one too', () => {
    const range = parseRange('2026-02-27..2026-02-28', '24h');
    expect(rangeWhere('t', range)).toBe(
      "t >= toDateTime('2026-02-27 00:00:00', 'UTC') AND t < toDateTime('2026-03-01 00:00:00', 'UTC')",
    );
    expect(previousWhere('t', range)).toBe(
      "t >= toDateTime('2026-02-25 00:00:00', 'UTC') AND t < toDateTime('2026-02-27 00:00:00', 'UTC')",
    );
    expect(rangeLengthMs(range)).toBe(2 * 86_400_000);
  });
});

describe('buckets', () => {
  test('one for each hour of the last 24, the running one included', () => {
    const buckets = bucketsOf({ key: '24h' }, 'hour', NOW);
    expect(buckets).toHaveLength(24);
    expect(iso(buckets[0])).toBe('2026-11-24T21:00:00.000Z');
    expect(iso(buckets[23])).toBe('2026-11-25T20:00:00.000Z');
  });
  test('today ends now', () => expect(bucketsOf({ key: 'today' }, 'hour', NOW)).toHaveLength(21));
  test('seven days by hour begin at midnight', () => {
    expect(iso(bucketsOf({ key: '7d' }, 'hour', NOW)[0])).toBe('2026-11-19T00:00:00.000Z');
    expect(bucketsOf({ key: '7d' }, 'day', NOW)).toHaveLength(7);
  });
  test('they begin where the condition does', () => {
    for (const key of ['1h', 'today', '24h', '7d', '30d', '90d'] as const)
      expect(bucketsOf({ key }, stepsOf({ key })[0] ?? 'hour', NOW)[0]).toBe(rangeStartMs({ key }, NOW));
  });
  test('chosen days are complete', () => {
    expect(bucketsOf(parseRange('2026-01-01..2026-01-02', '24h'), 'hour', NOW)).toHaveLength(48);
  });
});

test('the engine’s times are UTC', () => {
  expect(parseUtc('2026-11-25')).toBe(Date.parse('2026-11-25T00:00:00Z'));
  expect(parseUtc('2026-11-25 20:27:13.250')).toBe(NOW);
});
