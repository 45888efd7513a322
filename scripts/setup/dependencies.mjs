import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, ROOT, run } from './run.mjs';

const STAMP = join(ROOT, 'node_modules', '.brownout-installed');
const MINIMUM_MAJOR = 24;

/** Installs the packages when they are missing or the lock file has changed since. */
export function ensureDependencies() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(ROOT, 'package.json')))
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex');
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return;
  console.log('Installing dependencies (about a minute) …');
  // Not `npm ci`: npm 11 refuses lock files without the platform packages that the registry does not offer.
  if (
    run('npm', [
      'install',
      '--no-audit',
      '--no-fund',
      '--no-save',
      '--loglevel=error',
      '--include=dev',
      '--include=optional',
    ]) !== 0
  ) {
    fail('npm install failed: see its output above');
  }
  writeFileSync(STAMP, wanted);
}

/** The Node that runs the project: the pinned one from npm, else this one when it is new enough. */
export function projectNode() {
  for (const candidate of [join(ROOT, 'node_modules', '.bin', 'node'), process.execPath]) {
    const { stdout, status } = spawnSync(candidate, ['-p', 'process.versions.node'], { encoding: 'utf8' });
    if (status === 0 && Number(stdout.split('.')[0]) >= MINIMUM_MAJOR) return candidate;
  }
  return fail(
    `Brownout needs Node ${MINIMUM_MAJOR} or later, and npm offers none for ${process.platform}-${process.arch}: install it`,
  );
}
