// The dashboard, served by a real weir out of its binary: what it shows is what SQL gives, at every width and in both themes, by mouse and by keyboard.
import assert from 'node:assert/strict';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { launch, openContext } from './support/browser.mjs';
import { axe, createTenant, event, openPage, PAGES, post, sendHistory, shown } from './support/dashboard.mjs';
import { eventually, ROOT, startWeir } from './support/weir.mjs';

let weir, browser;
const config = mkdtempSync(`${tmpdir()}/weir-config-`);
before(async () => {
  cpSync(`${ROOT}/config`, config, { recursive: true });
  appendFileSync(`${config}/environments/dev.yaml`, `\nsinks.of_test: {kind: file, path: ${config}/results.jsonl, results: dead_letters}\n`);
  browser = await launch(); // first: whatever fails later, after() can close it
  weir = await startWeir('--config', config);
  await sendHistory(weir, 9, 0.3);
  await post(weir, [{ ...event('bad'), timestamp: 'yesterday', properties: { mark: 'ünique' } }]);
  await weir.settle('SELECT count() FROM dead_letters', [[1]]);
  await eventually('all is stored', () => weir.sql('SELECT count() FROM events_raw'), ([[n]]) => n > 200_000);
});
after(async () => {
  await browser?.close();
  await weir?.close();
  rmSync(config, { recursive: true });
});

test('an event that is sent appears in the list at once, with everything it has', async () => {
  const { page, close } = await openPage(browser, weir.api);
  const sent = event('fresh', { user_id: 'ann', context: { locale: 'de-DE' }, properties: { page: '/fresh', note: 'a"b\\c <b>' } });
  await post(weir, sent);
  const row = page.locator(`[data-event-id="${sent.event_id}"]`);
  await row.waitFor({ timeout: 20_000 });
  assert.match(await row.textContent(), /page_view.*fresh.*visitor-of-test/);
  await row.click();
  const drawer = page.getByRole('dialog', { name: 'fresh' });
  await drawer.getByText('"locale": "de-DE"').waitFor();
  for (const text of ['ann', sent.event_id, 'session-of-test', '"note": "a\\"b\\\\c <b>"']) assert.ok((await drawer.textContent()).includes(text), text);
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'detached' });
  await close();
});

test('the numbers of the live page are those of SQL', async () => {
  const { page, close } = await openPage(browser, `${weir.api}/?range=7d`);
  await post(weir, Array.from({ length: 7 }, (_, i) => event('counted', { visitor_id: `counted-${i}` })));
  const equal = (what, locator, sql) => eventually(what, async () => [await shown(locator), (await weir.sql(sql))[0][0]], ([a, b]) => a === b, 60);
  await equal('events today', page.getByTestId('events-today').locator('.stat-value'), "SELECT count() FROM events_raw WHERE toDate(timestamp) = toDate(now('UTC'))");
  await equal('visitors now', page.getByTestId('visitors-now').locator('.stat-value'),
    "SELECT uniqExact(visitor_id) FROM events_raw WHERE timestamp >= now64(3, 'UTC') - INTERVAL 5 MINUTE");
  const tops = [
    ['Top pages', "SELECT JSONExtractString(properties, 'page') AS x, count() AS n FROM events_raw WHERE event_type = 'page_view' AND toDate(timestamp) > toDate(now('UTC')) - 7"],
    ['Top events', "SELECT event_type AS x, count() AS n FROM events_raw WHERE toDate(timestamp) > toDate(now('UTC')) - 7"],
    ['Rejected events', "SELECT reason AS x, count() AS n FROM dead_letters WHERE toDate(received_at) > toDate(now('UTC')) - 7"],
  ];
  for (const [title, sql] of tops) {
    const rows = page.getByRole('region', { name: title }).locator('.bars li');
    const want = async () => (await weir.sql(`${sql} GROUP BY x ORDER BY n DESC, x LIMIT 8`)).map(([x, n]) => `${x} ${n}`);
    const got = () => rows.evaluateAll((list) => list.map((li) => `${li.children[1].textContent} ${li.querySelector('.value').firstChild.textContent.replaceAll(',', '')}`));
    await eventually(title, async () => [(await got()).join('; '), (await want()).join('; ')], ([a, b]) => a === b && a !== '', 60);
  }
  await close();
});

