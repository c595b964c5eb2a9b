/* What a view shows instead of data: while it comes, when there is none, and when it can't be had. */
import type { ReactNode } from 'react';
import type { ApiError } from '../data/api';
import { Button } from './controls';
import { Icon, type IconName } from './Icon';

export function SkeletonRows({ rows = 6 }: { rows?: number }): ReactNode {
  return (
    <div className="skeleton-rows" aria-hidden="true">
      {Array.from({ length: rows }, (_, i) => (
        <span key={i} className="skeleton" style={{ width: `${92 - ((i * 37) % 45)}%` }} />
      ))}
    </div>
  );
}

export function SkeletonBlock({ height }: { height: number }): ReactNode {
  return <span className="skeleton" aria-hidden="true" style={{ height }} />;
}

export function Note({
  icon = 'empty',
  title,
  compact,
  children,
}: {
  icon?: IconName;
  title: string;
  compact?: boolean;
  children?: ReactNode;
}): ReactNode {
  return (
    <div className={compact ? 'note compact' : 'note'}>
      <Icon name={icon} />
      <strong>{title}</strong>
      {children && <div className="words">{children}</div>}
    </div>
  );
}

function errorTitle(error: ApiError): string {
  if (error.status === 0) return 'No answer from weir';
  if (error.code === 'engine_not_ready') return 'The engine is starting';
  if (error.status === 429) return 'Too many questions at once';
  if (error.status === 408) return 'That took too long';
  return 'This could not be answered';
}

export function ErrorNote({
  error,
  retry,
  compact,
}: {
  error: ApiError;
  retry?: () => void;
  compact?: boolean;
}): ReactNode {
  return (
    <div className={`note ${error.isPassing ? '' : 'bad'} ${compact ? 'compact' : ''}`}>
      <Icon name={error.isPassing ? 'refresh' : 'alert'} />
      <strong>{errorTitle(error)}</strong>
      <p className="words">{error.isPassing ? 'Asked again by itself in a moment.' : error.message}</p>
      {retry && !error.isPassing && <Button onClick={retry}>Try again</Button>}
    </div>
  );
}

interface Data {
  answer: { rows: unknown[][] } | undefined;
  error: ApiError | undefined;
  isOld?: boolean;
  refresh?: () => void;
}

/** One of: skeleton, error, empty, the data. */
export function Loaded({
  of,
  skeleton,
  empty,
  compact,
  children,
}: {
  of: Data;
  skeleton: ReactNode;
  empty: ReactNode;
  compact?: boolean;
  children: (rows: unknown[][]) => ReactNode;
}): ReactNode {
  if (of.answer) {
    if (of.answer.rows.length === 0) return empty;
    return <div className={of.isOld ? 'is-old' : undefined}>{children(of.answer.rows)}</div>;
  }
  if (of.error)
    return <ErrorNote error={of.error} {...(of.refresh ? { retry: of.refresh } : {})} compact={compact ?? false} />;
  return skeleton;
}
