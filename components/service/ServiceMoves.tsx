'use client';

import { KEYBOARD_SCROLL } from '../visual/keyboard-scroll.ts';
import { BreakerMoves } from '../xray/BreakerMoves.tsx';

const MOVES_SHOWN = 12;

/** Every change of its breaker with the calls that led to it. */
export function ServiceMoves({ breaker }: { breaker: string }) {
  return (
    <section
      aria-label="What moved the breaker"
      className="panel max-h-96 overflow-y-auto px-3 py-2"
      {...KEYBOARD_SCROLL}
    >
      <BreakerMoves breaker={breaker} most={MOVES_SHOWN} />
    </section>
  );
}
