'use client';

import type { ServiceName } from '#lib/protocol/faults.ts';
import { faultsReaching } from '../services/service-view.ts';
import { useFaults } from '../stores/faults-store.ts';
import { useLive } from '../use-live.ts';
import { ActiveFault } from './ActiveFault.tsx';

/** What we have broken, who, how long left: everywhere, or what reaches one service. */
export function ActiveFaults({ service }: { service?: ServiceName }) {
  const all = useFaults((store) => store.faults);
  const faults = all && service ? faultsReaching(service, all) : all;
  const live = useLive();
  const old = live === 'stale' || live === 'no-data';
  const elsewhere = (all?.length ?? 0) - (faults?.length ?? 0);
  return (
    <section
      aria-label="Active faults"
      className={`panel flex shrink-0 flex-col ${service ? '' : 'max-h-[55%] has-[form]:max-h-[72%] max-wide:max-h-none'}`}
      data-in="live faults"
    >
      <h2 className="panel-title flex justify-between border-b border-line px-3 py-2">
        {service ? 'Faults in force here' : 'Active faults'}
        {old && <span className="ml-2 flex-1 tracking-normal text-ink normal-case">when last heard</span>}
        <span data-testid="active-fault-count">{faults?.length ?? '–'}</span>
      </h2>
      {!faults && <p className="px-3 py-2.5 text-muted">Not known yet.</p>}
      {faults?.length === 0 && (
        <p className="px-3 py-2.5 text-muted">
          Nothing is broken by us{service && ' here'}
          {elsewhere > 0 && `; ${elsewhere} ${elsewhere === 1 ? 'fault' : 'faults'} elsewhere`}.
        </p>
      )}
      {faults && faults.length > 0 && (
        <ul className="min-h-0 divide-y divide-line overflow-y-auto">
          {faults.map((fault) => (
            <ActiveFault fault={fault} key={fault.id} whole={service !== undefined} />
          ))}
        </ul>
      )}
    </section>
  );
}
