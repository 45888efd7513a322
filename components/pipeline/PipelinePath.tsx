'use client';

import { Fragment, memo, useDeferredValue } from 'react';
import type { State } from '#lib/protocol/state.ts';
import { currentReport } from '../answers/answers.ts';
import { faultsOn } from '../services/service-view.ts';
import type { LiveState } from '../stores/connection-store.ts';
import { type ObservedFault, useFaults } from '../stores/faults-store.ts';
import { useDetail } from '../stores/state-store.ts';
import { staleClass, useLive } from '../use-live.ts';
import { clockDuration, compact, spokenDuration } from '../visual/quantity.ts';
import { BREAKER_STATUS, BREAKER_WORD, INK, type Status, StatusMark } from '../visual/StatusMark.tsx';

interface Stage {
  name: string;
  kind: 'node' | 'queue';
  status: Status;
  /** Second line: what this stage holds. */
  detail: string;
  faults: readonly ObservedFault[];
  /** Flow into the next stage, items a second; null is unknown. */
  ratePerSecond: number | null;
  warn?: boolean;
}

/** The path of the work: state on the nodes, rates on the edges, a bolt where a fault of ours acts. */
export function PipelinePath() {
  const state = useDetail((store) => store.state);
  const faults = useDeferredValue(useFaults((store) => store.faults));
  return <Path faults={faults} live={useLive()} state={state} />;
}

interface PathProps {
  state: State | null;
  faults: readonly ObservedFault[] | null;
  live: LiveState;
}

const Path = memo(function Path({ state, faults, live }: PathProps) {
  const stages = pipelineStages(state, faults ?? []);
  return (
    <section
      aria-label="Pipeline"
      className={`panel px-2 py-1.5 ${staleClass(live, currentReport(state)?.ageMs ?? 0)}`}
      data-in="live"
      data-testid="pipeline"
    >
      <ol className="grid grid-cols-2 gap-x-4 gap-y-1.5 sm:grid-cols-5 wide:flex wide:items-stretch wide:gap-0">
        {stages.map((stage, index) => (
          <Fragment key={stage.name}>
            <li
              className={`min-w-0 rounded-md border px-1.5 py-1 wide:flex-[1_1_0] ${stage.faults.length > 0 ? 'hatch border-injected' : 'border-line'} ${stage.kind === 'queue' ? 'bg-raised' : ''}`}
            >
              <p className="flex items-center gap-1">
                <span className={INK[stage.status]}>
                  <StatusMark size={9} status={stage.status} />
                </span>
                <b className="truncate text-[12px] font-semibold">{stage.name}</b>
                {stage.faults.length > 0 && (
                  <span
                    className="ml-auto text-injected-ink"
                    title={stage.faults.map((fault) => fault.title).join(', ')}
                  >
                    <StatusMark size={10} status="injected" />
                    <span className="sr-only">fault acts here</span>
                  </span>
                )}
              </p>
              <p
                className={`truncate text-[11px] ${stage.warn ? 'font-semibold text-degraded-ink' : 'text-muted'}`}
                title={stage.detail}
              >
                {stage.detail}
              </p>
            </li>
            {index < stages.length - 1 && <Edge ratePerSecond={stage.ratePerSecond} />}
          </Fragment>
        ))}
      </ol>
    </section>
  );
});

function Edge({ ratePerSecond }: { ratePerSecond: number | null }) {
  return (
    <li
      aria-label={ratePerSecond === null ? 'rate unknown' : `${compact(ratePerSecond)} a second`}
      className="hidden w-7 shrink-0 flex-col items-center justify-center wide:flex"
    >
      <span className="text-[10px] leading-3 text-faint">
        {ratePerSecond === null
          ? ''
          : `${ratePerSecond < 10 ? Number(ratePerSecond.toFixed(1)) : compact(ratePerSecond)}/s`}
      </span>
      <svg aria-hidden="true" height="8" viewBox="0 0 28 8" width="24">
        <path
          d="M1 4h23m-4-3 4 3-4 3"
          fill="none"
          stroke={ratePerSecond ? 'var(--muted)' : 'var(--line-strong)'}
          strokeDasharray={ratePerSecond ? undefined : '2 2'}
          strokeWidth="1.4"
        />
      </svg>
    </li>
  );
}

const AGE_WARN_MS = 10_000;

/** Beside a count there is little room: minutes as on a clock. */
function shortAge(ms: number): string {
  return ms < 60_000 ? spokenDuration(ms) : clockDuration(ms);
}

