import type { Metadata } from 'next';
import { TimelinePage } from '#components/timeline/TimelinePage.tsx';

export const metadata: Metadata = { title: 'Timeline · Brownout' };

export default function Page() {
  return <TimelinePage />;
}
