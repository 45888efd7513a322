import { expect, it, type TestContext } from 'vitest';
import type { Fault } from '#lib/protocol/faults.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { accountFor } from '#tests/support/witness.ts';
import type { SCENARIOS, Suite } from './scenarios.ts';

/** What a scenario must show. The three parts run in this order; each throws when it does not hold. */
export interface Evidence {
  /** Started through the API, as an operator's click does. */
  faults: Fault | readonly Fault[];
  /** While the faults are in force. */
  behaviour(): Promise<void>;
  /**
   * Calls that the client itself saw fail: for a refused port, where the proxy has no connection to count. @default the
   * hits that the injector's own process reports
   */
  hitsOfClient?(): number | Promise<number>;
  /** After their end: the same part works again. */
  recovery(): Promise<void>;
}

/** What was proven, kept with the test's result for `npm run scenarios`. */
export interface Proof {
  id: string;
  faults: { service: string; type: string; hits: number }[];
  accepted: number;
  lost: number;
  doubled: number;
}

declare module 'vitest' {
  interface TaskMeta {
    proof?: Proof;
  }
}

export type Prove = (evidence: Evidence) => Promise<void>;

/** Longest wait until all that was accepted has its home, ms. */
const SETTLE_MS = 30_000;

/**
 * Declares the scenarios of one suite, all against one running system. A scenario that does not call `prove` fails.
 */
export function scenariosOf<Name extends Suite>(
  suite: Name,
  system: () => System,
): (name: keyof (typeof SCENARIOS)[Name] & string, run: (prove: Prove) => Promise<void>) => void {
  return (name, run) => {
    it(name, async ({ task }: TestContext) => {
      const since = Date.now();
      try {
        await run(async (evidence) => {
          const faults = await demonstrate(system(), evidence);
          const account = await untilAccounted(system(), since);
          task.meta.proof = { id: `${suite}/${name}`, faults, ...account };
        });
      } finally {
        await endAllFaults(system());
      }
      expect(task.meta.proof, 'the scenario proved nothing').toBeDefined();
    });
  };
}

async function demonstrate(system: System, evidence: Evidence): Promise<Proof['faults']> {
  const { behaviour, recovery, hitsOfClient } = evidence;
  const faults = [evidence.faults].flat();
  expect(faults.length, 'faults in force').toBeGreaterThan(0);
  await behaviour();
  const hits = await until('each fault has hit', 5000, async () => {
    const { faults: inForce } = await system.state();
    const counts = faults.map(({ id }) => inForce.find((fault) => fault.id === id)?.hits ?? 0);
    return hitsOfClient || counts.every((count) => count > 0) ? counts : undefined;
  });
  const seenByClient = await hitsOfClient?.();
  if (seenByClient !== undefined) expect(seenByClient, 'failures that the client saw').toBeGreaterThan(0);
  for (const { id } of faults) await endFault(system, id);
  await recovery();
  return faults.map(({ service, type }, index) => ({
    service,
    type,
    hits: Math.max(hits[index] ?? 0, seenByClient ?? 0),
  }));
}

/** Ends of one suite that may come late: a process being killed, or without a core for a second, does not answer in time. */
const LATE_ENDS_MAX = 2;
let lateEnds = 0;

/** Ends a fault. One whose process did not answer for a second stays listed until it has. */
async function endFault(system: System, id: string): Promise<void> {
  const { acknowledged } = await system.stopFault(id);
  expect(acknowledged, 'acknowledged').toBeTypeOf('boolean');
  if (acknowledged) return;
  expect(++lateEnds, 'ends of this suite that were not acknowledged at once').toBeLessThanOrEqual(
    LATE_ENDS_MAX,
  );
  await until('its end is acknowledged', 10_000, async () => {
    return !(await system.state()).faults.some((fault) => fault.id === id);
  });
}

/** The cameras' log against SQL, quarantine and dead letters; then what the ledger itself says. */
async function untilAccounted(system: System, since: number): Promise<Omit<Proof, 'id' | 'faults'>> {
  const before = Date.now();
  const { accepted, doubled } = await until('every accepted upload has one home', SETTLE_MS, async () => {
    const account = await accountFor(system, before);
    if (account.homeless.length > 0) throw new Error(`without a home: ${account.homeless.join(', ')}`);
    // For a moment after its row, a re-driven upload still has its dead letter.
    if (account.doubled.length > 0) throw new Error(`in two homes: ${account.doubled.join(', ')}`);
    return account;
  });
  expect(doubled, 'in two homes').toEqual([]);
  const ledger = await until('the ledger has looked', SETTLE_MS, async () => {
    const now = (await system.state()).pipeline?.ledger;
    return (now?.reconciledAt ?? 0) > since && now?.verdict !== 'UNKNOWN' ? now : undefined;
  });
  expect({ lost: ledger.lost, doubled: ledger.doubled }).toEqual({ lost: 0, doubled: 0 });
  return { accepted, lost: ledger.lost, doubled: doubled.length };
}

async function endAllFaults(system: System): Promise<void> {
  const { faults } = await system.state();
  await Promise.all(faults.map(({ id }) => system.stopFault(id)));
}
