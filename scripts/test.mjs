import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuild } from './setup/build.mjs';
import { ensureDependencies, projectNode } from './setup/dependencies.mjs';
import { ensureChromium, ensureRedis } from './setup/programs.mjs';
import { fail, ROOT, run } from './setup/run.mjs';

/**
 * `npm test [-- FILTER …]`: static checks, then every test against real servers and a real browser but those that have
 * no room in its 12 minutes: the ten chaos suites, and the look at every page of the console; then of a few scenarios,
 * drawn anew each time, whether they notice when their behaviour is gone. A red test gets a second try, and is named when
 * that one is green: on a machine that others use, a wait can be too short once in thousands. More than two are red.
 * `npm run test:console`: every page and state of the console.
 * `npm run test:chaos [-- SUITE …]`: the ten chaos suites; `npm run scenarios`: with the list of what is proven;
 * `npm run scenarios -- --sabotage [--seed N] [--count N] [SUITE|ID …]`: each must notice when its behaviour is gone.
 * `npm run faults`: the tests of the fault catalogue, then each of its entries with its test.
 * `npm run soak`: the runs that take longer. Ends with one line that counts.
 */
const DRAWN = 20;
const SECOND_TRIES_MAX = 2;
const soak = process.argv.includes('--soak');
const faults = process.argv.includes('--faults');
const consolePages = process.argv.includes('--console');
const scenarios = process.argv.includes('--scenarios');
const chaos = scenarios || process.argv.includes('--chaos');
const filters = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
if (faults) filters.push('tests/catalogue/');

ensureDependencies();
const node = projectNode();
ensureRedis();
const chromium = ensureChromium();
ensureBuild(node);

const env = { CHROMIUM_PATH: chromium, PATH: `${join(ROOT, 'node_modules', '.bin')}:${process.env.PATH}` };
if (process.argv.includes('--sabotage'))
  process.exit(sabotage(process.argv.slice(2).filter((argument) => argument !== '--scenarios')));
const whole = !soak && !chaos && !consolePages && filters.length === 0;
if (whole && run('npm', ['run', '--silent', 'check'], env) !== 0) fail('The static checks failed: see above');

const report = join(ROOT, 'reports', 'tests.json');
mkdirSync(join(ROOT, 'reports'), { recursive: true });
const secondTriesFile = join(ROOT, 'reports', 'second-tries.json');
for (const file of [report, secondTriesFile]) rmSync(file, { force: true });
const projects = soak
  ? ['soak']
  : chaos
    ? ['chaos']
    : consolePages
      ? ['console']
      : whole || faults
        ? ['unit', 'e2e']
        : ['unit', 'e2e', 'console'];
const status = run(
  node,
  [
    join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    ...projects.map((name) => `--project=${name}`),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...(whole ? ['--retry=1', '--reporter=./tests/support/second-tries.ts'] : []),
    ...filters,
  ],
  env,
);
const lists = [
  ...(faults || whole ? ['list-fault-proofs.ts'] : []),
  ...(scenarios ? ['list-scenarios.ts'] : []),
];
const unproven = lists.map((list) => run(node, [`scripts/${list}`, ...(whole ? ['--gaps'] : [])], env));
const unnoticed = whole && status === 0 ? sabotage(['--count', String(DRAWN)]) : 0;
const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(
  readFileSync(report, 'utf8'),
);
const skipped = numPendingTests + numTodoTests;
const secondTries = whole ? JSON.parse(readFileSync(secondTriesFile, 'utf8')) : [];
for (const name of secondTries) console.log(`Green only at its second try: ${name}`);
console.log(
  `\n${numPassedTests} passed${secondTries.length > 0 ? ` (${secondTries.length} at the second try)` : ''}, ${numFailedTests} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
);
process.exit(
  status ||
    Math.max(unnoticed, numPassedTests === 0 || secondTries.length > SECOND_TRIES_MAX ? 1 : 0, ...unproven),
);

function sabotage(args) {
  const quicker = { ...env, NO_COLOR: '1', UNTIL_SCALE: '0.6' }; // most sabotages show by a wait that is in vain
  return run(node, ['--disable-warning=ExperimentalWarning', 'scripts/sabotage.ts', ...args], quicker);
}
