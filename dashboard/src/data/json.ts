/* JSON as the API writes it: 64-bit integers with every digit. Those that a double can't hold stay text; fractions are no integers. */
const STRING_OR_LONG_NUMBER = /"(?:[^"\\]|\\.)*"|(?<![\d.])-?\d{16,}(?![\d.eE])/g;

export function parseExact(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(
    text.replace(STRING_OR_LONG_NUMBER, (m) => (m.startsWith('"') || Number.isSafeInteger(Number(m)) ? m : `"${m}"`)),
  );
}

/** Indented, or the text as it is when it is not JSON. */
export function pretty(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value, null, 2) ?? '';
  try {
    return JSON.stringify(parseExact(value), null, 2);
  } catch {
    return value;
  }
}

/** The members of a JSON object as text, in order; none of what is not an object. */
export function members(value: unknown): [name: string, text: string][] {
  let object = value;
  try {
    if (typeof value === 'string') object = parseExact(value);
  } catch {
    return [];
  }
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return [];
  return Object.entries(object).map(([name, v]) => [name, typeof v === 'string' ? v : JSON.stringify(v)]);
}
