import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

for (const name of ['weir.js', 'weir.mjs'])
  test(`${name} has at most 5,000 bytes gzipped`, () => {
    assert.ok(existsSync(`dist/${name}`), 'npm run build first');
    const bytes = gzipSync(readFileSync(`dist/${name}`), { level: 9 }).length;
    assert.ok(bytes <= 5000, `${bytes} bytes`);
  });

test('the package leads to files that exist', () => {
  const { exports, types, main, unpkg } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, never>;
  const files = [types, main, unpkg, ...Object.values(exports).flatMap((e) => (typeof e === 'string' ? [e] : Object.values(e)))];
  for (const file of files) assert.ok(existsSync(file as string), file as string);
});
