import type { ReactNode } from 'react';
import { PageHead } from '../ui/layout';

export function EventsPage(): ReactNode {
  return <PageHead title="Events" />;
}
