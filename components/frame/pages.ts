import { SERVICE_NAMES } from '#lib/protocol/services.ts';

export interface PageLink {
  href: string;
  title: string;
}

/** Where one can go by name. */
export const PAGES: readonly PageLink[] = [
  { href: '/', title: 'Console' },
  { href: '/timeline', title: 'Timeline' },
  { href: '/gpu', title: 'GPU' },
  { href: '/dlq', title: 'All dead letters' },
  { href: '/wall', title: 'Wall' },
  ...SERVICE_NAMES.map((name) => ({ href: `/services/${name}`, title: `Service ${name}` })),
];
