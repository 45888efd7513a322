import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { invalidInput, Refusal } from '../problem.ts';

interface Kept {
  fingerprint: string;
  answer: Promise<Response>;
}

const KEPT_MS = 10 * 60 * 1000;
const MAX_KEYS = 1000;

/**
 * Makes a repeated command harmless: the same `Idempotency-Key` with the same command gives the first answer again,
 * also while that is still under way. An answer of 500 or above is forgotten, so that a retry really tries.
 */
export class Idempotency {
  readonly #kept = new LRUCache<string, Kept>({ max: MAX_KEYS, ttl: KEPT_MS });

  /** @throws {Refusal} IDEMPOTENCY_MISMATCH when the key stands for another command */
  async run(key: string | undefined, command: string, act: () => Promise<Response>): Promise<Response> {
    if (key === undefined) return act();
    if (key.length === 0 || key.length > 200) {
      throw invalidInput('Idempotency-Key', key, '1 to 200 characters long');
    }
    const fingerprint = createHash('sha256').update(command).digest('hex');
    const known = this.#kept.get(key);
    if (known && known.fingerprint !== fingerprint) {
      throw new Refusal('IDEMPOTENCY_MISMATCH', 'This Idempotency-Key was used for another command');
    }
    if (known) {
      const answer = (await known.answer).clone();
      answer.headers.set('Idempotency-Replayed', 'true');
      return answer;
    }
    const answer = act();
    this.#kept.set(key, { fingerprint, answer });
    const forget = () => this.#kept.delete(key);
    answer.then((response) => response.status >= 500 && forget(), forget);
    return (await answer).clone();
  }
}
