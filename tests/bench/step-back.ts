import { writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/**
 * Has a process leave the processors to others, or not any more: for what stands for another machine and is not what is
 * measured. Linux shares them out between sessions first (autogroup, on by default), so the process has to have begun
 * one, and all of its children step back with it. Without autogroups the process alone does.
 */
export function stepBack(pid: number, isBack: boolean): void {
  const niceness = isBack ? constants.priority.PRIORITY_LOW : constants.priority.PRIORITY_NORMAL;
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(niceness));
  } catch {
    if (isBack) setPriority(pid, niceness); // whoever is not root does not get it back
  }
}
