import { SERVICE_NAMES } from '#lib/protocol/services.ts';

export interface PageLink {
  href: string;
  title: string;
}

/** The pages beside those of the services; the one list that links and the palette are made of. */
export const PAGES: readonly PageLink[] = [
  { href: '/', title: 'Console' },
  { href: '/timeline', title: 'Timeline' },
  { href: '/gpu', title: 'GPU' },
  { href: '/dlq', title: 'Dead letters' },
  { href: '/wall', title: 'Wall' },
];

export const SERVICE_PAGES: readonly PageLink[] = SERVICE_NAMES.map((name) => ({
  href: `/services/${name}`,
  title: `Service ${name}`,
}));
