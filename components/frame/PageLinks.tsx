'use client';

import Link from 'next/link';
import { usePathname } from 'next/navigation';
import { PAGES } from './pages.ts';

/** The way to the other pages. */
export function PageLinks({ className }: { className: string }) {
  const here = usePathname();
  return (
    <nav aria-label="Pages" className={className}>
      <ul className="flex flex-wrap gap-0.5">
        {PAGES.map(({ href, title }) => (
          <li key={href}>
            <Link
              aria-current={href === here ? 'page' : undefined}
              className={`inline-flex min-h-7 items-center rounded-md px-2 text-[12px] font-medium whitespace-nowrap ${href === here ? 'bg-raised text-ink ring-1 ring-line-strong' : 'text-muted hover:text-ink'}`}
              href={href}
              prefetch={false}
            >
              {title}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
