'use client';

import { useState } from 'react';
import type { BreakerCommand } from '#lib/protocol/events.ts';
import type { BreakerState, BreakerStatus } from '#lib/protocol/state.ts';
import { inSentence } from '../faults/fault-words.ts';
import { serviceViews } from '../services/service-view.ts';
import { command } from '../socket.ts';
import { useFacts } from '../stores/facts-store.ts';
import { describeProblem, useFaults } from '../stores/faults-store.ts';
import { serverNow, useSystem } from '../stores/state-store.ts';
import { sentence } from '../story/story-sentence.ts';
import { Modal } from '../visual/Modal.tsx';
import { clockDuration, count, percent, spokenDuration, timeOfDay } from '../visual/quantity.ts';
import { BREAKER_STATUS, BREAKER_WORD, CHIP, StatusMark } from '../visual/StatusMark.tsx';
import { useClock } from '../visual/use-clock.ts';
import { RestartProcess } from './RestartProcess.tsx';

const TRANSITIONS_SHOWN = 6;

/** Inside one service: its breaker as a state machine, the calls that move it, and the three commands by hand. */
export default function BreakerXray({ name }: { name: string }) {
  useClock(500);
  const pipeline = useSystem((store) => store.state?.pipeline ?? null);
  const faults = useFaults((store) => store.faults) ?? [];
  const view = pipeline ? serviceViews(pipeline, faults).find((each) => each.name === name) : undefined;
  return (
    <Modal testId="xray" title={`${name}: ${view?.breaker ? 'circuit breaker' : 'service'}`}>
      {!view && <p className="text-muted">The pipeline does not report: everything here is UNKNOWN.</p>}
      {view && !view.breaker && (
        <p className="mb-3 text-muted">No breaker guards this service; it is only probed.</p>
      )}
      {view?.breaker && <Machine breaker={view.breaker} />}
      {view && (
        <dl className="mt-4 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-muted">
          <Row word="Calls of the last 10 s">
            {view.dependency
              ? `${view.dependency.callsPerSecond.toFixed(1)}/s · ${percent(view.dependency.errorRatio)} failed · ${view.dependency.injected} injected · ${view.dependency.organic} organic`
              : 'not measured'}
          </Row>
          <Row word="Latency">
            {view.dependency?.p50Ms == null
              ? 'no calls'
              : `p50 ${spokenDuration(view.dependency.p50Ms)} · p95 ${spokenDuration(view.dependency.p95Ms ?? 0)} · p99 ${spokenDuration(view.dependency.p99Ms ?? 0)}`}
          </Row>
          {view.breaker && (
            <Row word="Since the start">
              {`${count(view.breaker.calls.succeeded)} well · ${count(view.breaker.calls.failed)} failed (${count(view.breaker.calls.injected)} injected, ${count(view.breaker.calls.organic)} organic) · ${count(view.breaker.calls.rejected)} rejected while open`}
            </Row>
          )}
          <Row word="Newest error">{view.breaker?.lastError ?? view.health?.error ?? 'none'}</Row>
          <Row word="Faults of ours on it">
            {view.faults.length === 0
              ? 'none'
              : view.faults.map((fault) => `${fault.service} ${inSentence(fault.title)}`).join(', ')}
          </Row>
        </dl>
      )}
      {view?.breaker && <Transitions name={name} />}
      {view?.breaker && <ByHand breaker={view.breaker} />}
      <RestartProcess service={name} />
    </Modal>
  );
}

function Row({ word, children }: { word: string; children: string }) {
  return (
    <>
      <dt className="text-faint">{word}</dt>
      <dd className="[overflow-wrap:anywhere] text-ink">{children}</dd>
    </>
  );
}

