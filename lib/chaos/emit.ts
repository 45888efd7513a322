import type { EventEmitter } from 'node:events';

/**
 * Calls every listener of an event; one that throws hinders neither the others nor the caller.
 *
 * What was thrown is told as a process warning, so that a broken observer is seen.
 */
export function emitSafely<
  Events extends Record<keyof Events, [unknown]>,
  Name extends keyof Events & string,
>(emitter: EventEmitter<Events>, name: Name, payload: Events[Name][0]): void {
  for (const listener of emitter.rawListeners(name as never)) {
    try {
      Reflect.apply(listener, emitter, [payload]);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error), { code: 'BROWNOUT_LISTENER' });
    }
  }
}
