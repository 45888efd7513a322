import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { MUTATION_SEED } from '#tests/mutation/seed.ts';

/**
 * `node scripts/write-mutation-proof.ts FOLDER …`: condenses Stryker's own reports (`reports/mutation/FOLDER.json`) into
 * `docs/proof/mutation.json`: the score of each file, and every mutant that no test noticed.
 */
interface Mutant {
  mutatorName: string;
  replacement?: string;
  status: string;
  static?: boolean;
  location: { start: { line: number; column: number } };
}
interface Report {
  files: Record<string, { mutants: Mutant[] }>;
  framework?: { version?: string };
}

const survivors: object[] = [];
const files: Record<string, ReturnType<typeof scoreOf>> = {};
const folders: Record<string, ReturnType<typeof scoreOf> & { ranAt: string }> = {};
const all: Mutant[] = [];
let stryker = '';
for (const folder of process.argv.slice(2)) {
  const path = `reports/mutation/${folder}.json`;
  const report: Report = JSON.parse(readFileSync(path, 'utf8'));
  stryker = report.framework?.version ?? stryker;
  const mutants = Object.values(report.files).flatMap((file) => file.mutants);
  all.push(...mutants);
  folders[folder] = { ...scoreOf(mutants), ranAt: statSync(path).mtime.toISOString() };
  for (const [file, each] of Object.entries(report.files)) {
    if (each.mutants.length > 0) files[file] = scoreOf(each.mutants);
    for (const mutant of each.mutants) {
      if (mutant.status === 'Killed' || mutant.status === 'Timeout') continue;
      const { line, column } = mutant.location.start;
      survivors.push({
        at: `${file}:${line}:${column}`,
        status: mutant.status,
        mutator: mutant.mutatorName,
        replacement: mutant.replacement,
      });
    }
  }
}

mkdirSync('docs/proof', { recursive: true });
const proof = {
  commit: git('rev-parse', 'HEAD'),
  changedSinceCommit:
    git('status', '--porcelain', '--', 'lib', 'tests/mutation', 'stryker.config.mjs') !== '',
  writtenAt: new Date().toISOString(),
  machine: `${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
  node: process.version,
  stryker,
  seed: MUTATION_SEED,
  total: scoreOf(all),
  folders,
  files,
  survivors,
};
writeFileSync('docs/proof/mutation.json', `${JSON.stringify(proof, null, 1)}\n`);
for (const [name, { scoreRatio, killed, mutants }] of Object.entries({ ...folders, total: proof.total })) {
  console.log(`${name.padEnd(12)} ${(scoreRatio * 100).toFixed(1).padStart(5)} %  ${killed}/${mutants}`);
}

/** Detected (killed by a failing test, or by running into its time-out) of all that could be run. */
function scoreOf(mutants: Mutant[]) {
  const count = (...statuses: string[]) => mutants.filter((each) => statuses.includes(each.status)).length;
  const valid = count('Killed', 'Timeout', 'Survived', 'NoCoverage');
  const killed = count('Killed', 'Timeout');
  return {
    scoreRatio: Math.round((killed / valid) * 10_000) / 10_000,
    mutants: valid,
    killed,
    byTimeout: count('Timeout'),
    survived: count('Survived'),
    notCovered: count('NoCoverage'),
    notRunnable: mutants.length - valid,
  };
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8' }).trim();
}