/** The ways a breaker goes, the present state filled, and what moves it next. */
function Machine({ breaker }: { breaker: BreakerStatus }) {
  const held = breaker.state === 'FORCED_OPEN';
  const states: BreakerState[] = ['CLOSED', held ? 'FORCED_OPEN' : 'OPEN', 'HALF_OPEN'];
  return (
    <div>
      <ol className="grid grid-cols-[1fr_auto_1fr_auto_1fr] items-center gap-2 text-[12px]">
        {states.map((state, index) => {
          const here = state === breaker.state;
          const status = BREAKER_STATUS[state];
          return [
            index > 0 && (
              <li aria-hidden="true" className="text-center text-faint" key={`to-${state}`}>
                →
              </li>
            ),
            <li
              aria-current={here ? 'step' : undefined}
              className={`flex items-center justify-center gap-1.5 rounded-md border-2 px-2 py-2 font-bold ${here ? CHIP[status] : 'border-line text-muted'}`}
              key={state}
            >
              <StatusMark size={12} status={status} />
              {BREAKER_WORD[state]}
            </li>,
          ];
        })}
      </ol>
      <p className="mt-2" data-testid="xray-next">
        {nextStep(breaker)}{' '}
        <span className="text-muted">In this state for {clockDuration(serverNow() - breaker.since)}.</span>
      </p>
    </div>
  );
}

function nextStep(breaker: BreakerStatus): string {
  switch (breaker.state) {
    case 'CLOSED':
      return `${breaker.failures} of ${breaker.failureThreshold} failures in a row; the last one opens it.`;
    case 'OPEN':
      return breaker.retryAfterMs === null
        ? 'Calls are rejected at once.'
        : `Calls are rejected at once; a trial in ${Math.ceil(breaker.retryAfterMs / 1000)} s.`;
    case 'HALF_OPEN':
      return `${breaker.successes} of ${breaker.successThreshold} trials went well, ${breaker.trials} of ${breaker.halfOpenMaxCalls} under way; one failure opens it again.`;
    case 'FORCED_OPEN':
      return 'Held open by hand: no trial is made until somebody closes or resets it.';
  }
}

function Transitions({ name }: { name: string }) {
  const facts = useFacts((log) => log.facts);
  const moves = facts
    .filter((fact) => fact.type === 'breakerChanged' && fact.data.breaker === name)
    .slice(-TRANSITIONS_SHOWN)
    .reverse();
  return (
    <div className="mt-4 border-t border-line pt-3">
      <h3 className="panel-title mb-1">What moved it</h3>
      {moves.length === 0 && <p className="text-muted">It has not moved.</p>}
      <ul>
        {moves.map((fact) => (
          <li className="flex gap-3" key={fact.seq}>
            <time className="text-faint">{timeOfDay(fact.at)}</time> {sentence(fact).text}
          </li>
        ))}
      </ul>
    </div>
  );
}

const COMMANDS: { command: BreakerCommand; word: string; help: string }[] = [
  { command: 'open', word: 'Hold open', help: 'Rejects every call until closed or reset' },
  { command: 'close', word: 'Close', help: 'Lets calls through now' },
  { command: 'reset', word: 'Reset', help: 'Closed, with its counts at zero' },
];

function ByHand({ breaker }: { breaker: BreakerStatus }) {
  const [refusal, setRefusal] = useState<string | null>(null);
  const [busy, setBusy] = useState<BreakerCommand | null>(null);
  const send = async (each: BreakerCommand) => {
    setBusy(each);
    const answer = await command('breaker:command', { name: breaker.name, command: each });
    setRefusal(answer.ok ? null : describeProblem(answer.error));
    setBusy(null);
  };
  return (
    <div className="mt-4 flex flex-wrap items-center gap-2 border-t border-line pt-3">
      <span className="text-muted">By hand:</span>
      {COMMANDS.map((each) => (
        <button
          aria-busy={busy === each.command}
          className="small-button min-h-8!"
          data-testid={`xray-${each.command}`}
          key={each.command}
          onClick={() => void send(each.command)}
          title={each.help}
          type="button"
        >
          {each.word}
        </button>
      ))}
      {refusal && (
        <p className="basis-full font-semibold text-open-ink" role="alert">
          {refusal}
        </p>
      )}
    </div>
  );
}
