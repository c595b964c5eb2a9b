// weir.js on the shop's pages, in a real browser against a real weir: what was done on the page is what SQL gives, each event once.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openContext } from './support/browser.mjs';
import { eventually, sleep, startWeir } from './support/weir.mjs';

let weir, browser;
before(async () => {
  browser = await launch(); // first: whatever fails later, after() can close it
  weir = await startWeir();
});
after(async () => {
  await browser?.close();
  await weir?.close();
});

/** A visitor of the test's own; `go` opens a page of the shop, `mine` asks for the visitor's events. */
async function visitor(options = {}) {
  const { context, complaints } = await openContext(browser, options);
  const one = {
    context, complaints, id: undefined,
    async go(path = '/shop/') {
      const page = await context.newPage();
      await page.goto(weir.api + path);
      await page.waitForFunction(() => window.weir?.sessionId !== undefined);
      one.id = await page.evaluate(() => window.weir.visitorId);
      return page;
    },
    where: () => `visitor_id = '${one.id}'`,
    mine: (what) => weir.sql(`SELECT ${what} FROM events_raw WHERE ${one.where()}`),
    /** These events, in order, each once. */
    settle: (types) => weir.settle(`SELECT arrayStringConcat(arrayMap(x -> x.3, arraySort(groupArray((timestamp, event_id, event_type)))), ' '), count() - uniqExact(event_id) `
      + `FROM events_raw WHERE ${one.where()}`, [[types, 0]]),
    /** The console is silent, but for what the browser itself says about requests that were made to fail. */
    async close({ cut = false } = {}) {
      await context.close();
      assert.deepEqual(complaints.filter((text) => !cut || !/^Failed to load resource: net::ERR_/.test(text)), []);
    },
  };
  return one;
}

const waiting = (page) => page.evaluate(() => window.weir.waiting);
const track = (page, from, to) => page.evaluate(([a, b]) => {
  for (let n = a; n < b; n++) window.weir.track('numbered', { n });
}, [from, to]);
const numbered = (one, n) => weir.settle(`SELECT count(), uniqExact(event_id), uniqExact(JSONExtractInt(properties, 'n')) FROM events_raw WHERE ${one.where()} AND event_type = 'numbered'`, [[n, n, n]]);

test('a walk through the shop appears in SQL exactly, with its session, user and cents', async () => {
  const one = await visitor();
  const page = await one.go('/shop/?utm_source=news&utm_campaign=spring');
  await page.locator('.card a').first().click();
  await page.getByRole('button', { name: 'Add to cart', exact: true }).click();
  await page.getByRole('link', { name: 'Go to cart' }).click();
  await page.getByRole('link', { name: 'Checkout' }).click();
  await page.getByRole('button', { name: 'Buy' }).click();
  await page.getByText('Thank you!').waitFor();
  await one.settle('page_view click page_view add_to_cart click page_view click page_view identify purchase page_view');
  assert.deepEqual(await one.mine("arraySort(groupUniqArrayIf(JSONExtractString(properties, 'page'), event_type = 'page_view')), uniqExact(session_id), "
    + "sumIf(JSONExtractInt(properties, 'amount_cents'), event_type = 'purchase'), anyIf(user_id, event_type = 'purchase')"),
  [[['/shop/', '/shop/cart', '/shop/checkout', '/shop/p/tents-003', '/shop/thanks'], 1, 28900, 'shop_ada_birch']]);
  const [[campaign, locale, device, product]] = await weir.sql("SELECT JSONExtractString(context, 'campaign', 'name'), JSONExtractString(context, 'locale'), JSONExtractString(context, 'device'), "
    + `JSONExtractString(properties, 'product_id') FROM events_raw WHERE ${one.where()} AND event_name = 'product_card'`);
  assert.deepEqual([campaign, locale, device, product], ['spring', 'en-US', 'desktop', 'tents-003']);
  await eventually('the strip says so', () => page.locator('.pill.acknowledged').count(), (n) => n === 11);
  await one.close();
});

test('single-page navigation counts each page once: push, replace, back, forward, hash, the same again', async () => {
  const one = await visitor();
  const page = await one.go();
  await page.evaluate(async () => {
    const moment = () => new Promise((done) => setTimeout(done, 50));
    const travel = (by) => new Promise((done) => {
      addEventListener('popstate', done, { once: true });
      history.go(by);
    });
    for (const step of [
      () => history.pushState({}, '', '/shop/c/tents'),
      () => history.replaceState({ a: 1 }, '', '/shop/c/tents'), // the same page
      () => history.pushState({}, '', '/shop/c/tents#sizes'), // a place on it
      () => history.replaceState({}, '', '/shop/c/shoes'),
      () => { history.pushState({}, '', '/shop/moved'); history.replaceState({}, '', '/shop/cart'); }, // a redirect
      () => travel(-1),
      () => travel(1),
    ]) { await step(); await moment(); }
    window.weir.page('By hand');
  });
  await page.evaluate(() => window.weir.flush());
  await weir.settle(`SELECT arrayMap(x -> x.2, arraySort(groupArray((event_id, JSONExtractString(properties, 'page'))))) FROM events_raw WHERE ${one.where()} AND event_type = 'page_view'`,
    [[['/shop/', '/shop/c/tents', '/shop/c/shoes', '/shop/cart', '/shop/c/shoes', '/shop/cart', '/shop/cart']]]);
  await one.close();
});

