import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '#lib/protocol/errors.ts';
import { startBrowser, type TestBrowser } from '#tests/support/browser.ts';
import { timeThrough } from '#tests/support/paths.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { untilRecovered } from '#tests/support/witness.ts';

let system: System;
let browser: TestBrowser;

beforeAll(async () => {
  [system, browser] = await Promise.all([startSystem({ cameraRate: 1 }), startBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await system?.close();
});

const SIX = [
  { service: 'yolo26', type: 'unavailable' },
  { service: 'nemotron', type: 'server_error' },
  { service: 'redis', type: 'connection_error' },
  { service: 'pubsub', type: 'timeout' },
  { service: 'database', type: 'unavailable' },
  { service: 'ftp', type: 'server_error' },
] as const;

/** By real calls; one that takes longer on a busy machine than it is given is made again. */
async function untilClean(services: readonly string[] = SIX.map(({ service }) => service)): Promise<void> {
  for (const service of services) {
    await until(`a call to ${service} passes`, 10_000, () => timeThrough(system, service));
  }
}

describe('halt', () => {
  it('ends six faults with a receipt, refuses new ones, and lets them again after a resume', async () => {
    const page = await browser.open(system.url);
    await Promise.all(SIX.map(({ service, type }) => system.startFault(service, type)));
    for (const { service } of SIX) await expect(timeThrough(system, service), service).rejects.toThrow();

    await page.getByTestId('halt-button').click();
    await page.getByTestId('halted-banner').waitFor({ timeout: 15_000 });
    // The banner comes with the latch, the receipt when all have acknowledged.
    const halted = await until('the receipt is told', 10_000, async () =>
      (await system.facts()).flatMap((fact) => (fact.type === 'halted' ? [fact.data.receipt] : [])).at(-1),
    );
    expect(halted.unacknowledged).toEqual([]);
    expect(halted.faults.map((fault) => fault.service).sort()).toEqual(
      SIX.map((fault) => fault.service).sort(),
    );
    for (const fault of halted.faults) {
      expect(fault.acknowledged, fault.service).toBe(true);
      expect(fault.acknowledgedInMs).toBeGreaterThanOrEqual(0);
    }
    await untilClean();

    const refused = await system.api<Problem>('POST', '/faults', { service: 'redis', type: 'latency' });
    expect([refused.status, refused.body.code]).toEqual([409, 'HALTED']);
    await page.getByTestId('resume-reason').fill('seen enough');
    await page.getByTestId('resume-button').click();
    await page.getByTestId('halted-banner').waitFor({ state: 'detached', timeout: 15_000 });
    const fault = await system.startFault('redis', 'latency');
    await system.stopFault(fault.id);
    await untilRecovered(system, page);
  });

  it('is a form that a browser without scripts can press', async () => {
    const page = await browser.context.newPage();
    const devTools = await browser.context.newCDPSession(page);
    await devTools.send('Emulation.setScriptExecutionDisabled', { value: true });
    await page.goto('data:text/html,<title>off</title><script>document.title = "on"</script>');
    expect(await page.title()).toBe('off');
    await Promise.all([
      system.startFault('redis', 'connection_error'),
      system.startFault('ftp', 'server_error'),
    ]);

    await page.goto(`${system.url}/halt`);
    expect(await page.getByText('Server error on ftp').count()).toBe(1);
    await page.getByLabel('Your name').fill('Bo');
    await page.getByLabel('Reason').fill('no scripts here');
    await page.getByRole('button', { name: 'HALT ALL' }).click();
    await page.getByText('Everything was ended in').waitFor({ timeout: 10_000 });
    await untilClean(['redis', 'ftp']);
    expect(await page.getByRole('row').count()).toBe(3); // head, and a line of the receipt for each fault
    expect((await system.state()).halted).toMatchObject({ by: 'Bo', reason: 'no scripts here' });
    await page.close();
    expect((await system.api('POST', '/resume', { reason: 'go on' })).status).toBe(200);
  });

  it('leaves a button to restart the process behind a service', async () => {
    const page = await browser.open(system.url);
    const before = await system.pid('inference');
    await page.getByTestId('xray-open-yolo26').click();
    await page.getByTestId('xray-restart').click();
    await until('inference is another process', 30_000, async () => {
      const now = system.process(await system.state(), 'inference');
      return now?.state === 'up' && now.pid !== before;
    });
    await page.close();
  });

  it('makes each path clean by the time of its acknowledgement', async () => {
    await untilClean(); // inference has just been started again
    for (let round = 0; round < 3; round++) {
      await Promise.all(SIX.map(({ service, type }) => system.startFault(service, type)));
      const receipt = await system.halt();
      const calls = await Promise.allSettled(SIX.map(({ service }) => timeThrough(system, service)));
      expect(receipt.faults).toHaveLength(6);
      expect(calls.map((call) => call.status)).toEqual(SIX.map(() => 'fulfilled'));
      expect((await system.api('POST', '/resume', { reason: 'next round' })).status).toBe(200);
    }
    await untilRecovered(system);
  });
});
