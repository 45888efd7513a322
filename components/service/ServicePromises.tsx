'use client';

import { useMemo } from 'react';
import type { Catalogue, Fault, ServiceName } from '#lib/protocol/faults.ts';
import { faultsReaching } from '../services/service-view.ts';
import { useCatalogue } from '../stores/catalogue-store.ts';
import { useFaults } from '../stores/faults-store.ts';
import { StatusMark } from '../visual/StatusMark.tsx';
import { promisesOf } from './promises.ts';

/** What must happen under the faults in force here, then under every fault that this service can have. */
export function ServicePromises({ service }: { service: ServiceName }) {
  const { phase, catalogue, error } = useCatalogue();
  const faults = useFaults((store) => store.faults);
  return (
    <section aria-label="Promises" className="panel" data-testid="service-promises">
      <h2 className="panel-title border-b border-line px-3 py-2">What must happen</h2>
      {phase === 'loading' && <p className="px-3 py-2.5 text-muted">Loading the fault catalogue.</p>}
      {phase === 'failed' && (
        <p className="px-3 py-2.5 text-muted">The fault catalogue could not be loaded: {error}</p>
      )}
      {catalogue && <Promises catalogue={catalogue} faults={faults ?? []} service={service} />}
    </section>
  );
}

interface PromisesProps {
  service: ServiceName;
  catalogue: Catalogue;
  faults: readonly Fault[];
}

function Promises({ service, catalogue, faults }: PromisesProps) {
  const { owed, others } = useMemo(
    () => promisesOf(service, catalogue, faultsReaching(service, faults)),
    [service, catalogue, faults],
  );
  return (
    <>
      <ul className="divide-y divide-line">
        {owed.length === 0 && <li className="px-3 py-2 text-muted">No fault is in force here.</li>}
        {owed.map(({ key, title, text }) => (
          <li className="hatch px-3 py-1.5" data-testid="promise-owed" key={key}>
            <p className="flex items-center gap-1.5 font-semibold text-injected-ink">
              <StatusMark size={10} status="injected" />
              {title}
            </p>
            <p className="text-[12px] text-muted">{text}</p>
          </li>
        ))}
      </ul>
      {others.length > 0 && (
        <details className="border-t border-line">
          <summary className="min-h-7 cursor-pointer px-3 py-1.5 text-muted">
            Under {owed.length > 0 ? 'the other' : 'its'} {others.length} fault types
          </summary>
          <dl className="space-y-1 px-3 pb-2 text-[12px]">
            {others.map(({ key, title, text }) => (
              <div key={key}>
                <dt className="font-semibold">{title}</dt>
                <dd className="text-muted">{text}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
    </>
  );
}
