// Builds dist/: the module, the classic script, the queueing snippet, and the types.
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

process.chdir(new URL('.', import.meta.url).pathname);
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
rmSync('dist', { recursive: true, force: true });

const common = { bundle: true, minify: true, target: 'es2020', logLevel: 'warning', define: { VERSION: JSON.stringify(version) } };
await Promise.all([
  build({ ...common, entryPoints: ['src/index.ts'], outfile: 'dist/weir.mjs', format: 'esm', sourcemap: true }),
  build({ ...common, entryPoints: ['src/script.ts'], outfile: 'dist/weir.js', format: 'iife' }),
  build({ ...common, entryPoints: ['src/snippet.ts'], outfile: 'dist/queue.js', format: 'iife' }),
]);
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], { stdio: 'inherit' });

for (const file of ['weir.mjs', 'weir.js', 'queue.js'])
  console.log(`sdk: dist/${file} ${gzipSync(readFileSync(`dist/${file}`), { level: 9 }).length} bytes gzipped`);
