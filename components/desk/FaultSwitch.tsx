'use client';

import type { ReactNode } from 'react';
import { type ObservedFault, useFaults } from '../stores/faults-store.ts';
import { LeaseRing } from '../visual/LeaseRing.tsx';
import { clockDuration } from '../visual/quantity.ts';
import { useClock } from '../visual/use-clock.ts';
import { type SwitchState, switchState } from './switch-state.ts';

interface FaultSwitchProps {
  testId: string;
  /** Where commands and refusals of this switch are kept. */
  pendingKey: string;
  label: string;
  description: string;
  /** The observed faults behind it; empty when it is off. */
  active: readonly ObservedFault[];
  onStart: () => void;
  onStop: () => void;
  children?: ReactNode;
}

const WORD: Record<SwitchState, string> = { off: 'off', arming: 'arming', on: 'on', clearing: 'clearing' };

/** Shows what is observed, never the wish. The label stays the same in every state. */
export function FaultSwitch(props: FaultSwitchProps) {
  const { testId, pendingKey, label, description, active, onStart, onStop, children } = props;
  const pending = useFaults((store) => store.pending[pendingKey]);
  const refusal = useFaults((store) =>
    store.refusal?.key === pendingKey && !(store.refusal.unanswered && active.length > 0)
      ? store.refusal.text
      : null,
  );
  const known = useFaults((store) => store.faults !== null);
  const on = active.length > 0;
  const state = switchState(on, pending);
  const busy = state === 'arming' || state === 'clearing';
  return (
    <li>
      <div className={`flex items-center rounded-md ${on ? 'hatch' : 'hover:bg-raised'}`}>
        <button
          aria-busy={busy}
          aria-checked={on}
          className="flex min-h-7 min-w-0 flex-1 items-center gap-2 rounded-md px-2 text-left disabled:opacity-50"
          data-switch={state}
          data-testid={testId}
          disabled={!known}
          onClick={() => {
            if (busy) return;
            if (on) onStop();
            else onStart();
          }}
          role="switch"
          title={description}
          type="button"
        >
          <Track state={state} />
          <span className={`min-w-0 flex-1 truncate ${on ? 'font-semibold text-ink' : 'text-ink'}`}>
            {label}
          </span>
          <span className={`text-[11px] ${on || busy ? 'font-semibold text-injected-ink' : 'text-faint'}`}>
            {on && !busy ? <LeaseLeft fault={active[0]} /> : WORD[state]}
          </span>
        </button>
        {children}
      </div>
      {refusal && (
        <p
          className="mx-2 my-1 rounded border-l-2 border-open bg-raised px-2 py-1 text-[12px] text-open-ink"
          data-testid="fault-refusal"
          role="alert"
        >
          {refusal}
        </p>
      )}
    </li>
  );
}

function LeaseLeft({ fault }: { fault: ObservedFault | undefined }) {
  const nowMs = useClock(500);
  if (!fault) return null;
  return (
    <span className="inline-flex items-center gap-1">
      {clockDuration(fault.deadlineMs - nowMs + 499)}
      <LeaseRing deadlineMs={fault.deadlineMs} size={13} ttlMs={fault.ttlMs} />
    </span>
  );
}

/** Nothing that moves or shines through: each such change has the whole page put into layers anew, 10 ms a click. */
function Track({ state }: { state: SwitchState }) {
  const on = state === 'on' || state === 'clearing';
  const busy = state === 'arming' || state === 'clearing';
  return (
    <span
      aria-hidden="true"
      className={`relative inline-block h-4 w-7 shrink-0 rounded-full border ${on ? 'border-injected bg-injected' : 'border-line-strong bg-ground'} ${busy ? 'border-dashed' : ''}`}
    >
      <span
        className={`absolute top-[2px] size-2.5 rounded-full ${state === 'arming' ? 'left-2 bg-injected' : on ? 'left-3.5 bg-on-fill' : 'left-[2px] bg-muted'}`}
      />
    </span>
  );
}
