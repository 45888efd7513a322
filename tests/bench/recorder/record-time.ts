import { mock } from 'node:test';
import { pino } from 'pino';
import { ManualClock } from '#lib/chaos/clock.ts';
import type { MetricDeclaration } from '#lib/protocol/metrics.ts';
import { Recorder } from '#server/control/recorder.ts';

/**
 * Lets the real recorder live through `seconds` that end at `endAt` (epoch ms) as fast as it can: its timers are moved
 * by hand, its values are ones that change. Gives the ms that this took.
 */
export function recordTime(
  dir: string,
  metrics: readonly MetricDeclaration[],
  seconds: number,
  endAt: number,
): number {
  const clock = new ManualClock(endAt - seconds * 1000);
  const values = metrics.map((_, index) => index);
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    const sample = () => {
      for (let index = 0; index < values.length; index++) values[index] = (values[index] ?? 0) * 1.0001 + 0.1;
      return { metrics, values };
    };
    const recorder = new Recorder({ dir, logger: pino({ level: 'silent' }), clock, sample });
    const startedAt = performance.now();
    for (let second = 0; second < seconds; second++) {
      clock.advance(1000);
      mock.timers.tick(1000);
    }
    recorder.flush();
    const tookMs = performance.now() - startedAt;
    recorder.close();
    return tookMs;
  } finally {
    mock.timers.reset();
  }
}
