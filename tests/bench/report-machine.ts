import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';
import { ROOT } from '#tests/support/system.ts';

/** Where and of what a report was made. */
export interface Machine {
  cpu: string;
  cores: number;
  memoryGib: number;
  system: string;
  node: string;
  /** Short hash, with "+" when files differ from it; "unknown" outside a checkout. */
  commit: string;
  /** ISO date of the start. */
  date: string;
}

export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() || 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 1024 ** 3),
    system: `${type()} ${release()}`,
    node: process.version,
    commit: commitOf(),
    date: new Date().toISOString().slice(0, 10),
  };
}

export function describeMachine({ cpu, cores, memoryGib, system, node }: Machine): string {
  return `${cores} × ${cpu}, ${memoryGib} GiB, ${system}, Node ${node}`;
}

/** The report itself is not a difference. */
function commitOf(): string {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });
  const { status, stdout } = git('rev-parse', '--short', 'HEAD');
  if (status !== 0) return 'unknown';
  const changed = git(
    'status',
    '--porcelain',
    '--untracked-files=no',
    '--',
    '.',
    ':!docs/benchmarks.md',
  ).stdout;
  return `${stdout.trim()}${changed.trim() === '' ? '' : '+'}`;
}
