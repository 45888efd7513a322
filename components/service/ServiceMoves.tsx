'use client';

import { BreakerMoves } from '../xray/BreakerMoves.tsx';

const MOVES_SHOWN = 12;

/** Every change of its breaker with the calls that led to it. */
export function ServiceMoves({ breaker }: { breaker: string }) {
  return (
    <section
      aria-label="What moved the breaker"
      className="panel max-h-96 overflow-y-auto px-3 py-2"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and the keyboard must be able to scroll it
      tabIndex={0}
    >
      <BreakerMoves breaker={breaker} most={MOVES_SHOWN} />
    </section>
  );
}
