import { create } from 'zustand';
import type { Problem } from '#lib/protocol/errors.ts';
import type { Fault } from '#lib/protocol/faults.ts';

/** A fault with the local deadline of its lease. */
export interface ObservedFault extends Fault {
  /** performance.now() at which the lease runs out. */
  deadlineMs: number;
}

export interface Refusal {
  key: string;
  text: string;
  /** Nobody answered: what was asked for may still have happened, then the refusal is void. */
  unanswered: boolean;
}

interface FaultsStore {
  /** What the server says is in force; null before the first snapshot. */
  faults: readonly ObservedFault[] | null;
  /** Commands on their way, by `faultKey` or preset name. */
  pending: Readonly<Record<string, 'arming' | 'clearing'>>;
  refusal: Refusal | null;
}

export const useFaults = create<FaultsStore>(() => ({ faults: null, pending: {}, refusal: null }));

export function faultKey(service: string, type: string): string {
  return `${service}/${type}`;
}

export function takeFaults(faults: readonly Fault[], nowMs: number): void {
  useFaults.setState({ faults: faults.map((fault) => ({ ...fault, deadlineMs: nowMs + fault.leftMs })) });
}

/** Takes in what a tick says of them: their hits, which come with nothing else. Without any new nothing is drawn. */
export function takeHits(faults: readonly Fault[], nowMs: number): void {
  const shown = useFaults.getState().faults;
  if (shown && toldOf(shown) !== toldOf(faults)) takeFaults(faults, nowMs);
}

function toldOf(faults: readonly Fault[]): string {
  return faults
    .map(({ id, version, hits, seen, warning }) => [id, version, hits, seen, warning].join())
    .join(';');
}

export function setPending(keys: readonly string[], phase: 'arming' | 'clearing' | null): void {
  useFaults.setState((store) => {
    const pending = { ...store.pending };
    for (const key of keys) {
      if (phase) pending[key] = phase;
      else delete pending[key];
    }
    return { pending };
  });
}

export function refuse(key: string, problem: Pick<Problem, 'code' | 'detail'> & Partial<Problem>): void {
  useFaults.setState({
    refusal: { key, text: describeProblem(problem), unanswered: problem.code === 'PROCESS_UNAVAILABLE' },
  });
}

export function clearRefusal(): void {
  useFaults.setState({ refusal: null });
}

/** A refusal in words: what the server said, then what would have been accepted and who is in the way. */
export function describeProblem(problem: Pick<Problem, 'code' | 'detail'> & Partial<Problem>): string {
  const parts = [problem.detail];
  if (problem.field && problem.allowed && !problem.detail.includes(problem.allowed)) {
    parts.push(`${problem.field} must be ${problem.allowed}`);
  }
  if (problem.owner && !problem.detail.includes(problem.owner)) parts.push(`held by ${problem.owner}`);
  if (problem.injectors?.length) parts.push(`no answer from ${problem.injectors.join(', ')}`);
  return `${parts.join(' · ')} (${problem.code})`;
}
