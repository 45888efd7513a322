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
  const holds = new Map<string, NodeJS.Timeout>();
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
        const holdMs = Number(fault.params['holdMs']);
        holds.set(
          fault.id,
          setTimeout(
            () =>
              void injector()
                .end(fault.id, 'expired')
                .catch(() => {}),
            holdMs,
          ), // told by `effectFailed`
        );
      }
      injector().recordHit(fault.id, fault.type === 'process_paused' ? 'SIGSTOP' : 'SIGKILL');
    },
    change() {},
    async end(fault) {
      clearTimeout(holds.get(fault.id));
      holds.delete(fault.id);
      const target = find(fault);
      if (fault.type === 'process_paused') target.resume();
      else await target.release(RESTART_WAIT_MS);
    },
  };
}
