import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    maxWorkers: 3,
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{lib,server,components,scripts,tests/bench,tests/catalogue,tests/protocols}/**/*.test.ts',
          ],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        // Each file starts a whole system of its own, and a browser where it needs one.
        test: {
          name: 'e2e',
          include: ['tests/{integration,e2e}/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 90_000,
        },
      },
      {
        // One whole system a suite.
        test: {
          name: 'chaos',
          include: ['tests/chaos/**/*.test.ts'],
          testTimeout: 90_000,
          hookTimeout: 90_000,
        },
      },
      {
        test: {
          name: 'soak',
          include: ['tests/soak/**/*.test.ts'],
          testTimeout: 30 * 60_000,
          hookTimeout: 90_000,
        },
      },
    ],
  },
});
