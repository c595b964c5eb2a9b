import { useCallback } from 'react';
import type { ReactNode } from 'react';
import { RangePicker, useRange } from '../app/RangePicker';
import { setParams, useUrl } from '../app/url';
import { Segments } from '../ui/controls';
import { PageHead } from '../ui/layout';
import { DeadLetterTable } from './events/DeadLetterTable';
import { EventTable } from './events/EventTable';

export function EventsPage(): ReactNode {
  const { params } = useUrl();
  const range = useRange();
  const view = params.get('view') === 'dead' ? 'dead' : 'events';
  const text = params.get('q') ?? '';
  const search = useCallback((q: string) => setParams({ q: q || undefined }, 'replace'), []);
  return (
    <>
      <PageHead title="Events">
        <Segments
          label="Kind"
          hideLabel
          value={view}
          options={[
            { value: 'events', label: 'Events' },
            { value: 'dead', label: 'Dead letters' },
          ]}
          onChange={(v) => setParams({ view: v === 'events' ? undefined : v, type: undefined, reason: undefined })}
        />
        <RangePicker range={range} />
      </PageHead>
      {view === 'events' ? (
        <EventTable range={range} text={text} search={search} type={params.get('type') ?? undefined} />
      ) : (
        <DeadLetterTable range={range} text={text} search={search} reason={params.get('reason') ?? undefined} />
      )}
    </>
  );
}
