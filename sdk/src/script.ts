/* The classic script: window.weir. It starts by itself when its own tag says the key
 * (<script src="/sdk/weir.js" data-key="wk_…" data-endpoint="…">), or by weir.init({ key: … }); calls made before wait. */
import { createWeir } from './index';
import type { Options, Weir } from './types';

type Calls = [name: string, args: unknown[]][];
interface Global extends Partial<Weir> {
  init?: (options: Options) => Weir;
  q?: Calls;
}

const page = window as unknown as { weir?: Global };
const calls: Calls = Array.isArray(page.weir?.q) ? page.weir.q : [];
let started: Weir | undefined;

function init(options: Options): Weir {
  if (started) return started;
  started = createWeir(options);
  Object.defineProperties(started, { init: { value: init }, q: { value: { push: play } } });
  page.weir = started as unknown as Global;
  for (const call of calls.splice(0)) play(call);
  return started;
}

function play([name, args]: Calls[number]): void {
  const target = started as unknown as Record<string, unknown> | undefined;
  if (name === 'init') init(args[0] as Options);
  else if (!target) calls.push([name, args]);
  else if (typeof target[name] === 'function') (target[name] as (...args: unknown[]) => void)(...args);
}

const tag = document.currentScript as HTMLScriptElement | null;
const first = calls.findIndex(([name]) => name === 'init');
const waiting: Global = { q: calls, init };
for (const name of ['track', 'page', 'identify', 'reset', 'consent', 'purge'] as const)
  waiting[name] = (...args: unknown[]) => play([name, args]);
page.weir = waiting;
if (first >= 0) play(calls.splice(first, 1)[0]!);
else if (tag?.dataset.key)
  init({
    key: tag.dataset.key,
    ...(tag.dataset.endpoint ? { endpoint: tag.dataset.endpoint } : {}),
    ...(tag.dataset.path ? { path: tag.dataset.path } : {}),
    ...(tag.dataset.consent === 'pending' ? { consent: 'pending' } : {}),
  });