function pipelineStages(state: State | null, faults: readonly ObservedFault[]): Stage[] {
  const pipeline = currentReport(state);
  const detection = pipeline?.queues.find((queue) => queue.name === 'detection');
  const analysis = pipeline?.queues.find((queue) => queue.name === 'analysis');
  const cameras = state?.cameras?.cameras;
  const failing = cameras?.filter((camera) => camera.lastError !== null).length ?? 0;
  const waiting = cameras?.reduce((sum, camera) => sum + camera.pending, 0) ?? 0;

  const service = (name: string): Pick<Stage, 'status' | 'faults'> => {
    const breaker = pipeline?.breakers.find((each) => each.name === name);
    const health = pipeline?.services.find((each) => each.name === name);
    const acting = faultsOn(name, faults);
    if (!pipeline) return { status: 'unknown', faults: acting };
    if (breaker && breaker.state !== 'CLOSED')
      return { status: BREAKER_STATUS[breaker.state], faults: acting };
    return { status: health && !health.healthy ? 'open' : 'normal', faults: acting };
  };
  const latency = (name: string) => {
    const dependency = pipeline?.dependencies.find((each) => each.name === name);
    return dependency?.p50Ms == null ? null : `p50 ${spokenDuration(dependency.p50Ms)}`;
  };
  /** The word of what is wrong before the rest: shape and colour alone are not for everybody. */
  const told = (name: string, detail: string | null, idle = 'no calls') => {
    if (!pipeline) return 'unknown';
    const breaker = pipeline.breakers.find((each) => each.name === name)?.state ?? 'CLOSED';
    const down = pipeline.services.some((each) => each.name === name && !each.healthy);
    const wrong = breaker === 'CLOSED' ? down && 'DOWN' : BREAKER_WORD[breaker];
    return [wrong, detail].filter(Boolean).join(' · ') || idle;
  };
  const queue = (name: string, status: typeof detection): Stage => ({
    name,
    kind: 'queue',
    status: !status ? 'unknown' : status.tier === 'redis' ? 'normal' : 'degraded',
    detail: !status
      ? 'unknown'
      : `${status.depth} ${status.tier === 'redis' ? 'wait' : status.tier}${status.oldestAgeMs === null ? '' : ` · ${shortAge(status.oldestAgeMs)}`}`,
    warn: status !== undefined && ((status.oldestAgeMs ?? 0) > AGE_WARN_MS || status.tier !== 'redis'),
    faults: faultsOn('redis', faults), // where both queues live
    ratePerSecond: status?.outPerSecond ?? null,
  });
  const own = (service: string) => faults.filter((fault) => fault.service === service);

  return [
    {
      name: 'cameras',
      kind: 'node',
      status: !cameras ? 'unknown' : failing > 0 ? 'degraded' : 'normal',
      detail: !cameras
        ? 'no report'
        : failing > 0
          ? `${failing} failing · ${waiting} kept`
          : `${cameras.length} sending`,
      warn: failing > 0,
      faults: [],
      ratePerSecond: detection?.inPerSecond ?? null,
    },
    {
      name: 'ftp',
      kind: 'node',
      ...service('ftp'),
      detail: told('ftp', latency('ftp'), 'uploads'),
      ratePerSecond: detection?.inPerSecond ?? null,
    },
    {
      name: 'watcher',
      kind: 'node',
      status: pipeline ? 'normal' : 'unknown',
      detail: pipeline ? `inbox ${pipeline.ledger.inbox}` : 'no report',
      faults: own('pipeline'),
      ratePerSecond: detection?.inPerSecond ?? null,
    },
    queue('detection', detection),
    {
      name: 'yolo26',
      kind: 'node',
      ...service('yolo26'),
      detail: told('yolo26', latency('yolo26')),
      ratePerSecond: analysis?.inPerSecond ?? null,
    },
    queue('analysis', analysis),
    {
      name: 'nemotron',
      kind: 'node',
      ...service('nemotron'),
      detail: told('nemotron', latency('nemotron')),
      ratePerSecond: analysis?.outPerSecond ?? null,
    },
    {
      name: 'database',
      kind: 'node',
      ...service('database'),
      detail: told('database', latency('database')),
      ratePerSecond: analysis?.outPerSecond ?? null,
    },
    {
      name: 'pubsub',
      kind: 'node',
      ...service('pubsub'),
      detail: told('pubsub', `${pipeline?.viewers.unheard ?? 0} unheard`),
      ratePerSecond: analysis?.outPerSecond ?? null,
    },
    {
      name: 'viewers',
      kind: 'node',
      status: pipeline ? 'normal' : 'unknown',
      detail: pipeline ? `${pipeline.viewers.connected} connected` : 'no report',
      faults: [],
      ratePerSecond: null,
    },
  ];
}
