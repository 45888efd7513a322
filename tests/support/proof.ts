import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './system.ts';

/** Keeps the raw result of one run in `docs/proof/NAME.json` under `part`, beside the other parts of that file. */
export function recordProof(name: string, part: string, result: Record<string, unknown>): void {
  const directory = join(ROOT, 'docs', 'proof');
  const file = join(directory, `${name}.json`);
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>) : {};
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim();
  const machine = {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    node: process.version,
    platform: process.platform,
  };
  const recordedAt = new Date().toISOString();
  mkdirSync(directory, { recursive: true });
  const all = { ...before, [part]: { recordedAt, commit, machine, ...result } };
  writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
}
