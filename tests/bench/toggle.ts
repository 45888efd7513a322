import { timeThrough } from '#tests/support/paths.ts';
import { startSystem } from '#tests/support/system.ts';
import { type BenchReport, percentile, summarise } from './measure.ts';

/** From the REST command to the acknowledgement of the process in which the fault acts, while the pipeline works. */
export async function benchToggle(smoke: boolean): Promise<BenchReport> {
  const system = await startSystem({ cameraRate: 2 });
  try {
    const on: number[] = [];
    const off: number[] = [];
    const halts: number[] = [];
    for (let round = 0; round < (smoke ? 2 : 100); round++) {
      let startedAt = performance.now();
      const fault = await system.startFault('nemotron', 'latency', { params: { latencyMs: 20 } });
      on.push(performance.now() - startedAt);
      startedAt = performance.now();
      await system.stopFault(fault.id);
      off.push(performance.now() - startedAt);
    }
    for (let round = 0; round < (smoke ? 1 : 10); round++) {
      await Promise.all([system.startFault('redis', 'timeout'), system.startFault('database', 'timeout')]);
      halts.push((await system.halt()).tookMs);
      await timeThrough(system, 'redis');
      await system.api('POST', '/resume', { reason: 'bench' });
    }
    const p99 = (samples: number[]) => percentile(samples, 0.99);
    return {
      part: 'toggle',
      what: 'REST command to acknowledgement by the injector; halt with Redis and PostgreSQL faulted',
      measurements: [summarise('on', 'ms', on), summarise('off', 'ms', off), summarise('halt', 'ms', halts)],
      ratios: [
        { name: 'on, p99 ms', value: p99(on), target: '≤ 100', met: p99(on) <= 100 },
        { name: 'off, p99 ms', value: p99(off), target: '≤ 100', met: p99(off) <= 100 },
        { name: 'halt, p99 ms', value: p99(halts), target: '≤ 500', met: p99(halts) <= 500 },
      ],
    };
  } finally {
    await system.close();
  }
}
