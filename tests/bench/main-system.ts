import { type System, type SystemOptions, startSystem } from '#tests/support/system.ts';

/** A running system for a part of the bench, with the way to give it back. */
export interface BenchSystem {
  system: System;
  /** From the command to the line with the URL, ms. */
  startedInMs: number;
  close(): Promise<void>;
}

let shared: Promise<BenchSystem> | undefined;

/**
 * A system of the part's own; in a smoke run the one that all parts share, with short waits and two frames a second,
 * whatever the options say: starting costs more than all that smoke does with it.
 */
export async function openSystem(smoke: boolean, options: SystemOptions = {}): Promise<BenchSystem> {
  if (!smoke) return start(options);
  shared ??= start({ env: { PROFILE: 'test' } });
  return { ...(await shared), close: async () => {} }; // ended once, after the last part
}

/** Ends what smoke parts have shared. */
export async function closeSharedSystem(): Promise<void> {
  await shared?.then(
    ({ system }) => system.close(),
    () => {}, // told to whoever wanted it
  );
  shared = undefined;
}

async function start(options: SystemOptions): Promise<BenchSystem> {
  const startedAt = performance.now();
  const system = await startSystem(options);
  return { system, startedInMs: performance.now() - startedAt, close: () => system.close() };
}
