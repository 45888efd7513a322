import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { MUTATION_SEED } from '#tests/mutation/seed.ts';

/**
 * `node scripts/write-mutation-proof.ts FOLDER`: condenses Stryker's own report of one folder
 * (`reports/mutation/FOLDER.json`) into `docs/proof/mutation.json`: the score of each file, and every mutant that no
 * test noticed. Other folders' parts stay as they are.
 */
const PROOF = 'docs/proof/mutation.json';

/** The part of Stryker's report that is read here. */
interface Report {
  readonly files: Record<string, { readonly mutants: readonly Mutant[] }>;
  readonly framework?: { readonly version?: string };
}

interface Mutant {
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly status: string;
  readonly location: { readonly start: { readonly line: number; readonly column: number } };
}

interface Score {
  /** Detected of all that could be run, 0–1. */
  scoreRatio: number;
  mutants: number;
  /** By a failing test. */
  killed: number;
  /** By running into the time-out or the limit of loops. */
  timedOut: number;
  survived: number;
  notCovered: number;
}

interface FolderProof extends Score {
  commit: string;
  /** The folder, its tests or the set-up differed from that commit. */
  uncommitted: boolean;
  ranAt: string;
  machine: string;
  node: string;
  stryker: string;
  seed: number;
  files: Record<string, Score>;
  survivors: { at: string; mutator: string; replacement: string; covered: boolean }[];
}

const [folder = ''] = process.argv.slice(2);
const report: Report = JSON.parse(readFileSync(`reports/mutation/${folder}.json`, 'utf8'));
const proof: Record<string, FolderProof> = existsSync(PROOF) ? JSON.parse(readFileSync(PROOF, 'utf8')) : {};
proof[folder] = {
  ...scoreOf(Object.values(report.files).flatMap((file) => file.mutants)),
  commit: git('rev-parse', 'HEAD'),
  uncommitted: git('status', '--porcelain', '--', `lib/chaos/${folder}`, 'tests/mutation') !== '',
  ranAt: new Date().toISOString(),
  machine: `${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
  node: process.version,
  stryker: report.framework?.version ?? 'unknown',
  seed: MUTATION_SEED,
  files: Object.fromEntries(mutatedFiles().map(([file, mutants]) => [file, scoreOf(mutants)])),
  survivors: mutatedFiles().flatMap(([file, mutants]) =>
    mutants
      .filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
      .map(({ status, mutatorName, replacement = '', location: { start } }) => ({
        at: `${file}:${start.line}:${start.column}`,
        mutator: mutatorName,
        replacement,
        covered: status === 'Survived',
      })),
  ),
};
const sorted = Object.fromEntries(Object.entries(proof).sort(([a], [b]) => a.localeCompare(b)));
mkdirSync(dirname(PROOF), { recursive: true });
writeFileSync(PROOF, `${JSON.stringify(sorted, null, 1)}\n`);
for (const [name, { scoreRatio, killed, timedOut, mutants }] of Object.entries(sorted)) {
  console.log(`${name.padEnd(12)} ${(scoreRatio * 100).toFixed(1)} %  ${killed + timedOut} of ${mutants}`);
}

function mutatedFiles(): [file: string, mutants: readonly Mutant[]][] {
  return Object.entries(report.files)
    .map(([file, { mutants }]): [string, readonly Mutant[]] => [file, mutants])
    .filter(([, mutants]) => mutants.length > 0);
}

function scoreOf(mutants: readonly Mutant[]): Score {
  const count = (wanted: string) => mutants.filter(({ status }) => status === wanted).length;
  const [killed, timedOut] = [count('Killed'), count('Timeout')];
  const [survived, notCovered] = [count('Survived'), count('NoCoverage')];
  const valid = killed + timedOut + survived + notCovered;
  const scoreRatio = Math.round(((killed + timedOut) / valid) * 10_000) / 10_000;
  return { scoreRatio, mutants: valid, killed, timedOut, survived, notCovered };
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8' }).trim();
}
