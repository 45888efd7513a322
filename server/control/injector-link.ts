import type { FaultActivity, FaultEndReason, FaultSpec, InjectorName } from '../../lib/chaos/faults/fault.ts';
import type { AgentAnswer } from '../../lib/protocol/events.ts';

/**
 * The way to the injectors. Each call rejects when it is not acknowledged within its time-out, and at once when the
 * process goes. What is sent to one injector arrives in the order in which it was sent.
 */
export interface InjectorLink {
  /** Id of the process behind this name now; undefined while it is not connected. */
  instanceOf(name: InjectorName): string | undefined;
  arm(name: InjectorName, spec: FaultSpec): Promise<AgentAnswer<{ armedInMs: number }>>;
  change(name: InjectorName, spec: FaultSpec): Promise<AgentAnswer<Record<string, never>>>;
  end(
    name: InjectorName,
    id: string,
    reason: FaultEndReason,
  ): Promise<AgentAnswer<{ activity: FaultActivity | null }>>;
}
