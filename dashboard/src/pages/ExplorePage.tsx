import { useMemo, useState } from 'react';
import type { ReactNode } from 'react';
import { RangePicker, useRange } from '../app/RangePicker';
import { useSql, useSqlKeeping } from '../app/session';
import { setParams, useUrl } from '../app/url';
import { keysSql, seriesSql, totalsSql, typesSql, usesRollup, type Measure, type Question } from '../data/explore_sql';
import { count } from '../data/format';
import { stepsOf, type Range, type Step } from '../data/range';
import { Segments, Select } from '../ui/controls';
import { Card, Code, PageHead } from '../ui/layout';
import { Loaded, Note, SkeletonBlock, SkeletonRows } from '../ui/states';
import { ExploreChart, TOP_VALUES } from './explore/ExploreChart';
import { ExploreTable } from './explore/ExploreTable';
import { ExploreTotals } from './explore/ExploreTotals';

const ALL = '';

/** The question that the address asks. */
function useQuestion(): { question: Question; compare: boolean } {
  const { params } = useUrl();
  const range = useRange('7d');
  const steps = stepsOf(range);
  const wanted = params.get('step') as Step | null;
  return {
    question: {
      range,
      step: wanted && steps.includes(wanted) ? wanted : (steps[0] ?? 'hour'),
      measure: params.get('measure') === 'visitors' ? 'visitors' : 'events',
      type: params.get('type') ?? undefined,
      by: params.get('by') ?? undefined,
      values: [],
    },
    compare: params.get('compare') === '1',
  };
}

export function ExplorePage(): ReactNode {
  const { question, compare } = useQuestion();
  return (
    <>
      <PageHead title="Explore">
        <RangePicker range={question.range} />
      </PageHead>
      <Controls question={question} compare={compare} />
      <ExploreTotals question={question} compare={compare} />
      {question.by === undefined ? (
        <Whole question={question} compare={compare} />
      ) : (
        <BrokenDown question={{ ...question, by: question.by }} compare={compare} />
      )}
    </>
  );
}

function Controls({ question, compare }: { question: Question; compare: boolean }): ReactNode {
  const { type, by, range, step, measure } = question;
  const steps = stepsOf(range);
  return (
    <div className="controls card" role="group" aria-label="Question">
      <Select
        label="Event type"
        value={type ?? ALL}
        options={useTypeOptions(range, type)}
        onChange={(value) => setParams({ type: value || undefined })}
      />
      <Segments<Measure>
        label="Measure"
        value={measure}
        options={[
          { value: 'events', label: 'Events' },
          { value: 'visitors', label: 'Visitors' },
        ]}
        onChange={(value) => setParams({ measure: value === 'events' ? undefined : value })}
      />
      <Select
        label="Break down by"
        value={by ?? ALL}
        options={useByOptions(range, type, by)}
        onChange={(value) => setParams({ by: value || undefined })}
      />
      {steps.length > 1 && (
        <Segments<Step>
          label="By"
          value={step}
          options={steps.map((s) => ({ value: s, label: s === 'hour' ? 'Hour' : 'Day' }))}
          onChange={(value) => setParams({ step: value })}
        />
      )}
      <label className="check">
        <input
          type="checkbox"
          checked={compare}
          onChange={(e) => setParams({ compare: e.target.checked ? '1' : undefined })}
        />
        Compare with the period before
      </label>
    </div>
  );
}

function useTypeOptions(range: Range, type: string | undefined): { value: string; label: string }[] {
  const { answer } = useSql(typesSql(range), { everyMs: 15_000 });
  const options = (answer?.rows ?? []).map(([name, n]) => ({
    value: String(name),
    label: `${String(name)} (${count(Number(n))})`,
  }));
  if (type && !options.some((o) => o.value === type)) options.unshift({ value: type, label: type });
  return [{ value: ALL, label: 'All types' }, ...options];
}

function useByOptions(
  range: Range,
  type: string | undefined,
  by: string | undefined,
): { value: string; label: string }[] {
  const properties = useSql(keysSql('properties', type, range), { everyMs: 30_000 });
  const context = useSql(keysSql('context', type, range), { everyMs: 30_000 });
  const names = (rows: unknown[][] | undefined, prefix: string, what: string): { value: string; label: string }[] =>
    (rows ?? []).map(([key]) => ({ value: `${prefix}${String(key)}`, label: `${String(key)}${what}` }));
  const options = [
    { value: ALL, label: 'Nothing' },
    { value: 'type', label: 'Event type' },
    { value: 'name', label: 'Event name' },
    ...names(properties.answer?.rows, 'p.', ''),
    ...names(context.answer?.rows, 'c.', ' · context'),
  ];
  if (by && !options.some((o) => o.value === by)) options.push({ value: by, label: by.slice(2) || by });
  return options;
}