test('the stream page shows each task as /v1/stream has it', async () => {
  const { page, close } = await openPage(browser, `${weir.api}/stream`);
  const rows = page.getByTestId('stream-tasks').locator('tbody tr');
  const health = async () => (await fetch(`${weir.api}/v1/stream`, { headers: { Authorization: 'Bearer demo_read' } })).json();
  const said = async () => (await health()).partitions;
  await eventually('tasks and their events', async () => [
    (await rows.evaluateAll((list) => list.map((tr) => `${tr.cells[0].textContent} ${tr.cells[2].textContent.replaceAll(',', '')}`))).join(),
    (await said()).map((p) => `${p.partition} ${p.events}`).join(),
  ], ([a, b]) => a === b && a !== '', 60);
  await eventually('a rate', () => rows.first().locator('td').nth(1).textContent(), (text) => /^[\d.,]+$/.test(text), 60);
  assert.match(await page.locator('.topology').textContent(), /Sessions, windows[\d,]{6,}passed/);
  const sink = page.getByTestId('stream-sinks').locator('tbody tr');
  await eventually('the sink and what it delivered', async () => [
    (await sink.evaluateAll((list) => list.map((tr) => [0, 1, 3].map((cell) => tr.cells[cell].textContent).join(' ')))).join(),
    (await health()).sinks.map((s) => `${s.sink} up ${s.records}`).join(),
  ], ([a, b]) => a === b && /^of_test up [1-9]/.test(a), 60);
  assert.match(await page.locator('.topology').textContent(), /Sinks\d+results delivered1 up/);
  await close();
});

test('the quality page says what data_quality says, what failed, and where a target was missed', async () => {
  const { page, close } = await openPage(browser, `${weir.api}/quality?range=7d`);
  const rows = page.getByRole('region', { name: 'Quality by type' }).locator('tbody tr');
  const said = () => weir.sql("SELECT event_type, sum(events) AS n FROM data_quality WHERE toDate(hour) > toDate(now('UTC')) - 7 GROUP BY event_type ORDER BY n DESC, event_type");
  await eventually('types and their events', async () => [
    (await rows.evaluateAll((list) => list.map((tr) => `${tr.cells[0].textContent} ${tr.cells[1].textContent.replaceAll(',', '')}`))).join(),
    (await said()).map(([type, n]) => `${type || '(none)'} ${n}`).join(),
  ], ([a, b]) => a === b && a !== '', 60);
  const cells = rows.filter({ hasText: /^page_view/ }).locator('td');
  assert.equal(await cells.nth(3).textContent(), '99.99 %'); // one of very many is refused: rounded down, and above the target
  assert.match(await cells.nth(5).textContent(), /^\d[\d.]* % \d+ h below$/); // history is late
  const failed = page.getByRole('region', { name: 'What failed most' }).locator('tbody tr').first();
  assert.match(await failed.textContent(), /timestamp.*ingest1/);
  await failed.getByRole('link').click();
  await page.getByRole('heading', { name: 'Events', level: 1 }).waitFor();
  assert.match(page.url(), /view=dead/);
  await close();
});

