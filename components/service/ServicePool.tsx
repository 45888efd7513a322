'use client';

import { count } from '../visual/quantity.ts';
import { StatusMark } from '../visual/StatusMark.tsx';
import type { ServiceSubject } from './service-subject.ts';

/** The pool of connections: in use, idle, who waits, what leaked. */
export function ServicePool({ subject, stale }: { subject: ServiceSubject; stale: string }) {
  const { pool } = subject;
  if (!pool) return null;
  const capacity = Math.max(pool.size, pool.active + pool.idle);
  const share = (value: number) => `${(value / Math.max(1, capacity)) * 100}%`;
  const exhausted = pool.waiting > 0;
  return (
    <section aria-label="Connection pool" className={`panel px-3 py-2 ${stale}`} data-testid="service-pool">
      <h2 className="panel-title mb-1.5 flex items-center justify-between">
        Connection pool
        {exhausted && (
          <span className="inline-flex items-center gap-1 text-degraded-ink">
            <StatusMark size={10} status="degraded" /> {count(pool.waiting)} WAIT
          </span>
        )}
      </h2>
      <div
        aria-hidden="true"
        className="flex h-4 overflow-hidden rounded border border-line-strong"
        title={`${pool.active} of ${capacity} in use`}
      >
        <span style={{ width: share(pool.active - pool.leaked), background: 'var(--area-1)' }} />
        <span className="bg-open" style={{ width: share(pool.leaked) }} />
        <span style={{ width: share(pool.idle), background: 'var(--area-3)' }} />
      </div>
      <p className="mt-1 text-[12px] text-muted">
        <b className="font-semibold text-ink">{count(pool.active)}</b> in use
        {pool.leaked > 0 && (
          <b className="font-semibold text-open-ink"> · {count(pool.leaked)} of them LEAKED</b>
        )}{' '}
        · {count(pool.idle)} idle · {count(pool.waiting)} wait · {pool.size} stay
        {pool.overflow > 0 && ` · ${pool.overflow} beyond them`}
      </p>
    </section>
  );
}
