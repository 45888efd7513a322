import type { DlqFilter, DlqTaken } from '#lib/protocol/dead-letters.ts';
import { saveFile } from '../save-file.ts';
import { serverNow } from '../stores/state-store.ts';
import {
  type Answer,
  cancelTask,
  type Exported,
  exportLetters,
  exportName,
  purgeAll,
  redriveAll,
  redriveLetter,
} from './dlq-calls.ts';
import { reload, useDlq } from './dlq-store.ts';
import { letters } from './dlq-words.ts';
import { parseRate } from './redrive-state.ts';

function say(text: string, bad = false): void {
  useDlq.setState({ message: { text, bad } });
}

async function told<T>(asking: Promise<Answer<T>>, words: (data: T) => string): Promise<boolean> {
  const answer = await asking;
  if (answer.ok) say(words(answer.data));
  else say(answer.text, true);
  await reload(true);
  return answer.ok;
}

function leftOut({ refused }: DlqTaken): string {
  return refused.map(({ queue, why }) => `; ${queue} left out: ${why}`).join('');
}

/** One letter, at once. */
export function sendAgain(id: string): Promise<boolean> {
  return told(redriveLetter(id), () => 'One letter is on its way again');
}

/** All that match, at the rate that stands on the page. */
export async function sendAllAgain(filter: DlqFilter): Promise<boolean> {
  const rate = parseRate(useDlq.getState().rate);
  if (rate === null) return false; // its field says so, and the button is off
  return told(redriveAll(filter, rate), (taken) =>
    taken.accepted === 0
      ? 'No letter that can be given back'
      : `${letters(taken.accepted)} on their way again, ${rate} a second${leftOut(taken)}`,
  );
}

export function cancel(queue: string): Promise<boolean> {
  return told(cancelTask(queue), (task) => `Ended after ${task.done} of ${task.total}`);
}

export function purge(filter: DlqFilter, mark: string, reason: string): Promise<boolean> {
  return told(
    purgeAll(filter, mark, reason),
    (taken) => `${letters(taken.accepted)} are being purged${leftOut(taken)}`,
  );
}

/** Saves all that match as a file. @returns what was saved; null when it could not be */
export async function exportToFile(filter: DlqFilter, mark?: string): Promise<Exported | null> {
  const answer = await exportLetters(filter, mark);
  if (!answer.ok) {
    say(answer.text, true);
    return null;
  }
  saveFile(exportName(filter, serverNow()), answer.data.lines);
  say(`${letters(answer.data.count)} exported`);
  return answer.data;
}
