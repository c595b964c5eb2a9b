import { useEffect, useMemo, useRef } from 'react';
import type { ReactNode } from 'react';
import type { Place } from '../../data/sql_place';
import { sqlTokens, type Token } from '../../data/sql_tokens';

/** A text area with coloured text behind it: all editing is the browser's own. */
export function Editor({
  text,
  place,
  onChange,
  onRun,
}: {
  text: string;
  place: Place | undefined;
  onChange: (text: string) => void;
  onRun: () => void;
}): ReactNode {
  const area = useRef<HTMLTextAreaElement>(null);
  const tokens = useMemo(() => sqlTokens(text), [text]);
  useEffect(() => {
    if (!place || !area.current) return;
    area.current.focus();
    area.current.setSelectionRange(place.from, place.to);
  }, [place]);
  const lines = text.split('\n').length;
  return (
    <div className="editor">
      <div className="editor-lines" aria-hidden="true">
        {Array.from({ length: lines }, (_, i) => (
          <span key={i} className={place?.line === i + 1 ? 'bad' : undefined}>
            {i + 1}
          </span>
        ))}
      </div>
      <div className="editor-text">
        <pre aria-hidden="true">
          <code>
            {place ? marked(tokens, place) : tokens.map((t, i) => <TokenSpan key={i} token={t} />)}
            {'\n'}
          </code>
        </pre>
        <textarea
          ref={area}
          aria-label="SQL statement. Control and Enter runs it."
          value={text}
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          rows={Math.max(8, lines)}
          wrap="off"
          onChange={(e) => onChange(e.target.value)}
          onKeyDown={(e) => {
            if (e.key !== 'Enter' || !(e.ctrlKey || e.metaKey)) return;
            e.preventDefault();
            onRun();
          }}
        />
      </div>
    </div>
  );
}

function TokenSpan({ token }: { token: Token }): ReactNode {
  return token.kind === 'text' ? token.text : <span className={`t-${token.kind}`}>{token.text}</span>;
}

/* The place of the error is underlined, whatever tokens it cuts. */
function marked(tokens: readonly Token[], place: Place): ReactNode[] {
  let at = 0;
  return tokens.flatMap((token, i) => {
    const [from, to] = [Math.max(place.from - at, 0), Math.min(place.to - at, token.text.length)];
    at += token.text.length;
    if (from >= to) return [<TokenSpan key={i} token={token} />];
    const part = (a: number, b: number): Token => ({ kind: token.kind, text: token.text.slice(a, b) });
    return [
      <TokenSpan key={`${i}a`} token={part(0, from)} />,
      <mark key={`${i}b`}>{token.text.slice(from, to)}</mark>,
      <TokenSpan key={`${i}c`} token={part(to, token.text.length)} />,
    ];
  });
}
