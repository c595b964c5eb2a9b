import type { ReactNode } from 'react';
import { PageHead } from '../ui/layout';

export function SetupPage(): ReactNode {
  return <PageHead title="Setup" />;
}
