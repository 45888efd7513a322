import { isAbortError } from '#lib/chaos/abort.ts';
import {
  BREAKER_PROFILES,
  type BreakerName,
  type BreakerProfile,
} from '#lib/chaos/breaker/breaker-options.ts';
import { type BreakerChange, CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import type { Clock } from '#lib/chaos/clock.ts';
import type { BreakerCommand } from '#lib/protocol/events.ts';
import type { Logger } from '#server/logging.ts';
import { isDatabaseTrouble } from '../database/database-error.ts';
import type { DependencyTracker } from '../dependencies/dependency-tracker.ts';
import { isDetectorFailure } from './detection-calls.ts';

export type Breakers = Readonly<Record<BreakerName, CircuitBreaker>>;

export interface BreakersOptions {
  profile: BreakerProfile;
  clock: Clock;
  tracker: DependencyTracker;
  logger: Logger;
  onChanged: (change: BreakerChange) => void;
}

/** What counts as a failure of each service; aborts never do. */
const IS_FAILURE: Readonly<Record<BreakerName, (error: unknown) => boolean>> = {
  yolo26: isDetectorFailure,
  nemotron: () => true,
  database: isDatabaseTrouble,
  redis: () => true,
  broadcaster: () => true,
};

/** The five breakers of the pipeline; a recovery that took too long is logged with its duration. */
export function createBreakers({ profile, clock, tracker, logger, onChanged }: BreakersOptions): Breakers {
  const make = (name: BreakerName) => {
    const thresholds = BREAKER_PROFILES[profile][name];
    const service = name === 'broadcaster' ? 'pubsub' : name;
    const breaker = new CircuitBreaker(name, {
      ...thresholds,
      clock,
      timeCalls: true,
      isFailure: (error) => !isAbortError(error) && IS_FAILURE[name](error),
      originOf: (error) => tracker.judge(service, error).origin,
    });
    let openedAt: number | undefined;
    breaker.on('stateChanged', (change) => {
      const { from, to, reason, failures, origin, at } = change;
      logger.warn({ breaker: name, from, to, reason, failures, origin }, `breaker ${name}: ${from} → ${to}`);
      if (from === 'CLOSED') openedAt = at;
      if (to === 'CLOSED' && openedAt !== undefined) {
        const recoveryMs = at - openedAt;
        openedAt = undefined;
        if (recoveryMs > 2 * thresholds.recoveryTimeoutMs) {
          logger.warn({ breaker: name, recoveryMs }, 'recovery took longer than twice the recovery time-out');
        }
      }
      onChanged(change);
    });
    return breaker;
  };
  return {
    yolo26: make('yolo26'),
    nemotron: make('nemotron'),
    database: make('database'),
    redis: make('redis'),
    broadcaster: make('broadcaster'),
  };
}

/** False for a breaker that is not here. */
export function commandBreaker(breakers: Breakers, name: string, command: BreakerCommand): boolean {
  const breaker = Object.values(breakers).find((each) => each.name === name);
  if (!breaker) return false;
  switch (command) {
    case 'open':
      breaker.forceOpen();
      break;
    case 'close':
      breaker.close();
      break;
    case 'reset':
      breaker.reset();
      break;
  }
  return true;
}

/** Whether calls may be made now, as trials or freely. */
export function letsThrough(breaker: CircuitBreaker): boolean {
  return breaker.state === 'CLOSED' || breaker.state === 'HALF_OPEN';
}

/** Why no call may be made now, in words; null when one may. */
export function openReason(breaker: CircuitBreaker): string | null {
  const { state, retryAfterMs } = breaker.status();
  if (state === 'FORCED_OPEN') return `the ${breaker.name} breaker is held OPEN by hand`;
  if (state !== 'OPEN') return null;
  const next = retryAfterMs === null ? '' : `, a trial in ${Math.ceil(retryAfterMs / 1000)} s`;
  return `the ${breaker.name} breaker is OPEN${next}`;
}
