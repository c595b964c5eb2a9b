import type { ReactNode } from 'react';
import { useFeed, useSession, useSql } from '../../app/session';
import { useNow } from '../../app/useNow';
import { change, count, EMPTY, milliseconds, percent, rate } from '../../data/format';
import { TODAY_SQL, VISITORS_NOW_SQL } from '../../data/live_sql';

/** The row of numbers at the top. */
export function Numbers(): ReactNode {
  const today = useSql(TODAY_SQL, { everyMs: 1000, atMostMs: 15_000 });
  const visitors = useSql(VISITORS_NOW_SQL, { everyMs: 1000, atMostMs: 5000 });
  const [eventsToday, yesterday] = (today.answer?.rows[0] ?? []).map(Number);
  return (
    <dl className="numbers card">
      <RateNow />
      <Stat id="visitors-now" label="Visitors now" value={single(visitors)} sub="in the last 5 minutes" />
      <Stat id="events-today" label="Events today" value={eventsToday === undefined ? undefined : count(eventsToday)}>
        {eventsToday !== undefined && yesterday !== undefined && <Delta now={eventsToday} before={yesterday} />}
      </Stat>
      <Latency />
      <Quota />
    </dl>
  );
}

function single(view: ReturnType<typeof useSql>): string | undefined {
  const value = view.answer?.rows[0]?.[0];
  return value === undefined ? undefined : count(Number(value));
}

function Stat({
  id,
  label,
  value,
  sub,
  children,
}: {
  id: string;
  label: string;
  value: string | undefined;
  sub?: string;
  children?: ReactNode;
}): ReactNode {
  return (
    <div className="stat" data-testid={id}>
      <dt>{label}</dt>
      <dd className="stat-value number">{value ?? <span className="skeleton" aria-hidden="true" />}</dd>
      <dd className="stat-sub">{children ?? sub ?? '\u00a0'}</dd>
    </div>
  );
}

function RateNow(): ReactNode {
  const { feed } = useSession();
  const { state, connection } = useFeed();
  const now = useNow(500);
  const isKnown = connection.is === 'live' || connection.is === 'connecting';
  return (
    <Stat
      id="rate-now"
      label="Events per second"
      value={state && (isKnown ? rate(feed.rates.now(now)) : EMPTY)}
      sub="mean of the last 5 seconds"
    />
  );
}

export function Delta({ now, before }: { now: number; before: number }): ReactNode {
  const ratio = change(now, before);
  if (ratio === undefined) return <span className="dim">none yesterday by this time</span>;
  return (
    <span title={`${count(before)} yesterday by this time`}>
      <span className={`delta ${ratio >= 0 ? 'up' : 'down'}`}>
        {ratio >= 0 ? '↑' : '↓'} {percent(Math.abs(ratio))}
      </span>{' '}
      <span className="dim">than yesterday by now</span>
    </span>
  );
}

function Latency(): ReactNode {
  const { state } = useFeed();
  const p95 = state?.latency.p95_ms;
  return (
    <Stat
      id="latency"
      label="Accepted to visible"
      value={state && (p95 == null && state.accepted === 0 ? EMPTY : milliseconds(p95 ?? state.latency_ms))}
      sub={p95 == null ? 'the newest batch' : '95 % within'}
    />
  );
}

function Quota(): ReactNode {
  const { state } = useFeed();
  const { who } = useSession();
  const limit = state?.quota.limit;
  if (!state || !limit)
    return (
      <Stat
        id="quota"
        label="Quota"
        value={state && 'Unlimited'}
        sub={who?.tier ? `tier ${who.tier}` : 'no limit set'}
      />
    );
  const share = state.quota.used / limit;
  return (
    <Stat id="quota" label="Quota used" value={percent(share)}>
      <span className="meter" role="img" aria-label={`${percent(share)} of ${count(limit)} events a minute`}>
        <span
          className={share > 0.9 ? 'bad' : share > 0.7 ? 'warn' : ''}
          style={{ width: `${Math.min(100, share * 100)}%` }}
        />
      </span>
      <span className="dim">{count(limit)}/min</span>
    </Stat>
  );
}
