import { useEffect, useRef, useState } from 'react';
import type { ReactNode } from 'react';

/** Asks nothing before it is about to be seen: a domain may have a hundred panels. */
export function Near({ height, children }: { height: number; children: ReactNode }): ReactNode {
  const [isNear, setNear] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && setNear(true), {
      rootMargin: '400px',
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return isNear ? children : <div ref={place} style={{ height }} />;
}
