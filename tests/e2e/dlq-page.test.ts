import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeadLetter, DlqGroups, DlqPage } from '#lib/protocol/dead-letters.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import { axeViolations } from '#tests/support/axe.ts';
import { startBrowser, type TestBrowser } from '#tests/support/browser.ts';
import { untilAttribute } from '#tests/support/console-page.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';

/** Letters by which there are two pages. */
const TWO_PAGES = 56;

let system: System;
let browser: TestBrowser;
let page: Page;
/** The fault that made the first letters. */
let fault: Fault;

beforeAll(async () => {
  [system, browser] = await Promise.all([
    startSystem({ cameraRate: 12, env: { PROFILE: 'test' } }),
    startBrowser(),
  ]);
  await until(
    'work goes on',
    40_000,
    async () => (await system.sql('select 1 from uploads limit 1')).length > 0,
  );
  fault = await refuseFrames();
  await until('there are two pages', 40_000, async () => (await total()) >= TWO_PAGES);
  await system.stopFault(fault.id);
  await untilStill();
  page = await browser.open(system.url);
});
afterAll(async () => {
  await browser?.close();
  await system?.close();
});

describe('/dlq', () => {
  it('is reached from the console, groups what failed alike and pages through it, and changes nothing', async () => {
    const before = letterFile();
    await page.getByTestId('open-dlq').click();
    await page.getByTestId('dlq').getByTestId('dlq-page').click();
    await page.waitForURL('**/dlq');
    await page.locator('[data-testid="live-status"][data-state="live"]').waitFor();
    const letters = await total();
    await untilText('dlq-total', String(letters));
    await untilText('dlq-window', `all ${letters} letters`);
    const { groups } = await groupsOf();
    expect(await page.getByTestId('dlq-group').count()).toBe(groups.length);
    await page.getByTestId('dlq-queue').selectOption('detection');
    await page.getByTestId('dlq-fault').selectOption(fault.id);
    await untilText('dlq-range', '1–50 of');
    expect(page.url()).toContain(`fault=${fault.id}`);
    await page.getByTestId('dlq-older').click();
    await untilText('dlq-range', '51–');
    const [shown] = await page.getByTestId('dlq-letter').all();
    const id = await shown?.getAttribute('data-id');
    const letter = (await lettersOf()).find((each) => each.id === id);
    await shown?.getByTestId('dlq-peek').click();
    await untilText('dlq-peeked', letter?.uploadId ?? 'a letter that is there');
    await untilText('dlq-peeked', 'yolo26');
    const [largest] = (await groupsOf(`?queue=detection&faultId=${fault.id}`)).groups;
    await page.getByTestId('dlq-group-open').first().click();
    await untilText('dlq-range', `of ${largest?.total}`);
    expect(page.url()).toContain('signature=');
    await page.reload();
    await untilText('dlq-range', `of ${largest?.total}`);
    expect(letterFile()).toBe(before);
  });

  it('gives nothing back while the breaker of the target is OPEN, and says why', async () => {
    await system.api('POST', '/breakers/yolo26/open');
    await untilText('dlq-redrive-group-reason', 'held OPEN by hand');
    expect(await page.getByTestId('dlq-redrive-group').first().isDisabled()).toBe(true);
    expect(await page.getByTestId('dlq-redrive').first().isDisabled()).toBe(true);
    const refused = await system.api('POST', '/dlq/redrive', { faultId: fault.id });
    expect(refused).toMatchObject({ status: 409, body: { code: 'BREAKER_OPEN', field: 'queue' } });
    await system.api('POST', '/breakers/yolo26/reset');
    await page.locator('[data-testid="dlq-redrive-group"]:enabled').first().waitFor({ timeout: 10_000 });
  });

  it('marks what was given back and came back as poison', async () => {
    const again = await refuseFrames();
    const row = page.getByTestId('dlq-letter').first();
    const id = (await row.getAttribute('data-id')) ?? '';
    await page.locator(`[data-testid="dlq-letter"][data-id="${id}"]`).getByTestId('dlq-redrive').click();
    await until('it has come back', 20_000, async () => {
      const letter = (await lettersOf()).find((each) => each.id === id);
      return letter?.redrives === 1;
    });
    await page
      .locator(`[data-testid="dlq-letter"][data-id="${id}"]`)
      .getByText('POISON × 1')
      .waitFor({ timeout: 10_000 });
    await system.stopFault(again.id);
    await untilStill();
  });

  it('re-drives all of a fault at a rate, with progress and a way to cancel, until all are stored', async () => {
    const uploads = (await lettersOf(fault.id)).map(({ uploadId }) => uploadId);
    const { seq } = await system.state();
    await page.getByTestId('dlq-rate').fill('5000');
    expect(await page.getByTestId('dlq-redrive-all').isDisabled()).toBe(true);
    await page.getByTestId('dlq-rate').fill('2');
    await page.getByTestId('dlq-redrive-all').click();
    await untilAttribute(page, 'dlq-task-detection', 'data-state', 'running');
    await until('some are given back', 20_000, async () => ((await task())?.done ?? 0) >= 3);
    expect((await task())?.done).toBeLessThan(uploads.length);
    await page.getByTestId('dlq-cancel-detection').click();
    await untilAttribute(page, 'dlq-task-detection', 'data-state', 'cancelled');
    expect(await task()).toMatchObject({ by: 'Operator', ratePerSecond: 2, state: 'cancelled' });
    await page.getByTestId('dlq-rate').fill('100');
    await page.getByTestId('dlq-redrive-all').click();
    await untilAttribute(page, 'dlq-task-detection', 'data-state', 'done', 40_000);
    await until('every frame is stored', 40_000, async () => {
      const rows = await system.sql("select 1 from uploads where upload_id = any($1) and status = 'stored'", [
        uploads,
      ]);
      return rows.length === uploads.length;
    });
    const told = await until('the end of the task is told', 10_000, async () => {
      const states = (await system.facts(seq)).flatMap((fact) =>
        fact.type === 'deadLetterTask' ? [fact.data.task.state] : [],
      );
      return states.at(-1) === 'done' ? states : undefined;
    });
    expect(told).toEqual(['running', 'cancelled', 'running', 'done']);
  });

  it('purges a group only after it was saved and typed, and drops its uploads by name', async () => {
    const more = await refuseFrames();
    await until('there are letters', 20_000, async () => (await total()) > 3);
    await system.stopFault(more.id);
    await untilStill();
    await page.goto(`${system.url}/dlq`);
    const [group] = (await groupsOf()).groups;
    const uploads = (await lettersOf())
      .filter(({ signature, queue }) => signature === group?.signature && queue === group?.queue)
      .map(({ uploadId }) => uploadId);
    await page.getByTestId('dlq-purge-group').first().click();
    expect(await page.getByTestId('dlq-purge-do').isDisabled()).toBe(true);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByTestId('dlq-purge-export').click(),
    ]);
    const lines = (await readFile(await download.path(), 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as DeadLetter).uploadId).sort()).toEqual(uploads.toSorted());
    await page.getByTestId('dlq-purge-reason').fill('frames of a test');
    await page.getByTestId('dlq-purge-confirm').fill(`purge ${uploads.length + 1}`);
    expect(await page.getByTestId('dlq-purge-do').isDisabled()).toBe(true);
    await page.getByTestId('dlq-purge-confirm').fill(`purge ${uploads.length}`);
    await page.getByTestId('dlq-purge-do').click();
    await page.getByTestId('dlq-purge').waitFor({ state: 'detached' });
    await until('the group is gone', 10_000, async () =>
      (await groupsOf()).groups.every(({ signature }) => signature !== group?.signature),
    );
    const dropped = readFileSync(join(system.dataDir, 'dlq', 'dropped.jsonl'), 'utf8');
    for (const uploadId of uploads)
      expect(dropped).toContain(`{"id":"${uploadId}","reason":"frames of a test"`);
    expect((await system.state()).pipeline?.ledger.lost).toBe(0);
  });

  it('says of a partial upload that only its camera can send it again, and leads to the upload that came of it', async () => {
    const half = await system.startFault('ftp', 'upload_timeout', { failFirst: 1 });
    const letter = await until('its camera has sent it again', 40_000, async () =>
      (await lettersOf(half.id)).find(({ queue, resentAs }) => queue === 'upload' && resentAs !== undefined),
    );
    await system.stopFault(half.id);
    await page.goto(`${system.url}/dlq?queue=upload&fault=${half.id}`);
    await untilText('dlq-redrive-group-reason', 'only the camera can send it again');
    const refused = await system.api('POST', `/dlq/${letter.id}/redrive`);
    expect(refused).toMatchObject({ status: 409, body: { code: 'NOT_REDRIVABLE' } });
    await page.locator(`[data-testid="dlq-letter"][data-id="${letter.id}"]`).getByTestId('dlq-peek').click();
    await untilText('dlq-resent-as', letter.resentAs ?? 'an upload');
    const href = await page.getByTestId('dlq-resent-as').evaluate((link) => (link as HTMLAnchorElement).href);
    expect((await fetch(href)).status).toBe(200);
    await page.goto(`${system.url}/dlq`);
  });

  it('never shows an old list as present: a pipeline that hangs turns every button off', async () => {
    const more = await refuseFrames();
    await until('there are letters', 20_000, async () => (await total()) > 3);
    await system.stopFault(more.id);
    await page.getByTestId('dlq-letter').first().waitFor({ timeout: 10_000 });
    const pid = await system.pid('pipeline');
    process.kill(pid, 'SIGSTOP');
    try {
      await untilText('dlq-redrive-all-reason', 'No fresh report');
      expect(await page.getByTestId('dlq-redrive').first().isDisabled()).toBe(true);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await page.locator('[data-testid="dlq-redrive-all"]:enabled').waitFor({ timeout: 20_000 });
  });

  it('has an open letter in which axe finds nothing, dark and light, and fits a phone', async () => {
    await page.getByTestId('dlq-peek').first().click();
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: 900 });
      expect(
        await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
      ).toBeLessThanOrEqual(0);
      expect(await axeViolations(page, '[data-testid="dlq-peeked"]')).toEqual([]);
      await page.getByRole('button', { name: /(Light|Dark) theme/ }).click();
    }
    expect(await page.getByTestId('halt-button').isVisible()).toBe(true);
  });
});

