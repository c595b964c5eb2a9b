import type { ReactNode } from 'react';
import { PageHead } from '../ui/layout';

export function SqlPage(): ReactNode {
  return <PageHead title="Sql" />;
}
