import type { Samples } from '../measure.ts';
import { type SystemUse, systemUse } from '../measure-processes.ts';
import type { PipelineSize } from './pipeline-size.ts';
import type { Running } from './running.ts';
import { STAGES, stageTimes } from './stages.ts';

type Models = 'instant' | 'simulated';

/** As many frames as the pipeline takes, in turn with as many as the floor takes. */
export async function measureSaturation(
  samples: Samples,
  running: Running,
  models: Models,
  size: PipelineSize,
): Promise<void> {
  // The first round warms up; simulated models leave the processes idle most of the time, warm or not.
  for (let round = models === 'instant' ? -1 : 0; round < size.rounds[models]; round++) {
    const into = round < 0 ? undefined : samples;
    await saturatePipeline(into, running, models, size);
    await saturateFloor(into, running, models, size);
  }
}

async function saturatePipeline(
  samples: Samples | undefined,
  { system, load }: Running,
  models: Models,
  { rampMs, forMs, inFlight }: PipelineSize,
): Promise<void> {
  await load.call('saturate', { inFlight: inFlight[models] });
  await pause(rampMs);
  const [before, usedBefore] = [await load.call('counts', undefined), await systemUse(system)];
  const startedMs = performance.now();
  await pause(forMs[models]);
  const [after, usedAfter] = [await load.call('counts', undefined), await systemUse(system)];
  const seconds = (performance.now() - startedMs) / 1000;
  const frames = await load.call('stop', undefined);
  if (!samples) return;
  const seen = after.seen - before.seen;
  samples.add(`${models} models: pipeline`, 'frames/s', seen / seconds);
  if (after.failed > before.failed)
    samples.add(`${models} models: uploads tried again`, 'uploads', after.failed - before.failed);
  addCpu(samples, models, usedBefore, usedAfter, seen);
  for (const times of stageTimes(system.log('pipeline'), frames)) {
    for (const stage of STAGES) {
      const ms = times[stage];
      if (ms !== null) samples.add(`${models} models, saturated: ${stage}`, 'ms', ms);
    }
  }
}

async function saturateFloor(
  samples: Samples | undefined,
  { floor }: Running,
  models: Models,
  { rampMs, forMs, inFlight }: PipelineSize,
): Promise<void> {
  await floor.call('start', { inFlight: inFlight[models] });
  await pause(rampMs);
  const before = await floor.call('stored', undefined);
  const startedMs = performance.now();
  await pause(forMs[models]);
  const stored = (await floor.call('stored', undefined)) - before;
  samples?.add(`${models} models: floor`, 'frames/s', (stored * 1000) / (performance.now() - startedMs));
  await floor.call('stop', undefined);
}

function addCpu(samples: Samples, models: Models, before: SystemUse, after: SystemUse, frames: number): void {
  if (frames === 0) return; // a smoke is shorter than a frame's way can be
  for (const [name, { cpuMs }] of after) {
    const spentMs = cpuMs - (before.get(name)?.cpuMs ?? 0);
    if (Number.isFinite(spentMs))
      samples.add(`${models} models, saturated: CPU of ${name}`, 'ms/frame', spentMs / frames);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
