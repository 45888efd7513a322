import { ChaosError } from '#lib/chaos/errors.ts';
import type { FaultSpec } from '#lib/chaos/faults/fault.ts';
import type { FaultEffect, FaultInjector } from '#lib/chaos/faults/injector.ts';
import type { ManagedProcess } from './managed-process.ts';

/** The desk waits 1 s for an acknowledgement; a process that is still starting then is told of by its own state. */
const RESTART_WAIT_MS = 700;
/** A process hears of its own pause before it is paused, to know why its calls have timed out meanwhile. */
const TOLD_FIRST_MS = 50;

/**
 * `process_killed` and `process_paused`, where they act.
 *
 * `killed` ends by itself once the process has been held down for `holdMs`.
 */
export function createProcessEffect(
  processes: ReadonlyMap<string, ManagedProcess>,
  injector: () => FaultInjector,
): FaultEffect {
  const holds = new Map<string, { sinceMs: number; timer: NodeJS.Timeout }>();
  /** The whole of `holdMs` counts from the kill, also when it is changed meanwhile. */
  const holdDown = ({ id, params }: FaultSpec) => {
    const before = holds.get(id);
    clearTimeout(before?.timer);
    const sinceMs = before?.sinceMs ?? performance.now();
    const leftMs = Math.max(0, Number(params['holdMs']) - (performance.now() - sinceMs));
    const end = () =>
      void injector()
        .end(id, 'expired')
        .catch(() => {}); // told by `effectFailed`
    holds.set(id, { sinceMs, timer: setTimeout(end, leftMs) });
  };
  const find = (fault: FaultSpec) => {
    const found = processes.get(fault.service);
    if (!found) {
      throw new ChaosError(
        'FAULT_UNSUPPORTED',
        `${fault.service} is not a process of this system: it is only connected to`,
      );
    }
    return found;
  };
  return {
    async arm(fault) {
      const target = find(fault);
      if (fault.type === 'process_paused') {
        await new Promise((resolve) => setTimeout(resolve, TOLD_FIRST_MS));
        target.pause();
      } else {
        target.hold();
        holdDown(fault);
      }
      injector().recordHit(fault.id, fault.type === 'process_paused' ? 'SIGSTOP' : 'SIGKILL');
    },
    change(fault) {
      if (holds.has(fault.id)) holdDown(fault);
    },
    async end(fault) {
      clearTimeout(holds.get(fault.id)?.timer);
      holds.delete(fault.id);
      const target = find(fault);
      if (fault.type === 'process_paused') target.resume();
      else await target.release(RESTART_WAIT_MS);
    },
  };
}
