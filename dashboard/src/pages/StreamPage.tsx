import type { ReactNode } from 'react';
import { PageHead } from '../ui/layout';

export function StreamPage(): ReactNode {
  return <PageHead title="Stream" />;
}
