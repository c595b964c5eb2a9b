import type { ReactNode } from 'react';
import { KeyForm } from '../app/KeyForm';
import { Logo } from '../ui/Icon';

export function SignInPage({
  wanted,
  add,
}: {
  wanted: string | undefined;
  add: (readKey: string) => Promise<void>;
}): ReactNode {
  return (
    <main className="sign-in">
      <div className="card">
        <span className="brand">
          <Logo />
          weir
        </span>
        <h1>{wanted ? `Open ${wanted}` : 'Open a tenant'}</h1>
        <p className="dim lead">
          {wanted ? 'This browser has no key for it yet.' : 'Each tenant sees its own events, with its own read key.'}
        </p>
        <KeyForm add={add} />
      </div>
    </main>
  );
}
