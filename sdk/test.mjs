// Compiles src/*.test.ts with what they use and runs them with node's own test runner.
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';

process.chdir(new URL('.', import.meta.url).pathname);
const names = readdirSync('src').filter((name) => name.endsWith('.test.ts'));
rmSync('.test', { recursive: true, force: true });
await build({
  entryPoints: names.map((name) => `src/${name}`),
  bundle: true, platform: 'node', format: 'esm', outdir: '.test', outExtension: { '.js': '.mjs' },
  logLevel: 'warning', define: { VERSION: '"test"' },
});
const done = spawnSync(process.execPath, ['--test', ...names.map((name) => `.test/${name.replace(/\.ts$/, '.mjs')}`)], { stdio: 'inherit' });
process.exit(done.status ?? 1);
