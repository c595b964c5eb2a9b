import { useRef, useState } from 'react';
import type { ReactNode } from 'react';
import { useFeed } from '../../app/session';
import { followLink, href } from '../../app/url';
import type { FeedEvent } from '../../data/feed';
import { clock } from '../../data/format';
import { Button } from '../../ui/controls';
import { Card } from '../../ui/layout';
import { Note, SkeletonRows } from '../../ui/states';
import { useGradually } from '../../ui/useGradually';
import { EventWords } from '../events/EventWords';
import { typeTone } from '../events/words';

const ROWS = 30;

/** The newest first. It holds still while somebody points at it or walks through it, so that what is clicked is what was seen. */
export function LatestEvents({ onOpen }: { onOpen: (event: FeedEvent) => void }): ReactNode {
  const { events, state } = useFeed();
  const [paused, setPaused] = useState(false);
  const [held, setHeld] = useState<readonly FeedEvent[]>();
  const box = useRef<HTMLOListElement>(null);
  const shown = held ?? events;
  const rows = useGradually(ROWS, 10);
  const hold = (): void => setHeld((now) => now ?? events);
  const letGo = (): void => {
    if (!paused && !box.current?.matches(':hover') && !box.current?.contains(document.activeElement))
      setHeld(undefined);
  };
  const waiting = held ? events.findIndex((e) => e.event_id === held[0]?.event_id) : 0;
  return (
    <Card
      title="Latest events"
      className="latest"
      flush
      hint={held && waiting !== 0 ? `${waiting < 0 ? '200+' : waiting} new` : undefined}
      actions={
        <>
          <Button
            kind="quiet"
            size="small"
            icon={paused ? 'play' : 'pause'}
            aria-label={paused ? 'Go on' : 'Pause the list'}
            aria-pressed={paused}
            onClick={() => {
              setPaused(!paused);
              setHeld(paused ? undefined : events);
            }}
          />
          <a href={href('events')} onClick={followLink} className="card-link">
            All events
          </a>
        </>
      }
    >
      {!state && (
        <div className="inset">
          <SkeletonRows rows={9} />
        </div>
      )}
      {state && shown.length === 0 && (
        <Note icon="live" title="Waiting for events">
          They appear here the moment they are accepted.{' '}
          <a href={href('setup')} onClick={followLink}>
            How to send
          </a>
        </Note>
      )}
      <ol
        className="latest-list"
        ref={box}
        data-testid="latest"
        onMouseEnter={hold}
        onMouseLeave={() => setTimeout(letGo, 0)}
        onFocus={hold}
        onBlur={() => setTimeout(letGo, 0)}
      >
        {shown.slice(0, rows).map((e) => (
          <li key={e.event_id}>
            <button type="button" onClick={() => onOpen(e)} data-event-id={e.event_id}>
              <time className="number dim" dateTime={new Date(e.timestamp_ms).toISOString()}>
                {clock(e.received_ms || e.timestamp_ms)}
              </time>
              <span className={`tag ${typeTone(e.event_type)}`}>{e.event_type}</span>
              <span className="cut">
                <EventWords name={e.event_name} properties={e.properties} />
              </span>
              <span className="cut who dim">{e.visitor_id}</span>
            </button>
          </li>
        ))}
      </ol>
    </Card>
  );
}
