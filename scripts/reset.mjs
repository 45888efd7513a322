import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fail } from './setup/run.mjs';

/** `npm run reset`: removes the data directory, when it is one of ours and nobody uses it. */
const directory = resolve(process.env.DATA_DIR ?? '.brownout');
if (!existsSync(directory)) {
  console.log(`DATA_DIR=${directory} does not exist: nothing to remove`);
  process.exit(0);
}
if (!existsSync(join(directory, 'format.json')))
  fail(`DATA_DIR=${directory} is not a data directory of Brownout: not removed`);
const lock = join(directory, 'lock');
if (existsSync(lock)) {
  const { pid } = JSON.parse(readFileSync(lock, 'utf8'));
  let running = true;
  try {
    process.kill(pid, 0);
  } catch {
    running = false;
  }
  if (running) fail(`DATA_DIR=${directory} is in use by process ${pid}: stop it first`);
}
rmSync(directory, { recursive: true });
console.log(`Removed ${directory}`);
