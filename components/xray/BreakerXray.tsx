'use client';

import Link from 'next/link';
import { inSentence } from '../faults/fault-words.ts';
import { serviceOf } from '../services/service-parts.ts';
import { serviceViews } from '../services/service-view.ts';
import { useFaults } from '../stores/faults-store.ts';
import { useSystem } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { Modal } from '../visual/Modal.tsx';
import { count, percent, spokenDuration } from '../visual/quantity.ts';
import { BreakerByHand } from './BreakerByHand.tsx';
import { BreakerMachine } from './BreakerMachine.tsx';
import { BreakerMoves } from './BreakerMoves.tsx';
import { RestartProcess } from './RestartProcess.tsx';

const MOVES_SHOWN = 4;

/** Inside one service: its breaker as a state machine, the calls that move it, and the three commands by hand. */
export default function BreakerXray({ name }: { name: string }) {
  const pipeline = useSystem((store) => store.state?.pipeline ?? null);
  const faults = useFaults((store) => store.faults) ?? [];
  const view = pipeline ? serviceViews(pipeline, faults).find((each) => each.name === name) : undefined;
  const service = serviceOf(name);
  return (
    <Modal testId="xray" title={`${name}: ${view?.breaker ? 'circuit breaker' : 'service'}`}>
      {!view && <p className="text-muted">The pipeline does not report: everything here is UNKNOWN.</p>}
      {view && !view.breaker && (
        <p className="mb-3 text-muted">No breaker guards this service; it is only probed.</p>
      )}
      {view?.breaker && <BreakerMachine breaker={view.breaker} />}
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
      <div className="mt-4 space-y-3 border-t border-line pt-3">
        {view?.breaker && <BreakerMoves breaker={view.breaker.name} most={MOVES_SHOWN} />}
        {view?.breaker && <BreakerByHand breaker={view.breaker.name} />}
      </div>
      <RestartProcess service={name} />
      {service && (
        <Link
          className="small-button mt-4 min-h-8!"
          data-testid="xray-page"
          href={`/services/${service}`}
          onClick={() => useView.setState({ overlay: null })}
          prefetch={false}
        >
          All about {service}
        </Link>
      )}
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
