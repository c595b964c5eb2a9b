import { useEffect, useRef, useState } from 'react';
import { useFeed, useSqlKeeping } from '../../app/session';

const NEVER = 1e9;
export const PAGE_ROWS = 100;
export const ROWS_MAX = 2000;

/** Rows that hold still: what came since is counted and shown when it is asked for. */
export function useRows(
  sql: string,
  counter: 'accepted' | 'dead_letters',
): ReturnType<typeof useSqlKeeping> & { fresh: number } {
  const view = useSqlKeeping(sql, { everyMs: NEVER, atMostMs: NEVER });
  const { state } = useFeed();
  const total = state?.[counter];
  const seen = useRef<number>(undefined);
  const [answer, setAnswer] = useState(view.answer);
  useEffect(() => {
    if (view.answer !== answer) {
      seen.current = total;
      setAnswer(view.answer);
    }
    if (seen.current === undefined) seen.current = total;
  }, [view.answer, answer, total]);
  const fresh = total === undefined || seen.current === undefined ? 0 : Math.max(0, total - seen.current);
  return { ...view, fresh };
}
