import type {
  FaultActivity,
  FaultEndReason,
  FaultSpec,
  InjectorName,
  ServiceName,
} from '../chaos/faults/fault.ts';
import type { Change } from './change.ts';
import type { DlqFilter, DlqGroups, DlqLines, DlqPage, DlqTaken, LetterTask } from './dead-letters.ts';
import type { Ack } from './errors.ts';
import type { Fact, FactDraft } from './facts.ts';
import type { ChangeFault, Fault, FaultReceipt, HaltReceipt, StartFault, StartPreset } from './faults.ts';
import type { MetricDeclaration } from './metrics.ts';
import type {
  CamerasReport,
  InferenceReport,
  PipelineReport,
  ProxyReport,
  State,
  SupervisorReport,
} from './state.ts';

/* ───────────── /console: commands with acknowledgement, and the ordered facts ───────────── */

/** `auth` of the /console handshake. */
export interface ConsoleAuth {
  /** Who is asking, 1–40 characters. */
  name: string;
  /** One id a tab, kept in sessionStorage, so that a reload keeps its leases. */
  tabId: string;
  /** The newest fact the tab has, to be sent only what it misses. */
  lastSeq?: number | undefined;
}

export interface ConsoleClientEvents {
  'fault:start': (request: StartFault, ack: (answer: Ack<Fault>) => void) => void;
  'fault:change': (
    request: ChangeFault & { id: string; version?: number },
    ack: (answer: Ack<Fault>) => void,
  ) => void;
  'fault:stop': (request: { id: string }, ack: (answer: Ack<FaultReceipt>) => void) => void;
  'preset:start': (request: StartPreset, ack: (answer: Ack<Fault[]>) => void) => void;
  'halt:start': (request: { reason?: string }, ack: (answer: Ack<HaltReceipt>) => void) => void;
  'halt:resume': (request: { reason: string }, ack: (answer: Ack<Record<string, never>>) => void) => void;
  /** `agoMs`: how long ago its writing was begun, so that it stands where the key was pressed. */
  'note:add': (
    request: { text: string; agoMs?: number },
    ack: (answer: Ack<Record<string, never>>) => void,
  ) => void;
  'breaker:command': (
    request: { name: string; command: BreakerCommand },
    ack: (answer: Ack<Record<string, never>>) => void,
  ) => void;
}

export interface ConsoleServerEvents {
  /** First after each (re)connect. `facts` are those after `lastSeq`; `gap` says that older ones are gone. */
  snapshot: (snapshot: { state: State; facts: Fact[]; gap: boolean }) => void;
  fact: (fact: Fact) => void;
  /** Observed faults, complete, after every change. Their hits in between are in the state of the ticks. */
  faults: (update: { faults: Fault[] }) => void;
  /** The control process asks, the page answers in the handler: that keeps a browser's leases. */
  lease: (question: { n: number }, ack: (answer: { n: number }) => void) => void;
  /** The server is about to close this socket, or wants the client to start over. */
  notice: (notice: { code: 'SHUTDOWN' | 'RESYNC'; text: string }) => void;
}

/* ───────────── /live: volatile telemetry ───────────── */

/** Every 500 ms; `values[i]` belongs to the i-th metric of `layout`; null is a gap. */
export interface LiveTick {
  at: number;
  /** Of the newest fact at that moment. */
  seq: number;
  layout: number;
  values: (number | null)[];
  /** In the same packet: for a thousand viewers the number of packets costs more than their bytes. */
  state: StateUpdate;
}

/** The n-th state, whole or as what has changed since the one before; a change without that one is of no use. */
export type StateUpdate = { n: number; whole: State } | { n: number; change: Change };

export interface LiveServerEvents {
  /** On connect and whenever agents declare new series. */
  layout: (layout: { layout: number; metrics: MetricDeclaration[] }) => void;
  tick: (tick: LiveTick) => void;
}
export interface LiveClientEvents {
  /** The state before the last change did not come: a tick with a whole one follows. */
  whole: () => void;
}

