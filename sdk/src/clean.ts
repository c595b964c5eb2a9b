/* Whatever a page hands over becomes plain JSON that the server takes: bounded in depth, size and count, never throwing.
 * Getters that throw, cycles, DOM nodes, functions, BigInts and halves of surrogate pairs are a page's everyday. */

const DEPTH_MAX = 8;
const NODES_MAX = 500;
const TEXT_MAX = 4096;

/** Whole characters only: the server refuses half a surrogate pair. */
export function cleanText(value: unknown, max = TEXT_MAX): string {
  let text: string;
  try {
    text = String(value);
  } catch {
    return '';
  }
  return text.slice(0, max).replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, (found) => (found[1] ? found : '\ufffd'));
}

/** A name or an id: no control characters, at most `max` bytes of UTF-8. */
export function cleanName(value: unknown, max: number): string {
  let text = cleanText(value ?? '', max).replace(/[\0-\x1f]/g, ' ').trim();
  while (new TextEncoder().encode(text).length > max) text = cleanText(text, text.length - 1);
  return text;
}

export function clean(value: unknown): Record<string, unknown> {
  let nodes = 0;
  const copy = (from: unknown, depth: number): unknown => {
    const kind = typeof from;
    if (from === null || kind === 'boolean') return from;
    if (kind === 'number') return Number.isFinite(from) ? from : null;
    if (kind === 'string' || kind === 'bigint') return cleanText(from);
    if (kind !== 'object' || ++nodes > NODES_MAX || depth > DEPTH_MAX) return undefined;
    if (from instanceof Date) return isNaN(+from) ? null : from.toISOString();
    if (typeof Node !== 'undefined' && from instanceof Node) return undefined;
    if (Array.isArray(from)) return from.slice(0, NODES_MAX).map((item) => copy(item, depth + 1) ?? null);
    const to: Record<string, unknown> = {};
    for (const key of Object.keys(from as object).slice(0, NODES_MAX)) {
      try {
        const member = copy((from as Record<string, unknown>)[key], depth + 1);
        if (member !== undefined) to[cleanText(key, 200)] = member;
      } catch {
        // a getter that throws has no value
      }
    }
    return to;
  };
  try {
    const copied = copy(value, 0);
    return copied && typeof copied === 'object' && !Array.isArray(copied) ? (copied as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
