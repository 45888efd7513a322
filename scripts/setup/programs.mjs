import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fail, run } from './run.mjs';

function onPath(names) {
  for (const name of names) {
    const { stdout, status } = spawnSync('/bin/sh', ['-c', 'command -v "$1"', 'sh', name], {
      encoding: 'utf8',
    });
    if (status === 0) return stdout.trim();
  }
  return undefined;
}

function isDebianRoot() {
  if (process.getuid?.() !== 0 || !onPath(['apt-get']) || !existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync('/etc/os-release', 'utf8'));
}

function install(debianPackage) {
  console.log(`Installing ${debianPackage} with apt …`);
  const quiet = { DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['update', '-qq'], quiet);
  return run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', debianPackage], quiet) === 0;
}

/** A URL in the environment → the program on PATH → apt as root on Debian or Ubuntu → one line that says what to do. */
export function ensureRedis() {
  if (process.env.REDIS_URL || onPath(['redis-server'])) return;
  if (isDebianRoot() && install('redis-server') && onPath(['redis-server'])) return;
  fail(
    'Redis is needed: install redis-server (Debian: apt install redis-server, macOS: brew install redis) or set REDIS_URL',
  );
}

/** The same for the browser of the tests; gives its path. */
export function ensureChromium() {
  if (process.env.CHROMIUM_PATH) {
    if (existsSync(process.env.CHROMIUM_PATH)) return process.env.CHROMIUM_PATH;
    fail(`CHROMIUM_PATH=${process.env.CHROMIUM_PATH} does not exist: expected the path of a Chromium`);
  }
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const found = onPath(names);
  if (found) return found;
  if (isDebianRoot() && install('chromium')) {
    const installed = onPath(names);
    if (installed) return installed;
  }
  return fail(
    'The browser tests need Chromium: install it (Debian: apt install chromium) or set CHROMIUM_PATH',
  );
}
