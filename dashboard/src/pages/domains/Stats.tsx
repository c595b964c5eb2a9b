import type { ReactNode } from 'react';

/** Numbers above a chart; `id` is what tests find them by. */
export function Stats({ stats }: { stats: readonly { name: string; value: string; id?: string }[] }): ReactNode {
  return (
    <dl className="panel-stats">
      {stats.map(({ name, value, id }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className="number" data-testid={id}>
            {value}
          </dd>
        </div>
      ))}
    </dl>
  );
}
