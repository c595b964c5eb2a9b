// The pages of docs/sdk.md as they stand, in a browser: what the text says of each is what happens.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { launch, openContext } from './support/browser.mjs';
import { eventually, ROOT, sleep, startWeir } from './support/weir.mjs';

const text = readFileSync(`${ROOT}/docs/sdk.md`, 'utf8');
const blocks = (language) => [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter((found) => found[1] === language).map((found) => found[2]);
const [plain, queued, consent] = blocks('html');

let weir, browser, website;
const pages = new Map();
before(async () => {
  browser = await launch(); // first: whatever fails later, after() can close it
  weir = await startWeir();
  // Somebody's website: another origin than weir's.
  website = createServer((request, answer) => answer.writeHead(200, { 'Content-Type': 'text/html' }).end(pages.get(request.url) ?? '<link rel="icon" href="data:,">'));
  await new Promise((done) => website.listen(0, '127.0.0.1', done));
});
after(async () => {
  await browser?.close();
  website?.close();
  await weir?.close();
});

async function show(name, html) {
  const { context, complaints } = await openContext(browser);
  const body = html.replaceAll('127.0.0.1:8000', new URL(weir.ingest).host).replaceAll('127.0.0.1:8001', new URL(weir.api).host);
  pages.set(`/${name}`, body);
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${website.address().port}/${name}`);
  await page.waitForFunction(() => window.weir?.sessionId !== undefined);
  return { page, context, complaints, id: () => page.evaluate(() => window.weir.visitorId) };
}

const settle = (id, want) => weir.settle(`SELECT arrayMap(x -> x.2, arraySort(groupArray((event_id, event_name)))) FROM events_raw WHERE visitor_id = '${id}'`, [[want]]);

test('one line: the page and a click on a marked button are events', async () => {
  const { page, context, complaints, id } = await show('pricing', plain);
  await page.getByText('Choose Pro').click();
  await settle(await id(), ['Pricing', 'plan_chosen']);
  const [[properties]] = await weir.sql("SELECT properties FROM events_raw WHERE event_name = 'plan_chosen'");
  assert.deepEqual(JSON.parse(properties), { page: '/pricing', plan: 'pro', amount_cents: 4900 });
  await context.close();
  assert.deepEqual(complaints, []);
});

test('calls made before weir.js has loaded wait for it', async () => {
  const { page, context, complaints, id } = await show('order', queued);
  await page.evaluate(() => window.weir.track('later'));
  await settle(await id(), ['Order', 'identify', 'purchase', 'later']);
  assert.deepEqual(await weir.sql("SELECT user_id, JSONExtractInt(properties, 'amount_cents') FROM events_raw WHERE event_type = 'purchase'"), [['user-1', 1999]]);
  await context.close();
  assert.deepEqual(complaints, []);
});

test('pending consent: nothing until the visitor agrees, then the page they are on', async () => {
  const { page, context, id } = await show('consent', consent);
  await page.evaluate(() => window.weir.track('unheard'));
  await sleep(500);
  assert.equal(await id(), '');
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage)), []);
  await page.locator('#yes').click();
  await eventually('it is on', id);
  await page.evaluate(() => window.weir.flush());
  await settle(await id(), ['With consent']);
  await context.close();
});

test('the typed example compiles against the package, and a wrong property does not', () => {
  const folder = `${ROOT}/sdk/.test/types`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const compile = (source) => {
    writeFileSync(`${folder}/example.ts`, source);
    writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({
      compilerOptions: { strict: true, noEmit: true, module: 'ESNext', moduleResolution: 'Bundler', target: 'ES2020', lib: ['ES2020', 'DOM'], types: [],
        paths: { '@weir/browser': ['../../dist/index.d.ts'] } },
      files: ['example.ts'],
    }));
    return execFileSync(process.execPath, [`${ROOT}/sdk/node_modules/typescript/bin/tsc`, '-p', folder], { stdio: 'pipe', encoding: 'utf8' });
  };
  const [example] = blocks('ts');
  compile(example);
  assert.throws(() => compile(example.replace('results: 3', "results: 'three'")), (error) => /TS2322/.test(error.stdout));
});
