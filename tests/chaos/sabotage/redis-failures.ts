import type { SabotagesOf } from './sabotage.ts';

const MANAGER = 'lib/chaos/degradation/degradation-manager.ts';
const CHAIN = 'lib/chaos/fallback/fallback-chain.ts';

export const sabotage: SabotagesOf<'redis-failures'> = {
  'degradation-manager-detects-redis-failure': {
    breaks: 'a service that fails its checks is never down',
    file: MANAGER,
    find: 'service.failures++;',
    replace: '',
  },
  'fallback-queue-stores-items-on-disk': {
    breaks: 'the disk tier gives its jobs newest first',
    file: 'lib/chaos/fallback/disk-tier.ts',
    find: 'for (const [id, entry] of this.#entries) {',
    replace: 'for (const [id, entry] of [...this.#entries].reverse()) {',
  },
  'fallback-queue-respects-max-size': {
    breaks: 'the policy gives up the newest job instead of the oldest',
    file: CHAIN,
    find: 'const oldest = await tier.peek(this.#offering.size + 1);',
    replace: 'const oldest = (await tier.peek(tier.max)).reverse();',
  },
  'memory-queue-fallback-when-redis-fails': {
    breaks: 'jobs that Redis refuses skip the memory tier',
    file: CHAIN,
    find: 'for (const tier of tiers.slice(Math.max(0, lowest))) {',
    replace: 'for (const tier of tiers.slice(-1)) {',
  },
  'redis-client-with-retry-handles-timeout': {
    breaks: 'gives up after the second time-out',
    file: 'lib/chaos/retry/retry.ts',
    find: 'if (attempt >= attempts || ',
    replace: 'if (attempt >= attempts - 1 || ',
  },
  'mode-transitions-based-on-service-health': {
    breaks: 'a service that is not critical leads to MINIMAL',
    file: 'lib/chaos/degradation/mode.ts',
    find: "if (criticalDown === 0) return 'DEGRADED';",
    replace: "if (criticalDown === 0) return 'MINIMAL';",
  },
  'critical-service-failure-triggers-minimal-mode': {
    breaks: 'Redis is not critical',
    file: 'server/pipeline/work/service-health.ts',
    find: "name: 'redis', critical: true,",
    replace: "name: 'redis', critical: false,",
  },
  'recovery-restores-normal-mode': {
    breaks: 'a service that was down never counts as up again',
    file: MANAGER,
    find: 'if (service.successes < this.#options.recoveryThreshold) return;',
    replace: 'if (service.successes >= 0) return;',
  },
  'queue-with-fallback-uses-disk-when-redis-fails': {
    breaks: 'a full memory tier refuses the job instead of handing it to the disk',
    file: CHAIN,
    find: 'if (!isFull(error)) throw error;',
    replace: 'throw error;',
  },
  'drain-fallback-queue-restores-to-redis': {
    breaks: 'the tiers do not drain by themselves',
    file: CHAIN,
    find: 'if (this.#closed || this.parked === 0) return;',
    replace: 'if (this.parked >= 0) return;',
  },
  'service-health-tracks-consecutive-failures': {
    breaks: 'a good check does not end a row of failures',
    file: MANAGER,
    find: 'service.failures = 0;',
    replace: '',
  },
  'health-check-timeout-handling': {
    breaks: 'a check has no deadline',
    file: MANAGER,
    find: 'const timer = clock.after(timeoutMs, () => controller.abort(late));',
    replace: 'const timer = clock.after(600_000, () => controller.abort(late));',
  },
  'status-reports-all-components': {
    breaks: 'the status leaves the pool out',
    file: 'server/pipeline/main.ts',
    find: 'pools: [database.status()],',
    replace: 'pools: [],',
  },
  'available-features-reduces-with-degradation': {
    breaks: 'MINIMAL keeps the events',
    file: 'lib/chaos/degradation/mode.ts',
    find: "return ['media', 'ingest'];",
    replace: "return ['events', 'media', 'ingest'];",
  },
  'memory-queue-drops-oldest-on-overflow': {
    breaks: 'the memory tier gives its newest jobs first',
    file: 'lib/chaos/fallback/memory-tier.ts',
    find: 'return [...this.#jobs.values().take(limit)];',
    replace: 'return [...this.#jobs.values()].slice(-limit);',
  },
};
