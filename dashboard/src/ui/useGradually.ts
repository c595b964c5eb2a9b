import { startTransition, useEffect, useState } from 'react';

/** How many rows to render: first those that are seen at once, so that a click is answered within a frame or two, then all. */
export function useGradually(total: number, first: number): number {
  const [shown, setShown] = useState(first);
  useEffect(() => {
    if (shown >= total) return;
    const timer = setTimeout(() => startTransition(() => setShown(total)), 60);
    return () => clearTimeout(timer);
  }, [shown, total]);
  return Math.min(shown, total);
}
