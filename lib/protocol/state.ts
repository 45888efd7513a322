import type { InjectorName, ServiceName } from '../chaos/faults/fault.ts';
import type { LetterTask } from './dead-letters.ts';
import type { Fault } from './faults.ts';

/** Degradation ladder of the pipeline, best first. */
export const MODES = ['NORMAL', 'DEGRADED', 'MINIMAL', 'OFFLINE'] as const;
export type Mode = (typeof MODES)[number];

/** FORCED_OPEN is held by hand until released. */
export type BreakerState = 'CLOSED' | 'OPEN' | 'HALF_OPEN' | 'FORCED_OPEN';

/** Where a failure came from: one of our faults, or not. */
export type Origin = 'injected' | 'organic';

/** One of the calls that moved a breaker: a failure, or a trial. */
export interface BreakerCall {
  /** When it ended, epoch ms. */
  at: number;
  /** null: it was not timed. */
  durationMs: number | null;
  /** Text of the failure, at most 200 characters; null when it succeeded. */
  error: string | null;
  origin: Origin | null;
}

/** A circuit breaker as its process tells it. Durations in ms, times epoch ms. */
export interface BreakerStatus {
  name: string;
  state: BreakerState;
  since: number;
  /** Consecutive counted failures and the threshold that opens. */
  failures: number;
  failureThreshold: number;
  /** Trials in flight and allowed, successes so far and needed; meaningful in HALF_OPEN. */
  trials: number;
  halfOpenMaxCalls: number;
  successes: number;
  successThreshold: number;
  /** Until a trial is let through; null unless OPEN. */
  retryAfterMs: number | null;
  calls: { succeeded: number; failed: number; rejected: number; injected: number; organic: number };
  transitions: number;
  /** Time in each state before the present phase, which lasts since `since`; ms. */
  spentMs: Record<BreakerState, number>;
  lastError: string | null;
}

/** Health of a service as the degradation manager sees it. */
export interface ServiceHealth {
  name: ServiceName;
  healthy: boolean;
  critical: boolean;
  consecutiveFailures: number;
  failureThreshold: number;
  since: number;
  checkedAt: number | null;
  latencyMs: number | null;
  error: string | null;
  /** Of the failures that made it unhealthy. */
  origin: Origin | null;
}

export interface ModeStatus {
  mode: Mode;
  since: number;
  previous: Mode | null;
  /** Services that are down and hold the mode, each injected or not ours. */
  causes: { service: ServiceName; origin: Origin; text: string }[];
  features: string[];
}

/** depth counts what waits, parked included, in flight excluded. Ages in ms, null when empty. */
export interface QueueStatus {
  name: 'detection' | 'analysis';
  depth: number;
  inFlight: number;
  parked: number;
  oldestAgeMs: number | null;
  inPerSecond: number;
  outPerSecond: number;
  /** Tier that new work goes to now. */
  tier: 'redis' | 'memory' | 'disk' | 'overflow';
  tiers: { memory: number; memoryMax: number; disk: number; diskMax: number };
  dropped: number;
  paused: boolean;
}

export interface PoolStatus {
  name: string;
  size: number;
  overflow: number;
  active: number;
  idle: number;
  waiting: number;
  leaked: number;
}

export interface DlqStatus {
  count: number;
  byQueue: Record<string, number>;
  newestAt: number | null;
  /** Newest first, at most 5. */
  newest: { id: string; queue: string; error: string; at: number; uploadId: string | null }[];
  /** One a queue, newest first; an ended one is told for ten minutes. */
  tasks: LetterTask[];
  /** Queues whose letters cannot be given back now, and why: the breaker of what they need is OPEN. */
  blocked: Record<string, string>;
}

export type LedgerVerdict = 'BALANCED' | 'MOVING' | 'LOSS' | 'UNKNOWN';

/** Where every accepted upload is. The homes add up to `accepted`. */
export interface LedgerStatus {
  accepted: number;
  stored: number;
  duplicate: number;
  quarantined: number;
  dropped: number;
  dlq: number;
  queued: number;
  parked: number;
  inFlight: number;
  inbox: number;
  /** Without a home in one round; lost after the second. */
  moving: number;
  lost: number;
  /** At most 20. */
  lostIds: string[];
  /** Two terminal homes, or in two events. */
  doubled: number;
  doubledIds: string[];
  /** Re-detections and re-analyses still due; outside the sum. */
  owed: number;
  verdict: LedgerVerdict;
  reconciledAt: number | null;
  /** Sources that could not be read when the verdict is UNKNOWN. */
  unreadable: string[];
}

/** Why the clock is not higher, in NVML's words, and for how long that was so. */
export interface ClockEventReason {
  word: string;
  severity: 'information' | 'warning' | 'critical';
  active: boolean;
  /** Within the window, ms. */
  heldMs: number;
}

