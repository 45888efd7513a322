import { atLeast, type BenchRatio, type BenchReport, Samples, shown } from './measure.ts';
import { measureLatency } from './pipeline/latency.ts';
import { measureOutage } from './pipeline/outage.ts';
import type { PipelineSize } from './pipeline/pipeline-size.ts';
import { type Running, startRunning } from './pipeline/running.ts';
import { measureSaturation } from './pipeline/saturation.ts';

const FULL: PipelineSize = {
  rounds: { instant: 3, simulated: 2 },
  forMs: { instant: 5000, simulated: 12_000 },
  rampMs: 3000,
  inFlight: { instant: 240, simulated: 96 },
  perSecond: 2,
  latencyMs: 20_000,
  outageMs: 60_000,
};
const SMOKE: PipelineSize = {
  rounds: { instant: 0, simulated: 1 },
  forMs: { instant: 0, simulated: 1500 },
  rampMs: 0,
  inFlight: { instant: 0, simulated: 12 },
  perSecond: 4,
  latencyMs: 1000,
  outageMs: 1000,
};

/**
 * From the first byte of an upload to the stored event and the viewer: how many a second, where the time goes, and
 * how a backlog is worked off; beside the stages without which it cannot be done, in a tight loop.
 */
export async function benchPipeline(smoke: boolean): Promise<BenchReport> {
  const size = smoke ? SMOKE : FULL;
  const samples = new Samples();
  const ratios: BenchRatio[] = [];
  const during = async (instant: boolean, measure: (running: Running) => Promise<void>) => {
    const running = await startRunning(smoke, instant);
    try {
      await measure(running);
    } finally {
      await running.close();
    }
  };
  if (size.rounds.instant > 0)
    await during(true, (running) => measureSaturation(samples, running, 'instant', size));
  await during(false, async (running) => {
    await measureLatency(samples, running, size);
    await measureSaturation(samples, running, 'simulated', size);
    ratios.push(...(await measureOutage(samples, running, size)));
  });
  const overFloor = (models: string) =>
    samples.ratio(`${models} models: pipeline`, `${models} models: floor`);
  return {
    part: 'pipeline',
    what:
      `${size.inFlight.instant || size.inFlight.simulated} frames on their way at once, from a load generator that uploads ` +
      'as cameras do and watches as a viewer does; game-day profile. "Instant" models answer at once, so that the ' +
      'pipeline itself is measured; "simulated" are those of `npm start`, whose service time on the simulated card is a ' +
      "stage of both the pipeline and its floor. Stages and latency are medians over frames, CPU is per frame of all a process's children",
    measurements: samples.summaries(),
    ratios: [
      ...(size.rounds.instant > 0
        ? [atLeast('instant models: pipeline / floor', overFloor('instant'), 0.5)]
        : []),
      atLeast('simulated models: pipeline / floor', overFloor('simulated'), 0.5),
      ...ratios,
      shown('upload to viewer, p99 ms', samples.percentile('upload to viewer', 0.99)),
    ],
    rivals: {
      floor:
        'decode, hash, a queue hop through BullMQ, (the detector in batches of 8,) one insert, 20 detections of a camera ' +
        'together, a second hop, (the language model,) one insert; no FTP, files, proxies, logs, duplicates or retries. ' +
        "The running system's Redis, PostgreSQL and models, past the proxies; as much at once as the pipeline has",
    },
  };
}