test('offline, events, reload, events, online: none is lost and none doubled', async () => {
  const one = await visitor();
  const page = await one.go();
  await eventually('the page view left', () => waiting(page), (n) => n === 0);
  await page.route(`${weir.ingest}/**`, (route) => route.abort('internetdisconnected')); // the shop itself stays reachable, as from a cache
  await track(page, 0, 130);
  await page.reload();
  await page.waitForFunction(() => window.weir?.visitorId);
  await track(page, 130, 150);
  await sleep(1500);
  assert.equal(await waiting(page), 151); // and the reload's page view
  await page.unroute(`${weir.ingest}/**`);
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await numbered(one, 150);
  await eventually('the queue is empty', () => waiting(page), (n) => n === 0);
  await one.close({ cut: true });
});

test('the server is killed and comes back: what was tracked meanwhile arrives, once', async () => {
  const one = await visitor();
  const page = await one.go();
  await track(page, 0, 20);
  await page.evaluate(() => window.weir.flush());
  await weir.kill9();
  await track(page, 20, 60);
  await page.evaluate(() => window.weir.flush());
  assert.equal(await waiting(page), 40);
  await weir.start();
  await track(page, 60, 70);
  await numbered(one, 70);
  await one.close({ cut: true });
});

test('an answer that got lost on its way back: sent again, counted once', async () => {
  const one = await visitor();
  const page = await one.go();
  await eventually('the page view left', () => waiting(page), (n) => n === 0);
  let lost = 0;
  await page.route(`${weir.ingest}/**`, async (route) => {
    if (lost++) return route.continue();
    await route.fetch(); // the server has it, the page never hears of that
    return route.abort('connectionreset');
  });
  await track(page, 0, 30);
  await eventually('it was sent twice', () => lost, (n) => n >= 2);
  await numbered(one, 30);
  await sleep(300);
  await numbered(one, 30);
  await one.close({ cut: true });
});

test('a page that is left at once still tells: by beacon', async () => {
  const one = await visitor();
  const page = await one.go();
  await eventually('the page view left', () => waiting(page), (n) => n === 0);
  await track(page, 0, 5);
  await page.close({ runBeforeUnload: false });
  await numbered(one, 5);
  const next = await one.go(); // it sends them once more, since nobody heard the beacon's answer
  await eventually('the queue is empty', () => waiting(next), (n) => n === 0);
  await numbered(one, 5);
  await one.close();
});

test('two tabs: one visitor, one session, every event once', async () => {
  const one = await visitor();
  const [first, second] = [await one.go(), await one.go()];
  assert.equal(await first.evaluate(() => window.weir.visitorId), await second.evaluate(() => window.weir.visitorId));
  await Promise.all([track(first, 0, 200), track(second, 200, 400)]);
  await Promise.all([first, second].map((page) => page.evaluate(() => window.weir.flush())));
  await numbered(one, 400);
  assert.deepEqual(await one.mine('uniqExact(session_id)'), [[1]]);
  await one.close();
});

test('two tabs that begin a session in the same instant begin one', async () => {
  const one = await visitor();
  const tabs = [await one.go(), await one.go()];
  await eventually('the page views left', () => waiting(tabs[0]), (n) => n === 0);
  for (let round = 0; round < 5; round++) {
    await tabs[0].evaluate(() => {
      const name = 'weir.demo_write.s';
      localStorage.setItem(name, JSON.stringify({ ...JSON.parse(localStorage.getItem(name)), last: Date.now() - 3600_000 }));
    });
    await sleep(200);
    const instant = Date.now() + 150;
    await Promise.all(tabs.map((tab) => tab.evaluate(([at, n]) => {
      while (Date.now() < at);
      window.weir.track('numbered', { n });
    }, [instant, round])));
  }
  await weir.settle(`SELECT count(), uniqExact(session_id), uniqExact(session_id, JSONExtractInt(properties, 'n')) FROM events_raw WHERE ${one.where()} AND event_type = 'numbered'`, [[10, 5, 5]]);
  await one.close();
});

test('without consent nothing is sent or stored; with it from then on; withdrawn, all is forgotten', async () => {
  const one = await visitor();
  let requests = 0;
  const page = await one.context.newPage();
  page.on('request', (request) => { requests += request.url().startsWith(weir.ingest); });
  await page.goto(`${weir.api}/shop/`);
  await page.waitForFunction(() => window.weir?.sessionId);
  await page.getByRole('button', { name: 'Tracking on' }).click();
  await sleep(1200);
  requests = 0;
  const stored = () => page.evaluate(() => Object.keys(localStorage).filter((name) => name.startsWith('weir.')).sort());
  assert.deepEqual(await stored(), ['weir.demo_write.c']); // the decision alone
  await page.reload();
  await page.waitForFunction(() => window.weir?.enabled === false);
  await page.locator('.card a').first().click();
  await track(page, 0, 5);
  await page.evaluate(() => window.weir.identify('somebody'));
  await page.evaluate(() => window.weir.flush());
  await page.goto('about:blank');
  await sleep(1200);
  assert.equal(requests, 0);
  await page.goto(`${weir.api}/shop/`);
  await page.waitForFunction(() => window.weir?.enabled === false);
  assert.deepEqual(await stored(), ['weir.demo_write.c']);
  await page.getByRole('button', { name: 'Tracking off' }).click();
  one.id = await page.evaluate(() => window.weir.visitorId);
  await track(page, 0, 3);
  await one.settle('page_view numbered numbered numbered');
  await page.evaluate(() => window.weir.purge());
  assert.deepEqual(await stored(), []);
  await one.close();
});

