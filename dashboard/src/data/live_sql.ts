/* The questions of the live page. Times are UTC, as in the tables. */
import { rangeWhere, type Range } from './range';
import { jsonText, where } from './sql';

export const TODAY_SQL = `SELECT
  countIf(timestamp >= toStartOfDay(now('UTC'))) AS today,
  countIf(timestamp < now64(3, 'UTC') - INTERVAL 1 DAY) AS yesterday_until_now
FROM events_raw
WHERE timestamp >= toStartOfDay(now('UTC')) - INTERVAL 1 DAY`;

export const VISITORS_NOW_SQL = `SELECT uniq(visitor_id) AS visitors
FROM events_raw
WHERE timestamp >= now64(3, 'UTC') - INTERVAL 5 MINUTE`;

/** What the chart of the last minutes shows for the time before the page was opened. By when events happened: a history
 * that was loaded within these minutes is not a flood of them. */
export const RECENT_RATE_SQL = `SELECT toUnixTimestamp(timestamp) AS second, count() AS events
FROM events_raw
WHERE timestamp >= now('UTC') - INTERVAL 300 SECOND AND timestamp <= now('UTC')
GROUP BY second
ORDER BY second`;

/* Pages are named differently by different senders: `page`, Segment's `path`, or the context's. */
export const PAGE = `coalesce(nullIf(${jsonText('properties', 'page')}, ''), nullIf(${jsonText('properties', 'path')}, ''), nullIf(JSONExtractString(context, 'page', 'path'), ''), '')`;
const REFERRER = `coalesce(nullIf(${jsonText('properties', 'referrer')}, ''), JSONExtractString(context, 'page', 'referrer'))`;

export function topPagesSql(range: Range): string {
  return `SELECT ${PAGE} AS page, count() AS events, uniq(visitor_id) AS visitors
FROM events_raw${where(rangeWhere('timestamp', range), "event_type IN ('page_view', 'screen_view')")}
GROUP BY page
HAVING page != ''
ORDER BY events DESC, page
LIMIT 8`;
}

export function topEventsSql(range: Range): string {
  return `SELECT event_type, sum(event_count) AS events, uniqMerge(unique_visitors) AS visitors
FROM events_hourly${where(rangeWhere('hour', range))}
GROUP BY event_type
ORDER BY events DESC, event_type
LIMIT 8`;
}

export function topEventsRawSql(range: Range): string {
  return `SELECT event_type, count() AS events, uniq(visitor_id) AS visitors
FROM events_raw${where(rangeWhere('timestamp', range))}
GROUP BY event_type
ORDER BY events DESC, event_type
LIMIT 8`;
}

export function referrersSql(range: Range): string {
  return `SELECT domainWithoutWWW(${REFERRER}) AS referrer, count() AS events, uniq(visitor_id) AS visitors
FROM events_raw${where(rangeWhere('timestamp', range), "event_type IN ('page_view', 'screen_view')")}
GROUP BY referrer
HAVING referrer != ''
ORDER BY events DESC, referrer
LIMIT 8`;
}

export function deadReasonsSql(range: Range): string {
  return `SELECT reason, count() AS letters
FROM dead_letters${where(rangeWhere('received_at', range))}
GROUP BY reason
ORDER BY letters DESC, reason
LIMIT 8`;
}
