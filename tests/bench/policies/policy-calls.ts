import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleAll,
  retry as retryOf,
} from 'cockatiel';
import Opossum from 'opossum';
import { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import { DiskTier } from '#lib/chaos/fallback/disk-tier.ts';
import { FallbackChain } from '#lib/chaos/fallback/fallback-chain.ts';
import type { FallbackTier } from '#lib/chaos/fallback/fallback-tier.ts';
import { MemoryTier } from '#lib/chaos/fallback/memory-tier.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { validateFault } from '#lib/chaos/faults/validate.ts';
import { retry } from '#lib/chaos/retry/retry.ts';
import { RetryBudget } from '#lib/chaos/retry/retry-budget.ts';

/** One call through a policy, made ready, and what takes it down again. */
export interface PolicyCall {
  once: () => Promise<unknown>;
  close: () => Promise<void> | void;
}

export const POLICIES = [
  'bare',
  'our breaker',
  'our breaker, calls timed',
  'cockatiel breaker',
  'opossum, as documented',
  'opossum, no time-out',
  'our injector, idle',
  'our injector, 4 faults that match nothing',
  'our retry',
  'cockatiel retry',
  'our fallback, queue takes it',
  'our fallback, memory takes it',
  'our fallback, disk takes it',
] as const;
export type PolicyName = (typeof POLICIES)[number];

const work = async () => 1;
const nothing = () => {};

/** Each rival as the first example of its README has it; opossum's time-out is also left out, since ours has none. */
export async function policyCall(name: PolicyName): Promise<PolicyCall> {
  switch (name) {
    case 'bare':
      return { once: work, close: nothing };
    case 'our breaker': {
      const breaker = new CircuitBreaker('bench');
      return { once: () => breaker.execute(work), close: () => breaker.dispose() };
    }
    case 'our breaker, calls timed': {
      const breaker = new CircuitBreaker('bench', { timeCalls: true });
      return { once: () => breaker.execute(work), close: () => breaker.dispose() };
    }
    case 'cockatiel breaker': {
      const breaker = circuitBreaker(handleAll, {
        halfOpenAfter: 10 * 1000,
        breaker: new ConsecutiveBreaker(5),
      });
      return { once: () => breaker.execute(work), close: nothing };
    }
    case 'opossum, as documented':
      return opossum(3000);
    case 'opossum, no time-out':
      return opossum(false);
    case 'our injector, idle':
      return injected(0);
    case 'our injector, 4 faults that match nothing':
      return injected(4);
    case 'our retry': {
      const budget = new RetryBudget();
      return { once: () => retry(work, { attempts: 3, budget }), close: nothing };
    }
    case 'cockatiel retry': {
      const policy = retryOf(handleAll, { maxAttempts: 3, backoff: new ExponentialBackoff() });
      return { once: () => policy.execute(work), close: nothing };
    }
    case 'our fallback, queue takes it':
      return fallback([new MemoryTier<Payload>()], true);
    case 'our fallback, memory takes it':
      return fallback([new MemoryTier<Payload>(10_000_000)], false);
    case 'our fallback, disk takes it': {
      const folder = mkdtempSync(join(tmpdir(), 'brownout-bench-'));
      const { once, close } = fallback([await DiskTier.open<Payload>(folder, { max: 10_000_000 })], false);
      return {
        once,
        close: async () => {
          await close();
          await rm(folder, { recursive: true });
        },
      };
    }
  }
}

function opossum(timeout: number | false): PolicyCall {
  const breaker = new Opossum(work, { timeout, errorThresholdPercentage: 50, resetTimeout: 30_000 });
  return { once: () => breaker.fire(), close: () => breaker.shutdown() };
}

async function injected(faults: number): Promise<PolicyCall> {
  const injector = new FaultInjector();
  const { params } = validateFault('redis', 'error_reply', {});
  for (let index = 0; index < faults; index++) {
    const match = { command: `NEVER${index}` };
    const id = `bench-${index}`;
    const rest = { service: 'redis', type: 'error_reply', params, ratio: 1, ttlMs: 900_000 } as const;
    await injector.arm({ id, version: 1, seed: 7, match, ...rest });
  }
  const call = { kind: 'GET', command: 'GET' };
  const once = () => {
    injector.decide('redis', call);
    return work();
  };
  return { once, close: () => injector.close() };
}

interface Payload {
  camera: string;
}

/** A queue that takes every job at once, or none; what it does not take stays in the tier. */
function fallback(
  tiers: readonly FallbackTier<Payload>[],
  takes: boolean,
): PolicyCall & { close: () => Promise<void> } {
  const refusal = new Error('no queue in this bench');
  const chain = new FallbackChain<Payload>({
    type: 'bench',
    primary: { offer: () => (takes ? Promise.resolve() : Promise.reject(refusal)) },
    tiers,
    overflow: 'reject',
    isReady: () => false,
  });
  let count = 0;
  const once = () => {
    const id = String(++count);
    const payload = { camera: 'cam-01' };
    return chain.enqueue({ id, type: 'bench', payload, traceId: id, enqueuedAt: count, attempts: 0 });
  };
  return { once, close: () => chain.close() };
}
