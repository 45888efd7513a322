import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser, type TestBrowser } from '#tests/support/browser.ts';
import { seenText } from '#tests/support/seen.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { treeText } from '#tests/support/tree-text.ts';
import { until } from '#tests/support/until.ts';

let system: System;
let browser: TestBrowser;

beforeAll(async () => {
  [system, browser] = await Promise.all([startSystem({ cameraRate: 2 }), startBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await system?.close();
});

describe('the work ledger', () => {
  it('names an upload whose file and job were deleted behind its back, in red', async () => {
    const page = await browser.open(system.url);
    await until(
      'the first event is stored',
      40_000,
      async () => (await system.sql('select 1 from events limit 1')).length > 0,
    );
    expect((await system.state()).pipeline?.ledger.lost).toBe(0);

    // The detector is away, so that accepted files wait in the inbox.
    await system.startFault('yolo26', 'connection_error');
    const inbox = join(system.dataDir, 'inbox');
    const queue = new Queue('detection_queue', { connection: system.wiring.direct.redis });
    const id = await until('a file and its job wait', 45_000, async () => {
      for (const file of readdirSync(inbox)) {
        const job = await queue.getJob(file.replace(/\.jpg$/, ''));
        if (!job?.id || !['waiting', 'delayed', 'paused'].includes(await job.getState())) continue;
        await job.remove();
        rmSync(join(inbox, file));
        return job.id;
      }
      return undefined;
    });
    const lost = await until('the ledger names the loss', 25_000, async () => {
      const ledger = (await system.state()).pipeline?.ledger;
      return ledger && ledger.lost > 0 ? ledger : undefined;
    });
    expect(lost.lost).toBe(1);
    expect(lost.lostIds).toEqual([id]);
    expect(lost.verdict).toBe('LOSS');

    const sentence = page.getByTestId('ledger');
    await page.locator('[data-testid="ledger"][data-lost="1"]').waitFor({ timeout: 15_000 });
    expect(await sentence.textContent()).toContain(id);
    expect(await seenText(sentence)).toContain('1 LOST');
    expect(await treeText(sentence)).toMatch(new RegExp(`1 LOST ${id}$`));
    await page
      .getByTestId('urgent')
      .filter({ hasText: `LEDGER 1 lost: ${id}` })
      .waitFor({ timeout: 15_000 });
    const [red, green, blue] = await sentence.evaluate((element) => {
      const marked = element.querySelector('[data-loss]') ?? element;
      const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      if (!canvas) throw new Error('no canvas');
      canvas.fillStyle = getComputedStyle(marked).color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    });
    expect(red).toBeGreaterThan(150);
    expect(red).toBeGreaterThan((green ?? 255) + 60);
    expect(red).toBeGreaterThan((blue ?? 255) + 60);
    await queue.close();
  });
});
