import { defineConfig } from 'vitest/config';
import { SlowFirst } from './tests/support/slow-first.ts';

export default defineConfig({
  test: {
    sequence: { sequencer: SlowFirst },
    projects: [
      {
        test: {
          name: 'unit',
          // Most of them wait for real time to pass.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          include: [
            '{lib,server,components,scripts,tests/bench,tests/catalogue,tests/protocols}/**/*.test.ts',
          ],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        // Each file starts a whole system of its own, and a browser where it needs one: two at once, and first.
        test: {
          name: 'e2e',
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
          include: ['tests/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 90_000,
        },
      },
      {
        // Every page and state of the console, looked at for minutes.
        test: {
          name: 'console',
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
          include: ['tests/console/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 90_000,
        },
      },
      {
        // One whole system a suite, without a browser; most of it waits.
        test: {
          name: 'chaos',
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          include: ['tests/chaos/**/*.test.ts'],
          testTimeout: 90_000,
          hookTimeout: 90_000,
        },
      },
      {
        test: {
          name: 'soak',
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
          include: ['tests/soak/**/*.test.ts'],
          testTimeout: 30 * 60_000,
          hookTimeout: 90_000,
        },
      },
    ],
  },
});