const EMPTY = (
  <Note icon="explore" title="No events in this time">
    Choose a longer range or another type.
  </Note>
);

function Whole({ question, compare }: { question: Question; compare: boolean }): ReactNode {
  const sql = seriesSql(question);
  const previousSql = seriesSql({ ...question, previous: true });
  const view = useSqlKeeping(sql);
  return (
    <>
      <Card title={heading(question)} hint={sourceHint(question)}>
        <Loaded of={view} skeleton={<SkeletonBlock height={320} />} empty={EMPTY}>
          {(rows) => <ExploreChart question={question} rows={rows} previousSql={compare ? previousSql : undefined} />}
        </Loaded>
      </Card>
      <Card title="Table" flush>
        <Loaded of={view} skeleton={<SkeletonRows />} empty={<Note compact title="No rows" />}>
          {(rows) => (
            <ExploreTable
              key={tableKey(question)}
              question={question}
              rows={rows}
              previousSql={compare ? previousSql : undefined}
            />
          )}
        </Loaded>
      </Card>
      <SqlBehind
        statements={[
          ['Chart and table', sql],
          ['Total', totalsSql(question)],
          ...(compare ? [['Period before', previousSql] as const] : []),
        ]}
      />
    </>
  );
}

function BrokenDown({ question, compare }: { question: Question & { by: string }; compare: boolean }): ReactNode {
  const tableSql = totalsSql(question);
  const table = useSqlKeeping(tableSql);
  const values = useMemo(
    () => (table.answer?.rows ?? []).slice(0, TOP_VALUES).map((r) => String(r[0])),
    [table.answer],
  );
  const previousSql = totalsSql({ ...question, previous: true }, 1000);
  const chartSql = seriesSql({ ...question, values });
  return (
    <>
      <Card title={heading(question)} hint={`the largest ${TOP_VALUES}, ${sourceHint(question)}`}>
        <Loaded of={table} skeleton={<SkeletonBlock height={320} />} empty={EMPTY}>
          {() => <ValuesChart question={question} values={values} sql={chartSql} />}
        </Loaded>
      </Card>
      <Card title="Table" flush hint={table.answer?.rows.length === 50 ? 'the 50 largest' : undefined}>
        <Loaded of={table} skeleton={<SkeletonRows />} empty={<Note compact title="No rows" />}>
          {(rows) => (
            <ExploreTable
              key={tableKey(question)}
              question={question}
              rows={rows}
              previousSql={compare ? previousSql : undefined}
            />
          )}
        </Loaded>
      </Card>
      <SqlBehind
        statements={[
          ['Table', tableSql],
          ['Chart', chartSql],
          ...(compare ? [['Period before', previousSql] as const] : []),
        ]}
      />
    </>
  );
}

/* Asked once it is known which values are the largest. */
function ValuesChart({
  question,
  values,
  sql,
}: {
  question: Question;
  values: readonly string[];
  sql: string;
}): ReactNode {
  const view = useSqlKeeping(sql);
  return (
    <Loaded of={view} skeleton={<SkeletonBlock height={320} />} empty={EMPTY}>
      {(rows) => <ExploreChart question={question} rows={rows} values={values} />}
    </Loaded>
  );
}

function heading({ measure, type, by, step }: Question): string {
  const what = `${measure === 'events' ? 'Events' : 'Visitors'}${type ? ` of ${type}` : ''}`;
  return `${what} by ${step}${by ? ` and ${by === 'type' ? 'event type' : by === 'name' ? 'event name' : by.slice(2)}` : ''}`;
}

function tableKey({ step, by, type }: Question): string {
  return [step, by, type].join();
}

function sourceHint(question: Question): string {
  return usesRollup(question) ? 'from the rollups' : 'from the raw events';
}

function SqlBehind({ statements }: { statements: readonly (readonly [string, string])[] }): ReactNode {
  const [chosen, setChosen] = useState(0);
  const shown = statements[chosen] ?? statements[0];
  if (!shown) return null;
  return (
    <Card
      title="The SQL behind it"
      actions={
        statements.length > 1 && (
          <Segments
            label="Statement"
            hideLabel
            value={shown[0]}
            options={statements.map(([name]) => ({ value: name, label: name }))}
            onChange={(name) => setChosen(statements.findIndex((s) => s[0] === name))}
          />
        )
      }
    >
      <Code text={shown[1]} what="SQL" />
    </Card>
  );
}
