export const EXAMPLES: readonly { name: string; sql: string }[] = [
  {
    name: 'Events and visitors by type',
    sql: `SELECT event_type, count() AS events, uniq(visitor_id) AS visitors
FROM events_raw
WHERE timestamp >= now() - INTERVAL 1 DAY
GROUP BY event_type
ORDER BY events DESC`,
  },
  {
    name: 'Visitors by day, from the rollup',
    sql: `SELECT day, sum(event_count) AS events, uniqMerge(unique_visitors) AS visitors
FROM events_daily
GROUP BY day
ORDER BY day DESC
LIMIT 30`,
  },
  {
    name: 'Revenue by hour of today',
    sql: `SELECT toStartOfHour(timestamp) AS hour, count() AS orders,
  round(sum(JSONExtractFloat(properties, 'amount')), 2) AS revenue
FROM events_raw
WHERE event_type = 'purchase' AND timestamp >= toStartOfDay(now('UTC'))
GROUP BY hour
ORDER BY hour`,
  },
  {
    name: 'One visitor, step by step',
    sql: `SELECT timestamp, event_type, event_name, JSONExtractString(properties, 'page') AS page
FROM events_raw
WHERE visitor_id = (
  SELECT visitor_id FROM events_raw
  WHERE timestamp >= now() - INTERVAL 1 HOUR
  ORDER BY timestamp DESC LIMIT 1
)
ORDER BY timestamp DESC
LIMIT 50`,
  },
  {
    name: 'Why events were refused',
    sql: `SELECT reason, field, count() AS letters, max(received_at) AS latest
FROM dead_letters
GROUP BY reason, field
ORDER BY letters DESC`,
  },
];

export const TABLES: readonly { name: string; what: string; columns: string }[] = [
  {
    name: 'events_raw',
    what: 'every event',
    columns:
      'visitor_id, user_id, session_id, event_id, event_type, event_name, properties, context, timestamp, received_at, identity_stitched',
  },
  { name: 'events_hourly', what: 'by type and hour', columns: 'event_type, hour, event_count, unique_visitors' },
  { name: 'events_daily', what: 'by type and day', columns: 'event_type, day, event_count, unique_visitors' },
  {
    name: 'sessions',
    what: 'visits, by event time',
    columns: 'session_id, visitor_id, user_id, started_at, ended_at, duration_seconds, event_count, page_views',
  },
  {
    name: 'windows',
    what: 'what domains declare',
    columns: 'window, kind, window_start, window_end, key, measures, event_count, revision, is_final, definition',
  },
  {
    name: 'late_events',
    what: 'too late for their window',
    columns:
      'window, key, window_start, window_end, watermark, replayed, event_count, visitor_id, user_id, event_id, event_type, event_name, properties, timestamp, received_at',
  },
  {
    name: 'data_quality',
    what: 'how good events were, by type and hour',
    columns:
      'hour, event_type, events, accepted, invalid, duplicates, tagged, late, required_values, required_missing, optional_values, optional_missing, stored, completeness, validity, uniqueness, timeliness, consistency',
  },
  {
    name: 'dead_letters',
    what: 'what was refused',
    columns: 'id, stage, reason, message, field, original, event_id, received_at',
  },
];
