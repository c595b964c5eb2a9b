import { useEffect, useState } from 'react';
import type { ReactNode } from 'react';
import { useSession } from '../../app/session';
import { askSql } from '../../data/api';
import { Card } from '../../ui/layout';
import { TABLES } from './examples';

type Table = (typeof TABLES)[number];

/* The views of the event types and dimension tables that domains declare: another weir, other ones. */
const VIEWS_SQL = `SELECT view, if(description = '', concat('events of type ', event_type), description) AS what, columns
FROM event_types
UNION ALL
SELECT view, if(description = '', concat('what is known of each ', key), description) AS what, columns
FROM dimension_tables
ORDER BY startsWith(view, 'dim_'), view`;

function useViews(): readonly Table[] {
  const { tenant } = useSession();
  const [views, setViews] = useState<readonly Table[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    askSql(tenant.readKey, VIEWS_SQL, abort.signal).then(
      ({ rows }) =>
        setViews(rows.map(([name, what, columns]) => ({ name: `${name}`, what: `${what}`, columns: `${columns}` }))),
      () => setViews([]), // the tables that are always there can be told without the engine
    );
    return () => abort.abort();
  }, [tenant.readKey]);
  return views;
}

export function Tables(): ReactNode {
  const views = useViews();
  return (
    <Card title="Tables" className="tables">
      <dl tabIndex={0} aria-label="Tables and their columns">
        {[...TABLES, ...views].map((t) => (
          <div key={t.name}>
            <dt>
              <code>{t.name}</code> <span className="dim">{t.what}</span>
            </dt>
            <dd className="dim">{t.columns}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}
