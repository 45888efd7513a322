import type { Metadata } from 'next';
import { notFound } from 'next/navigation';
import { ServicePage } from '#components/service/ServicePage.tsx';
import { SERVICE_NAMES } from '#lib/protocol/services.ts';

interface Props {
  params: Promise<{ name: string }>;
}

/** Every service is prerendered; any other name is answered with 404 and the page for it. */
export const dynamicParams = false;

export function generateStaticParams(): { name: string }[] {
  return SERVICE_NAMES.map((name) => ({ name }));
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { name } = await params;
  return { title: `${name} · Brownout` };
}

export default async function Page({ params }: Props) {
  const { name } = await params;
  const service = SERVICE_NAMES.find((each) => each === name);
  if (!service) notFound();
  return <ServicePage name={service} />;
}
