import { useMemo } from 'react';
import type { ReactNode } from 'react';
import { useSqlKeeping } from '../../app/session';
import { followLink, href } from '../../app/url';
import { seriesSql } from '../../data/explore_sql';
import { bucket, count } from '../../data/format';
import { bucketsOf, formatRange, parseUtc, stepsOf, type Range } from '../../data/range';
import { Chart, type Series } from '../../ui/Chart';
import { Card } from '../../ui/layout';
import { Loaded, Note, SkeletonBlock } from '../../ui/states';

const HEIGHT = 168;

/** Events over the range that is chosen, from the rollups. */
export function History({ range }: { range: Range }): ReactNode {
  const step = stepsOf(range)[0] ?? 'hour';
  const view = useSqlKeeping(
    seriesSql({ range, step, measure: 'events', type: undefined, by: undefined, values: [] }),
    {
      everyMs: 2000,
    },
  );
  return (
    <Card
      title="Events"
      hint={`by ${step}`}
      actions={
        <a href={href('explore', { range: formatRange(range) })} onClick={followLink} className="card-link">
          Explore
        </a>
      }
    >
      <Loaded
        of={view}
        skeleton={<SkeletonBlock height={HEIGHT} />}
        empty={<Note compact title="No events in this time" />}
      >
        {(rows) => <HistoryChart rows={rows} range={range} />}
      </Loaded>
    </Card>
  );
}

function HistoryChart({ rows, range }: { rows: unknown[][]; range: Range }): ReactNode {
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
      height={HEIGHT}
      label={`Events by ${step}`}
      formatX={(ms) => bucket(ms, step)}
      formatY={count}
    />
  );
}
