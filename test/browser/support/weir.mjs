// A weir of its own for a browser test: on free ports with a fresh data directory, ended by its pid. The twin of test/support/weir.py.
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { chmodSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Below those that the kernel gives to outgoing connections, as test/support/ports.py: so none of them takes it before weir does. */
export async function freePort() {
  for (;;) {
    const port = randomInt(15000, 32768);
    const isFree = await new Promise((done) => {
      const server = createServer().on('error', () => done(false));
      server.listen(port, () => server.close(() => done(true)));
    });
    if (isFree) return port;
  }
}

/** Asks until `ask` gives what `good` likes; fails with what it was at the end. */
export async function eventually(what, ask, good = Boolean, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  let got;
  do {
    try {
      got = await ask();
      if (good(got)) return got;
    } catch (error) {
      got = error;
    }
    await sleep(50);
  } while (Date.now() < end);
  throw new Error(`${what}: still ${got instanceof Error ? got.message : JSON.stringify(got)} after ${seconds} s`);
}

export async function startWeir(...extra) {
  const data = mkdtempSync(`${tmpdir()}/weir-browser-`);
  chmodSync(data, 0o755);
  const [ingestPort, apiPort, olapPort] = [await freePort(), await freePort(), await freePort()];
  const log = `${data}.log`;
  const command = ['up', '--config', 'config', '--env', 'dev', '--data', data, '--ingest-port', ingestPort, '--api-port', apiPort, '--olap-port', olapPort, ...extra];
  const weir = {
    ingest: `http://127.0.0.1:${ingestPort}`,
    api: `http://127.0.0.1:${apiPort}`,
    data,
    process: undefined,
    log: () => readFileSync(log, 'utf8'),

    async start() {
      const out = openSync(log, 'a');
      weir.process = spawn(`${ROOT}/build/weir`, command.map(String), { cwd: ROOT, stdio: ['ignore', out, out], detached: true });
      weir.process.ended = new Promise((done) => weir.process.on('exit', done));
      await eventually('weir is ready', async () => {
        if (weir.process.exitCode !== null) throw new Error(`it ended: ${weir.log().slice(-1000)}`);
        return (await fetch(`${weir.ingest}/ready`)).ok;
      });
      return weir;
    },
    /** SIGTERM: it drains. */
    async stop() {
      weir.process.kill('SIGTERM');
      await weir.process.ended;
    },
    /** The whole process group, as the power goes. */
    async kill9() {
      try {
        process.kill(-weir.process.pid, 'SIGKILL');
      } catch {
        // gone already
      }
      await weir.process.ended;
    },
    async close() {
      if (weir.process?.exitCode === null) await weir.stop();
      await weir.kill9();
      rmSync(data, { recursive: true, force: true });
      rmSync(log, { force: true });
    },

    async sql(query, key = 'demo_read') {
      const answer = await fetch(`${weir.api}/v1/sql`, {
        method: 'POST', headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }, body: JSON.stringify({ sql: query }),
      });
      if (!answer.ok) throw new Error(`sql answered ${answer.status}: ${await answer.text()}`);
      return (await answer.json()).rows;
    },
    /** Asks until the rows are these. */
    settle(query, want, key) {
      return eventually(query, () => weir.sql(query, key), (rows) => JSON.stringify(rows).replace(/"(\d+)"/g, '$1') === JSON.stringify(want));
    },
  };
  return weir.start();
}
