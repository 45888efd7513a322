import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MODES } from '#lib/chaos/degradation/mode.ts';
import { MODES as TOLD_MODES } from '#lib/protocol/state.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** The product's own files, tests and fixtures left out. */
const sources = ['lib', 'server', 'app', 'components'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tsx?$/.test(path) && !/\.(test|fixture)\.tsx?$/.test(path))
    .map((path) => join(folder, path)),
);

const filesWith = (pattern: RegExp) =>
  sources.filter((path) => pattern.test(readFileSync(join(ROOT, path), 'utf8'))).toSorted();

it('the numbers of every circuit breaker stand in one file, and the breakers of the pipeline are made in one', () => {
  expect(filesWith(/\b(recoveryTimeoutMs|halfOpenMaxCalls|successThreshold): \d/)).toEqual([
    'lib/chaos/breaker/breaker-options.ts',
  ]);
  expect(filesWith(/new CircuitBreaker\(/)).toEqual(['server/pipeline/work/breakers.ts']);
});

it('there is one ladder of modes: nothing else decides which mode it is', () => {
  expect(filesWith(/'(MINIMAL|OFFLINE)'/)).toEqual([
    'lib/chaos/degradation/mode.ts',
    'lib/protocol/state.ts', // the words as they are told
  ]);
  expect(TOLD_MODES).toEqual(MODES);
  expect(filesWith(/new DegradationManager\(/)).toEqual(['server/pipeline/work/service-health.ts']);
});
