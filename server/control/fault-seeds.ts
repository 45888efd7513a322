import { randomInt } from 'node:crypto';
import { drawFor } from '../../lib/chaos/random.ts';

const SEEDS = 2 ** 32;

/**
 * The seeds of the faults that were given none, all from the seed of the run: the n-th fault of a type on a service
 * gets the same one in every run with that seed, whatever else is started.
 */
export class FaultSeeds {
  /** Of this run; 32-bit unsigned. */
  readonly run: number;
  readonly #started = new Map<string, number>();

  /** @param run @default drawn at random */
  constructor(run: number = randomInt(SEEDS)) {
    this.run = run;
  }

  /** For the next fault of this type; asking changes nothing. */
  next(service: string, type: string): number {
    const n = this.#started.get(`${service}/${type}`) ?? 0;
    return Math.floor(drawFor(this.run, type, `${service}/seed`, n) * SEEDS);
  }

  /** To be told of each fault that was started, so that one that was refused takes no seed with it. */
  started(service: string, type: string): void {
    const key = `${service}/${type}`;
    this.#started.set(key, (this.#started.get(key) ?? 0) + 1);
  }
}
