import { useMemo } from 'react';
import type { ReactNode } from 'react';
import { useSql } from '../../app/session';
import type { Question } from '../../data/explore_sql';
import { bucket, count } from '../../data/format';
import { bucketsOf, parseUtc, rangeLengthMs } from '../../data/range';
import { Chart, Legend, type Series, type SeriesColor } from '../../ui/Chart';

export const TOP_VALUES = 6;
const HEIGHT = 320;
const COLORS: readonly SeriesColor[] = ['1', '2', '3', '4', '5', '6'];

export function valueLabel(value: string): string {
  return value === '' ? '(none)' : value;
}

export function ExploreChart({
  question,
  rows,
  values,
  previousSql,
}: {
  question: Question;
  rows: unknown[][];
  values?: readonly string[];
  previousSql?: string | undefined;
}): ReactNode {
  return previousSql ? <Compared {...{ question, rows, previousSql }} /> : <Plain {...{ question, rows, values }} />;
}

function Compared({
  question,
  rows,
  previousSql,
}: {
  question: Question;
  rows: unknown[][];
  previousSql: string;
}): ReactNode {
  const { answer } = useSql(previousSql, { everyMs: 30_000 });
  return <Plain question={question} rows={rows} previous={answer?.rows ?? []} />;
}

function Plain({
  question,
  rows,
  values,
  previous,
}: {
  question: Question;
  rows: unknown[][];
  values?: readonly string[] | undefined;
  previous?: unknown[][];
}): ReactNode {
  const { step, range, measure } = question;
  const { x, series } = useMemo(() => {
    const buckets = bucketsOf(range, step, Date.now());
    return {
      x: buckets.map((b) => b / 1000),
      series: values ? byValue(rows, values, buckets) : whole(question, rows, previous, buckets),
    };
  }, [question.range.key, step, rows, values, previous]); // eslint-disable-line react-hooks/exhaustive-deps
  const name = measure === 'events' ? 'Events' : 'Visitors';
  return (
    <>
      <Chart
        x={x}
        series={series}
        height={HEIGHT}
        label={`${name} by ${step}`}
        formatX={(ms) => bucket(ms, step)}
        formatY={count}
      />
      {series.length > 1 && <Legend series={series} />}
    </>
  );
}

function byValue(rows: unknown[][], values: readonly string[], buckets: readonly number[]): Series[] {
  const cells = new Map(rows.map((r) => [`${parseUtc(r[0])} ${String(r[1])}`, Number(r[2])]));
  return values.map((v, i) => ({
    label: valueLabel(v),
    values: buckets.map((b) => cells.get(`${b} ${v}`) ?? 0),
    color: COLORS[i] ?? 'rest',
    kind: 'line',
  }));
}

function whole(
  question: Question,
  rows: unknown[][],
  previous: unknown[][] | undefined,
  buckets: readonly number[],
): Series[] {
  const now = new Map(rows.map((r) => [parseUtc(r[0]), Number(r[1])]));
  const series: Series[] = [
    {
      label: question.measure === 'events' ? 'Events' : 'Visitors',
      values: buckets.map((b) => now.get(b) ?? 0),
      color: '1',
      kind: previous || buckets.length > 100 ? 'area' : 'bars',
    },
  ];
  if (previous) {
    const length = rangeLengthMs(question.range);
    const before = new Map(previous.map((r) => [parseUtc(r[0]) + length, Number(r[1])]));
    series.push({ label: 'Period before', values: buckets.map((b) => before.get(b) ?? 0), color: '2', kind: 'dashes' });
  }
  return series;
}
