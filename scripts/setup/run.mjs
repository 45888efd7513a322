import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Runs a command in the project's folder with its output shown; gives its exit code. */
export function run(command, args, env = {}) {
  const { status } = spawnSync(command, args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return status ?? 1;
}

/** Says one line and ends with exit code 2: something about this machine must be changed first. */
export function fail(line) {
  console.error(line);
  process.exit(2);
}

/**
 * Hands over to a long-running child: its output is ours, it gets our signals, its exit code becomes ours.
 * It has a channel to us, so that it ends when we are killed.
 */
export function handOver(command, args, env = {}) {
  const child = spawn(command, args, {
    cwd: ROOT,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...env },
  });
  process.on('SIGINT', () => {}); // the terminal sends it to the child as well; we wait for its orderly end
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(error.message));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
}
