/* The only place where a value becomes part of SQL text. Names of tables and columns never come from outside. */

const ESCAPES: Record<string, string> = {
  '\\': '\\\\',
  "'": "\\'",
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\0': '\\0',
};

/** A string literal of the engine's dialect: quoted, with nothing in it that could end it. */
export function literal(value: string): string {
  return `'${value.replace(/[\\'\n\r\t\0]/g, (c) => ESCAPES[c] ?? c)}'`;
}

/** `a IN (…)`; an empty list is never true. */
export function isOneOf(expression: string, values: readonly string[]): string {
  return values.length ? `${expression} IN (${values.map(literal).join(', ')})` : '1 = 0';
}

/** A top-level member of a JSON column as text; '' when it is not there. Numbers and objects keep their JSON form. */
export function jsonText(column: 'properties' | 'context', key: string): string {
  return `JSONExtract(${column}, ${literal(key)}, 'String')`;
}

/** Case-insensitive search for a text in one of the expressions. */
export function containsText(expressions: readonly string[], text: string): string {
  const needle = literal(text);
  return `(${expressions.map((e) => `positionCaseInsensitiveUTF8(${e}, ${needle}) > 0`).join(' OR ')})`;
}

/** Joins conditions; without any there is no WHERE. */
export function where(...conditions: (string | false | undefined)[]): string {
  const real = conditions.filter((c): c is string => Boolean(c));
  return real.length ? `\nWHERE ${real.join('\n  AND ')}` : '';
}