test('explore gives what the raw table gives, for whole ranges, by type, by property and by day', async () => {
  const { page, close } = await openPage(browser, `${weir.api}/explore?range=7d`);
  const since = "toDate(timestamp) > toDate(now('UTC')) - 7";
  const total = (id) => page.getByTestId(id).locator('.stat-value');
  const equal = (what, ask, sql) => eventually(what, async () => [await ask(), (await weir.sql(sql))[0][0]], ([a, b]) => a === b, 60);
  await equal('events', () => shown(total('total-events')), `SELECT count() FROM events_raw WHERE ${since}`);
  await equal('visitors', () => shown(total('total-visitors')), `SELECT uniq(visitor_id) FROM events_raw WHERE ${since}`);
  await page.getByLabel('Event type').selectOption('purchase');
  await equal('purchases', () => shown(total('total-events')), `SELECT count() FROM events_raw WHERE ${since} AND event_type = 'purchase'`);
  await page.getByRole('radio', { name: 'Visitors' }).check();
  await page.getByRole('radio', { name: 'Day' }).check();
  const table = page.getByTestId('explore-table').locator('tbody tr');
  const cells = () => table.evaluateAll((rows) => rows.map((r) => [...r.cells].map((c) => c.textContent.replaceAll(',', ''))));
  const perDay = await weir.sql(`SELECT uniq(visitor_id) FROM events_raw WHERE ${since} AND event_type = 'purchase' GROUP BY toDate(timestamp) AS d ORDER BY d DESC`);
  await eventually('visitors by day', async () => (await cells()).map((row) => row[1]).join(), (got) => got === perDay.join(), 60);
  await page.getByLabel('Break down by').selectOption({ label: 'category' });
  const perCategory = await weir.sql(`SELECT JSONExtractString(properties, 'category') AS x, count(), uniq(visitor_id) AS v FROM events_raw WHERE ${since} AND event_type = 'purchase' GROUP BY x ORDER BY v DESC, x LIMIT 50`);
  await eventually('by category', async () => (await cells()).join(';'), (got) => got === perCategory.join(';'), 60);
  await page.getByLabel('Compare with the period before').check();
  const before = `toDate(timestamp) > toDate(now('UTC')) - 14 AND toDate(timestamp) <= toDate(now('UTC')) - 7`;
  const [[first]] = perCategory;
  const [[visitorsBefore]] = await weir.sql(`SELECT uniq(visitor_id) FROM events_raw WHERE ${before} AND event_type = 'purchase' AND JSONExtractString(properties, 'category') = '${first}'`);
  await eventually('the period before', async () => Number((await cells())[0][3]), (got) => got === visitorsBefore, 60);
  // The SQL that is shown is the SQL that gives the table.
  const statement = await page.getByRole('region', { name: 'SQL', exact: true }).textContent();
  assert.deepEqual((await weir.sql(statement)).map((r) => r.join()).join(';'), perCategory.join(';'));
  await close();
});

test('the address holds the question: shared, reloaded, and back again', async () => {
  const { page, close } = await openPage(browser, `${weir.api}/explore`);
  await page.getByLabel('Event type').selectOption('click');
  await page.getByLabel('Break down by').selectOption('name');
  await page.getByLabel('Time range').selectOption('30d');
  const address = page.url();
  assert.match(address, /type=click/);
  await page.reload();
  assert.equal(await page.getByLabel('Event type').inputValue(), 'click');
  assert.equal(await page.getByLabel('Time range').inputValue(), '30d');
  await page.goBack();
  assert.equal(await page.getByLabel('Time range').inputValue(), '7d');
  await page.goForward();
  assert.equal(page.url(), address);
  await page.getByLabel('Time range').selectOption('choose');
  await page.getByLabel('First day').fill('2026-01-01');
  await page.getByLabel('Last day').fill('2026-01-02');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await page.getByText('No events in this time').first().waitFor();
  assert.match(page.url(), /range=2026-01-01\.\.2026-01-02/);
  await close();
});

test('events are found by any of their text, quotes and all; dead letters keep their bytes', async () => {
  const { page, close } = await openPage(browser, `${weir.api}/events`);
  await post(weir, event("it's \\ here"));
  await weir.settle("SELECT count() FROM events_raw WHERE event_name = 'it\\'s \\\\ here'", [[1]]);
  await page.getByLabel('Search events').fill("it's \\");
  await eventually('one row', () => page.locator('.events-table tbody tr').count(), (n) => n === 1, 60);
  await page.getByRole('radio', { name: 'Dead letters' }).check();
  await page.getByLabel('Search dead letters').fill('');
  await page.locator('.events-table tbody tr').first().click();
  const original = await page.getByRole('dialog').getByRole('region', { name: 'original' }).textContent();
  assert.equal(original, (await weir.sql('SELECT original FROM dead_letters'))[0][0]);
  assert.equal(JSON.parse(original).properties.mark, 'ünique');
  await close();
});

