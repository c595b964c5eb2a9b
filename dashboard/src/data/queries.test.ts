import { expect, test } from 'vitest';
import { ApiError, type Answer } from './api';
import type { FeedView } from './feed';
import { isDue, type Asked } from './queries';

const ANSWER: Answer = { columns: [], rows: [], elapsedMs: 1, truncated: false };
const TOO_LONG = new ApiError(408, 'query_timeout', 'too long');
const STARTING = new ApiError(503, 'engine_not_ready', 'starting');
const ASKED_AT = 1_000_000;

const asked = (answer?: Answer, error?: ApiError): Asked => ({
  view: { answer, error, asking: false },
  everyMs: 2000,
  atMostMs: 60_000,
  askedAt: ASKED_AT,
  answeredAt: ASKED_AT + 10,
  tookMs: 10,
});

/** Whether it is due so many milliseconds after its answer; the feed changed so long after it was asked, or never. */
function due(of: Asked, afterMs: number, changedMs = -1e9, is: 'live' | 'paused' = 'live'): boolean {
  const view: FeedView = { connection: { is }, state: undefined, events: [] };
  return isDue(of, { view, changedAt: ASKED_AT + changedMs }, of.answeredAt + afterMs);
}

test('what has neither an answer nor a refusal is asked at once', () => {
  expect(due(asked(), 0)).toBe(true);
});

test('a statement that was never answered is not asked again when it is refused', () => {
  expect(due(asked(undefined, TOO_LONG), 1e9, 1)).toBe(false);
});

test('one that was answered before is asked again after its time', () => {
  const refused = asked(ANSWER, TOO_LONG);
  expect([due(refused, 59_999, 1), due(refused, 60_000)]).toEqual([false, true]);
});

test('while the engine starts it is asked every two seconds', () => {
  for (const answer of [undefined, ANSWER])
    expect([due(asked(answer, STARTING), 1999), due(asked(answer, STARTING), 2000)]).toEqual([false, true]);
});

test('an answer is renewed when the feed changed, not oftener than it may, and after its time in any case', () => {
  const answered = asked(ANSWER);
  expect([due(answered, 1999, 1), due(answered, 2000, 1)]).toEqual([false, true]);
  expect([due(answered, 59_999), due(answered, 60_000)]).toEqual([false, true]);
  const dear = { ...answered, tookMs: 1000 };
  expect([due(dear, 7999, 1), due(dear, 8000, 1)]).toEqual([false, true]);
});

test('while the feed is away what is on screen stays', () => {
  expect(due(asked(ANSWER), 1e9, 1, 'paused')).toBe(false);
});
