import type { ReactNode } from 'react';
import { count } from '../../data/format';
import { Button } from '../../ui/controls';
import { Card } from '../../ui/layout';
import { Loaded, SkeletonRows } from '../../ui/states';
import { ROWS_MAX, type useRows } from './useRows';

/** The frame of both tables: filters above, what is new, the rows, more of them. */
export function RowsCard({
  view,
  filters,
  empty,
  what,
  rowsWanted,
  more,
  children,
}: {
  view: ReturnType<typeof useRows>;
  filters: ReactNode;
  empty: ReactNode;
  what: string;
  rowsWanted: number;
  more: () => void;
  children: (rows: unknown[][]) => ReactNode;
}): ReactNode {
  const got = view.answer?.rows.length ?? 0;
  return (
    <Card flush className="rows-card">
      <div className="rows-filters">
        {filters}
        <span className="spacer" />
        <Button icon="refresh" kind={view.fresh > 0 ? 'primary' : 'quiet'} onClick={view.refresh}>
          {view.fresh > 0 ? `Show ${count(view.fresh)} new` : 'Refresh'}
        </Button>
      </div>
      <Loaded
        of={view}
        skeleton={
          <div className="inset">
            <SkeletonRows rows={14} />
          </div>
        }
        empty={empty}
      >
        {(rows) => (
          <div className="table-box" tabIndex={0} role="region" aria-label={what}>
            {children(rows)}
          </div>
        )}
      </Loaded>
      {got >= rowsWanted && (
        <div className="rows-foot">
          <span className="dim">The newest {count(got)}.</span>
          {rowsWanted < ROWS_MAX ? (
            <Button onClick={more}>Show older ones</Button>
          ) : (
            <span className="dim">Narrow the search to see others.</span>
          )}
        </div>
      )}
    </Card>
  );
}
