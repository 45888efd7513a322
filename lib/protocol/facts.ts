import type { LetterTask } from './dead-letters.ts';
import type { Fault, FaultEndReason, FaultReceipt, HaltReceipt, ServiceName } from './faults.ts';
import type { BreakerCall, BreakerState, LedgerVerdict, Mode, Origin } from './state.ts';

/** What a fact says, by type. Facts are reliable, ordered and kept; samples are not. */
export interface FactData {
  controlStarted: { runId: string };
  faultStarted: { fault: Fault };
  faultChanged: { fault: Fault; change: 'strength' | 'extended' | 'takenOver'; by: string };
  faultEnded: {
    faultId: string;
    service: ServiceName;
    faultType: string;
    /** Of the type; absent in facts of older versions. */
    title?: string | undefined;
    reason: FaultEndReason;
    hits: number;
    by: string;
    receipt: FaultReceipt | null;
  };
  leaseWarning: { faultId: string; owner: string; endsInMs: number };
  halted: { by: string; reason: string; receipt: HaltReceipt };
  resumed: { by: string; reason: string };
  breakerChanged: {
    breaker: string;
    from: BreakerState;
    to: BreakerState;
    reason: string;
    failures: number;
    origin: Origin | null;
    /** What led to it, oldest first, at most 20; absent in facts of older versions. */
    calls?: readonly BreakerCall[];
  };
  modeChanged: { from: Mode; to: Mode; causes: { service: ServiceName; origin: Origin; text: string }[] };
  serviceChanged: { service: ServiceName; healthy: boolean; error: string | null; origin: Origin | null };
  deadLettered: { id: string; queue: string; error: string; uploadId: string | null; faultIds: string[] };
  deadLetterRedriven: { id: string; queue: string };
  deadLetterPurged: { id: string; queue: string; reason: string };
  /** Many letters at once: told when it starts and when it ends; its letters are not told one by one. */
  deadLetterTask: { task: LetterTask };
  ledgerChanged: { verdict: LedgerVerdict; lost: number; lostIds: string[]; doubled: number };
  alert: { code: string; service: ServiceName | null; count: number; text: string };
  /** Something that outlives its fault: a GPU off the bus, a broken model file. */
  afterEffect: { faultId: string | null; service: ServiceName; text: string; over: boolean };
  processChanged: { process: string; state: string; reason: string | null };
  agentChanged: { agent: string; connected: boolean };
  operatorChanged: { tabId: string; name: string; here: boolean };
  loopLag: { lagMs: number };
  /** `begunAt`, epoch ms: when its writing was begun, which is what it is about. */
  note: { by: string; text: string; begunAt?: number };
}
export type FactType = keyof FactData;

/** One line of the story. `seq` grows by one with each fact and survives a restart of the control process. */
export type Fact = {
  [T in FactType]: {
    seq: number;
    /** Epoch ms, stamped by the control process on arrival. */
    at: number;
    type: T;
    /** What it is about: a service, a breaker, a process, an id. */
    subject: string;
    data: FactData[T];
  };
}[FactType];

/** A fact as a process makes it, before the hub numbers it. `key` makes a repeated delivery harmless. */
export type FactDraft = {
  [T in FactType]: { key: string; at: number; type: T; subject: string; data: FactData[T] };
}[FactType];