for (const [name, script] of [
  ['Do-Not-Track', () => Object.defineProperty(Navigator.prototype, 'doNotTrack', { get: () => '1' })],
  ['Global Privacy Control', () => Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })],
])
  test(`${name} turns everything off`, async () => {
    const one = await visitor();
    await one.context.addInitScript(script);
    const page = await one.context.newPage();
    const requests = [];
    page.on('request', (request) => request.url().startsWith(weir.ingest) && requests.push(request.url()));
    await page.goto(`${weir.api}/shop/`);
    await page.waitForFunction(() => window.weir?.enabled === false);
    await page.locator('.card a').first().click();
    await track(page, 0, 3);
    await page.evaluate(() => window.weir.consent('granted'));
    await page.evaluate(() => window.weir.flush());
    await sleep(1200);
    assert.deepEqual(requests, []);
    assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).filter((key) => /^weir\..*\.[vuqs]/.test(key))), []);
    await one.close();
  });

test('blocked storage: it works as long as the page lives', async () => {
  const one = await visitor();
  await one.context.addInitScript(() => Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError'); } }));
  const page = await one.go();
  await track(page, 0, 10);
  await numbered(one, 10);
  await one.close();
});

test('a page that hands over poison goes on, and its next event arrives', async () => {
  const one = await visitor();
  const page = await one.go();
  const thrown = await page.evaluate(() => {
    const cycle = {};
    cycle.me = cycle;
    const poison = [undefined, null, 0, NaN, 'x'.repeat(1e6), '\ud800', 10n, Symbol('s'), () => 1, cycle, document.body, window, new Proxy({}, { ownKeys() { throw 1; } }),
      { get a() { throw new Error('a'); } }, { toString() { throw 1; } }, { toJSON() { throw 1; } }, Array(1e5).fill('y'), { 'k\ud800': 1 }];
    const failures = [];
    for (const a of poison)
      for (const method of ['track', 'page', 'identify', 'consent'])
        for (const args of [[a], ['t', a], ['t', { a }], ['t', {}, a], [a, a, a]]) {
          if (method === 'consent' || method === 'identify' && args[0] !== a) continue;
          try { window.weir[method](...args); } catch (error) { failures.push(`${method}: ${error}`); }
        }
    window.weir.reset();
    history.pushState({}, '', '/shop/c/%F0%9F%98%80?x=%ff');
    return failures;
  });
  assert.deepEqual(thrown, []);
  one.id = await page.evaluate(() => window.weir.visitorId);
  await track(page, 0, 1);
  await numbered(one, 1);
  assert.deepEqual(await weir.sql("SELECT count() FROM dead_letters WHERE reason LIKE 'bad_json' OR reason LIKE 'bad_utf8'"), [[0]]);
  await one.close();
});

test('a wrong clock is corrected', async () => {
  const one = await visitor();
  await one.context.addInitScript(() => {
    const wrong = Date.now, behind = 3600e3;
    Date.now = () => wrong() - behind;
    const Real = Date;
    window.Date = class extends Real { constructor(...args) { args.length ? super(...args) : super(wrong() - behind); } };
    window.Date.now = () => wrong() - behind;
  });
  const page = await one.go();
  await track(page, 0, 3);
  await numbered(one, 3);
  assert.deepEqual(await one.mine("countIf(abs(dateDiff('second', timestamp, now64(3))) < 60) = count()"), [[1]]);
  await one.close();
});

test('the shop keeps to its policy, asks no other host, and is silent, also on a phone and in the dark', async () => {
  for (const options of [{ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }, { colorScheme: 'dark' }]) {
    const one = await visitor(options);
    const hosts = new Set();
    one.context.on('request', (request) => hosts.add(new URL(request.url()).origin));
    const answer = await (await one.context.newPage()).goto(`${weir.api}/shop/`);
    const policy = answer.headers()['content-security-policy'];
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*/);
    const page = await one.go('/shop/');
    for (const path of ['/shop/c/lamps', '/shop/p/bags-017', '/shop/cart', '/shop/checkout', '/shop/thanks', '/shop/nowhere']) {
      await page.goto(weir.api + path);
      await page.locator('h1').waitFor();
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(wide, 0, `${path} is wider than the screen`);
    }
    assert.deepEqual([...hosts].sort(), [weir.api, weir.ingest].sort());
    await one.close();
  }
});
