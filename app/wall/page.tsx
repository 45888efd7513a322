import type { Metadata } from 'next';
import { Wall } from '#components/wall/Wall.tsx';

export const metadata: Metadata = { title: 'Wall · Brownout' };

export default function Page() {
  return <Wall />;
}
