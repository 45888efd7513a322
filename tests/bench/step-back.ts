import { writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/**
 * Has this process leave the processors to others: for what stands for another machine and is not what is measured. Linux
 * shares them out between sessions first (autogroup, on by default), so that a process has to be one of its own.
 */
export function stepBack(): void {
  setPriority(constants.priority.PRIORITY_LOW);
  try {
    writeFileSync(`/proc/${process.pid}/autogroup`, String(constants.priority.PRIORITY_LOW));
  } catch {
    // no Linux, or no autogroup: the priority of the process is what counts
  }
}
