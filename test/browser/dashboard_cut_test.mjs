// The dashboard when the way to weir breaks, and when weir is started again beneath it: it says so, and recovers by itself with nothing missing.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch } from './support/browser.mjs';
import { plugIn } from './support/cable.mjs';
import { event, openPage, post, shown } from './support/dashboard.mjs';
import { eventually, startWeir } from './support/weir.mjs';

let weir, browser;
before(async () => {
  browser = await launch(); // first: whatever fails later, after() can close it
  weir = await startWeir();
});
after(async () => {
  await browser?.close();
  await weir?.close();
});

const today = (page) => shown(page.getByTestId('events-today').locator('.stat-value'));
const count = async () => (await weir.sql('SELECT count() FROM events_raw'))[0][0];

test('the cable is pulled: a banner counts down, what came meanwhile is there when it is back', async () => {
  const cable = await plugIn(Number(new URL(weir.api).port));
  const { page, close } = await openPage(browser, cable.url);
  const seen = event('seen');
  await post(weir, seen);
  await page.locator(`[data-event-id="${seen.event_id}"]`).waitFor();
  cable.cut();
  const banner = page.getByTestId('banner');
  await banner.waitFor();
  await eventually('it counts down', () => banner.textContent(), (text) => /Trying again in \d+ s/.test(text), 60);
  assert.equal(await page.locator(`[data-event-id="${seen.event_id}"]`).count(), 1, 'what was shown stays');
  const missed = [event('missed-1'), event('missed-2'), event('missed-3')];
  await post(weir, missed);
  cable.mend();
  await banner.getByRole('button', { name: 'Try now' }).click({ timeout: 2000 }).catch(() => undefined); // unless it was quicker
  await banner.waitFor({ state: 'detached', timeout: 20_000 });
  for (const one of [seen, ...missed]) {
    const row = page.locator(`[data-event-id="${one.event_id}"]`);
    await row.waitFor({ timeout: 20_000 });
    assert.equal(await row.count(), 1, 'each once');
  }
  await eventually('the number is that of SQL', async () => [await today(page), await count()], ([a, b]) => a === b && a === 4, 60);
  await close({ whileCut: true });
  cable.close();
});

test('weir is started again beneath it: the page goes on by itself', async () => {
  const { page, close } = await openPage(browser, weir.api);
  const before = await count();
  await weir.stop();
  await page.getByTestId('banner').waitFor();
  await weir.start();
  await page.getByTestId('banner').waitFor({ state: 'detached', timeout: 30_000 });
  const again = event('after-restart');
  await post(weir, again);
  await page.locator(`[data-event-id="${again.event_id}"]`).waitFor({ timeout: 20_000 });
  await eventually('the number is that of SQL', async () => [await today(page), await count()], ([a, b]) => a === b && a === before + 1, 60);
  await close({ whileCut: true });
});

test('weir is killed beneath it: the page goes on by itself', async () => {
  const { page, close } = await openPage(browser, `${weir.api}/explore?range=today`);
  const total = () => shown(page.getByTestId('total-events').locator('.stat-value'));
  await eventually('a number', total, (n) => n > 0, 60);
  await weir.kill9();
  await page.getByTestId('banner').waitFor();
  await weir.start();
  await page.getByTestId('banner').waitFor({ state: 'detached', timeout: 30_000 });
  await post(weir, event('after-kill'));
  await eventually('the number is that of SQL', async () => [await total(), await count()], ([a, b]) => a === b, 60);
  await close({ whileCut: true });
});