/** MiB, °C, MHz, W; a simulated device. */
export interface GpuStatus {
  name: string;
  available: boolean;
  device: 'cuda' | 'cpu';
  memory: {
    totalMib: number;
    allocatedMib: number;
    cachedMib: number;
    tenantsMib: number;
    freeMib: number;
    largestFreeMib: number;
  };
  temperatureC: number;
  smClockMhz: number;
  maxSmClockMhz: number;
  powerW: number;
  utilisationRatio: number;
  /** NVML's clocksEventReasons bits. */
  clockEventReasons: number;
  throttled: string[];
  clockEvents: {
    /** How far back it is counted, ms. */
    windowMs: number;
    /** Of it, how long the card has been there and was looked at, ms. */
    observedMs: number;
    /** Of it, how long heat held the clock down, for whatever reason, ms. */
    throttledMs: number;
    /** Every reason that the card can have, worst first. */
    reasons: ClockEventReason[];
  };
  /** What the card does at which value: slows down, flag and pause, hardware slowdown, shutdown; power at full load. */
  limits: { targetC: number; softwareC: number; hardwareC: number; shutdownC: number; powerW: number };
  paused: boolean;
  /** Memory that the detector needs for one image, MiB: with less in one piece it is out of memory. */
  imageMib: number;
  maxBatchSize: number;
  outOfMemoryCount: number;
  restarts: number;
  xids: { code: number; at: number; meaning: string; action: string }[];
}

export interface ProcessStatus {
  name: 'control' | 'proxy' | 'inference' | 'pipeline' | 'cameras' | 'redis' | 'database';
  state: 'starting' | 'up' | 'down' | 'held' | 'paused' | 'external';
  pid: number | null;
  since: number;
  restarts: number;
  lastExit: string | null;
}

/** One proxy listener. `upstream` is what it stands in front of. */
export interface ListenerStatus {
  service: ServiceName;
  protocol: 'http' | 'redis' | 'postgres' | 'ftp';
  host: string;
  port: number;
  upstream: string;
  listening: boolean;
  connections: number;
  requests: number;
  hits: number;
}

export interface AgentStatus {
  name: InjectorName;
  connected: boolean;
  lastSeenMs: number | null;
  loopLagMs: number | null;
}

/** Per dependency, as the pipeline's clients see it: calls of the last 10 s. */
export interface DependencyStatus {
  name: ServiceName;
  callsPerSecond: number;
  errorRatio: number;
  injected: number;
  organic: number;
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
}

export interface RecentEvent {
  id: string;
  camera: string;
  at: number;
  riskScore: number;
  riskLevel: 'low' | 'medium' | 'high' | 'critical';
  riskSource: 'llm' | 'cache' | 'object_estimate' | 'default';
  summary: string;
  detections: number;
  degraded: boolean;
  /** Paths of the backend's own API, for example /api/media/ID. */
  media: string[];
}

/** What each process reports of itself; the hub joins them into `State`. */
export interface PipelineReport {
  mode: ModeStatus;
  services: ServiceHealth[];
  breakers: BreakerStatus[];
  queues: QueueStatus[];
  dlq: DlqStatus;
  pools: PoolStatus[];
  ledger: LedgerStatus;
  dependencies: DependencyStatus[];
  viewers: { connected: number; direct: number; published: number; unheard: number };
  recentEvents: RecentEvent[];
}
export interface InferenceReport {
  gpu: GpuStatus;
}
export interface ProxyReport {
  listeners: ListenerStatus[];
}
export interface SupervisorReport {
  processes: ProcessStatus[];
}
export interface CamerasReport {
  cameras: {
    name: string;
    accepted: number;
    pending: number;
    failed: number;
    lastAcceptedAt: number | null;
    lastError: string | null;
  }[];
}

/** A report with its age, or null when that process has not been heard. `ageMs` above 2 000 is stale. */
export type Aged<T> = (T & { ageMs: number }) | null;

/** `GET /state` and the snapshot of `/console`. */
export interface State {
  at: number;
  /** Of the newest fact in it. */
  seq: number;
  runId: string;
  /** From it follow the seeds of all faults that are given none. 32-bit unsigned. */
  seed: number;
  /** null: the pipeline is gone, so the mode is unknown. */
  mode: Mode | null;
  modeCause: ModeStatus['causes'];
  halted: { at: number; by: string; reason: string } | null;
  faults: Fault[];
  pipeline: Aged<PipelineReport>;
  inference: Aged<InferenceReport>;
  proxy: Aged<ProxyReport>;
  supervisor: Aged<SupervisorReport>;
  cameras: Aged<CamerasReport>;
  agents: AgentStatus[];
  /** Those who came first, at most 50: all of them are told of it twice a second. */
  operators: { tabId: string; name: string; since: number }[];
  /** How many are here. */
  operatorCount: number;
  /** Port of the pipeline's own API, for pictures. */
  backendPort: number;
}
