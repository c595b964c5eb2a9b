import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Feed } from './feed';
import { Queries } from './queries';

const SQL = 'SELECT 1';
const QUIET = {
  view: { connection: { is: 'live' }, state: undefined, events: [] },
  changedAt: -1e9,
} as unknown as Feed;

let asked = 0;
let answers: (() => Response)[];

const good = (): Response => Response.json({ columns: [], rows: [[++asked]], elapsed_ms: 1 });
const tooLong = (): Response => Response.json({ code: 'query_timeout', message: 'too long' }, { status: 408 });
const away = (): Response => Response.json({ code: 'engine_not_ready', message: 'starting' }, { status: 503 });

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  asked = 0;
  vi.stubGlobal('window', globalThis);
  vi.stubGlobal('document', { visibilityState: 'visible' });
  vi.stubGlobal('fetch', () => Promise.resolve((answers.shift() ?? good)()));
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Turns the clock and lets promises run. */
async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await new Promise((done) => setTimeout(done, 1));
}

/** Asks once a minute; the first answer is there. */
async function watching(): Promise<Queries> {
  const queries = new Queries('key', QUIET);
  queries.start();
  queries.subscribe(SQL, { atMostMs: 60_000 }, () => undefined);
  await pass(0);
  return queries;
}

test('a statement that was never answered is not asked again when it is refused', async () => {
  answers = [tooLong];
  const queries = await watching();
  await pass(200_000);
  expect([queries.view(SQL).error?.status, asked]).toEqual([408, 0]);
});

test('one that was answered before is asked again after its time, and the numbers go on', async () => {
  answers = [good, tooLong];
  const queries = await watching();
  await pass(61_000);
  expect([queries.view(SQL).error?.status, queries.view(SQL).answer?.rows]).toEqual([408, [[1]]]);
  await pass(30_000);
  expect(asked).toBe(1);
  await pass(31_000);
  expect([queries.view(SQL).error, queries.view(SQL).answer?.rows]).toEqual([undefined, [[2]]]);
});

test('while the engine starts it is asked every two seconds', async () => {
  answers = [away, away];
  const queries = await watching();
  await pass(2300);
  await pass(2300);
  expect(queries.view(SQL).answer?.rows).toEqual([[1]]);
});
