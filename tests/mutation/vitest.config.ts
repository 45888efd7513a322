import { defineConfig } from 'vitest/config';

/** The unit tests of the folders that `npm run mutation` mutates, repeatable: see `seed.ts`. */
export default defineConfig({
  test: {
    include: ['lib/chaos/{breaker,degradation,fallback,retry,ledger,gpu}/**/*.test.ts'],
    setupFiles: ['tests/mutation/seed.ts'],
    testTimeout: 30_000,
  },
});
