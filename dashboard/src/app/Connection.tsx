import { useEffect, useRef, useState } from 'react';
import type { ReactNode } from 'react';
import type { Connection } from '../data/feed';
import { Button } from '../ui/controls';
import { useFeed, useSession } from './session';
import { useNow } from './useNow';

const WORDS: Record<Connection['is'], string> = {
  connecting: 'Connecting',
  live: 'Live',
  waiting: 'Disconnected',
  refused: 'Refused',
  paused: 'Paused',
};

export function ConnectionStatus(): ReactNode {
  const { connection } = useFeed();
  const tone = connection.is === 'live' ? 'good beats' : connection.is === 'waiting' ? 'bad' : 'warn';
  return (
    <span className="status" data-connection={connection.is} title={`Feed: ${WORDS[connection.is]}`}>
      <span className={`dot ${tone}`} />
      <span className="words">{WORDS[connection.is]}</span>
    </span>
  );
}

/** Told to screen readers when it begins and when it is over; the seconds that run are for the eyes. */
export function ConnectionBanner(): ReactNode {
  const { connection } = useFeed();
  const { feed } = useSession();
  const isDown = useDown(connection);
  const wasDown = useRef(false);
  if (isDown) wasDown.current = true;
  return (
    <>
      <p className="hidden-visually" role="status">
        {isDown ? 'Connection lost. What is shown may be old.' : wasDown.current ? 'Connected again.' : ''}
      </p>
      {isDown && (
        <div className="banner" data-testid="banner">
          <span>
            Connection lost. What is shown may be old.{' '}
            {connection.is === 'waiting' ? <Countdown untilMs={connection.untilMs} /> : 'Connecting…'}
          </span>
          <Button size="small" onClick={feed.retryNow} disabled={connection.is !== 'waiting'}>
            Try now
          </Button>
        </div>
      )}
    </>
  );
}

function Countdown({ untilMs }: { untilMs: number }): ReactNode {
  const now = useNow(250);
  const seconds = Math.max(0, Math.ceil((untilMs - now) / 1000));
  return (
    <span className="number" aria-hidden="true">
      {seconds > 0 ? `Trying again in ${seconds} s.` : 'Connecting…'}
    </span>
  );
}

/* A break that heals within a moment is nobody's concern. */
function useDown(connection: Connection): boolean {
  const [down, setDown] = useState(false);
  const isWaiting = connection.is === 'waiting';
  const isLive = connection.is === 'live' || connection.is === 'paused';
  useEffect(() => {
    if (isLive) setDown(false);
    if (!isWaiting) return;
    const timer = setTimeout(() => setDown(true), 700);
    return () => clearTimeout(timer);
  }, [isWaiting, isLive]);
  return down;
}
