import { useEffect, useMemo, useRef, useState } from 'react';
import type { ReactNode } from 'react';
import { useSession } from '../app/session';
import { setParams, useUrl } from '../app/url';
import { ApiError, askSql, type Answer } from '../data/api';
import { errorPlace } from '../data/sql_place';
import { Button, Select } from '../ui/controls';
import { Card, PageHead } from '../ui/layout';
import { Note, SkeletonRows } from '../ui/states';
import { Editor } from './sql/Editor';
import { EXAMPLES } from './sql/examples';
import { Results } from './sql/Results';
import { Tables } from './sql/Tables';

/* Longer ones would not fit into every address. */
const SHARED_MAX = 3000;

type Run =
  | { is: 'idle' }
  | { is: 'running'; abort: AbortController }
  | { is: 'done'; answer: Answer }
  | { is: 'failed'; error: ApiError; sql: string };

export function SqlPage(): ReactNode {
  const { tenant } = useSession();
  const { params } = useUrl();
  const [text, setText] = useState(() => params.get('sql') ?? EXAMPLES[0]?.sql ?? '');
  const [run, setRun] = useState<Run>({ is: 'idle' });
  const newest = useRef(0);

  const start = (sql = text): void => {
    if (run.is === 'running') run.abort.abort();
    const abort = new AbortController();
    const mine = ++newest.current;
    const finish = (result: Run): void => {
      if (mine === newest.current) setRun(result);
    };
    setRun({ is: 'running', abort });
    setParams({ sql: sql.length <= SHARED_MAX ? sql : undefined }, 'replace');
    askSql(tenant.readKey, sql, abort.signal).then(
      (answer) => finish({ is: 'done', answer }),
      (e: unknown) => finish(e instanceof ApiError ? { is: 'failed', error: e, sql } : { is: 'idle' }),
    );
  };

  // An address with a statement in it was shared for its result.
  const shared = useRef(params.has('sql'));
  useEffect(() => {
    if (shared.current) start();
    shared.current = false;
  });

  const failed = run.is === 'failed' && run.sql === text ? run : undefined;
  const place = useMemo(() => failed && errorPlace(failed.sql, failed.error.message), [failed]);
  return (
    <>
      <PageHead title="SQL">
        <Select
          label="Examples"
          hideLabel
          value=""
          options={[{ value: '', label: 'Examples' }, ...EXAMPLES.map((e) => ({ value: e.sql, label: e.name }))]}
          onChange={(sql) => {
            if (!sql) return;
            setText(sql);
            start(sql);
          }}
        />
      </PageHead>
      <div className="sql-grid">
        <Card className="editor-card" flush>
          <Editor text={text} place={place} onChange={setText} onRun={() => start()} />
          <div className="editor-foot">
            <span className="dim">
              <kbd>Ctrl</kbd> <kbd>Enter</kbd>
            </span>
            <span className="spacer" />
            {run.is === 'running' && <Button onClick={() => run.abort.abort()}>Stop</Button>}
            <Button kind="primary" icon="play" onClick={() => start()} disabled={text.trim() === ''}>
              Run
            </Button>
          </div>
        </Card>
        <Tables />
      </div>
      <div aria-busy={run.is === 'running'}>
        {run.is === 'idle' && (
          <Card>
            <Note icon="sql" title="Run the statement">
              One SELECT at a time, over this tenant’s tables. Times are UTC.
            </Note>
          </Card>
        )}
        {run.is === 'running' && (
          <Card title="Result" hint="running…">
            <SkeletonRows rows={8} />
          </Card>
        )}
        {run.is === 'failed' && <Failure error={run.error} line={place?.line} column={place?.column} />}
        {run.is === 'done' && <Results answer={run.answer} />}
      </div>
    </>
  );
}

function Failure({
  error,
  line,
  column,
}: {
  error: ApiError;
  line: number | undefined;
  column: number | undefined;
}): ReactNode {
  return (
    <div className="card failure" role="alert" data-testid="sql-error">
      <strong>{line === undefined ? 'This did not run' : `Line ${line}, column ${column}`}</strong>
      <p className="mono">{error.message}</p>
    </div>
  );
}
