import type { ReactNode } from 'react';
import { useSqlKeeping } from '../../app/session';
import { followLink, href } from '../../app/url';
import { seriesSql } from '../../data/explore_sql';
import { formatRange, stepsOf, type Range } from '../../data/range';
import { EventBars } from '../../ui/EventBars';
import { Card } from '../../ui/layout';
import { Loaded, Note, SkeletonBlock } from '../../ui/states';

const HEIGHT = 168;

/** Events over the range that is chosen, from the rollups. */
export function History({ range }: { range: Range }): ReactNode {
  const step = stepsOf(range)[0] ?? 'hour';
  const view = useSqlKeeping(
    seriesSql({ range, step, measure: 'events', type: undefined, by: undefined, values: [] }),
    {
      everyMs: 2000,
    },
  );
  return (
    <Card
      title="Events"
      hint={`by ${step}`}
      actions={
        <a href={href('explore', { range: formatRange(range) })} onClick={followLink} className="card-link">
          Explore
        </a>
      }
    >
      <Loaded
        of={view}
        skeleton={<SkeletonBlock height={HEIGHT} />}
        empty={<Note compact title="No events in this time" />}
      >
        {(rows) => <EventBars rows={rows} range={range} height={HEIGHT} name="Events" />}
      </Loaded>
    </Card>
  );
}
