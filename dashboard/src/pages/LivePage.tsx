import { useState } from 'react';
import type { ReactNode } from 'react';
import { RangePicker, useRange } from '../app/RangePicker';
import { useSession, useSqlKeeping } from '../app/session';
import { followLink, href } from '../app/url';
import type { FeedEvent } from '../data/feed';
import { deadReasonsSql, referrersSql, topEventsRawSql, topEventsSql, topPagesSql } from '../data/live_sql';
import { formatRange, type Range } from '../data/range';
import { BarList, type BarRow } from '../ui/BarList';
import { Card, PageHead } from '../ui/layout';
import { Loaded, Note, SkeletonRows } from '../ui/states';
import { Delivery } from './live/Delivery';
import { LatestEvents } from './live/LatestEvents';
import { LiveRate } from './live/LiveRate';
import { Numbers } from './live/Numbers';
import { EventDrawer } from './EventDrawer';
import { History } from './live/History';

export function LivePage(): ReactNode {
  const range = useRange();
  const [shown, setShown] = useState<FeedEvent>();
  return (
    <>
      <PageHead title="Live" />
      <Numbers />
      <div className="live-grid">
        <Card title="Events per second" hint="last 5 minutes" className="live-rate">
          <LiveRate />
        </Card>
        <LatestEvents onOpen={setShown} />
      </div>
      <div className="section-bar">
        <h2>History</h2>
        <span className="hint dim">UTC</span>
        <span className="spacer" />
        <RangePicker range={range} />
      </div>
      <History range={range} />
      <div className="thirds">
        <TopPages range={range} />
        <TopEvents range={range} />
        <Referrers range={range} />
      </div>
      <div className="halves">
        <DeadLetters range={range} />
        <Delivery />
      </div>
      {shown && <EventDrawer event={shown} onClose={() => setShown(undefined)} />}
    </>
  );
}

function rowsOf(rows: unknown[][], link: (label: string) => string | undefined): BarRow[] {
  return rows.map(([label, value, more]) => ({
    label: String(label),
    value: Number(value),
    more: more === undefined ? undefined : Number(more),
    href: link(String(label)),
  }));
}

interface TopProps {
  title: string;
  sql: string;
  name: string;
  empty: string;
  hint: string;
  more: string | undefined;
  what: string;
  open: { label: string; href: string };
  link: (label: string) => string | undefined;
}

function Top({ title, sql, name, what, more, empty, hint, open, link }: TopProps): ReactNode {
  const view = useSqlKeeping(sql, { everyMs: 3000 });
  return (
    <Card
      title={title}
      actions={
        <a href={open.href} onClick={followLink} className="card-link">
          {open.label}
        </a>
      }
    >
      <Loaded
        of={view}
        compact
        skeleton={<SkeletonRows />}
        empty={
          <Note compact title={empty}>
            {hint}
          </Note>
        }
      >
        {(rows) => <BarList rows={rowsOf(rows, link)} name={name} what={what} {...(more ? { more } : {})} />}
      </Loaded>
    </Card>
  );
}

function TopPages({ range }: { range: Range }): ReactNode {
  const text = formatRange(range);
  return (
    <Top
      title="Top pages"
      sql={topPagesSql(range)}
      name="Page"
      what="views"
      more="visitors"
      empty="No page views"
      hint="Send page_view events with a property “page”."
      open={{ label: 'Explore', href: href('explore', { range: text, type: 'page_view', by: 'p.page' }) }}
      link={(page) => href('events', { range: text, type: 'page_view', q: page })}
    />
  );
}

function TopEvents({ range }: { range: Range }): ReactNode {
  const text = formatRange(range);
  return (
    <Top
      title="Top events"
      sql={range.key === '1h' ? topEventsRawSql(range) : topEventsSql(range)}
      name="Type"
      what="events"
      more="visitors"
      empty="No events"
      hint="Setup shows how to send the first."
      open={{ label: 'Explore', href: href('explore', { range: text, by: 'type' }) }}
      link={(type) => href('explore', { range: text, type })}
    />
  );
}

function Referrers({ range }: { range: Range }): ReactNode {
  const text = formatRange(range);
  return (
    <Top
      title="Referrers"
      sql={referrersSql(range)}
      name="Site"
      what="views"
      more="visitors"
      empty="No referrers"
      hint="They come with a property “referrer” of page views."
      open={{ label: 'Explore', href: href('explore', { range: text, type: 'page_view', by: 'p.referrer' }) }}
      link={(site) => href('events', { range: text, type: 'page_view', q: site })}
    />
  );
}

function DeadLetters({ range }: { range: Range }): ReactNode {
  useSession();
  const text = formatRange(range);
  return (
    <Top
      title="Rejected events"
      sql={deadReasonsSql(range)}
      name="Reason"
      what="dead letters"
      more={undefined}
      empty="Nothing was rejected"
      hint="Every refused event would be kept here, with its reason and its bytes."
      open={{ label: 'All dead letters', href: href('events', { range: text, view: 'dead' }) }}
      link={(reason) => href('events', { range: text, view: 'dead', reason })}
    />
  );
}
