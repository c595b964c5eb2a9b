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

/** Where it happened, else what it is called; with a place, the name is what is said beside it. */
export function eventWords(name: string, properties: unknown): { main: string; aside: string } {
  const place = member(properties, 'page') ?? member(properties, 'path') ?? member(properties, 'url');
  return place ? { main: place, aside: name } : { main: name, aside: '' };
}

export function parseProperties(text: unknown): unknown {
  if (typeof text !== 'string') return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
