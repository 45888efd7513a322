import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDependencies, projectNode } from './setup/dependencies.mjs';
import { fail, ROOT, run } from './setup/run.mjs';

/**
 * `npm run mutation [-- FOLDER …]`: mutation testing of `lib/chaos` folders (breaker, degradation …), all six without a
 * name, one after the other; then writes what was found to `docs/proof/mutation.json`.
 * `MUTATION_CONCURRENCY=1` leaves a processor to others.
 */
const FOLDERS = ['breaker', 'degradation', 'fallback', 'gpu', 'ledger', 'retry'];
const named = process.argv.slice(2);
const unknown = named.filter((name) => !FOLDERS.includes(name));
if (unknown.length > 0) fail(`Expected folders among ${FOLDERS.join(', ')}, got ${unknown.join(', ')}`);

ensureDependencies();
const node = projectNode();
const reports = join(ROOT, 'reports', 'mutation');
const wanted = named.length > 0 ? named : FOLDERS;
for (const folder of wanted) {
  rmSync(join(reports, `${folder}.json`), { force: true });
  const stryker = join(ROOT, 'node_modules', '@stryker-mutator', 'core', 'bin', 'stryker.js');
  if (run(node, [stryker, 'run', 'stryker.config.mjs'], { MUTATION_FOLDER: folder }) !== 0) {
    fail(`Stryker failed in lib/chaos/${folder}: see above`);
  }
}
const missing = FOLDERS.filter((folder) => !readdirSync(reports).includes(`${folder}.json`));
if (missing.length > 0) fail(`Not written to docs/proof: ${missing.join(', ')} still to be run`);
process.exit(
  run(node, ['--disable-warning=ExperimentalWarning', 'scripts/write-mutation-proof.ts', ...FOLDERS]),
);
