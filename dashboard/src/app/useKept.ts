import { useEffect, useState } from 'react';
import { ApiError } from '../data/api';
import { useSession } from './session';

const EVERY_MS = 15_000;
const RETRY_MS = 2000;

/** What the server tells the tenant and may tell otherwise while weir runs; once known, it stays while nobody answers.
 *  `fetch` is the same function at each call. */
export function useKept<T>(fetch: (readKey: string, signal: AbortSignal) => Promise<T>): {
  value: T | undefined;
  error: ApiError | undefined;
} {
  const { readKey } = useSession().tenant;
  const [known, setKnown] = useState<{ value?: T; error?: ApiError }>({});
  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    const ask = async (): Promise<void> => {
      let pause = EVERY_MS;
      try {
        const value = await fetch(readKey, abort.signal);
        // The same again keeps its place, so that nothing is asked or drawn anew.
        setKnown((was) => (JSON.stringify(was.value) === JSON.stringify(value) ? was : { value }));
      } catch (e) {
        pause = RETRY_MS;
        if (e instanceof ApiError) setKnown((was) => (was.value !== undefined ? was : { error: e }));
      }
      if (!abort.signal.aborted) timer = window.setTimeout(() => void ask(), pause);
    };
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [readKey, fetch]);
  return { value: known.value, error: known.error };
}
