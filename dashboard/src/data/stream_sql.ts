/* The questions of the stream page: what the processing tasks make of events while they pass. */
import { rangeWhere, type Range } from './range';
import { where } from './sql';

export function sessionNumbersSql(range: Range): string {
  return `SELECT count() AS sessions, avg(duration_seconds) AS seconds, avg(event_count) AS events,
  countIf(event_count = 1) AS single
FROM sessions${where(rangeWhere('started_at', range))}`;
}

export function sessionsSql(range: Range): string {
  return `SELECT started_at, session_id, visitor_id, user_id, duration_seconds, event_count
FROM sessions${where(rangeWhere('started_at', range))}
ORDER BY started_at DESC
LIMIT 50`;
}

export function windowKindsSql(range: Range): string {
  return `SELECT window, any(kind) AS kind, count() AS windows, countIf(is_final) AS finals, max(window_end) AS latest
FROM windows${where(rangeWhere('window_start', range))}
GROUP BY window
ORDER BY window
LIMIT 50`;
}

export function windowsSql(range: Range): string {
  return `SELECT window_start, window_end, window, key, event_count, measures, revision, is_final
FROM windows${where(rangeWhere('window_start', range))}
ORDER BY window_start DESC, window, key
LIMIT 50`;
}

export function lateSql(range: Range): string {
  return `SELECT received_at, window, window_start, timestamp, event_type, event_name, visitor_id
FROM late_events${where(rangeWhere('received_at', range))}
ORDER BY received_at DESC
LIMIT 50`;
}

export const LATE_COUNT_SQL = 'SELECT count() AS late\nFROM late_events';

export const STORED_SQL = 'SELECT count() AS events\nFROM events_raw';

/** The engine's way to say that a table isn't there. */
export function isMissingTable(message: string): boolean {
  return /unknown table|table .* (does not|doesn't) exist|no table/i.test(message);
}
