/** Faults on whole processes: the supervisor's own way to start, kill, hold and pause them, on the real ones. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect } from 'vitest';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { createProcessEffect } from '#server/supervisor/process-faults.ts';
import { isRefused } from '#tests/support/bare-connection.ts';
import { isAlive } from '#tests/support/is-alive.ts';
import { type ManagedService, type RunningService, startService } from './managed-services.ts';
import { type FaultBench, proveFault } from './prove-fault.ts';

const SERVICES: readonly ManagedService[] = ['redis', 'database', 'inference', 'pipeline'];

const running = new Map<ManagedService, RunningService>();
beforeAll(async () => {
  await Promise.all(
    SERVICES.map(async (service) => {
      running.set(service, await startService(service));
    }),
  );
}, 60_000);
afterAll(() => Promise.all([...running.values()].map((each) => each.close())), 20_000);

interface ProcessBench extends FaultBench, Omit<RunningService, 'close'> {
  /** Before the fault. */
  readonly pid: number;
}

/** The proofs of one process come one after the other, those of different ones beside each other. */
const turns = new Map<ManagedService, Promise<void>>();

async function takeTurn(service: ManagedService): Promise<ProcessBench> {
  const before = turns.get(service);
  const over = Promise.withResolvers<void>();
  turns.set(service, over.promise);
  await before;
  const target = running.get(service);
  if (!target) throw new Error(`${service} was not started`);
  const injector: FaultInjector = new FaultInjector({
    effect: createProcessEffect(new Map([[service, target.managed]]), () => injector),
  });
  return {
    ...target,
    injector,
    pid: target.managed.status.pid ?? 0,
    async close() {
      await injector.close();
      over.resolve();
    },
  };
}

const serves = async ({ managed, answers }: ProcessBench) =>
  managed.status.state === 'up' && (await answers(3000));

/** `T`: stopped by a signal. */
function stateOf(pid: number): string {
  return execFileSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' }).trim();
}

const SILENCE_MS = 300;
/** Of a start on a loaded machine. */
const RECOVERY_MS = 25_000;

for (const service of SERVICES) {
  proveFault(
    service,
    'process_paused',
    () => takeTurn(service),
    {
      ttlMs: 2500,
      hitKind: 'SIGSTOP',
      serves,
      recoveryMs: RECOVERY_MS,
      async seesEffect({ managed, pid, port, answers }) {
        const isTaken = !(await isRefused(port)); // by the kernel: nobody accepts it
        const isSilent = !(await answers(SILENCE_MS));
        return isTaken && isSilent && stateOf(pid).startsWith('T') && managed.status.state === 'paused';
      },
      afterwards: async ({ managed, pid }) => expect(managed.status.pid).toBe(pid),
    },
    90_000,
  );

  proveFault(
    service,
    'process_killed',
    () => takeTurn(service),
    {
      ttlMs: 1500,
      hitKind: 'SIGKILL',
      serves,
      recoveryMs: RECOVERY_MS,
      async seesEffect({ managed, pid, port }) {
        const { state, lastExit } = managed.status;
        return state === 'held' && lastExit === 'SIGKILL' && !isAlive(pid) && (await isRefused(port));
      },
      afterwards: async ({ managed, pid }) => expect(managed.status.pid).not.toBe(pid),
    },
    90_000,
  );
}
