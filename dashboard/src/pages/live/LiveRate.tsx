import { useEffect, useMemo, useState } from 'react';
import type { ReactNode } from 'react';
import { useFeed, useSession } from '../../app/session';
import { askSql } from '../../data/api';
import { RATE_SECONDS } from '../../data/feed';
import { clock, rate } from '../../data/format';
import { RECENT_RATE_SQL } from '../../data/live_sql';
import { RateBins } from '../../data/rates';
import { Chart, type Series } from '../../ui/Chart';
import { SkeletonBlock } from '../../ui/states';

const HEIGHT = 256;

/** Moves on every second; what happened before the page was opened comes from SQL, once. */
export function LiveRate(): ReactNode {
  const { feed, tenant } = useSession();
  const { state, connection } = useFeed();
  const now = useSecond(connection.is === 'live');
  useEffect(() => {
    askSql(tenant.readKey, RECENT_RATE_SQL).then(
      (answer) => feed.rates.seed(answer.rows.map((r) => [Number(r[0]), Number(r[1])] as const)),
      () => undefined, // the chart begins empty then
    );
  }, [feed, tenant.readKey]);
  const { x, series } = useMemo(() => {
    const { seconds, events } = feed.rates.series(now - 1000); // full seconds alone
    const bars: Series = { label: 'Events', values: events, color: '1', kind: 'faint' };
    const mean: Series = { label: 'Mean of 15 s', values: RateBins.smooth(events, 7), color: '1', kind: 'line' };
    return { x: seconds, series: [bars, mean] };
  }, [feed, now]);
  if (!state) return <SkeletonBlock height={HEIGHT} />;
  const last = x[x.length - 1] ?? 0;
  return (
    <Chart
      x={x}
      series={series}
      height={HEIGHT}
      label="Events per second in the last five minutes"
      formatX={clock}
      formatY={rate}
      window={[last - RATE_SECONDS, last]}
    />
  );
}

/* Changes with each full second, while it is known what happens in it. */
function useSecond(goesOn: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!goesOn) return;
    let timer = 0;
    const next = (): void => {
      setNow(Date.now());
      timer = window.setTimeout(next, 1020 - (Date.now() % 1000));
    };
    timer = window.setTimeout(next, 1020 - (Date.now() % 1000));
    return () => clearTimeout(timer);
  }, [goesOn]);
  return now;
}
