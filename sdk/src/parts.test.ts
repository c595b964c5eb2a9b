import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clean, cleanName, cleanText } from './clean';
import { pageProperties } from './context';
import { define, freshStorage } from './fakes';
import { openQueue } from './queue';
import { openStore } from './storage';
import { pauseMs, retryAfterMs, takeBatch } from './transport';
import type { WeirEvent } from './types';
import { uuidv7 } from './uuid';
import { openVisitor } from './visitor';

const event = (event_id: string): WeirEvent => ({
  event_id, event_type: 't', event_name: 't', visitor_id: 'v', session_id: 's', timestamp: '', properties: {}, context: {},
});
const add = (queue: ReturnType<typeof openQueue>, id: string): WeirEvent[] => queue.add(event(id), JSON.stringify(event(id)));

test('ids are version 7, hold the time, are unique, and sort in the order of their making', () => {
  const made = Array.from({ length: 20000 }, (_, i) => uuidv7(1760000000000 + (i >> 13)));
  assert.deepEqual([...made].sort(), made);
  assert.equal(new Set(made).size, made.length);
  for (const id of made.slice(0, 50)) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(parseInt(made[0]!.replace('-', '').slice(0, 12), 16), 1760000000000);
  const before = uuidv7(1700000000000); // the clock went back: order stays
  assert.ok(before > made.at(-1)!);
});

test('poison becomes plain JSON', () => {
  const cycle: Record<string, unknown> = { name: 'cycle' };
  cycle.self = cycle;
  const poison = {
    cycle, big: 12n, nothing: undefined, run: () => 1, symbol: Symbol('x'), nan: NaN, infinite: -Infinity, bad: new Date('x'),
    date: new Date(0), half: 'a\ud800b', whole: '😀', list: [1, undefined, () => 1, 'x'], nested: { a: { b: 1 } },
    get thrower(): string {
      throw new Error('no');
    },
  };
  const got = clean(poison);
  assert.equal(got.big, '12');
  assert.equal(got.date, '1970-01-01T00:00:00.000Z');
  assert.equal(got.half, 'a\ufffdb');
  assert.equal(got.whole, '😀');
  assert.deepEqual(got.list, [1, null, null, 'x']);
  assert.deepEqual([got.nan, got.infinite, got.bad], [null, null, null]);
  assert.deepEqual(got.nested, { a: { b: 1 } });
  for (const name of ['nothing', 'run', 'symbol', 'thrower']) assert.ok(!(name in got), name);
  assert.ok(JSON.stringify(got).length < 2000);
  const proxy = new Proxy({}, { ownKeys() { throw new Error('no'); } });
  for (const odd of [null, undefined, 1, 'x', [1], proxy, Object.create(null)]) assert.equal(typeof clean(odd), 'object');
});

test('a graph that grows without end is bounded', () => {
  const wide: Record<string, unknown> = {};
  for (let i = 0; i < 300; i++) wide[`k${i}`] = wide;
  const began = Date.now();
  clean(wide);
  assert.ok(Date.now() - began < 1000);
});

test('names lose control characters and end at whole characters within the bytes', () => {
  assert.equal(cleanName(' a\nb\0c ', 100), 'a b c');
  const cut = cleanName('ü'.repeat(200), 128);
  assert.equal(new TextEncoder().encode(cut).length, 128);
  assert.ok(new TextEncoder().encode(cleanName('😀'.repeat(100), 127)).length <= 127);
  assert.equal(cleanName('😀'.repeat(100), 127).replace(/😀/g, '').replace(/\ufffd/, ''), '');
  assert.equal(cleanName({ toString() { throw new Error('no'); } }, 10), '');
  assert.equal(cleanText('x'.repeat(9000)).length, 4096);
});

test('the queue survives a reload, and tabs do not overwrite each other', () => {
  freshStorage();
  const one = openQueue(openStore('w.'), 100), two = openQueue(openStore('w.'), 100);
  add(one, '1');
  add(two, '2');
  add(one, '3');
  two.remove([event('1')]);
  const reloaded = openQueue(openStore('w.'), 100);
  assert.deepEqual(reloaded.all().map((w) => w.event.event_id), ['2', '3']);
});

test('a full queue gives up its oldest events and says which', () => {
  freshStorage();
  const queue = openQueue(openStore('w.'), 3);
  const gone = ['1', '2', '3', '4', '5'].flatMap((id) => add(queue, id));
  assert.deepEqual(gone.map((e) => e.event_id), ['1', '2']);
  assert.deepEqual(queue.all().map((w) => w.event.event_id), ['3', '4', '5']);
});

test('somebody else\'s bytes in the queue do not block it', () => {
  const storage = freshStorage();
  const queue = openQueue(openStore('w.'), 10);
  storage.setItem('w.q.0', '{half');
  storage.setItem('w.q.1', '{"event_id":"other"}');
  storage.setItem('w.q.2', 'null');
  add(queue, '3');
  assert.deepEqual(queue.all().map((w) => w.event.event_id), ['3']);
  assert.equal(queue.size(), 1);
});

