import { expect, test } from 'vitest';
import type { StreamHealth } from './api';
import { bytes } from './format';
import { taskRate } from './stream_rates';

const health = (at_ms: number, ...events: number[]): StreamHealth => ({
  at_ms,
  partitions: events.map((n, partition) => ({ partition, events: n })),
  store: {},
  watermarks: [],
});

test('a rate is the growth over the time between, of the same task', () => {
  expect(taskRate(health(5000, 10, 700), health(3000, 4, 100), 1)).toBe(300);
  expect(taskRate(health(5000, 10), health(3000, 10), 0)).toBe(0);
});

test('no rate from one answer, over a restart, or of a task that is new', () => {
  expect(taskRate(health(5000, 10), undefined, 0)).toBeUndefined();
  expect(taskRate(health(5000, 10), health(3000, 11), 0)).toBeUndefined();
  expect(taskRate(health(5000, 10), health(5000, 10), 0)).toBeUndefined();
  expect(taskRate(health(5000, 10, 20), health(3000, 10), 1)).toBeUndefined();
});

test('bytes have two or three digits that count', () => {
  expect([0, 999, 1000, 9_940_000, 41_213_133, undefined].map(bytes)).toEqual([
    '0 B',
    '999 B',
    '1 kB',
    '9.9 MB',
    '41 MB',
    '–',
  ]);
});
