import { useMemo } from 'react';
import type { ReactNode } from 'react';
import { bucket, count } from '../data/format';
import { bucketsOf, parseUtc, stepsOf, type Range } from '../data/range';
import { Chart, type Series } from './Chart';

interface Props {
  /** Bucket and number of events, of those buckets that have some. */
  rows: unknown[][];
  range: Range;
  height: number;
  /** What is counted: "Events". */
  name: string;
}

/** How many events there were, a bar for each bucket of the range. */
export function EventBars({ rows, range, height, name }: Props): ReactNode {
  const step = stepsOf(range)[0] ?? 'hour';
  const { x, series } = useMemo(() => {
    const byBucket = new Map(rows.map((r) => [parseUtc(r[0]), Number(r[1])]));
    const buckets = bucketsOf(range, step, Date.now());
    const bars: Series = {
      label: 'Events',
      values: buckets.map((b) => byBucket.get(b) ?? 0),
      color: '1',
      kind: 'bars',
    };
    return { x: buckets.map((b) => b / 1000), series: [bars] };
  }, [rows, range, step]);
  return (
    <Chart
      x={x}
      series={series}
      height={height}
      label={`${name} by ${step}`}
      formatX={(ms) => bucket(ms, step)}
      formatY={count}
    />
  );
}
