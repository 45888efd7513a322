import { InjectedFaultError } from './errors.ts';
import { readFaultMark } from './faults/fault.ts';

/** Where a failure came from: one of our faults, or not. */
export type Origin = 'injected' | 'organic';

/** Tells the origin of a failed call. Must not throw. */
export type OriginOf = (error: unknown) => Origin;

/** Longest chain of causes that is followed; a chain may be circular. */
const MAX_CAUSES = 8;

/**
 * The fault that an error itself names: its class, or the mark in its message, detail or body. Causes are searched too.
 *
 * Undefined does not mean organic: a refused connection carries no mark. Whoever knows the faults in force decides.
 */
export function faultIdOf(error: unknown): string | undefined {
  let current = error;
  for (let depth = 0; depth < MAX_CAUSES && typeof current === 'object' && current !== null; depth++) {
    if (current instanceof InjectedFaultError) return current.faultId;
    const { faultId, message, detail, body, cause } = current as Record<string, unknown>;
    if (typeof faultId === 'string') return faultId;
    for (const text of [message, detail, body]) {
      const id = typeof text === 'string' ? readFaultMark(text) : undefined;
      if (id !== undefined) return id;
    }
    current = cause;
  }
  return undefined;
}

/** Injected when the error names a fault, otherwise organic. */
export const originByMark: OriginOf = (error) => (faultIdOf(error) === undefined ? 'organic' : 'injected');

/** One word for several failures: injected when most of them were; a tie counts as organic. */
export function originOfMany(injected: number, total: number): Origin {
  return injected * 2 > total ? 'injected' : 'organic';
}
