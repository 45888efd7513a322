'use client';

import type { QueueStatus } from '#lib/protocol/state.ts';
import { count, spokenDuration } from '../visual/quantity.ts';
import { INK, type Status, StatusMark } from '../visual/StatusMark.tsx';
import { ageStatus, drainWords } from './queue-words.ts';
import type { ServiceSubject } from './service-subject.ts';

/** The queues that wait for it or lie in it: the oldest age first, for that is what is felt. */
export function ServiceQueues({ subject, stale }: { subject: ServiceSubject; stale: string }) {
  if (subject.queues.length === 0) return null;
  return (
    <section aria-label="Queues" className={`panel px-3 py-2 ${stale}`} data-testid="service-queues">
      <h2 className="panel-title mb-1.5">Queues</h2>
      <ul className="space-y-2">
        {subject.queues.map((queue) => (
          <Queue key={queue.name} queue={queue} />
        ))}
      </ul>
    </section>
  );
}

const AGE_WORD: Partial<Record<Status, string>> = { degraded: 'LATE', open: 'TOO LATE' };

function Queue({ queue }: { queue: QueueStatus }) {
  const status = ageStatus(queue.oldestAgeMs);
  const { tiers } = queue;
  return (
    <li data-testid={`queue-${queue.name}`}>
      <p className="flex flex-wrap items-baseline gap-x-2">
        <b className="font-semibold">{queue.name}</b>
        <span className={`inline-flex items-center gap-1 ${INK[status]}`}>
          {status !== 'normal' && <StatusMark size={9} status={status} />}
          {queue.oldestAgeMs === null ? 'empty' : `oldest ${spokenDuration(queue.oldestAgeMs)}`}{' '}
          {AGE_WORD[status]}
        </span>
        {queue.paused && <b className="font-semibold text-degraded-ink">PAUSED</b>}
      </p>
      <p className="text-[12px] text-muted">
        {count(queue.depth)} wait · {count(queue.inFlight)} in flight
        {queue.parked > 0 && ` · ${count(queue.parked)} parked`} · in {queue.inPerSecond.toFixed(1)}/s · out{' '}
        {queue.outPerSecond.toFixed(1)}/s · {drainWords(queue)}
      </p>
      <p
        className={`text-[12px] ${queue.tier === 'redis' ? 'text-muted' : 'font-semibold text-degraded-ink'}`}
      >
        new work goes to {queue.tier}
        {tiers.memory > 0 && ` · memory ${count(tiers.memory)} of ${count(tiers.memoryMax)}`}
        {tiers.disk > 0 && ` · disk ${count(tiers.disk)} of ${count(tiers.diskMax)}`}
        {queue.dropped > 0 && ` · ${count(queue.dropped)} dropped`}
      </p>
    </li>
  );
}
