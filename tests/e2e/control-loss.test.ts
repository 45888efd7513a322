import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { timeThrough } from '#tests/support/paths.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { untilRecovered } from '#tests/support/witness.ts';

const LATENCY_MS = 600;

let system: System;

beforeAll(async () => {
  system = await startSystem({ cameraRate: 1 });
});
afterAll(async () => {
  await system?.close();
});

async function armThree(): Promise<string[]> {
  const faults = await Promise.all([
    system.startFault('yolo26', 'server_error'),
    system.startFault('redis', 'connection_error'),
    system.startFault('database', 'latency', { params: { latencyMs: LATENCY_MS } }),
  ]);
  await expect(timeThrough(system, 'yolo26')).rejects.toThrow();
  await expect(timeThrough(system, 'redis')).rejects.toThrow();
  expect(await timeThrough(system, 'database')).toBeGreaterThan(LATENCY_MS);
  return faults.map((fault) => fault.id);
}

/** By real calls through the proxies, not by asking anybody. */
async function untilPathsAreClean(timeoutMs: number): Promise<void> {
  await until('every path is clean', timeoutMs, async () => {
    const [, , databaseMs] = await Promise.all(
      ['yolo26', 'redis', 'database'].map((service) => timeThrough(system, service)),
    );
    return (databaseMs ?? Number.POSITIVE_INFINITY) < LATENCY_MS;
  });
}

describe('the control process', () => {
  it('killed with three faults on: all end where they act, and the next start journals them', async () => {
    const ids = await armThree();
    process.kill(await system.pid('control'), 'SIGKILL');
    await untilPathsAreClean(10_000);
    const state = await until('the control process is back', 20_000, () => system.state());
    expect(state.faults).toEqual([]);
    const ended = (await system.facts()).flatMap((fact) =>
      fact.type === 'faultEnded' && ids.includes(fact.data.faultId) ? [fact.data.reason] : [],
    );
    expect(ended).toEqual(['control_crashed', 'control_crashed', 'control_crashed']);
    await untilRecovered(system);
  });

  it('stopped by SIGSTOP with three faults on: all end where they act, and it learns so when it wakes', async () => {
    const ids = await armThree();
    const pid = await system.pid('control');
    process.kill(pid, 'SIGSTOP');
    try {
      await untilPathsAreClean(10_000);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await until(
      'the desk knows that they are over',
      15_000,
      async () => (await system.state()).faults.length === 0,
    );
    const reasons = (await system.facts()).flatMap((fact) =>
      fact.type === 'faultEnded' && ids.includes(fact.data.faultId) ? [fact.data.reason] : [],
    );
    expect(reasons).toHaveLength(3);
    expect(new Set(reasons)).toEqual(new Set(['control_lost']));
    await untilRecovered(system);
  });
});
