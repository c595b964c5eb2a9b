import { describe, expect, test } from 'vitest';
import { metricSql, topSql, windowKeysSql, windowSeriesSql, type WindowPanel } from './dashboard_sql';

const DAY = { key: '24h' } as const;

describe('panels', () => {
  const of = { title: 'n', event_type: 'sale', view: 'events_sale' };
  test('a column is named through the view, whatever its name', () => {
    expect(metricSql({ ...of, kind: 'metric', column: 'count_', first: 'sum' }, DAY, 'hour')).toBe(
      "SELECT toStartOfHour(e.timestamp) AS at_, '' AS currency_, count(e.`count_`) AS count_, sum(e.`count_`) AS sum_\n" +
        "FROM events_sale AS e\nWHERE e.timestamp >= toStartOfHour(now('UTC')) - INTERVAL 23 HOUR\n  AND e.`count_` IS NOT NULL\n" +
        'GROUP BY at_, currency_\nORDER BY at_',
    );
    expect(topSql({ ...of, kind: 'top', column: 'order' }, DAY)).toContain('toString(e.`order`) AS value_');
  });
  const window: WindowPanel = {
    kind: 'window',
    title: "it's",
    definition: '7',
    window_kind: 'tumbling',
    size_ms: 60_000,
    keys: ['k'],
    measures: [
      { name: 'best', kind: 'top', combine: 'last' },
      { name: 'paid_cents', kind: 'sum', combine: 'sum', unit: 'cents' },
      { name: 'mean_cents', kind: 'mean', combine: 'last', unit: 'cents' },
    ],
  };
  test('results of a window are combined as each measure may be', () => {
    const sql = windowKeysSql(window, DAY);
    expect(sql).toContain("argMax(nullIf(nullIf(JSONExtractRaw(measures, 'best'), ''), 'null'), window_end) AS m0");
    expect(sql).toContain("sum(JSONExtract(measures, 'paid_cents', 'Nullable(Int64)')) AS m1");
    expect(sql).toContain("argMax(JSONExtract(measures, 'mean_cents', 'Nullable(Float64)'), window_end) AS m2");
    expect(sql).toContain("window = 'it\\'s'");
    expect(sql).toContain('ORDER BY m1 DESC, key');
  });
  test('a key is a text like any other', () => {
    expect(windowSeriesSql(window, window.measures[1]!, ['{"k":"a\'b"}'], DAY, 'hour')).toContain(
      'key IN (\'{"k":"a\\\'b"}\')',
    );
  });
});