test('SQL runs on Ctrl-Enter, keeps every digit, shows where an error is, and leaves as CSV', async () => {
  const { page, close } = await openPage(browser, `${weir.api}/sql`);
  const editor = page.getByLabel('SQL statement');
  await editor.fill("SELECT toUInt64(18446744073709551615) AS big, 'a,b' AS text, NULL AS nothing");
  await editor.press('Control+Enter');
  const cells = page.getByTestId('sql-result').locator('td');
  await cells.first().waitFor();
  assert.deepEqual(await cells.allTextContents(), ['18446744073709551615', 'a,b', 'NULL']);
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV' }).click()]);
  assert.equal(readFileSync(await file.path(), 'utf8'), 'big,text,nothing\r\n18446744073709551615,"a,b",\r\n');
  await close();

  const bad = await openPage(browser, `${weir.api}/sql`);
  await bad.page.getByLabel('SQL statement').fill('SELECT count()\nFROM events_raw\nWHERE nope = 1');
  await bad.page.keyboard.press('Control+Enter');
  await bad.page.getByTestId('sql-error').waitFor();
  assert.match(await bad.page.getByTestId('sql-error').textContent(), /Line 3, column 7.*nope/);
  assert.equal(await bad.page.locator('.editor mark').textContent(), 'nope');
  assert.equal(await bad.page.evaluate(() => getSelection().toString() || document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd)), 'nope');
  await bad.close({ whileCut: true }); // the browser itself notes an answer 400
});

test('the SQL page lists the views of the event types and dimension tables that the domains declare, quality their targets', async () => {
  const config = mkdtempSync(`${tmpdir()}/weir-config-`);
  cpSync(`${ROOT}/config`, config, { recursive: true });
  writeFileSync(`${config}/domains/game.yaml`, 'domain: game\nevent_types:\n  - {name: match_ended, description: a match is over, metrics: [{name: prize, type: money}]}\nquality: {completeness: 0.9}\ndimension_tables:\n  - {name: arenas, from: {csv: arenas.csv}, key: arena, columns: {arena: text, seats: integer}}\n');
  writeFileSync(`${config}/domains/arenas.csv`, 'arena,seats\nwest,7\n');
  const game = await startWeir('--config', config);
  const { page, close } = await openPage(browser, `${game.api}/sql`);
  const view = page.locator('.tables dl > div', { hasText: 'events_match_ended' });
  await view.waitFor();
  assert.match(await view.textContent(), /a match is over.*event_id, .*prize_cents/);
  assert.match(await page.locator('.tables dl > div', { hasText: 'dim_arenas' }).textContent(), /what is known of each arena.*arena, seats/);
  await post(game, [event('m', { event_type: 'match_ended' }), event('p')]);
  await game.settle('SELECT sum(stored) FROM data_quality', [[2]]);
  await page.getByRole('link', { name: 'Quality', exact: true }).click();
  const quality = page.getByRole('region', { name: 'Quality by type' });
  await quality.getByRole('columnheader', { name: 'Completeness ≥ 99.99 %' }).waitFor();
  assert.match(await quality.locator('tbody tr', { hasText: 'match_ended' }).locator('td').nth(2).textContent(), /≥ 90 %$/);
  await close();
  await game.close();
  rmSync(config, { recursive: true });
});

test('a tenant is added by its read key, sees its own events alone, and its first event turns the setup page green', async () => {
  const acme = createTenant(weir, 'acme', '--quota', 'unlimited');
  const { page, close } = await openPage(browser, `${weir.api}/setup`);
  await page.getByRole('button', { name: /^Tenant: demo_tenant/ }).click();
  await page.getByRole('button', { name: 'Add a tenant…' }).click();
  await page.getByLabel('Read key').fill(acme.read_key);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByText('Waiting for your first event…').waitFor();
  assert.match(page.url(), /t=acme/);
  await post(weir, { ...event('hello'), customer_id: 'acme' }, acme.write_key);
  await page.getByText('Events are arriving').waitFor({ timeout: 20_000 });
  await page.reload();
  await page.getByText('1 stored').waitFor();
  await page.getByRole('link', { name: 'Live', exact: true }).click();
  await eventually('its own events alone', () => shown(page.getByTestId('events-today').locator('.stat-value')), (n) => n === 1, 60);
  assert.equal(page.url().includes(acme.read_key), false);
  await close();
});

