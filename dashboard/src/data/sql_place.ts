/* Where in a statement an error is, out of what weir or the engine says about it. */

export interface Place {
  from: number;
  to: number;
  line: number;
  column: number;
}

const LINE_COLUMN = /line (\d+),? col(?:umn)? (\d+)/i;
const POSITION = /position (\d+)/i;
const NAMED = [
  /(?:expression |table expression |table )?identifier[s]? [`'"]([^`'"]+)[`'"]/i,
  /(?:unknown |the )?function (?:with name )?[`'"]?([A-Za-z_]\w*)/i,
  /column [`'"]([^`'"]+)[`'"]/i,
];

function at(sql: string, from: number): Place {
  const word = /^(\w+|\S)?/.exec(sql.slice(from))?.[0].length ?? 0;
  const before = sql.slice(0, from);
  const line = before.split('\n').length;
  return { from, to: from + Math.max(1, word), line, column: from - before.lastIndexOf('\n') };
}

function offsetOf(sql: string, line: number, column: number): number {
  const lines = sql.split('\n');
  const start = lines.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0);
  return Math.min(start + column - 1, sql.length);
}

export function errorPlace(sql: string, message: string): Place | undefined {
  const lineColumn = LINE_COLUMN.exec(message);
  if (lineColumn) return at(sql, offsetOf(sql, Number(lineColumn[1]), Number(lineColumn[2])));
  const position = POSITION.exec(message);
  if (position) return at(sql, Math.min(Math.max(Number(position[1]) - 1, 0), sql.length));
  for (const pattern of NAMED) {
    const name = pattern.exec(message)?.[1];
    if (!name) continue;
    const found = new RegExp(`(?<![\\w.])${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?!\\w)`).exec(sql);
    if (found) return { ...at(sql, found.index), to: found.index + name.length };
  }
  return undefined;
}
