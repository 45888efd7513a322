import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '#lib/chaos/random.ts';
import { startBrowser, type TestBrowser } from '#tests/support/browser.ts';
import { type CuttableProxy, startCuttableProxy } from '#tests/support/cuttable-proxy.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';

let system: System;
let proxy: CuttableProxy;
let steady: TestBrowser;
let shaky: TestBrowser;

beforeAll(async () => {
  proxy = await startCuttableProxy();
  [system, steady, shaky] = await Promise.all([
    startSystem({ cameraRate: 0 }),
    startBrowser(),
    startBrowser({ proxyUrl: proxy.url }),
  ]);
});
afterAll(async () => {
  await Promise.all([steady?.close(), shaky?.close()]);
  await proxy?.close();
  await system?.close();
});

const FACTS = 200;
const SEED = 20_261_122;

/** (seq, type, subject) of every line of the story, oldest first. */
async function storyOf(page: Page): Promise<string[]> {
  const lines = await page.getByTestId('story-line').evaluateAll((elements) =>
    elements.map((element) => {
      const { seq, type, subject } = (element as HTMLElement).dataset;
      return `${seq} ${type} ${subject}`;
    }),
  );
  return lines.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
}

describe('two browsers, one cut off at random', () => {
  it(`shows both the same ${FACTS} facts without gap or repeat (seed ${SEED})`, async () => {
    const random = createRandom(SEED);
    const [first, second] = await Promise.all([steady.open(system.url), shaky.open(system.url)]);
    const fromSeq = (await system.state()).seq;

    let made = 0;
    const making = (async () => {
      while (made < FACTS) {
        const fault = await system.startFault('nemotron', 'latency', { params: { latencyMs: 10 } });
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
    for (const page of [first, second]) {
      const seen = await until('the page has every fact', 15_000, async () => {
        const lines = (await storyOf(page)).filter((line) => Number.parseInt(line, 10) > fromSeq);
        return lines.length >= upTo ? lines.slice(0, upTo) : undefined;
      });
      expect(seen).toEqual(truth);
    }
  });
});
