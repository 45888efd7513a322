import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProcessStatus } from '#lib/protocol/state.ts';
import { switchOn, untilAttribute } from '#tests/support/console-page.ts';
import { isAlive } from '#tests/support/is-alive.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { startWatchedSystem, type WatchedSystem } from '#tests/support/watched-system.ts';
import { untilRecovered } from '#tests/support/witness.ts';

let watched: WatchedSystem;
let system: System;
let page: Page;

beforeAll(async () => {
  watched = await startWatchedSystem({ cameraRate: 1, env: { PROFILE: 'test' } });
  ({ system, page } = watched);
});
afterAll(() => watched?.close());

describe('a process killed and held down', () => {
  it.each([
    { name: 'redis' as const, holdMs: 12_000, other: { service: 'nemotron', type: 'server_error' } },
    { name: 'database' as const, holdMs: 12_000, other: { service: 'yolo26', type: 'latency' } },
    { name: 'pipeline' as const, holdMs: undefined, other: { service: 'gpu', type: 'latency' } },
  ])('$name: the console says so, stays in command, and nothing is lost', async ({ name, holdMs, other }) => {
    const pid = await system.pid(name);
    if (holdMs === undefined) await switchOn(page, name, 'process_killed');
    else await system.startFault(name, 'process_killed', { params: { holdMs } });
    const heldMs = holdMs ?? 20_000; // what the switch gives
    await until('it is gone', 2000, () => !isAlive(pid));
    const killedAt = performance.now();

    await untilAttribute(page, `process-${name}`, 'data-state', 'held', 5000);
    if (name === 'pipeline') await untilAttribute(page, 'mode', 'data-mode', 'UNKNOWN', 10_000);
    else await untilAttribute(page, 'mode', 'data-mode', 'MINIMAL', 15_000);

    const text = `made while ${name} is down`;
    await system.api('POST', '/notes', { text });
    await page.getByTestId('story').getByText(text).first().waitFor({ timeout: 2000 });

    const fault = await system.startFault(other.service, other.type);
    await page.getByTestId(`active-fault-${other.service}-${other.type}`).waitFor({ timeout: 5000 });
    const receipt = await system.stopFault(fault.id);
    expect(receipt.acknowledged).toBe(true);

    expect(await stateOf(name)).toBe('held');
    await until(`${name} is back`, 40_000, async () => (await stateOf(name)) === 'up');
    expect(performance.now() - killedAt).toBeGreaterThan(heldMs - 2000);
    await untilRecovered(system, page);
  });
});

async function stateOf(name: ProcessStatus['name']): Promise<string | undefined> {
  return system.process(await system.state(), name)?.state;
}
