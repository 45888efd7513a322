import { spawn } from 'node:child_process';
import { ROOT } from './system.ts';

/** Runs one of this project's programs in the pinned Node, as from a shell; what it says is shown at once. */
export function runNode(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ exitCode: number | null; ms: number }> {
  // What this run of the tests has set is not the child's.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_ENV$)/.test(name));
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
    cwd: ROOT,
    env: { ...Object.fromEntries(inherited), ...env } as unknown as NodeJS.ProcessEnv,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (exitCode) => resolve({ exitCode, ms: Math.round(performance.now() - startedAt) }));
  });
}
