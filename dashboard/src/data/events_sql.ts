/* The questions of the events page. */
import { rangeWhere, type Range } from './range';
import { containsText, literal, where } from './sql';

export interface EventsFilter {
  range: Range;
  type: string | undefined;
  text: string;
  rows: number;
}

const SEARCHED = ['event_name', 'visitor_id', "ifNull(user_id, '')", 'session_id', 'event_id', 'properties'];

export function eventsSql({ range, type, text, rows }: EventsFilter): string {
  return `SELECT timestamp, event_type, event_name, visitor_id, user_id, event_id, properties
FROM events_raw${where(
    rangeWhere('timestamp', range),
    type !== undefined && `event_type = ${literal(type)}`,
    text !== '' && containsText(SEARCHED, text),
  )}
ORDER BY timestamp DESC
LIMIT ${rows}`;
}

export interface LettersFilter {
  range: Range;
  reason: string | undefined;
  text: string;
  rows: number;
}

export function lettersSql({ range, reason, text, rows }: LettersFilter): string {
  return `SELECT received_at, reason, stage, field, message, event_id, length(original) AS bytes, original
FROM dead_letters${where(
    rangeWhere('received_at', range),
    reason !== undefined && `reason = ${literal(reason)}`,
    text !== '' && containsText(['original', 'message', 'event_id', 'field'], text),
  )}
ORDER BY received_at DESC
LIMIT ${rows}`;
}

export function reasonsSql(range: Range): string {
  return `SELECT reason, count() AS letters
FROM dead_letters${where(rangeWhere('received_at', range))}
GROUP BY reason
ORDER BY letters DESC, reason
LIMIT 100`;
}
