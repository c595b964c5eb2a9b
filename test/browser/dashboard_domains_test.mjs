// The page of a domain: drawn from nothing but the domain's YAML (T-23), with the numbers that SQL gives.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { launch } from './support/browser.mjs';
import { axe, createTenant, event, openPage, post } from './support/dashboard.mjs';
import { eventually, ROOT, startWeir } from './support/weir.mjs';

const GAME = `domain: game
description: what players do
event_types:
  - name: player_action
    description: a move of a player
    attributes: [action_type, {name: currency, format: currency}]
    dimensions: [platform, {name: region, deprecated: use country}]
    metrics: [{name: amount, type: money}, {name: level, type: integer}, {name: heat, type: float}]
  - {name: nobody_sends, deprecated: use player_action, metrics: [{name: x, type: integer}]}
windows:
  - name: income
    size: 1m
    where: event_type == 'player_action'
    by: [{platform: properties.platform}, {currency: properties.currency}]
    measures: {actions: count(), paid_cents: sum(properties.amount_cents), least_cents: min(properties.amount_cents), best: "top(properties.action_type, 2)"}
`;
const WITHIN = "timestamp >= toStartOfHour(now('UTC')) - INTERVAL 23 HOUR";
let config, weir, browser;

function action(i, properties) {
  return event(`a${i}`, { event_type: 'player_action', visitor_id: `v${i % 5}`, properties: { action_type: 'buy', ...properties } });
}

before(async () => {
  config = mkdtempSync(`${tmpdir()}/weir-config-`);
  cpSync(`${ROOT}/config`, config, { recursive: true });
  writeFileSync(`${config}/domains/game.yaml`, GAME);
  writeFileSync(`${config}/domains/first.yaml`, 'domain: first_one\nevent_types: [{name: never_sent}]\n');
  browser = await launch();
  weir = await startWeir('--config', config);
  const amounts = { EUR: ['19.99', '0.01', '1234567.89'], JPY: ['100'] };
  const events = Object.entries(amounts).flatMap(([currency, list]) => list.map((amount) => ({ currency, amount })));
  await post(weir, [
    ...events.map((sold, i) => action(i, { ...sold, platform: ['ios', "it's <b>"][i % 2], level: i, heat: -12.5 + i })),
    action(9, { platform: 'ios' }),
  ]);
  await weir.settle('SELECT count() FROM events_player_action', [[5]]);
  await weir.settle("SELECT sum(event_count) FROM windows WHERE window = 'income'", [[5]]);
  await weir.settle('SELECT count() FROM sessions', [[5]]);
});
after(async () => {
  await browser?.close();
  await weir?.close();
  rmSync(config, { recursive: true, force: true });
});

const text = (page, id) => page.getByTestId(id).textContent();

test('every panel shows the number that SQL gives, money in its currency from cents', async () => {
  const { page, close } = await openPage(browser, `${weir.api}/domains?domain=game&range=24h`);
  const amounts = await weir.sql(`SELECT currency, sum(amount_cents) FROM events_player_action WHERE ${WITHIN} AND amount_cents IS NOT NULL GROUP BY currency ORDER BY currency`);
  assert.deepEqual(amounts.map(([currency, cents]) => [currency, Number(cents)]), [['EUR', 123458789], ['JPY', 10000]]);
  await eventually('euros', () => text(page, 'sum player_action amount_cents EUR'), (t) => t === '€1,234,587.89');
  assert.equal(await text(page, 'sum player_action amount_cents JPY'), '¥100.00');
  await page.getByRole('radiogroup', { name: 'amount: sum or mean' }).getByRole('radio', { name: 'Mean' }).check();
  await eventually('the mean', () => text(page, 'mean player_action amount_cents EUR'), (t) => t === '€411,529.30');
  const [[events, level, heat]] = await weir.sql(`SELECT count(), sum(level), avg(heat) FROM events_player_action WHERE ${WITHIN}`);
  await eventually('events', () => text(page, 'count player_action'), (t) => t === String(events));
  await eventually('level', () => text(page, 'sum player_action level'), (t) => t === String(level));
  await eventually('heat', () => text(page, 'mean player_action heat'), (t) => t === String(heat));
  const bars = page.getByRole('region', { name: 'platform', exact: true }).locator('.bars li');
  await eventually('platforms', () => bars.evaluateAll((list) => list.map((li) => `${li.children[1].textContent} ${li.querySelector('.value').firstChild.textContent}`)),
    (got) => got.join() === "ios 3,it's <b> 2");
  const rows = page.getByTestId('window income').locator('tbody tr');
  await eventually('the window by key', () => rows.evaluateAll((list) => list.map((tr) => [...tr.cells].slice(0, 6).map((c) => c.textContent).join('|'))),
    (got) => got.some((r) => r === "it's <b>|EUR|1|€0.01|€0.01|buy 1") && got.length === 4);
  const [[visits]] = await weir.sql('SELECT count() FROM sessions');
  await page.getByTestId('visits').scrollIntoViewIfNeeded({ timeout: 1000 }).catch(() => page.mouse.wheel(0, 5000));
  await eventually('visits', () => text(page, 'visits'), (t) => t === String(visits));
  await close();
});

