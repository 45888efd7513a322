import { besideStalled, stopWithAll } from './fanout-hardship.ts';
import { Latencies } from './fanout-latencies.ts';
import { FanoutStand, type FanoutWindow } from './fanout-stand.ts';
import { openSystem } from './main-system.ts';
import { atMost, type BenchRatio, type BenchReport, Samples, shown } from './measure.ts';

interface Size {
  /** Viewers, ascending. */
  counts: readonly number[];
  rounds: number;
  windowMs: number;
  /** Among how many one is stalled, and for how long. */
  stalledAmong: number;
  stalledMs: number;
}
const FULL: Size = {
  counts: [10, 100, 1000],
  rounds: 3,
  windowMs: 8000,
  stalledAmong: 100,
  stalledMs: 60_000,
};
const SMOKE: Size = { counts: [4], rounds: 1, windowMs: 700, stalledAmong: 4, stalledMs: 700 };

/**
 * What viewers cost the control process of a system at work, and how soon they are told.
 *
 * Viewers speak Socket.IO in processes of their own, over `ws` and without parsing what they do not need: a thousand
 * browsers' work would be measured otherwise, on the same two cores.
 */
export async function benchFanout(smoke: boolean): Promise<BenchReport> {
  const size = smoke ? SMOKE : FULL;
  const { system, close } = await openSystem(smoke, { cameraRate: 2 });
  const stand = await FanoutStand.open(system, smoke ? 100 : 1000);
  const samples = new Samples();
  const ratios: BenchRatio[] = [];
  const found: string[] = [];
  try {
    const idle = await stand.hubWindow(size.windowMs);
    samples.add('control process without viewers', '% of a core', idle.cpuRatio * 100);
    for (const count of size.counts) {
      const joined = await stand.connect(count);
      samples.add(`${count} viewers: joining, CPU`, 'ms each', joined.cpuMsEach);
      samples.add(`${count} viewers: resident memory`, 'kB each', joined.hubBytesEach / 1000);
      samples.add(`${count} viewers: resident memory, bare ws`, 'kB each', joined.floorBytesEach / 1000);
      ratios.push(...(await measureCount(stand, samples, size, idle.cpuRatio)));
      if (count === size.stalledAmong) ratios.push(...(await besideStalled(stand, size.stalledMs)));
      if (count === 1000)
        ratios.push(atMost('1000 viewers: memory, kB each', joined.hubBytesEach / 1000, 60));
    }
    found.push(curveOf(samples, size.counts));
    if (!smoke) ratios.push(...(await stopWithAll(stand)));
  } finally {
    await stand.close();
    await close();
  }
  return {
    part: 'fanout',
    what: 'viewers on both namespaces, telemetry and state twice a second, a fault that comes and goes; pipeline at 2 frames/s',
    measurements: samples.summaries(),
    ratios,
    rivals: {
      'bare ws': `A WebSocketServer in a process of its own that broadcasts as its documentation says (one buffer, \`client.send\` to each open client, no compression); what one viewer of the hub got is sent in the same rhythm and size.`,
    },
    found: [...found, ...PROFILED],
  };
}

/** From CPU and heap profiles of a control process alone with 600 viewers. */
const PROFILED = [
  'Joining grows with the number of those who are there: that one has come is a fact, told to all. A third of the time of 600 joins is `writev`, one a viewer and fact.',
  'What a viewer keeps is 19 kB of heap, after a collection; resident memory that is read after many have joined is mostly what their snapshots have left to be collected.',
];

async function measureCount(
  stand: FanoutStand,
  samples: Samples,
  { rounds, windowMs }: Size,
  idleRatio: number,
): Promise<BenchRatio[]> {
  const label = `${stand.viewers} viewers`;
  const all = { hub: new Latencies(), facts: new Latencies(), floor: new Latencies() };
  for (let round = 0; round < rounds; round++) {
    const hub = await stand.hubWindow(windowMs);
    const floor = await stand.floorWindow(hub.messages, windowMs);
    add(samples, label, hub);
    add(samples, `${label}, bare ws`, floor);
    samples.add(`${label}: CPU above that without viewers`, '% of a core', (hub.cpuRatio - idleRatio) * 100);
    all.hub.addCounts(hub.telemetry.counts());
    all.facts.addCounts(hub.facts.counts());
    all.floor.addCounts(floor.telemetry.counts());
  }
  const { missed, repeated, connected } = await stand.untilAllTold();
  const aimed = stand.viewers === 1000;
  const atThousand = (name: string, value: number, limit: number) =>
    aimed ? atMost(name, value, limit) : shown(name, value);
  return [
    atThousand(`${label}: delivery p99, ms`, all.hub.percentile(0.99), 100),
    shown(`${label}, bare ws: delivery p99, ms`, all.floor.percentile(0.99)),
    atThousand(`${label}: facts p99, ms`, all.facts.percentile(0.99), 100),
    atThousand(`${label}: CPU, % of a core`, medianCpu(samples, label), 25),
    atThousand(`${label}: CPU / bare ws`, samples.ratio(`${label}: CPU`, `${label}, bare ws: CPU`), 2),
    atMost(`${label}: facts missed or repeated`, missed + repeated, 0),
    atMost(`${label}: lost viewers`, stand.viewers - connected, 0),
  ];
}

function add(samples: Samples, label: string, { cpuRatio, bytesPerSecond, telemetry }: FanoutWindow): void {
  samples.add(`${label}: CPU`, '% of a core', cpuRatio * 100);
  samples.add(`${label}: bytes to each`, 'kB/s', bytesPerSecond / 1000);
  samples.add(`${label}: delivery p50`, 'ms', telemetry.percentile(0.5));
  samples.add(`${label}: delivery p99`, 'ms', telemetry.percentile(0.99));
}

function medianCpu(samples: Samples, label: string): number {
  return samples.summaries().find(({ name }) => name === `${label}: CPU`)?.median ?? Number.NaN;
}

/** How the cost of one viewer changes with their number. */
function curveOf(samples: Samples, counts: readonly number[]): string {
  const each = counts.map((count) => {
    const summary = samples
      .summaries()
      .find(({ name }) => name === `${count} viewers: CPU above that without viewers`);
    const joining = samples.summaries().find(({ name }) => name === `${count} viewers: joining, CPU`);
    const perViewer = ((summary?.median ?? 0) * 10) / count; // % of a core → ms a second
    return `${count}: ${perViewer.toFixed(2)} ms a second each, ${(joining?.median ?? 0).toFixed(1)} ms to join`;
  });
  return `CPU by the number of viewers: ${each.join('; ')}.`;
}
