import { Writable } from 'node:stream';
import { afterEach, expect, it, vi } from 'vitest';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { ManagedProcess } from './managed-process.ts';
import { createProcessEffect } from './process-faults.ts';

const SERVES =
  'process.send({kind: "ready"}); process.on("disconnect", () => process.exit(0)); setInterval(() => {}, 1000)';
const managed = new ManagedProcess({
  name: 'pipeline',
  log: new Writable({ write: (_chunk, _encoding, done) => done() }),
  command: async () => ({ command: process.execPath, args: ['-e', SERVES], cwd: '/', stopSignal: 'SIGTERM' }),
});
afterEach(() => managed.stop());

it('holds a killed process down as long as the newest change says, counted from the kill', async () => {
  await managed.start();
  const injector: FaultInjector = new FaultInjector({
    effect: createProcessEffect(new Map([['pipeline', managed]]), () => injector),
  });
  const fault = {
    id: 'f1',
    version: 1,
    service: 'pipeline',
    type: 'process_killed',
    params: { holdMs: 60_000 },
    ratio: 1,
    seed: 1,
    ttlMs: 60_000,
  } as const;
  const startedMs = performance.now();
  await injector.arm(fault);
  expect(managed.status.state).not.toBe('up');
  await injector.change({ ...fault, version: 2, params: { holdMs: 300 } });
  await vi.waitFor(() => expect(managed.status).toMatchObject({ state: 'up', lastExit: 'SIGKILL' }), 10_000);
  expect(performance.now() - startedMs).toBeGreaterThan(295);
  expect(injector.all()).toEqual([]);
});
