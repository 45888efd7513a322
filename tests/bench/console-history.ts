import { join } from 'node:path';
import { pino } from 'pino';
import { systemClock } from '#lib/chaos/clock.ts';
import { CHARTED_METRICS } from '#lib/protocol/metrics.ts';
import { Recorder } from '#server/control/recorder.ts';
import { until } from '#tests/support/until.ts';

const SAMPLE_MS = 1000;

/**
 * Writes the last minutes of every charted series as the recorder would have, once a second: a system that starts on
 * them has the history of a game day. It is read from the files then, which takes longer than from the hub's memory.
 */
export async function writeHistory(dataDir: string, spanMs: number): Promise<void> {
  const endAt = Date.now();
  let at = endAt - spanMs;
  const metrics = CHARTED_METRICS.map((name) => ({ name, unit: '', help: '' }));
  const recorder = new Recorder({
    dir: join(dataDir, 'recorder'),
    logger: pino({ level: 'silent' }),
    clock: { ...systemClock, now: () => at },
    everyMs: 1,
    writeEveryMs: 100,
    sample() {
      if (at < endAt) at += SAMPLE_MS;
      const wave = Math.sin(at / 20_000);
      return { metrics, values: metrics.map((_, index) => Math.abs(wave) * (index + 1)) };
    },
  });
  await until('the history is written', 30_000, () => at >= endAt || undefined);
  recorder.close();
}
