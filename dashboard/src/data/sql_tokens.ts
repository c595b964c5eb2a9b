/* Just enough of a tokenizer to colour a statement. What it gives, joined, is the text that it got. */

export type TokenKind = 'keyword' | 'function' | 'string' | 'number' | 'comment' | 'text';

export interface Token {
  kind: TokenKind;
  text: string;
}

const KEYWORDS = new Set(
  `select from where group by order having limit offset as and or not in is null between like ilike case when then else end join
left right inner outer full cross on using union all distinct with asc desc interval minute hour day week month year second
prewhere any array final totals rollup cube over partition rows range exists true false`.split(/\s+/),
);

const TOKEN = /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^'\\]|\\[\s\S]|'')*'?)|(\b\d[\w.]*)|([A-Za-z_]\w*)|([\s\S])/g;

export function sqlTokens(sql: string): Token[] {
  const tokens: Token[] = [];
  for (const m of sql.matchAll(TOKEN)) {
    const text = m[0];
    if (m[1] !== undefined) tokens.push({ kind: 'comment', text });
    else if (m[2] !== undefined) tokens.push({ kind: 'string', text });
    else if (m[3] !== undefined) tokens.push({ kind: 'number', text });
    else if (m[4] !== undefined) tokens.push({ kind: wordKind(text, sql[(m.index ?? 0) + text.length]), text });
    else {
      const last = tokens[tokens.length - 1];
      if (last?.kind === 'text') last.text += text;
      else tokens.push({ kind: 'text', text });
    }
  }
  return tokens;
}

function wordKind(word: string, next: string | undefined): TokenKind {
  if (KEYWORDS.has(word.toLowerCase())) return 'keyword';
  return next === '(' ? 'function' : 'text';
}
