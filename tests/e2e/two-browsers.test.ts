import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '#lib/chaos/random.ts';
import type { Fact } from '#lib/protocol/facts.ts';
import { type BareChromium, pressFault, startBareChromium } from '#tests/support/bare-chromium.ts';
import { startBrowser, type TestBrowser } from '#tests/support/browser.ts';
import { type CuttableProxy, startCuttableProxy } from '#tests/support/cuttable-proxy.ts';
import { timeThrough } from '#tests/support/paths.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';

let system: System;
let proxy: CuttableProxy;
let steady: TestBrowser;
let shaky: TestBrowser;
let owner: BareChromium | undefined;
let watching: Page[] = [];

beforeAll(async () => {
  proxy = await startCuttableProxy();
  [system, steady, shaky] = await Promise.all([
    startSystem({ cameraRate: 0 }),
    startBrowser(),
    startBrowser({ proxyUrl: proxy.url }),
  ]);
});
afterAll(async () => {
  await Promise.all([steady?.close(), shaky?.close(), owner?.close()]);
  await proxy?.close();
  await system?.close();
});

const FACTS = 200;
const SEED = 20_261_122;

/** (seq, type, subject) of every line of the story, which grows as one scrolls, oldest first. */
async function storyOf(page: Page): Promise<string[]> {
  await page.getByTestId('story').evaluate(async (list) => {
    for (let lines = 0; lines !== list.children.length; ) {
      lines = list.children.length;
      list.scrollTop = list.scrollHeight;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
  const lines = await page.getByTestId('story-line').evaluateAll((elements) =>
    elements.map((element) => {
      const { seq, type, subject } = (element as HTMLElement).dataset;
      return `${seq} ${type} ${subject}`;
    }),
  );
  return lines.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
}

/** A browser of its own that has switched on a fault, which acts. */
async function startOwner(): Promise<BareChromium> {
  const owner = await startBareChromium(system.url);
  await pressFault(owner, 'ftp', 'server_error');
  const fault = await until('the fault is on', 30_000, async () =>
    (await system.state()).faults.find(({ service }) => service === 'ftp'),
  );
  expect(fault.owner.kind).toBe('browser');
  await until('the fault acts', 30_000, () =>
    timeThrough(system, 'ftp').then(
      () => false,
      () => true,
    ),
  );
  return owner;
}

/** kill -9. Gives how long after it calls were clean, the warning and the end. */
async function killOwner(owner: BareChromium): Promise<{ goneAfterMs: number; warning: Fact; end: Fact }> {
  const { seq } = await system.state();
  await owner.kill();
  const killedAt = performance.now();
  await until('calls are clean', 30_000, () => timeThrough(system, 'ftp'));
  const goneAfterMs = performance.now() - killedAt;
  const told = (type: Fact['type']) =>
    until(`${type} is told`, 10_000, async () =>
      (await system.facts(seq)).find((fact) => fact.type === type && fact.subject === 'ftp'),
    );
  return { goneAfterMs, warning: await told('leaseWarning'), end: await told('faultEnded') };
}

describe('two browsers, one cut off at random', () => {
  it(`shows both the same ${FACTS} facts without gap or repeat (seed ${SEED})`, async () => {
    const random = createRandom(SEED);
    watching = await Promise.all([steady.open(system.url), shaky.open(system.url)]);
    const fromSeq = (await system.state()).seq;

    let made = 0;
    const making = (async () => {
      while (made < FACTS) {
        // One that is not acknowledged within a second is refused; the facts of that count like all others.
        const fault = await until('the fault is on', 15_000, () =>
          system.startFault('nemotron', 'latency', { params: { latencyMs: 10 } }),
        );
        await system.api('POST', '/notes', { text: `note ${made}` });
        await system.stopFault(fault.id);
        made += 3;
        await new Promise((resolve) => setTimeout(resolve, 40 + random() * 120));
      }
    })();
    let cuts = 0;
    while (made < FACTS) {
      await new Promise((resolve) => setTimeout(resolve, 300 + random() * 1200));
      await proxy.cut(100 + random() * 1500);
      cuts++;
    }
    await making;
    expect(cuts).toBeGreaterThan(3);

    const truth = (await system.facts(fromSeq)).map((fact) => `${fact.seq} ${fact.type} ${fact.subject}`);
    const upTo = truth.length;
    expect(upTo).toBeGreaterThanOrEqual(FACTS);
    for (const page of watching) {
      const seen = await until('the page has every fact', 30_000, async () => {
        const lines = (await storyOf(page)).filter((line) => Number.parseInt(line, 10) > fromSeq);
        return lines.length >= upTo ? lines.slice(0, upTo) : undefined;
      });
      expect(seen).toEqual(truth);
    }
  });

  it('warns everybody of the end of a killed browser, whose fault is gone within 15 s', async () => {
    owner = await startOwner();
    const { goneAfterMs, warning, end } = await killOwner(owner);
    expect(goneAfterMs).toBeLessThanOrEqual(15_000);
    expect(end.data).toMatchObject({ reason: 'owner_lost' });
    expect(warning.seq, 'warned before').toBeLessThan(end.seq);
    expect(watching).toHaveLength(2);
    for (const page of watching) {
      await page
        .locator(`[data-testid="story-line"][data-seq="${warning.seq}"]`)
        .waitFor({ timeout: 30_000 });
    }
  });

  it('lives through a part of the page that cannot be fetched, and has it when it can', async () => {
    const refused = new Map<string, number>();
    const page = await steady.open(system.url);
    await page.route('**/_next/static/chunks/**', (route) => {
      const url = route.request().url();
      refused.set(url, (refused.get(url) ?? 0) + 1);
      return route.abort();
    });
    await page.keyboard.press('?');
    // The third time is the page's own: Next.js tries each chunk twice.
    await until('it is asked for again and again', 15_000, () => Math.max(0, ...refused.values()) >= 3);
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(await page.locator('[data-testid="live-status"][data-state="live"]').count()).toBe(1);

    await page.unroute('**/_next/static/chunks/**');
    await page.getByRole('dialog').waitFor({ timeout: 10_000 });
    await page.close();
  });
});
