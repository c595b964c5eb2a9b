// What the dashboard's tests share: history to look at, one page that is watched, numbers as they stand on the screen.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { openContext } from './browser.mjs';
import { ROOT } from './weir.mjs';

export const PAGES = ['/', '/domains', '/explore', '/events', '/stream', '/quality', '/sql', '/setup'];

/** Believable events of the last days, up to now. */
export async function sendHistory(weir, days, rate) {
  const start = new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 19) + 'Z';
  const make = spawn(`${ROOT}/build/weir`, ['generate', '--days', days, '--rate', rate, '--seed', 11, '--start', start].map(String));
  const send = spawn(`${ROOT}/build/weir`, ['send', '-', '--quiet', '--url', weir.ingest]);
  make.stdout.pipe(send.stdin);
  const code = await new Promise((done) => send.on('exit', done));
  assert.equal(code, 0, 'the history was sent');
}

export function event(name, more = {}) {
  return {
    customer_id: 'demo_tenant', event_id: randomUUID(), visitor_id: 'visitor-of-test', session_id: 'session-of-test', event_type: 'page_view', event_name: name,
    properties: { page: `/${name}`, title: name }, ...more,
  };
}

export async function post(weir, events, key) {
  const headers = { 'Content-Type': 'application/json', ...(key ? { Authorization: `Basic ${btoa(`${key}:`)}` } : {}) };
  const answer = await fetch(`${weir.ingest}/track`, { method: 'POST', headers, body: JSON.stringify(events) });
  assert.equal(answer.status, 200);
  return answer.json();
}

export function createTenant(weir, name, ...options) {
  return JSON.parse(execFileSync(`${ROOT}/build/weir`, ['tenant', 'create', name, '--url', weir.api, '--json', ...options], { cwd: ROOT, encoding: 'utf8' }));
}

/** A page of the dashboard in a fresh profile. `close` fails if anything was said on the console. */
export async function openPage(browser, url, options = {}) {
  const { context, complaints } = await openContext(browser, { viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  await page.goto(url);
  await page.locator('[data-connection=live]').first().waitFor();
  return {
    page,
    async close({ whileCut = false } = {}) {
      await context.close();
      assert.deepEqual(complaints.filter((text) => !whileCut || !/Failed to load resource/.test(text)), []);
    },
  };
}

/** The text of an element as the number that it shows. */
export async function shown(locator) {
  const text = (await locator.textContent()).replaceAll(',', '');
  const number = /-?\d+(\.\d+)?/.exec(text);
  return number ? Number(number[0]) : undefined;
}

const AXE = readFileSync(`${ROOT}/.deps/browser/node_modules/axe-core/axe.min.js`, 'utf8');

/** What axe finds that is serious or critical, as lines that say where. */
export async function axe(page) {
  await page.evaluate(AXE); // not a script element: the page's policy forbids one
  return page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    return violations
      .filter((v) => v.impact === 'serious' || v.impact === 'critical')
      .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(' ')} ${n.failureSummary?.split('\n')[1] ?? ''}`));
  });
}
