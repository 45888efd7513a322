import { startSystem } from '#tests/support/system.ts';
import { type BenchReport, summarise } from './measure.ts';

/** Built and installed: from the command to the line with the URL. */
export async function benchStart(smoke: boolean): Promise<BenchReport> {
  const seconds: number[] = [];
  for (let round = 0; round < (smoke ? 1 : 3); round++) {
    const startedAt = performance.now();
    const system = await startSystem({ cameraRate: 0 });
    seconds.push((performance.now() - startedAt) / 1000);
    await system.close();
  }
  const measurement = summarise('built to live page, empty data directory', 's', seconds);
  return {
    part: 'start',
    what: 'the supervisor with every process, initdb included, until its last line',
    measurements: [measurement],
    ratios: [
      {
        name: 'seconds to a live page',
        value: measurement.median,
        target: '≤ 15',
        met: measurement.median <= 15,
      },
    ],
  };
}
