import type { ReactNode } from 'react';
import { useFeed, useSession } from '../../app/session';
import { count, dateTime, milliseconds } from '../../data/format';
import { Card } from '../../ui/layout';
import { SkeletonRows } from '../../ui/states';

/** How well events are taken in, counted since weir was started. */
export function Delivery(): ReactNode {
  const { state } = useFeed();
  const { who } = useSession();
  if (!state)
    return (
      <Card title="Delivery">
        <SkeletonRows rows={6} />
      </Card>
    );
  const facts: [string, string][] = [
    ['Accepted', count(state.accepted)],
    ['Duplicates left out', count(state.duplicates)],
    ['Dead letters', count(state.dead_letters)],
  ];
  for (const [reason, n] of Object.entries(state.rejected ?? {})) facts.push([`Refused: ${reason}`, count(n)]);
  if (state.latency)
    facts.push([
      'Accepted to visible',
      `50 % ${milliseconds(state.latency.p50_ms)}, 95 % ${milliseconds(state.latency.p95_ms)}, 99 % ${milliseconds(state.latency.p99_ms)}`,
    ]);
  else facts.push(['Accepted to visible', milliseconds(state.latency_ms)]);
  if (state.queryable_ms !== undefined) facts.push(['Accepted to queryable', milliseconds(state.queryable_ms)]);
  facts.push(['Not yet processed', `${count(state.lag_events)} events`]);
  if (who?.retentionDays) facts.push(['Kept for', `${count(who.retentionDays)} days`]);
  return (
    <Card title="Delivery" hint={`since ${dateTime(state.since_ms).slice(0, 16)}`}>
      <dl className="facts rows number">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}
