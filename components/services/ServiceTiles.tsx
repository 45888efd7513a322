'use client';

import { ArrowUpRight } from 'lucide-react';
import Link from 'next/link';
import { memo, useDeferredValue, useRef } from 'react';
import type { State } from '#lib/protocol/state.ts';
import type { LiveState } from '../stores/connection-store.ts';
import { type ObservedFault, useFaults } from '../stores/faults-store.ts';
import { serverNow, useDetail } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { staleClass, useLive } from '../use-live.ts';
import { clockDuration, compact, count, exactTime, percent, spokenDuration } from '../visual/quantity.ts';
import { BORDER, BREAKER_WORD, CHIP, INK, StatusMark } from '../visual/StatusMark.tsx';
import { useClock } from '../visual/use-clock.ts';
import { serviceOf } from './service-parts.ts';
import { holdOrder, type ServiceView, serviceViews } from './service-view.ts';

const HOLD_MS = 10_000;

/** Every dependency, worst first: breaker, time in state, failures split into ours and not ours. */
export function ServiceTiles() {
  const pipeline = useDetail((store) => store.state?.pipeline);
  const faults = useDeferredValue(useFaults((store) => store.faults));
  return <Tiles faults={faults} live={useLive()} pipeline={pipeline} />;
}

interface TilesProps {
  pipeline: State['pipeline'] | undefined;
  faults: readonly ObservedFault[] | null;
  live: LiveState;
}

const Tiles = memo(function Tiles({ pipeline, faults, live }: TilesProps) {
  const nowMs = useClock(1_000);
  const order = useRef<{ names: string[]; sortedMs: number; held: boolean }>({
    names: [],
    sortedMs: 0,
    held: false,
  });
  const views = pipeline ? serviceViews(pipeline, faults ?? []) : [];
  const wanted = views.map((view) => view.name);
  const current = order.current;
  if (!current.held && (nowMs - current.sortedMs > HOLD_MS || current.names.length === 0)) {
    current.names = wanted;
    current.sortedMs = nowMs;
  } else current.names = holdOrder(current.names, wanted);
  const shown = current.names.flatMap((name) => views.find((view) => view.name === name) ?? []);
  const hold = (held: boolean) => () => {
    current.held = held;
  };
  return (
    <section aria-label="Services" data-in="live queues">
      {!pipeline && (
        // As high as the tiles, so that what is below stays where it is when they come.
        <p className="panel stale min-h-150 px-3 py-3 text-muted min-[520px]:min-h-75 md:min-h-56 wide:min-h-36">
          No report from the pipeline: breakers and services are UNKNOWN.
        </p>
      )}
      <ul
        className="grid grid-cols-1 gap-1.5 min-[520px]:grid-cols-2 md:grid-cols-3 wide:grid-cols-4"
        onBlur={hold(false)}
        onFocus={hold(true)}
        onPointerEnter={hold(true)}
        onPointerLeave={hold(false)}
      >
        {shown.map((view) => (
          <ServiceTile key={view.name} stale={staleClass(live, pipeline?.ageMs)} view={view} />
        ))}
      </ul>
    </section>
  );
});

