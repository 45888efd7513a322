'use client';

import { OctagonX } from 'lucide-react';
import { useHalt } from '../halt-command.ts';
import { describeProblem } from '../stores/faults-store.ts';
import { useWakeLock, type WakeState } from './use-wake-lock.ts';

const WAKE: Record<WakeState, string> = {
  asking: '',
  awake: 'The screen is kept awake.',
  released: 'The screen may go dark: the lock was taken away.',
  unavailable: 'This browser does not keep the screen awake here; set that in the system.',
};

/** Where is STOP? And whether this screen stays on. */
export function WallFoot() {
  const wake = useWakeLock();
  const phase = useHalt((store) => store.phase);
  const problem = useHalt((store) => store.problem);
  return (
    <footer className="flex flex-wrap items-center gap-x-4 gap-y-2 text-muted max-wide:sticky max-wide:bottom-0 max-wide:-mx-4 max-wide:-mb-4 max-wide:bg-ground max-wide:px-4 max-wide:py-2">
      <a
        className="inline-flex min-h-11 items-center gap-2 rounded-md border-2 border-loss bg-loss px-5 text-[24px] font-bold text-on-fill"
        data-testid="wall-stop"
        href="/halt"
      >
        <OctagonX aria-hidden="true" size={26} />
        {phase === 'halting' ? 'HALTING' : 'STOP: /halt'}
      </a>
      <p className="max-sm:hidden">or Escape Escape here, or HALT ALL on any console</p>
      {problem && (
        <p className="font-semibold text-loss-ink" role="alert">
          {describeProblem(problem)}
        </p>
      )}
      <p className="ml-auto max-sm:hidden" data-testid="wake-lock" data-wake={wake}>
        {WAKE[wake]}
      </p>
    </footer>
  );
}
