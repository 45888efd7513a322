'use client';

import { partsOf } from '../services/service-parts.ts';
import { BreakerByHand } from '../xray/BreakerByHand.tsx';
import { BreakerMachine } from '../xray/BreakerMachine.tsx';
import { RestartProcess } from '../xray/RestartProcess.tsx';
import type { ServiceSubject } from './service-subject.ts';

/** The breaker whole: machine and commands by hand. */
export function ServiceBreaker({ subject, stale }: { subject: ServiceSubject; stale: string }) {
  const { name, breaker } = subject;
  return (
    <section
      aria-label="Circuit breaker"
      className={`panel px-3 py-2 ${stale}`}
      data-testid="service-breaker"
    >
      <h2 className="panel-title mb-2">
        Circuit breaker{breaker && breaker.name !== name && ` ${breaker.name}`}
      </h2>
      {!breaker && <p className="text-muted">{withoutBreaker(subject)}</p>}
      {breaker && (
        <div className="space-y-3">
          <BreakerMachine breaker={breaker} />
          <BreakerByHand breaker={breaker.name} />
        </div>
      )}
      <RestartProcess service={name} />
    </section>
  );
}

function withoutBreaker({ name, health, heard }: ServiceSubject): string {
  if (partsOf(name).breaker && !heard.pipeline) {
    return 'The pipeline does not report: the breaker is UNKNOWN.';
  }
  return health ? 'No breaker guards it; it is only probed.' : 'No breaker guards it.';
}
