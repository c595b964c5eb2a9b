import type { ReactNode } from 'react';

/* Drawn on a grid of 16, one stroke width. */
const PATHS = {
  live: 'M1.5 8h2.6l2-5 3.6 10 2-5h2.8',
  domains: 'M2.5 2.5h4.4v6.2H2.5zM9.1 2.5h4.4v3.2H9.1zM2.5 11.3h4.4v2.2H2.5zM9.1 8.3h4.4v5.2H9.1z',
  explore: 'M2 13.5h12M4 11V7.5M8 11V3M12 11V5.5',
  events: 'M2 4h12M2 8h12M2 12h8',
  stream: 'M1.5 5c2.2 0 2.2 2 4.4 2s2.2-2 4.3-2 2.1 2 4.3 2M1.5 10c2.2 0 2.2 2 4.4 2s2.2-2 4.3-2 2.1 2 4.3 2',
  quality: 'M8 1.8 13.2 4v4c0 3-2.2 5-5.2 6.2C5 13 2.8 11 2.8 8V4ZM5.6 8l1.8 1.8L10.6 6.4',
  sql: 'M2.5 4.5 6 8l-3.5 3.5M8 12h5.5',
  setup: 'M8 2v8M4.8 7 8 10.2 11.2 7M2.5 13.5h11',
  sun: 'M8 1.2v1.3M8 13.5v1.3M1.2 8h1.3M13.5 8h1.3M3.2 3.2l.9.9M11.9 11.9l.9.9M12.8 3.2l-.9.9M4.1 11.9l-.9.9M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6Z',
  moon: 'M13.6 9.6A6 6 0 0 1 6.4 2.4a6 6 0 1 0 7.2 7.2Z',
  chevron: 'm4 6.2 4 4 4-4',
  close: 'm3.5 3.5 9 9m0-9-9 9',
  copy: 'M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z',
  check: 'm3 8.5 3.2 3.2L13 4.8',
  plus: 'M8 3v10M3 8h10',
  trash: 'M2.5 4.2h11M6 4V2.5h4V4M4 4.2l.6 9.3h6.8l.6-9.3M6.8 7v4M9.2 7v4',
  alert: 'M8 5.5v3.2M8 11.2v.1M7 2.4 1.4 12.2a1.2 1.2 0 0 0 1 1.8h11.2a1.2 1.2 0 0 0 1-1.8L9 2.4a1.2 1.2 0 0 0-2 0Z',
  pause: 'M5.5 3v10M10.5 3v10',
  play: 'm5 2.8 8 5.2-8 5.2z',
  search: 'M7 2.2a4.8 4.8 0 1 0 0 9.6 4.8 4.8 0 0 0 0-9.6ZM10.5 10.5 14 14',
  download: 'M8 2v8M4.8 7 8 10.2 11.2 7M2.5 13.5h11',
  person: 'M8 2.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6ZM2.5 14c.5-3 2.6-4.4 5.5-4.4s5 1.4 5.5 4.4',
  empty: 'M2 9.5 4 3h8l2 6.5v3.8H2zM2 9.5h3.5c0 1.2 1 2.2 2.5 2.2s2.5-1 2.5-2.2H14',
  refresh: 'M13.5 8a5.5 5.5 0 1 1-1.6-3.9L13.5 6M13.5 2.5V6H10',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): ReactNode {
  return (
    <svg
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

/** Water that steps down: a weir. */
export function Logo(): ReactNode {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="var(--accent)" />
      <path
        d="M6 10h7c3 0 3 6 6 6h7M6 16h5c3 0 3 6 6 6h9"
        fill="none"
        stroke="var(--on-accent)"
        strokeWidth="2.6"
        strokeLinecap="round"
      />
    </svg>
  );
}
