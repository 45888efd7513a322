'use client';

import Link from 'next/link';
import type { ServiceName } from '#lib/protocol/faults.ts';
import { SERVICE_NAMES } from '#lib/protocol/services.ts';
import { useFaults } from '../stores/faults-store.ts';
import { useSystem } from '../stores/state-store.ts';
import { INK, StatusMark } from '../visual/StatusMark.tsx';
import { serviceSubject } from './service-subject.ts';

/** The other services, each with its state. */
export function ServiceNav({ here }: { here: ServiceName }) {
  const state = useSystem((store) => store.state);
  const faults = useFaults((store) => store.faults) ?? [];
  return (
    <nav aria-label="Services" className="min-w-0">
      <ul className="flex flex-wrap gap-1">
        {SERVICE_NAMES.map((name) => {
          const { status, word } = serviceSubject(name, state, faults);
          return (
            <li key={name}>
              <Link
                aria-current={name === here ? 'page' : undefined}
                className={`inline-flex min-h-6 items-center gap-1 rounded-md px-1.5 text-[12px] ${name === here ? 'bg-raised font-semibold text-ink ring-1 ring-line-strong' : 'text-muted hover:text-ink'}`}
                data-testid={`nav-${name}`}
                href={`/services/${name}`}
                prefetch={false}
                title={word}
              >
                <span className={INK[status]}>
                  <StatusMark size={9} status={status} />
                </span>
                {name}
                {status !== 'normal' && <span className="sr-only">: {word}</span>}
              </Link>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}
