import { browserPid, openConsole, startProbedBrowser } from './console-page.ts';
import type { ViewersCalls } from './fanout-viewers.ts';
import { openSystem } from './main-system.ts';
import {
  atMost,
  type BenchRatio,
  type BenchReport,
  type Measurement,
  percentile,
  summarise,
} from './measure.ts';
import { startChild } from './measure-child.ts';
import { stepBack } from './step-back.ts';
import { measureClicks, measureFacts } from './toggle-clicks.ts';
import { measureHalts } from './toggle-halts.ts';

interface Size {
  /** Viewers beside the operator; the first of them is a browser. */
  viewers: readonly number[];
  clicks: number;
  facts: number;
  halts: number;
}
const FULL: Size = { viewers: [1, 50, 200], clicks: 50, facts: 30, halts: 8 };
const SMOKE: Size = { viewers: [2], clicks: 1, facts: 1, halts: 1 };

/** From the operator's hand to the injector, to the operator's eye, and to that of somebody else. */
export async function benchToggle(smoke: boolean): Promise<BenchReport> {
  const size = smoke ? SMOKE : FULL;
  const { system, close } = await openSystem(smoke, { cameraRate: 2 });
  const viewers = startChild<ViewersCalls>(new URL('./fanout-viewers.ts', import.meta.url), [], true);
  const browsers = await Promise.all([startProbedBrowser(), startProbedBrowser()]);
  const measurements: Measurement[] = [];
  const ratios: BenchRatio[] = [];
  let stepsBack = false;
  try {
    const [operatorPid = 0, otherPid = 0] = await Promise.all(browsers.map(browserPid));
    const [operator, other] = await Promise.all(browsers.map((browser) => openConsole(browser, system.url)));
    if (!operator || !other) throw new Error('no pages');
    stepsBack = await viewers.call('stepBack', undefined);
    for (const count of size.viewers) {
      await viewers.call('connect', { url: system.url, upTo: count - 1, group: 'viewer' });
      const tell = (name: string, samples: number[], limits: Readonly<Record<string, number>>) => {
        if (samples.length === 0) return;
        const label = `${count} ${count === 1 ? 'viewer' : 'viewers'}: ${name}`;
        measurements.push(summarise(label, 'ms', samples));
        for (const [share, limit] of Object.entries(limits))
          ratios.push(atMost(`${label}, p${share} ms`, percentile(samples, Number(share) / 100), limit));
      };
      await stepBack(otherPid, true);
      const clicks = await measureClicks(operator, size.clicks);
      await stepBack(otherPid, false);
      tell('click → in force, acknowledged', clicks.acknowledged, { 99: 100 });
      tell('click → "arming" painted', clicks.busyPainted, { 99: 50 });
      tell('click → confirmed state painted', clicks.confirmedPainted, { 99: 150 });
      await stepBack(operatorPid, true);
      const facts = await measureFacts(system, other, size.facts);
      await stepBack(operatorPid, false);
      tell('breaker → painted in another browser', facts.breaker, { 95: 250, 99: 500 });
      tell('mode → painted in another browser', facts.mode, { 95: 250, 99: 500 });
      for (const stores of [false, true]) {
        const halt = stores ? 'halt, Redis and PostgreSQL hang' : 'halt';
        const halts = await measureHalts(system, { operator, other }, size.halts, stores);
        tell(`${halt}: click → acknowledged`, halts.acknowledged, { 99: 500 });
        tell(`${halt}: command → acknowledged, at the control process`, halts.receipt, {});
        tell(`${halt}: click → painted`, halts.painted, {});
        tell(`${halt}: click → painted in another browser`, halts.paintedElsewhere, {});
      }
    }
  } finally {
    await viewers.call('closeAll', undefined).catch(() => {});
    await Promise.all([viewers.close(), ...browsers.map((browser) => browser.close())]);
    await close();
  }
  return {
    part: 'toggle',
    what:
      `clicks in a real browser at 1440 × 900 (${size.clicks * 2} for each figure, each a quarter of a second after the last was ` +
      'confirmed), seen by a probe in the page; a second browser and viewers beside it, which stand for other machines and ' +
      (stepsBack
        ? 'therefore have low priority (the second browser only while the first is measured, and the other way round; both are measured by a halt)'
        : 'have the same priority all the same: this system does not share by session') +
      '; pipeline at 2 frames/s',
    measurements,
    ratios,
  };
}
