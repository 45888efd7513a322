import { expect, it } from 'vitest';
import type { FaultActivity, FaultEndReason, FaultMatch, ServiceName } from '#lib/chaos/faults/fault.ts';
import type { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { faultSpec } from '#tests/support/fault-spec.ts';
import { until } from '#tests/support/until.ts';

/** A real component with the injector that acts in it. */
export interface FaultBench {
  readonly injector: FaultInjector;
  close?(): void | Promise<void>;
}

export interface FaultProof<Bench extends FaultBench> {
  /** @default the catalogue's */
  params?: Record<string, unknown>;
  /** @default the catalogue's */
  ratio?: number;
  /** @default 7 */
  seed?: number;
  match?: FaultMatch;
  /** @default every call */
  failFirst?: number;
  /** Which of several proofs of this entry it is, for its name. @default the only one */
  variant?: string;
  /** Long enough to see the effect. A machine too busy for that gets one more try with four times as much. @default 1000 */
  ttlMs?: number;
  /**
   * One look from outside, as a client or on the disk: true while the fault's effect is there, and false when the
   * component works. It is asked before the fault, during it until it says true, and after it until it says false,
   * so that a look that always says the same proves nothing and fails.
   */
  seesEffect(bench: Bench): Promise<boolean>;
  /** True when the component does its whole work again; asked before the fault and after its end. */
  serves(bench: Bench): Promise<boolean>;
  /** What else must hold once it is over and the component serves again. */
  afterwards?(bench: Bench): Promise<void>;
  /** Longest wait for `serves` after the end: services restart themselves within 5 s. @default 10 000 */
  recoveryMs?: number;
  /** False: the bench is shared with other proofs, so that they must come one after another. @default true */
  concurrent?: boolean;
  /** What the hits must be counted under. @default not looked at */
  hitKind?: string | RegExp;
}

interface Ended {
  reason: FaultEndReason;
  activity: FaultActivity;
  afterMs: number;
}

/**
 * Declares the test of one entry of the catalogue on a real component: clean before, its effect seen from outside,
 * its hits as its injector counts them, its end at the TTL without anybody's help, and recovery.
 *
 * Each proof opens a bench of its own and closes it; proofs run beside each other unless they say otherwise.
 * The test's name begins with `service/type`: by it `npm run faults` finds the proof of each entry.
 */
export function proveFault<Bench extends FaultBench>(
  service: ServiceName,
  type: string,
  open: () => Bench | Promise<Bench>,
  proof: FaultProof<Bench>,
  timeoutMs = 60_000,
): void {
  const declare = proof.concurrent === false ? it : it.concurrent;
  const which = proof.variant === undefined ? '' : `${proof.variant}: `;
  declare(
    `${service}/${type}: ${which}effect, hits, end at the TTL, recovery`,
    { timeout: timeoutMs },
    async () => {
      const bench = await open();
      try {
        const { ttlMs = 1000 } = proof;
        const isSeen = await prove(bench, service, type, proof, ttlMs, false);
        if (!isSeen) await prove(bench, service, type, proof, ttlMs * PATIENCE, true);
      } finally {
        await bench.close?.();
      }
    },
  );
}

const PATIENCE = 4;
const READY_MS = 20_000;

/** False when the effect was not seen in time, and `mustSee` is not set. */
async function prove<Bench extends FaultBench>(
  at: Bench,
  service: ServiceName,
  type: string,
  proof: FaultProof<Bench>,
  ttlMs: number,
  mustSee: boolean,
): Promise<boolean> {
  const { injector } = at;
  const { seesEffect, serves, recoveryMs = 10_000 } = proof;
  await until(`it serves before ${type}`, READY_MS, () => serves(at));
  expect(await seesEffect(at), 'the effect before the fault').toBe(false);

  const id = `proof-${service}-${type}`;
  const startedMs = performance.now();
  const ended = new Promise<Ended>((resolve) => {
    const onEnded = (told: { fault: { id: string }; reason: FaultEndReason; activity: FaultActivity }) => {
      if (told.fault.id !== id) return;
      injector.off('ended', onEnded);
      resolve({ reason: told.reason, activity: told.activity, afterMs: performance.now() - startedMs });
    };
    injector.on('ended', onEnded);
  });
  const { params, ratio, seed, match, failFirst } = proof;
  await injector.arm(faultSpec(id, service, type, { params, ratio, seed, match, failFirst, ttlMs }));
  const unseen = await until(`the effect of ${type} is seen`, ttlMs, () => seesEffect(at), 20).then(
    () => undefined,
    (error: Error) => error,
  );

  // Nobody ends it: its lease does.
  const { reason, activity, afterMs } = await ended;
  if (unseen && mustSee) throw unseen;
  if (unseen) return false;
  expect(reason).toBe('expired');
  expect(afterMs).toBeGreaterThan(ttlMs - 5);
  expect(activity.hits, 'hits').toBeGreaterThan(0);
  if (proof.hitKind !== undefined) {
    const { hitKind } = proof;
    const kinds = Object.keys(activity.hitsByKind);
    expect(kinds.some((kind) => (typeof hitKind === 'string' ? kind === hitKind : hitKind.test(kind)))).toBe(
      true,
    );
  }
  expect(injector.activity().some((each) => each.id === id)).toBe(false);
  await until(`it serves after ${type}`, recoveryMs, () => serves(at));
  expect(await seesEffect(at), 'the effect after the fault').toBe(false);
  await proof.afterwards?.(at);
  return true;
}
