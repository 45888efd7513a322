import { type ChildProcess, spawn } from 'node:child_process';
import type { ServerCommand } from '#server/embedded/server-command.ts';

/** Starts a server of a test; its output is kept and shown when it ends too early. */
export function spawnServer({ command, args, cwd, env }: ServerCommand): {
  child: ChildProcess;
  output(): string;
} {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const keep = (bytes: Buffer) => {
    text = (text + bytes.toString()).slice(-20_000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return { child, output: () => text };
}

/** Ends a child and resolves once it is gone; kills it when that takes longer than `patienceMs`. */
export async function endChild(
  child: ChildProcess,
  signal: NodeJS.Signals,
  patienceMs = 5000,
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  await gone;
  clearTimeout(timer);
}
