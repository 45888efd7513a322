'use client';

import { useFacts } from '../stores/facts-store.ts';
import type { ObservedFault } from '../stores/faults-store.ts';
import { propagation } from './propagation.ts';

/** How far the fault has come: to the service, its breaker, the mode. */
export function Stopwatch({ fault }: { fault: ObservedFault }) {
  const facts = useFacts((log) => log.facts);
  const reached = propagation(facts, fault);
  const steps: [string, number | null][] = [
    ['down', reached.serviceDownMs],
    ['breaker', reached.breakerOpenMs],
    ['mode', reached.modeChangeMs],
  ];
  return (
    <p className="flex flex-wrap gap-x-2 text-[12px] text-muted" data-testid="stopwatch">
      {steps.map(([word, ms]) => (
        <span className="whitespace-nowrap" key={word}>
          {word}{' '}
          {ms === null ? (
            <>
              –<span className="sr-only"> not yet</span>
            </>
          ) : (
            <b className="font-semibold text-ink">+{(ms / 1000).toFixed(1)} s</b>
          )}
        </span>
      ))}
      {reached.deadLetters > 0 && (
        <span className="whitespace-nowrap" title="Dead-lettered while it was in force">
          <b className="font-semibold text-ink">{reached.deadLetters}</b>{' '}
          {reached.deadLetters === 1 ? 'letter' : 'letters'}
        </span>
      )}
    </p>
  );
}