function ServiceTile({ view, stale }: { view: ServiceView; stale: string }) {
  const { name, breaker, health, dependency, faults, status } = view;
  const since = breaker?.since ?? health?.since ?? null;
  const injected = dependency?.injected ?? breaker?.calls.injected ?? 0;
  const organic = dependency?.organic ?? breaker?.calls.organic ?? 0;
  const errorRatio = dependency?.errorRatio ?? null;
  const service = serviceOf(name);
  const down = health?.healthy === false;
  return (
    <li
      className={`panel relative min-w-0 px-2 py-1.5 hover:border-muted ${BORDER[status] ?? ''} ${faults.length > 0 ? 'hatch' : ''} ${stale}`}
      data-state={status}
      data-testid={`service-${name}`}
      title={health?.error ?? breaker?.lastError ?? undefined}
    >
      <div className="flex items-center gap-1">
        <button
          aria-haspopup="dialog"
          className="min-h-5 truncate text-left font-semibold after:absolute after:inset-0 after:rounded-lg after:content-['']"
          data-testid={`xray-open-${name}`}
          onClick={() => useView.setState({ overlay: { xray: name } })}
          title="Look inside: state, calls, by hand"
          type="button"
        >
          {name}
        </button>
        {breaker ? (
          <span
            className={`ml-auto inline-flex shrink-0 items-center gap-0.5 rounded border px-0.5 text-[11px] tracking-tight leading-4 font-bold whitespace-nowrap ${breaker.state === 'CLOSED' ? `border-transparent ${INK[down ? 'open' : 'normal']}` : CHIP[status]}`}
            data-state={breaker.state}
            data-testid={`breaker-${name}`}
          >
            <StatusMark size={9} status={breaker.state === 'CLOSED' && !down ? 'normal' : status} />
            {stale && 'was '}
            {breaker.state === 'CLOSED' && down ? 'DOWN' : BREAKER_WORD[breaker.state]}
          </span>
        ) : (
          <span
            className={`ml-auto inline-flex shrink-0 items-center gap-1 text-[11px] font-bold whitespace-nowrap ${INK[down ? 'open' : 'normal']}`}
          >
            <StatusMark size={9} status={down ? 'open' : 'normal'} />
            {stale && health && 'was '}
            {health ? (health.healthy ? 'HEALTHY' : 'DOWN') : 'NO BREAKER'}
          </span>
        )}
        {service && (
          <Link
            aria-label={`All about ${service}`}
            className="relative z-10 -my-1 -mr-2 -ml-1.5 grid size-6 shrink-0 place-content-center rounded text-faint hover:text-ink"
            data-testid={`service-page-${name}`}
            href={`/services/${service}`}
            prefetch={false}
            title="Its page: charts, story, faults, promises"
          >
            <ArrowUpRight aria-hidden="true" size={13} />
          </Link>
        )}
      </div>
      <p className="mt-0.5 flex items-baseline gap-x-1.5 text-[11px] leading-[17px] whitespace-nowrap text-muted">
        <span className={errorRatio !== null && errorRatio >= 0.05 ? 'font-semibold text-open-ink' : ''}>
          err {errorRatio === null ? '–' : percent(errorRatio)}
        </span>
        <span title="99th percentile of the last 10 s">
          p99 {dependency?.p99Ms == null ? '–' : spokenDuration(dependency.p99Ms)}
        </span>
        <span className="ml-auto">
          {(breaker && breakerDetail(breaker)) || (dependency && `${compact(dependency.callsPerSecond)}/s`)}
        </span>
      </p>
      <p className="flex items-baseline gap-x-1.5 truncate text-[11px] leading-[17px] text-muted">
        <span
          className={`inline-flex items-center gap-1 ${injected > 0 || faults.length > 0 ? 'font-semibold text-injected-ink' : ''}`}
          title={faults.map((fault) => `${fault.title} by ${fault.owner.name}`).join('\n') || undefined}
        >
          {faults.length > 0 && <StatusMark size={10} status="injected" />}
          {faults.length > 0 && <span className="sr-only">fault of ours,</span>}
          injected {count(injected)}
        </span>
        <span className={organic > 0 ? 'font-semibold text-open-ink' : ''}>organic {count(organic)}</span>
        {since !== null && (
          <span className="ml-auto text-[11px] text-faint" title={exactTime(since)}>
            {clockDuration(serverNow() - since)}
          </span>
        )}
      </p>
    </li>
  );
}

function breakerDetail(breaker: NonNullable<ServiceView['breaker']>): string {
  switch (breaker.state) {
    case 'OPEN':
      return breaker.retryAfterMs === null ? '' : `retry ${Math.ceil(breaker.retryAfterMs / 1000)} s`;
    case 'HALF_OPEN':
      return `trial ${breaker.successes}/${breaker.successThreshold}`;
    case 'FORCED_OPEN':
      return 'by hand';
    case 'CLOSED':
      return breaker.failures > 0 ? `fail ${breaker.failures}/${breaker.failureThreshold}` : '';
  }
}
