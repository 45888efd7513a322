import { atMost, type BenchRatio, type BenchReport, Samples, shown } from './measure.ts';
import { startChild } from './measure-child.ts';
import { POLICIES, type PolicyName } from './policies/policy-calls.ts';
import type { PolicyCalls } from './policies/policy-process.ts';

const PROCESS = new URL('./policies/policy-process.ts', import.meta.url);
/** Room for every call of a round, so that what is on the heap at its end is all that was put there. */
const NO_COLLECTION = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256'];

interface Size {
  rounds: number;
  calls: number;
  /** Of the rounds, those in which memory is measured too. */
  roundsForBytes: number;
  callsForBytes: number;
  /** A call that waits for the disk. */
  diskCalls: number;
}
const FULL: Size = { rounds: 61, calls: 20_000, roundsForBytes: 5, callsForBytes: 20_000, diskCalls: 50 };
const SMOKE: Size = { rounds: 1, calls: 200, roundsForBytes: 1, callsForBytes: 200, diskCalls: 2 };

/** Rounds that are thrown away. */
const WARM_UPS = 2;

/** What a call costs through each policy, over the same bare async call: time, and memory that must be collected. */
export async function benchPolicies(smoke: boolean): Promise<BenchReport> {
  const size = smoke ? SMOKE : FULL;
  const samples = new Samples();
  const timed = startChild<PolicyCalls>(PROCESS);
  const weighed = startChild<PolicyCalls>(PROCESS, NO_COLLECTION);
  try {
    for (let round = -WARM_UPS; round < size.rounds; round++) {
      for (const name of POLICIES) {
        const onDisk = name === 'our fallback, disk takes it';
        const ns = await timed.call('ns', { name, calls: onDisk ? size.diskCalls : size.calls });
        if (round >= 0) samples.add(nsOf(name), 'ns/call', ns);
        if (round >= size.roundsForBytes) continue;
        const calls = onDisk ? size.diskCalls : size.callsForBytes;
        const bytes = await weighed.call('bytes', { name, calls });
        if (round >= 0) samples.add(bytesOf(name), 'bytes/call', bytes);
      }
    }
  } finally {
    await timed.close();
    await weighed.close();
  }
  return {
    part: 'policies',
    what:
      `${size.calls} awaited calls a round for time, ${size.callsForBytes} for memory, in two processes; ratios are of ` +
      'what a policy adds to the bare async call, by the medians',
    measurements: samples.summaries(),
    ratios: ratiosOf(samples),
    rivals: {
      cockatiel:
        "4.0.0, the breaker and the retry of its README's first example: `circuitBreaker(handleAll, {halfOpenAfter: " +
        '10 s, breaker: new ConsecutiveBreaker(5)})`, `retry(handleAll, {maxAttempts: 3, backoff: new ExponentialBackoff()})`',
      opossum:
        "10.0.0, the options of its README's first example: `timeout: 3000, errorThresholdPercentage: 50, " +
        'resetTimeout: 30000`. Since our breaker has no time-out of its own (callers bring a signal), opossum is also ' +
        'measured with `timeout: false`, which is faster; the target is held against that',
      'bare async call': 'the same `async () => 1`, awaited, without any policy',
    },
  };
}

const nsOf = (name: PolicyName) => `${name}: time`;
const bytesOf = (name: PolicyName) => `${name}: memory`;

function ratiosOf(samples: Samples): BenchRatio[] {
  const time = (ours: PolicyName, rival: PolicyName) =>
    samples.ratioOver(nsOf(ours), nsOf(rival), nsOf('bare'));
  const memory = (ours: PolicyName, rival: PolicyName) =>
    samples.ratioOver(bytesOf(ours), bytesOf(rival), bytesOf('bare'));
  return [
    atMost('breaker / cockatiel, time', time('our breaker', 'cockatiel breaker'), 1),
    atMost('breaker / opossum without time-out, time', time('our breaker', 'opossum, no time-out'), 0.4),
    shown(
      'breaker that times its calls / cockatiel, time',
      time('our breaker, calls timed', 'cockatiel breaker'),
    ),
    shown('breaker / opossum as documented, time', time('our breaker', 'opossum, as documented')),
    atMost('idle injector / cockatiel, time', time('our injector, idle', 'cockatiel breaker'), 0.5),
    shown('retry / cockatiel retry, time', time('our retry', 'cockatiel retry')),
    shown('breaker / cockatiel, memory', memory('our breaker', 'cockatiel breaker')),
    shown('breaker / opossum without time-out, memory', memory('our breaker', 'opossum, no time-out')),
    shown('idle injector / cockatiel, memory', memory('our injector, idle', 'cockatiel breaker')),
    shown('retry / cockatiel retry, memory', memory('our retry', 'cockatiel retry')),
  ];
}
