import Link from 'next/link';

const PAGES = [
  ['/', 'Console'],
  ['/timeline', 'Timeline'],
  ['/gpu', 'GPU'],
  ['/dlq', 'Dead letters'],
  ['/wall', 'Wall'],
] as const;

/** The way to the other pages. */
export function PageLinks({ here }: { here: (typeof PAGES)[number][0] }) {
  return (
    <nav aria-label="Pages" className="flex gap-1">
      {PAGES.map(([path, word]) => (
        <Link
          aria-current={path === here ? 'page' : undefined}
          className={`inline-flex min-h-7 items-center rounded-md px-2.5 text-[12px] font-medium ${path === here ? 'bg-raised text-ink ring-1 ring-line-strong' : 'text-muted hover:text-ink'}`}
          href={path}
          key={path}
          prefetch={false}
        >
          {word}
        </Link>
      ))}
    </nav>
  );
}
