import type { ChangeFault, StartFault } from '#lib/protocol/faults.ts';
import { command } from '../socket.ts';
import {
  clearRefusal,
  faultKey,
  type ObservedFault,
  refuse,
  setPending,
  useFaults,
} from '../stores/faults-store.ts';

/**
 * Commands of the desk. A switch shows "arming" from the press until the server's own list of faults says
 * otherwise; a refusal is kept with the switch it belongs to.
 */
export async function startFault(
  request: StartFault,
  key = faultKey(request.service, request.type),
): Promise<boolean> {
  clearRefusal();
  setPending([key], 'arming');
  const answer = await command('fault:start', request);
  if (!answer.ok) refuse(key, answer.error);
  await settle([key], (active) => !answer.ok || active.some((fault) => fault.id === answer.data.id));
  return answer.ok;
}

export async function startPreset(name: string): Promise<void> {
  clearRefusal();
  setPending([name], 'arming');
  const answer = await command('preset:start', { name });
  if (!answer.ok) refuse(name, answer.error);
  await settle(
    [name],
    (active) => !answer.ok || answer.data.every((fault) => active.some((each) => each.id === fault.id)),
  );
}

/** Ends faults; `key` is the switch that was pressed. */
export async function stopFaults(ids: readonly string[], key: string): Promise<void> {
  clearRefusal();
  setPending([key], 'clearing');
  const answers = await Promise.all(ids.map((id) => command('fault:stop', { id })));
  // A fault that ended by itself in the meantime is what was asked for.
  const failed = answers.find((answer) => !answer.ok && answer.error.code !== 'FAULT_NOT_FOUND');
  if (failed && !failed.ok) refuse(key, failed.error);
  await settle([key], (active) => failed !== undefined || !active.some((fault) => ids.includes(fault.id)));
}

/** Restarts the lease, full length from now. */
export async function extendFault(fault: ObservedFault): Promise<void> {
  const answer = await command('fault:change', { id: fault.id, ttlMs: fault.ttlMs });
  if (!answer.ok) refuse(faultKey(fault.service, fault.type), answer.error);
}

/** Makes the lease ours: from then on it lives as long as this tab does. */
export async function takeOverFault(fault: ObservedFault): Promise<void> {
  const answer = await command('fault:change', { id: fault.id, takeOver: true });
  if (!answer.ok) refuse(faultKey(fault.service, fault.type), answer.error);
}

/** Changes strength, modifiers or lease; all of it or nothing. */
export async function changeFault(fault: ObservedFault, change: ChangeFault): Promise<boolean> {
  clearRefusal();
  const answer = await command('fault:change', { ...change, id: fault.id });
  if (!answer.ok) refuse(faultKey(fault.service, fault.type), answer.error);
  return answer.ok;
}

/** How long the observed list may take to agree with an answer before the switch goes back to what is observed. */
const SETTLE_MS = 2_000;

function settle(
  keys: readonly string[],
  agreed: (active: readonly ObservedFault[]) => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      unsubscribe();
      setPending(keys, null);
      resolve();
    };
    const timer = setTimeout(done, SETTLE_MS);
    const unsubscribe = useFaults.subscribe((store) => {
      if (agreed(store.faults ?? [])) done();
    });
    if (agreed(useFaults.getState().faults ?? [])) done();
  });
}
