'use client';

import Link from 'next/link';
import { useEffect, useState } from 'react';
import { SERVICE_NAMES } from '#lib/protocol/services.ts';
import { missingService } from './missing-service.ts';
import { PageFrame } from './PageFrame.tsx';

/** No such page, or no such service; HALT and the mode stay at hand. */
export function NotFound() {
  const [path, setPath] = useState('');
  // The address is known in the browser only: this page is prerendered once for all of them.
  useEffect(() => setPath(window.location.pathname), []);
  const name = missingService(path);
  return (
    <PageFrame title="Not found">
      <section
        className="panel mx-auto mt-8 w-full max-w-xl space-y-3 px-5 py-4"
        data-testid={name === null ? 'page-not-found' : 'service-not-found'}
      >
        <h3 className="text-base font-semibold [overflow-wrap:anywhere]">
          {name === null ? 'There is no such page' : `There is no service ${name}`}
        </h3>
        <p className="text-muted">
          {name === null
            ? 'The address may be mistyped. Nothing was changed.'
            : 'It has no breaker, no faults and no charts. These are the services of this system:'}
        </p>
        <ul className="flex flex-wrap gap-1.5">
          {SERVICE_NAMES.map((service) => (
            <li key={service}>
              <Link className="small-button min-h-8!" href={`/services/${service}`} prefetch={false}>
                {service}
              </Link>
            </li>
          ))}
        </ul>
      </section>
    </PageFrame>
  );
}