test('without a key there is a sign-in, which says what is wrong with a bad one', async () => {
  const tenant = createTenant(weir, 'private', '--quota', 'unlimited');
  const { context, complaints } = await openContext(browser);
  const page = await context.newPage();
  await page.goto(`${weir.api}/explore?t=private`);
  await page.getByRole('heading', { name: 'Open private' }).waitFor();
  assert.deepEqual(await axe(page), []);
  await page.getByLabel('Read key').fill(tenant.write_key);
  await page.keyboard.press('Enter');
  await eventually('what is wrong', () => page.getByRole('alert').textContent(), (text) => /read/.test(text), 60);
  await page.getByLabel('Read key').fill(tenant.read_key);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Explore' }).waitFor();
  await page.getByText('No events in this time').first().waitFor();
  await context.close();
  assert.deepEqual(complaints.filter((text) => !/status of 40[13]/.test(text)), []);
});

for (const width of [360, 820, 1440])
  for (const colorScheme of ['light', 'dark'])
    test(`every page at ${width} px, ${colorScheme}: nothing sticks out, axe finds nothing serious, the console is silent`, async () => {
      const { page, close } = await openPage(browser, weir.api, { viewport: { width, height: 800 }, colorScheme, reducedMotion: 'reduce' });
      for (const path of PAGES) {
        await page.goto(weir.api + path);
        await page.locator('[data-connection=live]').first().waitFor();
        await eventually('no skeletons', () => page.locator('.skeleton').count(), (n) => n === 0, 60);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${path} sticks out at ${width} px`);
        assert.deepEqual(await axe(page), [], path);
        const [r, g, b] = (await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)).match(/\d+/g).map(Number);
        assert.equal(r + g + b < 384, colorScheme === 'dark');
      }
      // Without the stream's tables their questions are answered 400, which the browser itself notes.
      await close({ whileCut: !(await weir.sql('SELECT session_id FROM sessions LIMIT 1').catch(() => false)) });
    });

test('the theme can be turned, and stays so', async () => {
  const { page, close } = await openPage(browser, weir.api, { colorScheme: 'light' });
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await background();
  await page.getByRole('button', { name: 'Use the dark theme' }).click();
  const dark = await background();
  assert.notEqual(dark, light);
  await page.reload();
  await page.locator('[data-connection=live]').first().waitFor();
  assert.equal(await background(), dark);
  await close();
});

test('the keyboard alone reaches everything, and what has the focus shows it', async () => {
  const { page, close } = await openPage(browser, weir.api);
  const focused = () => page.evaluate(() => {
    const e = document.activeElement;
    const styles = [getComputedStyle(e), e.nextElementSibling ? getComputedStyle(e.nextElementSibling) : null].filter(Boolean);
    return { name: e.getAttribute('aria-label') ?? e.textContent.trim().slice(0, 40), visible: styles.some((s) => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0) };
  });
  await page.keyboard.press('Tab');
  assert.equal((await focused()).name, 'Skip to content');
  await page.keyboard.press('Enter');
  assert.equal((await focused()).name, 'Live');
  await page.reload();
  await page.locator('[data-connection=live]').first().waitFor();
  const seen = [];
  for (let i = 0; i < 16; i++) {
    await page.keyboard.press('Tab');
    const now = await focused();
    seen.push(now.name);
    assert.ok(now.visible, `the focus on “${now.name}” can be seen`);
  }
  for (const name of ['Explore', 'Setup', 'Use the dark theme']) assert.ok(seen.includes(name), `${name} is among ${seen}`);
  // A page by its link, a choice by arrows, a drawer opened and left, and the focus is where it was.
  await page.getByRole('link', { name: 'Events', exact: true }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Events', level: 1 }).waitFor();
  assert.equal((await focused()).name, 'Events');
  await page.getByRole('radio', { name: 'Events' }).focus();
  await page.keyboard.press('ArrowRight');
  assert.match(page.url(), /view=dead/);
  const row = page.locator('.row-button').first();
  await row.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal(await row.evaluate((e) => e === document.activeElement), true);
  // A chart's points are read by the arrows.
  await page.goto(`${weir.api}/explore`);
  const chart = page.locator('.chart').first();
  const read = async () => {
    await chart.focus();
    await page.keyboard.press('ArrowLeft'); // until its points have come there is nothing to read
    return chart.locator('[aria-live]').textContent();
  };
  await eventually('a point is read', read, (text) => /Events [\d,]+/.test(text), 60);
  await close();
});