test('a type that nobody sends, another tenant and a range without events are told apart from errors', async () => {
  const acme = createTenant(weir, 'acme', '--quota', 'unlimited');
  const { page, close } = await openPage(browser, `${weir.api}/domains?domain=game`);
  await page.getByText('deprecated: use player_action').waitFor();
  await page.getByText('No nobody_sends in this time').waitFor();
  await page.getByLabel('Time range').selectOption('1h');
  await page.getByRole('combobox', { name: 'Domain' }).selectOption('web');
  await page.getByText('page views, purchases and visitors').waitFor();
  assert.match(page.url(), /domain=web&range=1h/);
  await page.goBack();
  await page.getByText('what players do').waitFor();
  await page.getByRole('button', { name: /^Tenant: demo_tenant/ }).click();
  await page.getByRole('button', { name: 'Add a tenant…' }).click();
  await page.getByLabel('Read key').fill(acme.read_key);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByText('No player_action in this time').waitFor();
  await close();
});

test('the page opens the first domain that has data, and says so of one that has none', async () => {
  const { page, close } = await openPage(browser, `${weir.api}/domains?range=24h`);
  const select = page.getByRole('combobox', { name: 'Domain' });
  await select.waitFor();
  assert.equal(await select.inputValue(), 'game');
  assert.equal(await page.getByText('Nothing of the domain').count(), 0);
  await select.selectOption('first_one');
  await page.getByText('Nothing of the domain first_one came in this time').waitFor();
  await close();
});

test('while weir does not tell its domains the page says so, and goes on by itself', async () => {
  const { page, close } = await openPage(browser, weir.api);
  await page.route('**/v1/dashboards', (route) => route.fulfill({ status: 503, contentType: 'application/json', body: '{"code":"engine_not_ready","message":"x"}' }));
  await page.getByRole('link', { name: 'Domains', exact: true }).click();
  await page.getByText('Asked again by itself in a moment.').waitFor();
  await page.unroute('**/v1/dashboards');
  await page.getByRole('combobox', { name: 'Domain' }).waitFor();
  await close({ whileCut: true });
});

test('without a domain there is a word on how to begin; a domain that comes appears without a reload', async () => {
  const { page, close } = await openPage(browser, weir.api);
  await page.route('**/v1/dashboards', (route) => route.fulfill({ json: { dashboards: [] } }));
  await page.getByRole('link', { name: 'Domains', exact: true }).click();
  await page.getByText('No domain is declared yet').waitFor();
  await page.unroute('**/v1/dashboards');
  await page.getByRole('combobox', { name: 'Domain' }).waitFor();
  await close();
});

for (const [width, colorScheme] of [[360, 'dark'], [1440, 'light']])
  test(`at ${width} px, ${colorScheme}: nothing sticks out, axe finds nothing, the keyboard reads a chart`, async () => {
    const { page, close } = await openPage(browser, `${weir.api}/domains?domain=game&range=24h`, { viewport: { width, height: 800 }, colorScheme, reducedMotion: 'reduce' });
    await page.getByTestId('count player_action').waitFor();
    for (let y = 0; y < 8000; y += 400) await page.mouse.wheel(0, 400);
    await page.getByTestId('visits').waitFor();
    await eventually('no skeletons', () => page.locator('.skeleton').count(), (n) => n === 0);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    assert.deepEqual(await axe(page), []);
    const chart = page.getByRole('group', { name: /^player_action by hour/ });
    await chart.focus();
    await eventually('a point is read', async () => {
      await page.keyboard.press('ArrowLeft');
      return chart.textContent();
    }, (t) => /Events \d/.test(t));
    await close();
  });
