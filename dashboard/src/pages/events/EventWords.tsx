import type { ReactNode } from 'react';
import { eventWords } from './words';

export function EventWords({ name, properties }: { name: string; properties: unknown }): ReactNode {
  const { main, aside } = eventWords(name, properties);
  return (
    <>
      {main} {aside && <span className="dim aside">{aside}</span>}
    </>
  );
}
