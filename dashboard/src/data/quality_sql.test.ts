import { expect, test } from 'vitest';
import { qualitySql, targetOf, type Targets } from './quality_sql';

const PLATFORM = { completeness: 0.9999, validity: 0.9997, uniqueness: 1, timeliness: 0.998, consistency: 1 };
const OWN: Targets = {
  targets: PLATFORM,
  domains: [{ domain: 'shop', targets: { ...PLATFORM, timeliness: 0.9 }, event_types: ["o'rder"] }],
};

test('an event type is held against its domain, else against the platform', () => {
  expect(targetOf(OWN, "o'rder", 'timeliness')).toBe(0.9);
  expect(targetOf(OWN, "o'rder", 'validity')).toBe(0.9997);
  expect(targetOf(OWN, 'visit', 'timeliness')).toBe(0.998);
});

test('hours are counted below the target of each type', () => {
  const sql = qualitySql({ key: '24h' }, OWN);
  expect(sql).toContain('countIf(completeness < 0.9999)');
  expect(sql).toContain(
    "countIf(timeliness < transform(toString(event_type), ['o\\'rder'], [toFloat64(0.9)], toFloat64(0.998)))",
  );
});
