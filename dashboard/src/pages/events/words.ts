/* How an event is put into few words. */

const TONES: [RegExp, string][] = [
  [/purchase|order|paid|checkout|payment/i, 'good'],
  [/error|fail|abandon|cancel|refund/i, 'warn'],
  [/cart|sign|login|identify/i, 'accent'],
];

export function typeTone(type: string): string {
  return TONES.find(([words]) => words.test(type))?.[1] ?? '';
}

function member(properties: unknown, name: string): string | undefined {
  if (typeof properties !== 'object' || properties === null) return undefined;
  const value = (properties as Record<string, unknown>)[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Where it happened, or what it is called. */
export function eventPlace(name: string, properties: unknown): string {
  const place = member(properties, 'page') ?? member(properties, 'path') ?? member(properties, 'url');
  if (!place) return name;
  return name ? `${name}  ${place}` : place;
}

export function parseProperties(text: unknown): unknown {
  if (typeof text !== 'string') return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
