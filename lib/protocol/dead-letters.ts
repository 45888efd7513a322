/** Dead letters as they are looked at and commanded: REST, the agent commands behind it, and the page. */

/** A job that nobody will try again by itself. Times epoch ms. */
export interface DeadLetter {
  id: string;
  queue: string;
  uploadId: string | null;
  error: { code: string; message: string; status?: number | undefined; body?: string | undefined };
  /** In total, those after a re-drive included. */
  attempts: number;
  /** Waits before each attempt after the first, ms; the newest 50. */
  delaysMs: number[];
  firstFailedAt: number;
  lastFailedAt: number;
  /** In force when it failed. */
  faultIds: string[];
  traceId: string;
  signature: string;
  payload: unknown;
  /** How often it was given back to its queue, and came back. */
  redrives: number;
  /** False for a partial upload that was never accepted: only its camera can send it again. */
  redrivable: boolean;
  /** The upload with which the camera tried again, and which was accepted. */
  resentAs?: string | undefined;
}

export interface DlqFilter {
  queue?: string | undefined;
  faultId?: string | undefined;
  signature?: string | undefined;
}

export interface DlqPage {
  items: DeadLetter[];
  /** Give it to the next call; null at the end. */
  nextCursor: string | null;
  /** Letters that the filter lets through, on all pages. */
  total: number;
}

/** How many letters, the newest, are looked at to make groups. */
export const DLQ_WINDOW = 1000;

/** Letters of one queue that failed in the same way. */
export interface DlqGroup {
  queue: string;
  signature: string;
  /** Among the letters looked at. */
  count: number;
  /** Among all that wait and pass the filter, older ones than those looked at too. */
  total: number;
  /** Of `total`: those that can be given back. */
  redrivable: number;
  /** Of `count`: those that failed while a fault of ours was in force. */
  injected: number;
  /** Of `count`: those that had been given back and came back; the most often one of them did. */
  cameBack: number;
  redrivesMax: number;
  /** Faults in force at these failures, each once, at most 20. */
  faultIds: string[];
  /** Of `count`: the last failure of the newest and of the oldest. */
  newestAt: number;
  oldestAt: number;
  /** The newest error, its first 300 characters. */
  error: string;
}

export interface DlqGroups {
  /** The largest first, at most 200. */
  groups: DlqGroup[];
  /** Groups beyond those. */
  more: number;
  /** How many letters were looked at, at most `DLQ_WINDOW`, the newest that pass the filter. */
  looked: number;
  /** How many pass the filter. */
  total: number;
  /** Faults among the newest letters whatever the filter, the most frequent first. */
  faults: { id: string; count: number }[];
  /** Stands for "every letter that waits now"; an export and a purge take none that came later. */
  mark: string;
}

/** A part of an export: whole lines of JSON. */
export interface DlqLines {
  text: string;
  nextCursor: string | null;
  /** Letters that the whole export holds; told with its first part only. */
  total: number | null;
  mark: string;
}

/** Many letters given back or purged, one task a queue. Times epoch ms. */
export interface LetterTask {
  id: string;
  kind: 'redrive' | 'purge';
  queue: string;
  faultId: string | null;
  signature: string | null;
  by: string;
  /** null for a purge, which goes as fast as the disk. */
  ratePerSecond: number | null;
  /** `waiting`: it goes on by itself when what `why` names is over. */
  state: 'running' | 'waiting' | 'done' | 'cancelled' | 'failed';
  /** Why it waits, was cancelled or failed. */
  why: string | null;
  total: number;
  /** Given back or purged. */
  done: number;
  /** Gone, or on their way already, when their turn came. */
  skipped: number;
  /** Could not be given back; they wait as before. */
  failed: number;
  /** Of `done`: dead-lettered again since. */
  cameBack: number;
  startedAt: number;
  endedAt: number | null;
}

/** Why a queue's letters were not taken on. */
export interface DlqRefusal {
  queue: string;
  code: 'BREAKER_OPEN' | 'TASK_RUNNING' | 'NOT_REDRIVABLE';
  why: string;
}

export interface DlqTaken {
  /** Letters taken on, all queues together. */
  accepted: number;
  tasks: LetterTask[];
  refused: DlqRefusal[];
}

/** A second, unless another rate is asked for. */
export const REDRIVE_RATE_DEFAULT = 10;
export const REDRIVE_RATE_MIN = 0.1;
export const REDRIVE_RATE_MAX = 1000;
