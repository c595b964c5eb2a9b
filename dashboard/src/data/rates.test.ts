import { expect, test } from 'vitest';
import { RateBins } from './rates';

const T = 1_000_000_000_000;
const last = (bins: RateBins, now: number, n: number): number[] => bins.series(now).events.slice(-n);

test('differences of totals fall into the second in which they came', () => {
  const bins = new RateBins(10);
  bins.add(100, T);
  bins.add(103, T + 200);
  bins.add(110, T + 1500);
  expect(last(bins, T + 1900, 2)).toEqual([3, 7]);
});

test('the first total is no event of now', () => {
  const bins = new RateBins(10);
  bins.add(5000, T);
  expect(bins.now(T + 500)).toBe(0);
});

test('a server that was started again counts from nothing', () => {
  const bins = new RateBins(10);
  bins.add(5000, T);
  bins.add(4, T + 100);
  expect(last(bins, T + 200, 1)).toEqual([4]);
});

test('what came while the connection was cut is spread over the gap, none lost', () => {
  const bins = new RateBins(20);
  bins.add(0, T);
  bins.add(10, T + 4000, true);
  const events = last(bins, T + 4000, 5);
  expect(events.reduce((a, b) => a + b, 0)).toBe(10);
  expect(Math.max(...events)).toBeLessThanOrEqual(3);
});

test('a long silence is no gap', () => {
  const bins = new RateBins(20);
  bins.add(0, T);
  bins.add(1, T + 9000);
  expect(last(bins, T + 9000, 1)).toEqual([1]);
});

test('the mean counts the running second as far as it got', () => {
  const bins = new RateBins(20);
  bins.add(0, T);
  for (let i = 1; i <= 50; i++) bins.add(i * 10, T + i * 100);
  expect(bins.now(T + 5050, 5)).toBeGreaterThan(97);
  expect(bins.now(T + 5050, 5)).toBeLessThan(103);
});

test('seconds before the page was opened come from elsewhere and do not overwrite', () => {
  const bins = new RateBins(10);
  bins.add(0, T);
  bins.add(2, T + 100);
  bins.seed([
    [T / 1000, 99],
    [T / 1000 - 1, 7],
  ]);
  expect(last(bins, T + 500, 2)).toEqual([7, 2]);
});

test('old seconds are forgotten', () => {
  const bins = new RateBins(10);
  bins.add(0, T);
  for (let i = 1; i < 1000; i++) bins.add(i, T + i * 1000);
  expect(bins.series(T + 999_000).events).toEqual(Array(11).fill(1));
});

test('the smoothed line keeps the level', () => {
  expect(RateBins.smooth([4, 4, 4, 4], 2)).toEqual([4, 4, 4, 4]);
  expect(RateBins.smooth([0, 3, 0], 1)).toEqual([1.5, 1, 1.5]);
});
