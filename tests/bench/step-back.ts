import { writeFile } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';

/** Who is not root may do it ten times a second. */
const AGAIN_MS = 150;

/**
 * Has a session leave the processors to others, or not any more: for what stands for another machine and is not what is
 * measured. Linux shares them out between sessions first (autogroup, on by default), so that the process has to have
 * begun one; all of its children step back with it. Gives whether the system does so.
 */
export async function stepBack(pid: number, isBack: boolean): Promise<boolean> {
  const niceness = isBack ? constants.priority.PRIORITY_LOW : constants.priority.PRIORITY_NORMAL;
  const write = () => writeFile(`/proc/${pid}/autogroup`, String(niceness));
  return write()
    .catch(() => wait(AGAIN_MS).then(write))
    .then(
      () => true,
      () => false,
    );
}

/** The same for this process alone and for good, with the priority that every system knows as well. */
export async function stepBackForGood(): Promise<boolean> {
  setPriority(constants.priority.PRIORITY_LOW);
  return stepBack(process.pid, true);
}
