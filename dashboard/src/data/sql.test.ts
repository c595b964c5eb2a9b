import { describe, expect, test } from 'vitest';
import { containsText, isOneOf, jsonText, literal, where } from './sql';

describe('literal', () => {
  test.each([
    ['plain', "'plain'"],
    ["O'Brien", "'O\\'Brien'"],
    ['a\\b', "'a\\\\b'"],
    ["\\'", "'\\\\\\''"],
    ['line\nbreak\r\t\0', "'line\\nbreak\\r\\t\\0'"],
    ["'; SELECT 1 --", "'\\'; SELECT 1 --'"],
    ['', "''"],
    ['naïve “quotes” 😀', "'naïve “quotes” 😀'"],
  ])('%j', (value, sql) => expect(literal(value)).toBe(sql));

  test('no value can end its own literal', () => {
    const alphabet = ["'", '\\', '\n', '\0', 'a', '-', '"', '`', '/', '*', ';'];
    let seed = 7;
    const next = (): number => (seed = (seed * 1103515245 + 12345) % 2 ** 31);
    for (let round = 0; round < 5000; round++) {
      const value = Array.from({ length: next() % 12 }, () => alphabet[next() % alphabet.length]).join('');
      expect(decode(literal(value))).toBe(value);
    }
  });
});

/* Reads a literal as the engine does: a backslash takes the next character with it, the first other quote ends it. */
function decode(sql: string): string {
  let out = '';
  const names: Record<string, string> = { n: '\n', r: '\r', t: '\t', '0': '\0' };
  expect(sql[0]).toBe("'");
  for (let i = 1; i < sql.length; i++) {
    const c = sql[i] ?? '';
    if (c === "'") {
      expect(i).toBe(sql.length - 1);
      return out;
    }
    out += c === '\\' ? (names[sql[++i] ?? ''] ?? sql[i]) : c;
  }
  throw new Error('does not end');
}

test('parts of statements', () => {
  expect(isOneOf('value', ['a', "b'"])).toBe("value IN ('a', 'b\\'')");
  expect(isOneOf('value', [])).toBe('1 = 0');
  expect(jsonText('properties', "k'")).toBe("JSONExtract(properties, 'k\\'', 'String')");
  expect(containsText(['a', 'b'], 'x')).toBe(
    "(positionCaseInsensitiveUTF8(a, 'x') > 0 OR positionCaseInsensitiveUTF8(b, 'x') > 0)",
  );
  expect(where()).toBe('');
  expect(where(false, undefined, 'a', 'b')).toBe('\nWHERE a\n  AND b');
});