test('without storage, and when it is full, memory holds what it can', () => {
  const storage = freshStorage();
  const queue = openQueue(openStore('w.'), 10);
  add(queue, '1');
  storage.limitTo(1);
  add(queue, '2');
  assert.deepEqual(queue.all().map((w) => w.event.event_id), ['1', '2']);
  queue.remove([event('1'), event('2')]);
  assert.equal(queue.size(), 0);
  Object.defineProperty(globalThis, 'localStorage', { get() { throw new Error('SecurityError'); }, configurable: true });
  const blocked = openStore('w.');
  assert.equal(blocked.set('v', 'me'), false);
  assert.equal(blocked.get('v'), 'me');
  assert.deepEqual(blocked.names('v'), ['v']);
});

test('two tabs that begin a session in the same instant, unaware of each other, begin the same one', () => {
  define('location', { search: '', protocol: 'http:' });
  const tabs = [freshStorage(), freshStorage()];
  const both = (prepare: (store: Storage) => void, nowMs: number): string[] =>
    tabs.map((storage) => {
      define('localStorage', storage);
      prepare(storage);
      return openVisitor(openStore('weir.'), { key: 'wk_test' }).session(nowMs, true).id;
    });
  const seen = (last: number) => (storage: Storage): void => {
    storage.setItem('weir.v', '01900000-0000-7abc-8def-0123456789ab');
    storage.setItem('weir.s', JSON.stringify({ id: 'before', last }));
  };
  const ids = [...both(seen(1e12), 2e12), ...both(seen(3e12), 4e12)];
  assert.equal(ids[0], '00e8d4a5-1000-8abc-8def-0123456789ab');
  assert.deepEqual([ids[0] === ids[1], ids[2] === ids[3], ids[1] === ids[2]], [true, true, false]);
  const first = both((storage) => storage.removeItem('weir.s'), 0x019000000000 + 20); // no session yet: the visitor is new
  assert.deepEqual(first, Array(2).fill('01900000-0000-8abc-8def-0123456789ab'));
  const lost = both((storage) => storage.removeItem('weir.s'), 0x019000000000 + 1e10); // an old visitor's was lost
  assert.notEqual(lost[0], first[0]);
});

test('a session ends after the pause, is shared by tabs, and keeps its campaign', () => {
  freshStorage();
  define('location', { search: '?utm_source=news&utm_campaign=spring', protocol: 'https:' });
  const options = { key: 'wk_test', sessionTimeoutMs: 1000 };
  const tab = openVisitor(openStore('w.'), options), other = openVisitor(openStore('w.'), options);
  const first = tab.session(10000, true);
  assert.deepEqual(first.campaign, { source: 'news', name: 'spring' });
  define('location', { search: '', protocol: 'https:' });
  assert.equal(other.session(10900, true).id, first.id);
  assert.deepEqual(other.session(10900, true).campaign, first.campaign);
  assert.equal(tab.session(11800, true).id, first.id); // the other tab kept it alive
  assert.notEqual(tab.session(12900, true).id, first.id);
  assert.equal(tab.id(), other.id());
  const before = tab.id();
  tab.setUser('u');
  tab.reset();
  assert.notEqual(tab.id(), before);
  assert.equal(tab.user(), null);
  localStorage.setItem('w.s', '{broken');
  assert.ok(tab.session(13000, true).id);
});

test('the referrer is told when it is another site, also one whose name begins alike', () => {
  define('location', { origin: 'https://shop.example', pathname: '/', href: 'https://shop.example/', search: '' });
  const told = (referrer: string): unknown => {
    define('document', { title: '', referrer });
    return pageProperties(true).referrer;
  };
  assert.equal(told('https://shop.example/cart'), undefined);
  assert.equal(told(''), undefined);
  for (const other of ['https://shop.example.org/', 'https://shop.example:8443/', 'http://shop.example/']) assert.equal(told(other), other);
});

test('Retry-After is seconds or a date, and bounded', () => {
  assert.equal(retryAfterMs('7', 0), 7000);
  assert.equal(retryAfterMs('Thu, 01 Jan 1970 00:00:09 GMT', 2000), 7000);
  assert.equal(retryAfterMs('999999', 0), 3600000);
  for (const odd of [null, '', 'soon', '-3']) assert.equal(retryAfterMs(odd, 1e12), 0);
});

test('pauses double up to five minutes, half of each by chance', () => {
  assert.deepEqual([1, 2, 3].map((n) => pauseMs(n, 1)), [1000, 2000, 4000]);
  assert.equal(pauseMs(1, 0), 500);
  assert.equal(pauseMs(1000, 1), 300000);
});

test('a batch keeps to its bounds and is never empty', () => {
  const waiting = [10, 10, 10, 500].map((n, i) => ({ text: 'x'.repeat(n), event: event(String(i)) }));
  assert.equal(takeBatch(waiting, 2, 1000).length, 2);
  assert.equal(takeBatch(waiting, 9, 25).length, 2);
  assert.equal(takeBatch(waiting.slice(3), 9, 25).length, 1);
});
