import { join } from 'node:path';
import { ensureDependencies, projectNode } from './setup/dependencies.mjs';
import { fail, ROOT, run } from './setup/run.mjs';

/**
 * `npm run mutation [-- FOLDER …]`: mutation testing of folders of `lib/chaos` (breaker, degradation …), of all six
 * without a name, one after the other. What was found goes into `docs/proof/mutation.json`.
 * `MUTATION_CONCURRENCY=1` leaves a processor to others.
 */
const FOLDERS = ['breaker', 'degradation', 'fallback', 'gpu', 'ledger', 'retry'];
const STRYKER = join(ROOT, 'node_modules/@stryker-mutator/core/bin/stryker.js');

const named = process.argv.slice(2);
const unknown = named.filter((name) => !FOLDERS.includes(name));
if (unknown.length > 0) fail(`Expected folders among ${FOLDERS.join(', ')}, got ${unknown.join(', ')}`);

ensureDependencies();
const node = projectNode();
for (const folder of named.length > 0 ? named : FOLDERS) {
  if (run(node, [STRYKER, 'run', 'stryker.config.mjs'], { MUTATION_FOLDER: folder }) !== 0) {
    fail(`Stryker failed in lib/chaos/${folder}: see above`);
  }
  const write = ['--disable-warning=ExperimentalWarning', 'scripts/write-mutation-proof.ts', folder];
  if (run(node, write) !== 0) fail('docs/proof/mutation.json was not written: see above');
}
