/* The address holds the page and its state, so that a view can be shared and reloaded. Keys of tenants never stand in it. */
import { useSyncExternalStore } from 'react';

export const PAGES = ['live', 'domains', 'explore', 'events', 'stream', 'quality', 'sql', 'setup'] as const;
export type Page = (typeof PAGES)[number];

export interface Url {
  page: Page;
  params: URLSearchParams;
}

const listeners = new Set<() => void>();
let current = read();

function read(): Url {
  const name = location.pathname.replace(/^\/+|\/+$/g, '');
  return {
    page: (PAGES as readonly string[]).includes(name) ? (name as Page) : 'live',
    params: new URLSearchParams(location.search),
  };
}

function changed(): void {
  current = read();
  for (const listener of listeners) listener();
}

window.addEventListener('popstate', changed);

export function href(page: Page, params: Record<string, string | undefined> = {}): string {
  const search = new URLSearchParams();
  const tenant = current.params.get('t');
  if (tenant) search.set('t', tenant);
  for (const [name, value] of Object.entries(params)) if (value) search.set(name, value);
  const text = search.toString();
  return `${page === 'live' ? '/' : `/${page}`}${text ? `?${text}` : ''}`;
}

export function go(to: string): void {
  if (to === location.pathname + location.search) return;
  history.pushState(null, '', to);
  changed();
}

/** Changes parameters of the page that is shown. What was typed replaces the address; what was chosen adds a step back. */
export function setParams(patch: Record<string, string | undefined>, how: 'push' | 'replace' = 'push'): void {
  const params = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(patch)) {
    if (value) params.set(name, value);
    else params.delete(name);
  }
  const text = params.toString();
  const to = location.pathname + (text ? `?${text}` : '');
  if (to === location.pathname + location.search) return;
  if (how === 'push') history.pushState(null, '', to);
  else history.replaceState(null, '', to);
  changed();
}

export function useUrl(): Url {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}

/** For onClick of a link: new tabs and windows stay the browser's business. */
export function followLink(event: React.MouseEvent<HTMLAnchorElement>): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  event.preventDefault();
  go(event.currentTarget.pathname + event.currentTarget.search);
}
