import type { Fault, ServiceName } from '#lib/protocol/faults.ts';
import type {
  BreakerStatus,
  DependencyStatus,
  GpuStatus,
  ListenerStatus,
  PoolStatus,
  ProcessStatus,
  QueueStatus,
  ServiceHealth,
  State,
} from '#lib/protocol/state.ts';
import { PROCESS_LOOK } from '../banner/ProcessStrip.tsx';
import { partsOf } from '../services/service-parts.ts';
import { faultsOn, statusOf } from '../services/service-view.ts';
import { BREAKER_WORD, type Status } from '../visual/StatusMark.tsx';

/** Everything that is known of one service now. What no process tells is null or empty, never well. */
export interface ServiceSubject {
  name: ServiceName;
  status: Status;
  /** The status in capitals. */
  word: string;
  /** Since when, epoch ms; null when that is not told. */
  since: number | null;
  error: string | null;
  breaker: BreakerStatus | null;
  health: ServiceHealth | null;
  dependency: DependencyStatus | null;
  queues: QueueStatus[];
  pool: PoolStatus | null;
  process: ProcessStatus | null;
  listener: ListenerStatus | null;
  /** Whose reports have come at all: without one, nothing said of it is known. */
  heard: { pipeline: boolean; proxy: boolean };
}

interface Standing {
  status: Status;
  word: string;
}

const UNKNOWN: Standing = { status: 'unknown', word: 'UNKNOWN' };

export function serviceSubject(
  name: ServiceName,
  state: State | null,
  faults: readonly Fault[],
): ServiceSubject {
  const parts = partsOf(name);
  const pipeline = state?.pipeline ?? null;
  const breaker = pipeline?.breakers.find((each) => each.name === parts.breaker) ?? null;
  const health = pipeline?.services.find((each) => each.name === name) ?? null;
  const process = state?.supervisor?.processes.find((each) => each.name === parts.process) ?? null;
  const error = health?.error ?? breaker?.lastError ?? null;
  return {
    name,
    ...standing(name, state, { breaker, health, process, faults: faultsOn(name, faults) }),
    since: breaker?.since ?? health?.since ?? process?.since ?? null,
    error: health?.healthy && breaker?.state === 'CLOSED' ? null : error,
    breaker,
    health,
    dependency: pipeline?.dependencies.find((each) => each.name === name) ?? null,
    queues: pipeline?.queues.filter((each) => parts.queues.includes(each.name)) ?? [],
    pool: pipeline?.pools.find((each) => each.name === parts.pool) ?? null,
    process,
    listener: state?.proxy?.listeners.find((each) => each.service === name) ?? null,
    heard: { pipeline: pipeline !== null, proxy: Boolean(state?.proxy) },
  };
}

type Known = Pick<ServiceSubject, 'breaker' | 'health' | 'process'> & { faults: readonly Fault[] };

function standing(name: ServiceName, state: State | null, known: Known): Standing {
  const { breaker, health, process, faults } = known;
  if (process && process.state !== 'up' && process.state !== 'external') return PROCESS_LOOK[process.state];
  const injected: Standing | null = faults.length > 0 ? { status: 'injected', word: 'FAULT IN FORCE' } : null;
  switch (name) {
    case 'network':
      return injected ?? (state?.proxy ? { status: 'normal', word: 'NO FAULT' } : UNKNOWN);
    case 'pipeline':
    case 'inference':
      return injected ?? (process ? { status: 'normal', word: 'UP' } : UNKNOWN);
    case 'gpu':
      return gpuStanding(state?.inference?.gpu ?? null, injected);
    default:
      return dependencyStanding(breaker, health, faults);
  }
}

function dependencyStanding(
  breaker: BreakerStatus | null,
  health: ServiceHealth | null,
  faults: readonly Fault[],
): Standing {
  if (!breaker && !health) return UNKNOWN;
  const status = statusOf(breaker, health, faults);
  if (breaker && breaker.state !== 'CLOSED') return { status, word: BREAKER_WORD[breaker.state] };
  if (status === 'open') return { status, word: 'DOWN' };
  if (status === 'injected') return { status, word: 'FAULT IN FORCE' };
  if (status === 'unknown') return UNKNOWN;
  return { status, word: health ? 'HEALTHY' : 'CLOSED' };
}

/** The card by its own report, whatever its services make of it. */
export function gpuStanding(gpu: GpuStatus | null, injected: Standing | null): Standing {
  if (!gpu) return UNKNOWN;
  if (gpu.device === 'cpu') return { status: 'open', word: 'NO GPU: ON THE CPU' };
  if (!gpu.available) return { status: 'open', word: 'OFF THE BUS' };
  if (gpu.paused) return { status: 'open', word: 'PAUSED BY HEAT' };
  if (gpu.throttled.length > 0) return { status: 'degraded', word: 'THROTTLED' };
  return injected ?? { status: 'normal', word: 'WORKING' };
}
