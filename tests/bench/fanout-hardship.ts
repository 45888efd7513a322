import { existsSync } from 'node:fs';
import { until } from '#tests/support/until.ts';
import type { FanoutStand } from './fanout-stand.ts';
import { atMost, type BenchRatio } from './measure.ts';

const LOOK_EVERY_MS = 500;
const UNSENT = /^brownout_viewer_unsent_bytes (\S+)$/m;

/**
 * One more viewer takes nothing for a while, saying all the time that it is there, while a fault is hit at every call of
 * the database: the list of faults, which is not volatile, goes out with each tick.
 */
export async function besideStalled(stand: FanoutStand, forMs: number): Promise<BenchRatio[]> {
  const { system, groups } = stand;
  const fault = await system.startFault('database', 'latency', { params: { latencyMs: 1 }, ttlMs: 300_000 });
  await groups[0]?.call('stall', { url: system.url });
  let mostBytes = 0;
  const looking = (async () => {
    const endsAt = performance.now() + forMs;
    while (performance.now() < endsAt) {
      const text = await (await fetch(`${system.url}/metrics`)).text();
      mostBytes = Math.max(mostBytes, Number(UNSENT.exec(text)?.[1] ?? Number.NaN));
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  })();
  const { telemetry, facts } = await stand.hubWindow(forMs);
  await looking;
  await system.stopFault(fault.id);
  const { missed } = await stand.untilAllTold();
  return [
    atMost('what waits for a stalled viewer, MiB', mostBytes / 2 ** 20, 1),
    atMost('beside it: delivery p99, ms', telemetry.percentile(0.99), 100),
    atMost('beside it: facts p99, ms', facts.percentile(0.99), 100),
    atMost('beside it: facts missed', missed, 0),
  ];
}

/** SIGINT to the whole system with every viewer connected. */
export async function stopWithAll(stand: FanoutStand): Promise<BenchRatio[]> {
  const { system, viewers } = stand;
  const startedAt = performance.now();
  const stopping = system.stop();
  const gone = until(
    'the control process has ended',
    10_000,
    () => !existsSync(`/proc/${stand.controlPid}`) || undefined,
    20,
  );
  await gone;
  const seconds = (performance.now() - startedAt) / 1000;
  const code = await stopping;
  const standings = await stand.standings();
  const warned = standings.reduce((all, each) => all + each.warned, 0);
  return [
    atMost(`stopped with ${viewers} viewers: control process gone, s`, seconds, 5),
    atMost('viewers that were not warned', viewers - warned, 0),
    atMost('exit code', code ?? Number.POSITIVE_INFINITY, 0),
  ];
}
