/* Calls made before weir.js has loaded wait here, in the order they were made. Served as queue.js, since a strict
 * Content-Security-Policy allows no inline script; docs/sdk.md shows it to paste, too. */
export {};

const page = window as unknown as { weir?: Record<string, unknown> & { q?: unknown[] } };
if (!page.weir) {
  const weir: Record<string, unknown> & { q: unknown[] } = (page.weir = { q: [] as unknown[] });
  for (const name of ['init', 'track', 'page', 'identify', 'reset', 'consent', 'purge'])
    weir[name] = (...args: unknown[]) => void weir.q.push([name, args]);
}
