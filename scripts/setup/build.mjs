import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, ROOT, run } from './run.mjs';

const SOURCES = [
  'app',
  'components',
  'public',
  'lib/protocol',
  'lib/chaos/faults/fault.ts',
  'next.config.mjs',
  'postcss.config.mjs',
  'package-lock.json',
  'tsconfig.json',
];
const STAMP = join(ROOT, '.next', 'brownout-built');

function* files(path) {
  if (!existsSync(path)) return;
  if (!statSync(path).isDirectory()) {
    yield path;
    return;
  }
  for (const name of readdirSync(path).sort()) yield* files(join(path, name));
}

/** Builds the pages when a source of theirs has changed since. */
export function ensureBuild(node) {
  // What `next dev` generates does not pass the strict compiler, which checks all that tsconfig names.
  rmSync(join(ROOT, '.next', 'dev', 'types'), { recursive: true, force: true });
  const hash = createHash('sha256');
  for (const source of SOURCES) {
    for (const file of files(join(ROOT, source)))
      hash.update(file.slice(ROOT.length)).update(readFileSync(file));
  }
  const wanted = hash.digest('hex');
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return;
  console.log('Building the console …');
  const next = join(ROOT, 'node_modules', 'next', 'dist', 'bin', 'next');
  if (run(node, [next, 'build'], { NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' }) !== 0)
    fail('The build failed: see its output above');
  writeFileSync(STAMP, wanted);
}
