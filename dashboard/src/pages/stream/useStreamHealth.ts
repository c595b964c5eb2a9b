import { useEffect, useState } from 'react';
import { useSession } from '../../app/session';
import { fetchStream, type StreamHealth } from '../../data/api';

const EVERY_MS = 2000;

export interface Health {
  now: StreamHealth | undefined;
  before: StreamHealth | undefined;
}

/** How the tasks are doing, asked for while the page is seen, and how they did the time before. */
export function useStreamHealth(): Health {
  const { readKey } = useSession().tenant;
  const [pair, setPair] = useState<{ now?: StreamHealth; before?: StreamHealth }>({});
  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    const ask = async (): Promise<void> => {
      if (document.visibilityState !== 'hidden')
        await fetchStream(readKey, abort.signal).then(
          (now) => setPair(({ now: before }) => ({ now, ...(before ? { before } : {}) })),
          () => undefined, // the connection's state is told at the top of the page; what was known stays
        );
      if (!abort.signal.aborted) timer = window.setTimeout(() => void ask(), EVERY_MS);
    };
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [readKey]);
  return { now: pair.now, before: pair.before };
}
