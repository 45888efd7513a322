/**
 * Mutation testing of one folder of the core; `npm run mutation` runs it for each.
 *
 * Static mutants (constants and defaults, made once when a module loads) are counted like the others.
 */
const folder = process.env.MUTATION_FOLDER;

export default {
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  vitest: { configFile: 'tests/mutation/vitest.config.ts', related: true },
  coverageAnalysis: 'perTest',
  mutate: [`lib/chaos/${folder}/*.ts`, '!lib/chaos/**/*.test.ts'],
  // The sandbox holds the core and what its tests import.
  ignorePatterns: ['**', '!lib/**', '!tests/mutation/**', '!package.json'],
  // Stryker 10 asks a tsconfig.json that it finds of TypeScript's old API, which version 7 no longer has.
  tsconfigFile: 'none.json',
  concurrency: Number(process.env.MUTATION_CONCURRENCY ?? 2),
  timeoutMS: 5000,
  tempDirName: `reports/stryker-${folder}`,
  incremental: process.env.MUTATION_INCREMENTAL === 'true',
  incrementalFile: `reports/mutation/incremental-${folder}.json`,
  reporters: ['progress-append-only', 'clear-text', 'json', 'html'],
  clearTextReporter: { logTests: false, reportTests: false },
  jsonReporter: { fileName: `reports/mutation/${folder}.json` },
  htmlReporter: { fileName: `reports/mutation/${folder}.html` },
};
