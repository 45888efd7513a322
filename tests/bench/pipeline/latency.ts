import type { Samples } from '../measure.ts';
import type { PipelineSize } from './pipeline-size.ts';
import type { Running } from './running.ts';
import { STAGES, stageTimes } from './stages.ts';

/** From the first byte of an upload until a viewer has the event with it, at the pace of an ordinary day. */
export async function measureLatency(
  samples: Samples,
  { system, load }: Running,
  { perSecond, latencyMs }: PipelineSize,
): Promise<void> {
  await load.call('steady', { perSecond });
  await new Promise((resolve) => setTimeout(resolve, latencyMs));
  const frames = await load.call('stop', undefined);
  for (const { startedAt, seenAt } of frames) samples.add('upload to viewer', 'ms', seenAt - startedAt);
  for (const times of stageTimes(system.log('pipeline'), frames)) {
    for (const stage of STAGES) {
      const ms = times[stage];
      if (ms !== null) samples.add(`upload to viewer: ${stage}`, 'ms', ms);
    }
  }
}
