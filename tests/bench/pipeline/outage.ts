import { until } from '#tests/support/until.ts';
import { atLeast, type BenchRatio, type Samples, shown } from '../measure.ts';
import type { PipelineSize } from './pipeline-size.ts';
import type { Running } from './running.ts';

/** Frames of so long are on their way at least, while their batch is open and judged, s. */
const ORDINARY_SECONDS = 3;
/** How long the drain may take, ms. */
const DRAIN_LIMIT_MS = 120_000;

/**
 * Redis refuses everybody for a minute while frames keep coming; then the frames that wait are worked off, and those
 * that come meanwhile. The drain is counted from the fault's end, the breakers' recovery included, until as few frames
 * are on their way as before the outage.
 */
export async function measureOutage(
  samples: Samples,
  { system, load }: Running,
  { perSecond, outageMs }: PipelineSize,
): Promise<BenchRatio[]> {
  const onTheirWay = async () => {
    const { accepted, seen } = await load.call('counts', undefined);
    return { backlog: accepted - seen, seen };
  };
  await load.call('steady', { perSecond });
  const ordinary = Math.max(perSecond * ORDINARY_SECONDS, ...(await watch(onTheirWay, outageMs / 12)));
  const fault = await system.startFault('redis', 'unavailable', { ttlMs: outageMs + 60_000 });
  await new Promise((resolve) => setTimeout(resolve, outageMs));
  await system.stopFault(fault.id);
  const endedMs = performance.now();
  const { backlog, seen } = await onTheirWay();
  const after = await until('the backlog is worked off', DRAIN_LIMIT_MS, async () => {
    const now = await onTheirWay();
    return now.backlog <= ordinary ? now : undefined;
  });
  const seconds = (performance.now() - endedMs) / 1000;
  await load.call('stop', undefined);
  const perSecondDrained = (after.seen - seen) / seconds;
  samples.add('outage: backlog at its end', 'frames', backlog);
  samples.add('outage: time to drain it', 's', seconds);
  samples.add('outage: drained', 'frames/s', perSecondDrained);
  return [
    atLeast('outage: drained / arriving', perSecondDrained / perSecond, 2),
    shown('outage: seconds to drain the backlog', seconds),
  ];
}

/** Frames on their way, looked at again and again. */
async function watch(look: () => Promise<{ backlog: number }>, forMs: number): Promise<number[]> {
  const backlogs: number[] = [];
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs) {
    backlogs.push((await look()).backlog);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return backlogs;
}
