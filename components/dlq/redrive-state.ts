import { REDRIVE_RATE_MAX, REDRIVE_RATE_MIN } from '#lib/protocol/dead-letters.ts';
import type { DlqStatus } from '#lib/protocol/state.ts';

export interface RedriveState {
  /** Why nothing can be given back now; null when something can. */
  disabled: string | null;
  /** What is left out although the rest is given back. */
  note: string | null;
}

interface Asked {
  queues: readonly string[];
  /** Letters among those asked for that can be given back; null when that is not known. */
  redrivable: number | null;
  /** null: nothing fresh was heard of it. */
  status: Pick<DlqStatus, 'blocked' | 'tasks'> | null;
}

export const NOTHING_TO_SEND = 'No dead letter';

/** Whether letters of these queues can be given back now. */
export function redriveState({ queues, redrivable, status }: Asked): RedriveState {
  if (!status) return { disabled: 'No fresh report from the pipeline', note: null };
  if (queues.length === 0) return { disabled: NOTHING_TO_SEND, note: null };
  if (redrivable === 0) {
    return { disabled: 'Never accepted: only the camera can send it again', note: null };
  }
  const reasons = queues.flatMap((queue) => {
    const why = hindrance(queue, status);
    return why === null ? [] : [{ queue, why }];
  });
  if (reasons.length === 0) return { disabled: null, note: null };
  if (reasons.length === queues.length) {
    return { disabled: sentence(reasons[0]?.why ?? ''), note: null };
  }
  return {
    disabled: null,
    note: reasons.map(({ queue, why }) => `${queue} is left out: ${why}`).join('; '),
  };
}

function hindrance(queue: string, { blocked, tasks }: Pick<DlqStatus, 'blocked' | 'tasks'>): string | null {
  const why = blocked[queue];
  if (why !== undefined) return why;
  const task = tasks.find((each) => each.queue === queue && each.endedAt === null);
  return task ? `a ${task.kind === 'purge' ? 'purge' : 're-drive'} by ${task.by} is on` : null;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The rate that was typed, a second; null when it is none that the server takes. */
export function parseRate(typed: string): number | null {
  const rate = Number(typed.trim().replace(',', '.'));
  return typed.trim() !== '' && rate >= REDRIVE_RATE_MIN && rate <= REDRIVE_RATE_MAX ? rate : null;
}
