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
  if (state.refused.quota) facts.push(['Refused: over the quota', count(state.refused.quota)]);
  if (state.refused.journal_full) facts.push(['Refused: journal full', count(state.refused.journal_full)]);
  const { p50_ms, p95_ms, p99_ms } = state.latency;
  facts.push([
    'Accepted to visible, 50 · 95 · 99 %',
    p50_ms === null ? milliseconds(state.latency_ms) : [p50_ms, p95_ms, p99_ms].map(milliseconds).join(' · '),
  ]);
  facts.push(['Accepted to queryable', milliseconds(state.queryable_ms)]);
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
