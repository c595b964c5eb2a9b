/* The way out, against a server of few lines and a clock that tests turn. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { define, freshClock, freshStorage } from './fakes';
import { openQueue, type Queue } from './queue';
import { openStore } from './storage';
import { openTransport, type Transport } from './transport';
import type { Options, Step, StepDetail, WeirEvent } from './types';

interface Body { writeKey: string; sentAt: string; batch: WeirEvent[] }

let answers: (() => Response | Promise<Response>)[];
let bodies: Body[];
let beacons: Body[];
let steps: [Step, number, StepDetail][];
let queue: Queue;
let made = 0;
let clock: ReturnType<typeof freshClock>;

const ok = (): Response => Response.json({ accepted: 1, rejected: 0, results: [] });
const status = (code: number, headers: Record<string, string> = {}) => (): Response => new Response('{}', { status: code, headers });
const offline = (): never => {
  throw new TypeError('Failed to fetch');
};

function open(options: Partial<Options> = {}): Transport {
  queue = openQueue(openStore('w.'), 1000);
  return openTransport(queue, { key: 'wk', endpoint: 'http://collect.test/', ...options }, () => ({}), (step, events, detail = {}) => {
    if (events.length) steps.push([step, events.length, detail]);
  });
}

function put(transport: Transport, n = 1): void {
  for (let i = 0; i < n; i++) {
    const event: WeirEvent = {
      event_id: `id-${String(++made).padStart(6, '0')}`, event_type: 't', event_name: 't', visitor_id: 'v', session_id: 's', timestamp: '',
      properties: {}, context: {},
    };
    const text = JSON.stringify(event);
    queue.add(event, text);
    transport.wake(text.length);
  }
}

/** Turns the clock and lets promises run. */
async function pass(ms: number): Promise<void> {
  clock.tick(ms);
  for (let i = 0; i < 200; i++) await Promise.resolve();
  await new Promise((done) => setImmediate(done));
}

beforeEach(() => {
  clock = freshClock(1760000000000);
  freshStorage();
  answers = [];
  bodies = [];
  beacons = [];
  steps = [];
  define('fetch', async (url: string, init: RequestInit) => {
    assert.equal(url, 'http://collect.test/e');
    bodies.push(JSON.parse(init.body as string) as Body);
    return (answers.shift() ?? ok)();
  });
  define('navigator', { sendBeacon: (_: string, text: string) => beacons.push(JSON.parse(text) as Body) > 0 });
});

test('events wait for company, then leave in one request with key and clock', async () => {
  const transport = open();
  put(transport, 3);
  await pass(1999);
  assert.equal(bodies.length, 0);
  await pass(1);
  assert.equal(bodies.length, 1);
  assert.equal(bodies[0]!.batch.length, 3);
  assert.equal(bodies[0]!.writeKey, 'wk');
  assert.equal(bodies[0]!.sentAt, new Date(1760000002000).toISOString());
  assert.equal(queue.size(), 0);
  assert.deepEqual(steps.map(([step]) => step), ['sent', 'acknowledged']);
});

test('a full batch leaves at once, the rest behind it', async () => {
  const transport = open({ batchEvents: 10 });
  put(transport, 25);
  await pass(0);
  assert.deepEqual(bodies.map((b) => b.batch.length), [10, 10, 5]);
});

test('without an answer the same events come again, later each time, and count once', async () => {
  const transport = open();
  answers = [offline, offline, status(503), ok];
  put(transport, 2);
  await pass(2000);
  assert.equal(bodies.length, 1);
  await pass(1000);
  await pass(2000);
  await pass(4000);
  assert.equal(bodies.length, 4);
  assert.equal(new Set(bodies.flatMap((b) => b.batch.map((e) => e.event_id))).size, 2);
  assert.equal(queue.size(), 0);
  assert.equal(steps.filter(([step]) => step === 'failed').length, 3);
});

test('Retry-After is waited for', async () => {
  const transport = open();
  answers = [status(429, { 'Retry-After': '30' }), ok];
  put(transport);
  await pass(2000);
  await pass(29999);
  assert.equal(bodies.length, 1);
  await pass(1001);
  assert.equal(bodies.length, 2);
});

