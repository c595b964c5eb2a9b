import { expect, test } from 'vitest';
import type { StreamHealth, StreamSink } from './api';
import { sinkRate, sinksOf } from './sinks';

const health = (at_ms: number, ...sinks: StreamSink[]): StreamHealth => ({
  at_ms,
  partitions: [],
  store: {},
  watermarks: [],
  sinks,
});

test('the partitions of a sink are one, and one that waits makes it away', () => {
  const of = sinksOf(
    health(
      1,
      { sink: 'a', partition: '0', up: 1, records: 5, lag_seconds: 1 },
      { sink: 'a', partition: '1', up: 0, records: 6, lag_seconds: 70, skipped: 2 },
      { sink: 'b', up: 1, records: 7, refused: 1 },
    ),
  );
  expect(of).toEqual([
    { name: 'a', isUp: false, lagSeconds: 70, records: 11, refused: 0, skipped: 2 },
    { name: 'b', isUp: true, lagSeconds: 0, records: 7, refused: 1, skipped: 0 },
  ]);
});

test('without sinks, or from an older weir, there are none', () => {
  expect(sinksOf(undefined)).toEqual([]);
  expect(sinksOf({ at_ms: 1, partitions: [], store: {}, watermarks: [] })).toEqual([]);
});

test('a rate is the growth over the time between, none over a restart', () => {
  const [before, now] = [
    health(1000, { sink: 'a', up: 1, records: 5 }),
    health(3000, { sink: 'a', up: 1, records: 25 }),
  ];
  expect(sinkRate(now, before, 'a')).toBe(10);
  expect(sinkRate(now, undefined, 'a')).toBeUndefined();
  expect(sinkRate(before, now, 'a')).toBeUndefined();
});
