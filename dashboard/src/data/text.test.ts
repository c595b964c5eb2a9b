import { describe, expect, test } from 'vitest';
import { toCsv } from './csv';
import { pauseMs } from './feed';
import * as format from './format';
import { members, parseExact, pretty } from './json';
import { errorPlace } from './sql_place';
import { sqlTokens } from './sql_tokens';
import { SseParser } from './sse';

describe('JSON', () => {
  test('64-bit integers keep every digit', () => {
    const text =
      '{"a":18446744073709551615,"b":42,"s":"9999999999999999999 \\" 1","f":1234567890123456.5,"n":-9223372036854775808}';
    expect(parseExact(text)).toEqual({
      a: '18446744073709551615',
      b: 42,
      s: '9999999999999999999 " 1',
      f: 1234567890123456.5,
      n: '-9223372036854775808',
    });
  });
  test('a fraction of many digits is a number', () => {
    expect(parseExact('[0.00000428597756616667,18446744073709551615,-0.1234567890123456789]')).toEqual([
      0.00000428597756616667,
      '18446744073709551615',
      -0.1234567890123456789,
    ]);
  });
  test('what is no JSON is shown as it is', () => {
    expect(pretty('{"a":1}')).toBe('{\n  "a": 1\n}');
    expect(pretty('{broken')).toBe('{broken');
  });
});

test('CSV quotes, and disarms formulas but not numbers', () => {
  expect(
    toCsv(
      ['a', 'b,c'],
      [
        ['x"y', null],
        [-1.5, '=1+1'],
        ['-3', 'line\nbreak'],
      ],
    ),
  ).toBe('a,"b,c"\r\n"x""y",\r\n-1.5,\'=1+1\r\n-3,"line\nbreak"\r\n');
});

describe('server-sent events', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  test('however the bytes are cut', () => {
    const text = 'retry: 1000\n\ndata: {"a":"ü"}\nid: 7\n\n: nothing new\n\ndata: x\r\ndata: y\r\n\r\n';
    const all = bytes(text);
    for (let size = 1; size < all.length; size++) {
      const parser = new SseParser();
      const got = [];
      for (let i = 0; i < all.length; i += size) got.push(...parser.push(all.slice(i, i + size)));
      expect(got).toEqual([
        { id: '7', data: '{"a":"ü"}' },
        { id: '7', data: 'x\ny' },
      ]);
    }
  });
  test('pauses grow to a bound', () => {
    expect(pauseMs(0, 0.5)).toBe(500);
    expect(pauseMs(3, 0.5)).toBe(4000);
    expect(pauseMs(99, 1)).toBe(18_750);
  });
});

describe('the place of an error', () => {
  const sql = 'SELECT a,\n  nope(b)\nFROM events_raw';
  const word = (message: string): string | undefined => {
    const place = errorPlace(sql, message);
    return place && sql.slice(place.from, place.to);
  };
  test.each([
    ['line 2, column 3: the function nope is not allowed', 'nope'],
    ['Syntax error: failed at position 13 (nope) (line 2, col 3): nope', 'nope'],
    ['Unknown expression identifier `a` in scope SELECT a', 'a'],
    ["Unknown table expression identifier 'events_raw' in scope", 'events_raw'],
    ['Function nope does not exist', 'nope'],
    ['Function with name `nope` does not exist. In scope SELECT', 'nope'],
    ['something else', undefined],
  ])('%s', (message, want) => expect(word(message)).toBe(want));
  test('behind the end', () => expect(errorPlace('SELECT 1', 'line 9, column 9: x')?.line).toBe(1));
});

test('a statement’s tokens are the statement', () => {
  const sql = "SELECT count(), 'it''s \\' x' -- note\nFROM t /* open";
  expect(
    sqlTokens(sql)
      .map((t) => t.text)
      .join(''),
  ).toBe(sql);
  expect(sqlTokens("'a'").map((t) => t.kind)).toEqual(['string']);
});

test('numbers and times in words', () => {
  expect(format.count(1234567)).toBe('1,234,567');
  expect(format.count(undefined)).toBe('–');
  expect(format.rate(0)).toBe('0');
  expect(format.rate(8.84)).toBe('8.8');
  expect(format.rate(812.3)).toBe('812');
  expect(format.milliseconds(4.04)).toBe('4.0 ms');
  expect(format.milliseconds(1500)).toBe('1.5 s');
  expect(format.percent(0.0123)).toBe('1.2 %');
  expect(format.percent(612.4)).toBe('612 ×');
  expect(format.change(5, 0)).toBeUndefined();
  expect(format.duration(3_725_000)).toBe('1 h 2 min');
  expect(format.bucket(Date.parse('2026-11-25T20:00:00Z'), 'hour')).toBe('Wed 25 Nov, 20:00–21:00');
});

test('members of an object, and of nothing else', () => {
  expect(members('{"page":"/a","views":12345678901234567890,"top":[1]}')).toEqual([
    ['page', '/a'],
    ['views', '12345678901234567890'],
    ['top', '[1]'],
  ]);
  for (const other of ['', '{}', '[1]', '7', '{', null]) expect(members(other)).toEqual([]);
});