test('during a pause new events do not hurry, and leave with the old ones', async () => {
  const transport = open({ batchEvents: 5 });
  answers = [status(429, { 'Retry-After': '10' })];
  put(transport);
  await pass(2000);
  put(transport, 4);
  await pass(5000);
  assert.equal(bodies.length, 1);
  await pass(6000);
  assert.equal(bodies[1]!.batch.length, 5);
});

/** A request whose answer comes when the test says so. */
function slow(): (answer: Response) => void {
  let done!: (answer: Response) => void;
  answers = [() => new Promise<Response>((resolve) => (done = resolve))];
  return (answer) => done(answer);
}

test('an event whose time comes while an answer is slow leaves behind it, and so does the next one', async () => {
  const transport = open();
  const answer = slow();
  put(transport);
  await pass(2000);
  put(transport);
  await pass(5000);
  assert.equal(bodies.length, 1);
  answer(ok());
  await pass(0);
  assert.equal(queue.size(), 0);
  put(transport);
  await pass(2000);
  assert.equal(queue.size(), 0);
  assert.deepEqual(bodies.map((b) => b.batch.length), [1, 1, 1]);
});

test('a failure after a slow answer is tried again, and Retry-After holds for what was made meanwhile', async () => {
  const transport = open();
  const answer = slow();
  put(transport);
  await pass(2000);
  put(transport);
  await pass(1000);
  answer(status(429, { 'Retry-After': '30' })());
  await pass(0);
  await pass(29000);
  assert.equal(bodies.length, 1);
  await pass(3000);
  assert.equal(queue.size(), 0);
  assert.deepEqual(bodies.map((b) => b.batch.length), [1, 2]);
});

test('an event that the server cannot take is found, dropped and told; its neighbours arrive', async () => {
  const transport = open();
  const poison = `id-${String(made + 3).padStart(6, '0')}`;
  define('fetch', async (_: string, init: RequestInit) => {
    const body = JSON.parse(init.body as string) as Body;
    if (body.batch.some((e) => e.event_id === poison)) return status(400)();
    bodies.push(body);
    return ok();
  });
  put(transport, 8);
  await pass(2000);
  await pass(0);
  assert.equal(bodies.flatMap((b) => b.batch).length, 7);
  assert.deepEqual(steps.filter(([step]) => step === 'dropped').map(([, n]) => n), [1]);
  assert.equal(queue.size(), 0);
});

test('verdicts are told: refused events are not sent again', async () => {
  const transport = open();
  answers = [() => Response.json({ accepted: 1, rejected: 1, results: [{ index: 1, code: 'bad_timestamp', message: 'm' }] })];
  put(transport, 2);
  await pass(2000);
  assert.deepEqual(steps.slice(1).map(([step, n]) => [step, n]), [['acknowledged', 1], ['rejected', 1]]);
  assert.equal(steps[2]![2].results![0]!.code, 'bad_timestamp');
  assert.equal(queue.size(), 0);
});

test('a beacon takes what waits, once, and it stays until somebody answers for it', async () => {
  const transport = open();
  put(transport, 3);
  transport.leave();
  transport.leave();
  assert.deepEqual(beacons.map((b) => b.batch.length), [3]);
  assert.equal(queue.size(), 3);
  await pass(2000);
  assert.equal(queue.size(), 0);
});

test('beacons stay below what browsers take', () => {
  const transport = open();
  put(transport, 900);
  transport.leave();
  assert.ok(beacons.length <= 4);
  for (const body of beacons) assert.ok(JSON.stringify(body).length < 65536);
});

test('tabs with Web Locks send one after the other, and each event once', async () => {
  let line: Promise<unknown> = Promise.resolve();
  const locks = { request: (_: string, run: () => Promise<void>) => (line = line.then(run)) };
  define('navigator', { locks });
  const one = open();
  const two = openTransport(openQueue(openStore('w.'), 1000), { key: 'wk', endpoint: 'http://collect.test' }, () => ({}), () => undefined);
  put(one, 3);
  void one.flush();
  void two.flush();
  await pass(0);
  assert.deepEqual(bodies.map((b) => b.batch.length), [3]);
});
