import type { Metadata } from 'next';
import { GpuPage } from '#components/gpu/GpuPage.tsx';

export const metadata: Metadata = { title: 'GPU · Brownout' };

export default function Page() {
  return <GpuPage />;
}
