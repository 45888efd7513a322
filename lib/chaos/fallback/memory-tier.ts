import { ChaosError } from '../errors.ts';
import type { FallbackJob } from './fallback-job.ts';
import type { FallbackTier } from './fallback-tier.ts';

export const MEMORY_TIER_MAX = 1000;

/** Jobs in this process; gone with it, which is why the inbox keeps their files. */
export class MemoryTier<Payload = unknown> implements FallbackTier<Payload> {
  readonly name = 'memory';
  readonly max: number;
  readonly #jobs = new Map<string, FallbackJob<Payload>>();

  constructor(max = MEMORY_TIER_MAX) {
    if (!(Number.isInteger(max) && max >= 1)) {
      throw new RangeError(`Expected max to be a whole number from 1, got ${max}`);
    }
    this.max = max;
  }

  get size(): number {
    return this.#jobs.size;
  }

  get oldestAt(): number | null {
    const [oldest] = this.#jobs.values();
    return oldest?.enqueuedAt ?? null;
  }

  async push(job: FallbackJob<Payload>): Promise<void> {
    if (this.#jobs.has(job.id)) return;
    if (this.#jobs.size >= this.max) {
      throw new ChaosError('QUEUE_FULL', `The memory tier holds its ${this.max} jobs`);
    }
    this.#jobs.set(job.id, job);
  }

  async peek(limit: number): Promise<FallbackJob<Payload>[]> {
    return [...this.#jobs.values().take(limit)];
  }

  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#jobs.delete(id);
  }

  ids(): ReadonlySet<string> {
    return new Set(this.#jobs.keys());
  }

  async close(): Promise<void> {
    this.#jobs.clear();
  }
}
