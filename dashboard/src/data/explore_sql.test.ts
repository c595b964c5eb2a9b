import { describe, expect, test } from 'vitest';
import { keysSql, seriesSql, totalsBeforeSql, totalsSql, type Question } from './explore_sql';
import { eventsSql, lettersSql } from './events_sql';

const QUESTION: Question = {
  range: { key: '7d' },
  step: 'day',
  measure: 'visitors',
  type: undefined,
  by: undefined,
  values: [],
};

describe('explore', () => {
  test('days of all types come from the daily rollup, visitors merged', () => {
    expect(seriesSql(QUESTION)).toBe(
      "SELECT day AS at, uniqMerge(unique_visitors) AS visitors\nFROM events_daily\nWHERE day >= toStartOfDay(now('UTC')) - INTERVAL 6 DAY\nGROUP BY at\nORDER BY at",
    );
  });
  test('visitors are never summed', () => {
    for (const step of ['hour', 'day'] as const)
      for (const by of [undefined, 'type', 'name', 'p.page'])
        for (const sql of [seriesSql({ ...QUESTION, step, by, values: ['x'] }), totalsSql({ ...QUESTION, step, by })])
          expect(sql).not.toMatch(/sum\(unique/);
  });
  test('a breakdown by a property asks the raw table', () => {
    const sql = seriesSql({ ...QUESTION, by: "p.it's", values: ["a'b"], type: 'x' });
    expect(sql).toContain('FROM events_raw');
    expect(sql).toContain("JSONExtract(properties, 'it\\'s', 'String') AS value");
    expect(sql).toContain("value IN ('a\\'b')");
    expect(sql).toContain("event_type = 'x'");
  });
  test('context is a column of its own', () => {
    expect(totalsSql({ ...QUESTION, by: 'c.country' })).toContain("JSONExtract(context, 'country', 'String')");
  });
  test('the last hour has no rollup', () => {
    expect(seriesSql({ ...QUESTION, range: { key: '1h' }, step: 'minute' })).toContain('FROM events_raw');
  });
});

test('nothing that was typed becomes SQL', () => {
  const evil = "x' OR 1=1 --";
  const range = { key: '24h' } as const;
  const statements = [
    seriesSql({ ...QUESTION, type: evil, by: `p.${evil}`, values: [evil] }),
    totalsSql({ ...QUESTION, type: evil, by: `c.${evil}` }),
    totalsBeforeSql({ range, type: evil }),
    keysSql('context', evil, range),
    eventsSql({ range, type: evil, text: evil, rows: 100 }),
    lettersSql({ range, reason: evil, text: evil, rows: 100 }),
  ];
  for (const sql of statements) {
    expect(sql).toContain("x\\' OR 1=1 --");
    expect(sql.replaceAll("x\\' OR 1=1 --", '')).not.toContain('OR 1=1');
  }
});
