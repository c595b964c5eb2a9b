import type { ReactNode } from 'react';
import { Button } from '../ui/controls';
import { Icon, Logo } from '../ui/Icon';
import { ConnectionStatus } from './Connection';
import { TenantMenu } from './TenantMenu';
import { toggleTheme, useIsDark } from './theme';
import { followLink, href, PAGES, useUrl, type Page } from './url';

export function Nav({ titles }: { titles: Record<Page, string> }): ReactNode {
  const { page, params } = useUrl();
  const dark = useIsDark();
  const range = params.get('range') ?? undefined;
  return (
    <div className="nav">
      <a className="brand" href={href('live')} onClick={followLink} aria-label="weir, live">
        <Logo />
        <span>weir</span>
      </a>
      <nav aria-label="Pages">
        <ul className="nav-links">
          {PAGES.map((p) => (
            <li key={p}>
              <a
                href={href(p, p === 'sql' || p === 'setup' ? {} : { range })}
                onClick={followLink}
                aria-current={p === page ? 'page' : undefined}
              >
                <Icon name={p} />
                <span>{titles[p]}</span>
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <div className="nav-foot">
        <ConnectionStatus />
        <div className="nav-row">
          <TenantMenu />
          <Button
            kind="quiet"
            icon={dark ? 'sun' : 'moon'}
            aria-label={dark ? 'Use the light theme' : 'Use the dark theme'}
            title={dark ? 'Light theme' : 'Dark theme'}
            onClick={toggleTheme}
          />
        </div>
      </div>
    </div>
  );
}
