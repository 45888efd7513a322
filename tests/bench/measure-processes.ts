import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { ProcessStatus } from '#lib/protocol/state.ts';
import type { System } from '#tests/support/system.ts';

/** What a process and all below it use. */
interface Use {
  /** Time on a processor so far, ms; NaN where the system does not tell it finely. */
  cpuMs: number;
  /** Resident; pages that several share count once in all where the system tells (Linux). */
  memoryBytes: number;
}

/** Of a system's own processes, by name, with the supervisor. */
export type SystemUse = ReadonlyMap<ProcessStatus['name'] | 'supervisor', Use>;

/** Linux counts in ticks of 10 ms. */
const TICK_MS = 10;

export async function systemUse(system: System): Promise<SystemUse> {
  const { supervisor } = await system.state();
  const table = processTable();
  const uses = new Map<ProcessStatus['name'] | 'supervisor', Use>();
  uses.set('supervisor', sumOf([system.supervisorPid], table));
  for (const { name, pid } of supervisor?.processes ?? [])
    if (pid !== null) uses.set(name, sumOf(treeOf(pid, table), table));
  return uses;
}

type Table = ReadonlyMap<number, { parent: number; rssBytes: number }>;

function processTable(): Table {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid=,rss='], { encoding: 'utf8' });
  return new Map(
    stdout
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number))
      .map(([pid = 0, parent = 0, rssKib = 0]) => [pid, { parent, rssBytes: rssKib * 1024 }]),
  );
}

function treeOf(root: number, table: Table): number[] {
  const below = [...table].filter(([, { parent }]) => parent === root).map(([pid]) => pid);
  return [root, ...below.flatMap((pid) => treeOf(pid, table))];
}

function sumOf(pids: readonly number[], table: Table): Use {
  let cpuMs = 0;
  let memoryBytes = 0;
  for (const pid of pids) {
    cpuMs += cpuMsOf(pid);
    memoryBytes += sharedOnceBytesOf(pid) ?? table.get(pid)?.rssBytes ?? 0;
  }
  return { cpuMs, memoryBytes };
}

/** User and system time, of children that have ended too. */
function cpuMsOf(pid: number): number {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return process.platform === 'linux' ? 0 : Number.NaN; // ended meanwhile
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]) * TICK_MS, 0);
}

function sharedOnceBytesOf(pid: number): number | undefined {
  const kib = /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? '')?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // not Linux, not ours to read, or gone
  }
}