/** Every frame is refused by the detector, once, and put aside: no breaker opens. */
function refuseFrames(): Promise<Fault> {
  return system.startFault('yolo26', 'server_error', { params: { status: 422 } });
}

async function total(): Promise<number> {
  return (await system.api<DlqPage>('GET', '/dlq?limit=1')).body.total;
}

async function groupsOf(query = ''): Promise<DlqGroups> {
  return (await system.api<DlqGroups>('GET', `/dlq/groups${query}`)).body;
}

async function lettersOf(faultId?: string): Promise<DeadLetter[]> {
  const found: DeadLetter[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query: string = `${faultId ? `&faultId=${faultId}` : ''}${cursor ? `&cursor=${cursor}` : ''}`;
    const body: DlqPage = (await system.api<DlqPage>('GET', `/dlq?limit=50${query}`)).body;
    found.push(...body.items);
    cursor = body.nextCursor;
  }
  return found;
}

/** Frames that were in hand when the fault ended have become letters, or not; one look can fall into a pause. */
async function untilStill(): Promise<void> {
  let last = -1;
  let same = 0;
  await until(
    'no letter comes any more',
    30_000,
    async () => {
      const before = last;
      last = await total();
      same = before === last ? same + 1 : 0;
      return same >= 3;
    },
    1000,
  );
}

async function task() {
  return (await system.state()).pipeline?.dlq.tasks.find(({ queue }) => queue === 'detection');
}

function letterFile(): string {
  return readFileSync(join(system.dataDir, 'dlq', 'letters.jsonl'), 'utf8');
}

async function untilText(testId: string, text: string): Promise<void> {
  await until(`${testId} says ${text}`, 15_000, async () => {
    const found = (await page.getByTestId(testId).first().textContent()) ?? '';
    return found.replaceAll('\u202f', '').includes(text);
  });
}
