// Debian's chromium, driven by playwright-core (installed into .deps/browser by test/run_scenarios.py).
import { createRequire } from 'node:module';
import { ROOT } from './weir.mjs';

const { chromium } = createRequire(`${ROOT}/.deps/browser/`)('playwright-core');

export function launch() {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
}

/** A fresh profile; `complaints` collects whatever a page says to its console as a warning or worse, and what it throws. */
export async function openContext(browser, options = {}) {
  const context = await browser.newContext(options);
  const complaints = [];
  context.on('page', (page) => {
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
  });
  return { context, complaints };
}
