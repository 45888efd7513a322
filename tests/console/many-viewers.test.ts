import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METRICS, type Series } from '#lib/protocol/metrics.ts';
import type { TimelineWindow } from '#lib/protocol/timeline.ts';
import { LightViewer } from '#tests/support/light-viewer.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';

const VIEWERS = 200;
const TOGGLES = 25;
/** Sampled by the pipeline as long as it runs, whatever it does. */
const METRIC = METRICS.moving;
/** The newest samples can be on their way still, ms. */
const SETTLED_MS = 2000;

let system: System;
const viewers: LightViewer[] = [];
/** Epoch ms of each tick that the first of them got. */
const ticks: number[] = [];

beforeAll(async () => {
  system = await startSystem({ cameraRate: 1 });
  const connect = (n: number) =>
    LightViewer.connect({
      url: system.url,
      name: `Viewer ${n}`,
      tabId: `viewer-${n}`,
      keepsFacts: n === 0,
      onPacket({ event, stampAt }) {
        if (n === 0 && event === 'tick' && stampAt !== null) ticks.push(stampAt);
      },
    });
  while (viewers.length < VIEWERS) {
    const from = viewers.length;
    viewers.push(...(await Promise.all(Array.from({ length: 50 }, (_, n) => connect(from + n)))));
  }
});
afterAll(async () => {
  for (const viewer of viewers) viewer.close();
  await system?.close();
});

/** Faults come and go; gives the newest fact of all after the last. */
async function toggleFaults(): Promise<number> {
  for (let n = 0; n < TOGGLES; n++) {
    const fault = await system.startFault('nemotron', 'latency', { params: { latencyMs: 5 } });
    await system.api('POST', '/notes', { text: `toggle ${n}` });
    await system.stopFault(fault.id);
  }
  return (await system.state()).seq;
}

async function untilAllHave(seq: number, watching: readonly LightViewer[]): Promise<void> {
  await until('every viewer has the newest fact', 20_000, () =>
    watching.every(({ lastSeq }) => lastSeq >= seq),
  );
}

const faultyOf = (watching: readonly LightViewer[]) =>
  watching.filter(({ missed, repeated, closed }) => missed > 0 || repeated > 0 || closed);

const linesOf = (facts: readonly { seq: number; type: string; subject: string }[]) =>
  facts.map(({ seq, type, subject }) => `${seq} ${type} ${subject}`);

describe(`${VIEWERS} viewers while faults toggle`, () => {
  it('each gets every fact, once and in order', async () => {
    const fromSeq = (await system.state()).seq;
    const seq = await toggleFaults();
    expect(seq - fromSeq).toBeGreaterThanOrEqual(TOGGLES * 3);
    await untilAllHave(seq, viewers);
    expect(faultyOf(viewers)).toEqual([]);
    const told = linesOf(await system.facts(fromSeq)).filter((line) => Number.parseInt(line, 10) <= seq);
    const seen = linesOf(viewers[0]?.facts ?? []).filter((line) => {
      const each = Number.parseInt(line, 10);
      return each > fromSeq && each <= seq;
    });
    expect(seen).toEqual(told);
  });

  it('one that takes nothing more costs the others no fact, and little is kept for it', async () => {
    const stalled = await LightViewer.connect({ url: system.url, name: 'Stalled', tabId: 'stalled' });
    stalled.stall();
    const fault = await system.startFault('database', 'latency', { params: { latencyMs: 1 } });
    const seq = await toggleFaults();
    await untilAllHave(seq, viewers);
    const unsent = /^brownout_viewer_unsent_bytes (\d+)$/m.exec(
      await (await fetch(`${system.url}/metrics`)).text(),
    )?.[1];
    await system.stopFault(fault.id);
    stalled.close();
    expect(Number(unsent)).toBeLessThanOrEqual(2 ** 20);
    expect(faultyOf(viewers)).toEqual([]);
  });

  it('one that comes late has the facts and the series from before', async () => {
    const late = await LightViewer.connect({
      url: system.url,
      name: 'Late',
      tabId: 'late',
      keepsFacts: true,
    });
    const { body: window } = await system.api<TimelineWindow>('GET', '/timeline/window');
    const before = window.facts.filter(({ seq }) => seq <= (late.facts.at(-1)?.seq ?? 0));
    expect(window.gap).toBe(false);
    expect(before.map(({ seq }) => seq)).toEqual(before.map((_, index) => index + 1));
    expect(linesOf(late.facts)).toEqual(linesOf(before).slice(-late.facts.length));
    expect(late.facts.length).toBeGreaterThan(TOGGLES * 3);

    await until('the first viewer has watched for a while', 20_000, () => ticks.length > 12 || undefined);
    const endAt = ticks.at(-1) ?? 0;
    const { body } = await system.api<{ series: Series[] }>('GET', `/series?names=${METRIC}&stepMs=1000`);
    const [series] = body.series;
    const valueAt = (at: number) => series?.values[Math.floor((at - series.startAt) / series.stepMs)] ?? null;
    const whole = ticks.filter((at) => at < endAt - SETTLED_MS);
    expect(whole.length).toBeGreaterThan(5);
    expect(whole.filter((at) => valueAt(at) === null)).toEqual([]);
    late.close();
  });
});