/* ───────────── /agent: processes that are observed and broken ───────────── */

export interface AgentAuth {
  secret: string;
  name: InjectorName;
  pid: number;
  /** New at each start of the process. */
  instanceId: string;
}

export type BreakerCommand = 'open' | 'close' | 'reset';

/** Commands that the control process passes on to the process that owns the thing. */
export interface AgentCommands {
  'breaker:command': { request: { name: string; command: BreakerCommand }; answer: { done: boolean } };
  'dlq:list': { request: DlqFilter & { cursor?: string; limit: number }; answer: DlqPage };
  'dlq:groups': { request: Pick<DlqFilter, 'queue' | 'faultId'>; answer: DlqGroups };
  /** null: the mark is of another life of the process. Without a mark, all that waits now. */
  'dlq:export': { request: DlqFilter & { mark?: string; cursor?: string }; answer: DlqLines | null };
  /** Those of `ids` at once, or all that match as tasks. */
  'dlq:redrive': {
    request: DlqFilter & { ids?: string[]; ratePerSecond?: number; by?: string };
    answer: DlqTaken;
  };
  'dlq:cancel': { request: { queue: string; by: string }; answer: { task: LetterTask | null } };
  'dlq:purge': { request: { id: string; reason: string }; answer: { purged: boolean } };
  /** null: the mark is of another life of the process. */
  'dlq:purgeAll': {
    request: DlqFilter & { mark: string; reason: string; by: string };
    answer: DlqTaken | null;
  };
  'process:restart': { request: { process: string }; answer: { done: boolean } };
}
export type AgentCommandName = keyof AgentCommands;

/** A fault as every agent knows it, to tell injected from organic failures. */
export interface ActiveFault {
  id: string;
  service: ServiceName;
  type: string;
  params: Record<string, unknown>;
  /** Set while it has ended but its failures may still arrive. */
  endedAt?: number | undefined;
}

export type AgentReport =
  | { kind: 'pipeline'; report: PipelineReport }
  | { kind: 'inference'; report: InferenceReport }
  | { kind: 'proxy'; report: ProxyReport }
  | { kind: 'supervisor'; report: SupervisorReport }
  | { kind: 'cameras'; report: CamerasReport };

export type AgentAnswer<T> = { ok: true; data: T } | { ok: false; code: string; message: string };

export interface AgentServerEvents {
  'fault:arm': (fault: FaultSpec, ack: (answer: AgentAnswer<{ armedInMs: number }>) => void) => void;
  'fault:change': (fault: FaultSpec, ack: (answer: AgentAnswer<Record<string, never>>) => void) => void;
  'fault:end': (
    request: { id: string; reason: FaultEndReason },
    ack: (answer: AgentAnswer<{ activity: FaultActivity | null }>) => void,
  ) => void;
  /** At 1 Hz, and at once when the active faults change. */
  keepalive: (beat: { runId: string; faults: ActiveFault[] }) => void;
  command: (
    request: { name: AgentCommandName; request: unknown },
    ack: (answer: AgentAnswer<unknown>) => void,
  ) => void;
}

export interface AgentClientEvents {
  /** First after each connect: faults this process still holds (the control process ends those it does not know). */
  hello: (hello: { metrics: MetricDeclaration[]; faults: string[] }) => void;
  /** Every 250 ms, volatile. */
  frame: (frame: { at: number; values: (number | null)[]; loopLagMs: number }) => void;
  /** Every 500 ms, volatile. */
  report: (report: AgentReport) => void;
  /** Every 500 ms while faults are armed, volatile. */
  activity: (update: { activity: FaultActivity[] }) => void;
  /** Reliable: kept and repeated until acknowledged. */
  fact: (fact: FactDraft, ack: () => void) => void;
  /** Reliable: a fault ended here without being told to. */
  ended: (ended: { id: string; reason: FaultEndReason; activity: FaultActivity }, ack: () => void) => void;
}
