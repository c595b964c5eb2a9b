/* Light or dark: what the system says, unless chosen here. */
import { useSyncExternalStore } from 'react';

export type Theme = 'system' | 'light' | 'dark';
const STORE = 'weir.theme';
const listeners = new Set<() => void>();
const dark = window.matchMedia('(prefers-color-scheme: dark)');

function load(): Theme {
  try {
    const text = localStorage.getItem(STORE);
    return text === 'light' || text === 'dark' ? text : 'system';
  } catch {
    return 'system';
  }
}

let theme = load();

function tell(): void {
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
  for (const listener of listeners) listener();
}

dark.addEventListener('change', tell);
tell();

export function isDark(): boolean {
  return theme === 'dark' || (theme === 'system' && dark.matches);
}

export function toggleTheme(): void {
  const next = isDark() ? 'light' : 'dark';
  theme = (next === 'dark') === dark.matches ? 'system' : next;
  try {
    if (theme === 'system') localStorage.removeItem(STORE);
    else localStorage.setItem(STORE, theme);
  } catch {
    /* Storage is off: lasts as long as the page. */
  }
  tell();
}

export function useIsDark(): boolean {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, isDark);
}
