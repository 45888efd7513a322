import { ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel';
import Opossum from 'opossum';
import { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { type BenchReport, interleave, medianOf } from './measure.ts';

/** What a call costs through each policy, over the same bare async call. Rivals as their documentation sets them up. */
export async function benchPolicies(smoke: boolean): Promise<BenchReport> {
  const calls = smoke ? 1000 : 200_000;
  const work = async () => 1;
  const breaker = new CircuitBreaker('bench');
  const cockatiel = circuitBreaker(handleAll, { halfOpenAfter: 30_000, breaker: new ConsecutiveBreaker(5) });
  const opossum = new Opossum(work, { timeout: false, errorThresholdPercentage: 50, resetTimeout: 30_000 });
  const injector = new FaultInjector();
  const call = { kind: 'bench' };
  const perCall = async (once: () => Promise<unknown>) => {
    const startedAt = process.hrtime.bigint();
    for (let n = 0; n < calls; n++) await once();
    return Number(process.hrtime.bigint() - startedAt) / calls;
  };
  const measurements = await interleave('ns a call', smoke ? 2 : 11, {
    bare: () => perCall(work),
    'our breaker': () => perCall(() => breaker.execute(work)),
    cockatiel: () => perCall(() => cockatiel.execute(work)),
    opossum: () => perCall(() => opossum.fire()),
    'our injector, idle': () =>
      perCall(() => {
        injector.decide('redis', call);
        return work();
      }),
  });
  opossum.shutdown();
  const over = (name: string) => medianOf(measurements, name) - medianOf(measurements, 'bare');
  const ratio = (name: string, ours: string, rival: string, target: number) => {
    const value = over(ours) / over(rival);
    return { name, value, target: `≤ ${target}`, met: value <= target };
  };
  return {
    part: 'policies',
    what: `${calls} awaited calls a round; costs over a bare async call`,
    measurements,
    ratios: [
      ratio('breaker / cockatiel', 'our breaker', 'cockatiel', 1),
      ratio('breaker / opossum', 'our breaker', 'opossum', 0.4),
      ratio('idle injector / cockatiel', 'our injector, idle', 'cockatiel', 0.5),
    ],
  };
}
