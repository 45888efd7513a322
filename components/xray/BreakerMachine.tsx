'use client';

import type { BreakerState, BreakerStatus } from '#lib/protocol/state.ts';
import { serverNow, useSystem } from '../stores/state-store.ts';
import { clockDuration } from '../visual/quantity.ts';
import { BREAKER_STATUS, BREAKER_WORD, CHIP, StatusMark } from '../visual/StatusMark.tsx';
import { useClock } from '../visual/use-clock.ts';
import { type Countdown, countdown, nextStep } from './breaker-steps.ts';

/** The ways a breaker goes: the present state filled, what is counted in each, and what moves it next. */
export function BreakerMachine({ breaker }: { breaker: BreakerStatus }) {
  useClock(250);
  const reportedAt = useSystem(({ state }) => (state ? state.at - (state.pipeline?.ageMs ?? 0) : 0));
  const held = breaker.state === 'FORCED_OPEN';
  const states: BreakerState[] = ['CLOSED', held ? 'FORCED_OPEN' : 'OPEN', 'HALF_OPEN'];
  const wait = countdown(breaker, reportedAt, serverNow());
  return (
    <div data-state={breaker.state} data-testid="breaker-machine">
      <ol className="grid gap-2 sm:grid-cols-3">
        {states.map((state) => (
          <MachineState breaker={breaker} key={state} state={state} wait={wait} />
        ))}
      </ol>
      <p className="mt-2" data-testid="xray-next">
        {nextStep(breaker, wait)}{' '}
        <span className="text-muted">In this state for {clockDuration(serverNow() - breaker.since)}.</span>
      </p>
    </div>
  );
}

interface MachineStateProps {
  breaker: BreakerStatus;
  state: BreakerState;
  wait: Countdown | null;
}

function MachineState({ breaker, state, wait }: MachineStateProps) {
  const here = state === breaker.state;
  const status = BREAKER_STATUS[state];
  return (
    <li
      aria-current={here ? 'step' : undefined}
      className={`flex min-w-0 flex-col gap-1 rounded-md border-2 px-2 py-1.5 ${here ? 'border-line-strong' : 'border-line'}`}
    >
      <span
        className={`inline-flex items-center justify-center gap-1.5 rounded border px-2 py-0.5 text-[12px] font-bold ${here ? CHIP[status] : 'border-transparent text-muted'}`}
      >
        <StatusMark size={12} status={status} />
        {BREAKER_WORD[state]}
      </span>
      <Counted breaker={breaker} here={here} state={state} wait={wait} />
      <span className="text-[11px] text-muted">{wayOut(breaker, state)}</span>
    </li>
  );
}

/** What is counted in a state: full while the breaker is there, empty otherwise. */
function Counted({ breaker, state, here, wait }: MachineStateProps & { here: boolean }) {
  switch (state) {
    case 'CLOSED':
      return (
        <Pips filled={here ? breaker.failures : 0} of={breaker.failureThreshold} word="failures in a row" />
      );
    case 'HALF_OPEN':
      return (
        <Pips filled={here ? breaker.successes : 0} of={breaker.successThreshold} word="trials went well" />
      );
    case 'OPEN':
      return (
        <span
          className="relative block h-4 overflow-hidden rounded border border-line-strong text-center text-[10px] leading-[14px] font-semibold"
          data-testid="xray-countdown"
        >
          {here && wait && (
            <span
              aria-hidden="true"
              className="absolute inset-y-0 left-0 bg-line-strong/60"
              style={{ width: `${wait.leftShare * 100}%` }}
            />
          )}
          <span className="relative">
            {here && wait ? `trial in ${(wait.leftMs / 1000).toFixed(1)} s` : 'no countdown'}
          </span>
        </span>
      );
    case 'FORCED_OPEN':
      return <span className="text-center text-[10px] leading-4 font-semibold">no countdown</span>;
  }
}

/** More than this are drawn as a share of one bar. */
const PIPS_MAX = 12;

function Pips({ filled, of, word }: { filled: number; of: number; word: string }) {
  const shown = Math.min(of, PIPS_MAX);
  const full = Math.round((Math.min(filled, of) / of) * shown);
  return (
    <span className="flex h-4 items-center gap-1 text-[11px]">
      {Array.from({ length: shown }, (_, index) => `pip-${index}`).map((key, index) => (
        <span
          aria-hidden="true"
          className={`h-2.5 min-w-1 flex-1 rounded-[2px] border border-line-strong ${index < full ? 'bg-ink' : ''}`}
          key={key}
        />
      ))}
      <b className="font-semibold">
        {filled}/{of}
      </b>
      <span className="sr-only">{word}</span>
    </span>
  );
}

/** The arrows of the machine, in words. */
function wayOut(breaker: BreakerStatus, state: BreakerState): string {
  switch (state) {
    case 'CLOSED':
      return `→ OPEN at ${breaker.failureThreshold} failures in a row`;
    case 'OPEN':
      return '→ HALF-OPEN when the time is up';
    case 'FORCED_OPEN':
      return '→ CLOSED by hand only';
    case 'HALF_OPEN':
      return `→ CLOSED at ${breaker.successThreshold} good trials, ${breaker.halfOpenMaxCalls} at once · → OPEN at one failure`;
  }
}
