import type { Metadata } from 'next';
import { DlqPage } from '#components/dlq/DlqPage.tsx';

export const metadata: Metadata = { title: 'Dead letters · Brownout' };

export default function Page() {
  return <DlqPage />;
}
