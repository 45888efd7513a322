import { afterEach, describe, expect, it } from 'vitest';
import type { Fault } from '#lib/protocol/faults.ts';
import { type BareChromium, pressFault, startBareChromium } from '#tests/support/bare-chromium.ts';
import { leaseRecords } from '#tests/support/lease-records.ts';
import { recordProof } from '#tests/support/proof.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { RandomOperators } from './random-operators.ts';

const HIDDEN_MINUTES = 10;
const CAP_MS = 900_000;
const SEQUENCES = 25;
const SEED = Number(process.env['LEASES_SEED'] ?? 20_261_122);

let system: System | undefined;
let browser: BareChromium | undefined;
afterEach(async () => {
  await browser?.close();
  await system?.close();
  browser = undefined;
  system = undefined;
});

describe('leases', () => {
  it(`a tab hidden for ${HIDDEN_MINUTES} minutes keeps its fault; killed, it loses it within 15 s`, async () => {
    system = await startSystem({ cameraRate: 1 });
    // Chromium begins to wake hidden pages once a minute after five minutes; here it does so from the start.
    const args = ['--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/10'];
    browser = await startBareChromium(system.url, { args });
    const from = (await system.state()).seq;
    await pressFault(browser, 'nemotron', 'latency');
    const fault = await until('the fault is on', 10_000, async () => (await activeFaults()).at(0));
    expect(fault.owner.kind).toBe('browser');
    const extended = await system.api<Fault>('PATCH', `/faults/${fault.id}`, { ttlMs: CAP_MS });
    const extendedAt = performance.now();
    expect([extended.status, extended.body.owner]).toEqual([200, fault.owner]);
    expect((await system.api('PATCH', `/faults/${fault.id}`, { ttlMs: CAP_MS + 1 })).status).toBe(422);

    await browser.evaluate('window.turns = 0; setInterval(() => { window.turns++; }, 1000); 0');
    await browser.hide();
    const hiddenAt = performance.now();
    let longestLeftMs = 0;
    let looks = 0;
    while (performance.now() < hiddenAt + HIDDEN_MINUTES * 60_000) {
      const [held] = await activeFaults();
      expect([held?.id, held?.owner]).toEqual([fault.id, fault.owner]);
      // Time left and time passed are the TTL: no answer of the page has lengthened it.
      longestLeftMs = Math.max(longestLeftMs, (held?.leftMs ?? 0) + performance.now() - extendedAt);
      looks++;
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
    const hiddenMs = performance.now() - hiddenAt;
    const turns = await browser.evaluate<number>('window.turns');
    const visibility = await browser.evaluate<string>('document.visibilityState');
    const warnings = await factsOf('leaseWarning', fault.id, from);

    const { seq } = await system.state();
    await browser.kill();
    const killedAt = performance.now();
    await until(
      'it is warned of',
      20_000,
      async () => (await factsOf('leaseWarning', fault.id, seq)).length > 0,
    );
    const warnedAfterMs = Math.round(performance.now() - killedAt);
    await until('the fault is gone', 20_000, async () => (await activeFaults()).length === 0);
    const goneAfterMs = Math.round(performance.now() - killedAt);
    const [end] = await factsOf('faultEnded', fault.id, from);

    recordProof('leases', 'hiddenTab', {
      what: `a tab hidden for ${HIDDEN_MINUTES} minutes, its fault extended once to the cap of 15 minutes; then kill -9`,
      seed: null,
      visibility,
      hiddenMs: Math.round(hiddenMs),
      looks,
      turnsOfAOneSecondTimer: turns,
      warningsWhileHidden: warnings.length,
      afterTheKill: { warnedAfterMs, goneAfterMs, end: end?.data },
    });
    expect(visibility).toBe('hidden');
    expect(turns).toBeLessThan(HIDDEN_MINUTES * 6); // about one a minute
    expect(warnings).toEqual([]);
    expect(longestLeftMs).toBeLessThan(CAP_MS + 1000);
    expect(end?.data).toMatchObject({ reason: 'owner_lost' });
    expect(warnedAfterMs).toBeLessThan(goneAfterMs);
    expect(goneAfterMs).toBeLessThanOrEqual(15_000);
  });

  it(`${SEQUENCES} random sequences with real processes leave no fault, and the records agree (seed ${SEED})`, async () => {
    system = await startSystem({ cameraRate: 1 });
    const startedAt = new Date().toISOString();
    const done: Record<string, number> = {};
    const reasons: Record<string, number> = {};
    const findings: string[] = [];
    let faults = 0;
    for (let sequence = 0; sequence < SEQUENCES; sequence++) {
      const operators = new RandomOperators(system, SEED + sequence);
      await operators.play();
      await operators.drain();
      for (const [name, count] of Object.entries(operators.done)) done[name] = (done[name] ?? 0) + count;
      findings.push(...(await operators.findings()).map((text) => `seed ${SEED + sequence}: ${text}`));
    }
    for (const { started, ends } of leaseRecords(system).values()) {
      faults += started;
      for (const reason of ends) reasons[reason] = (reasons[reason] ?? 0) + 1;
    }
    recordProof('leases', 'sequences', {
      what: `${SEQUENCES} random sequences of start, change, extend, hand-over, stop, halt, silence, kill -9 and SIGSTOP with real processes`,
      startedAt,
      seed: SEED,
      done,
      faults,
      ends: reasons,
      findings,
    });
    expect(faults).toBeGreaterThan(SEQUENCES);
    expect(findings).toEqual([]);
  });
});

async function activeFaults(): Promise<Fault[]> {
  return (await system?.state())?.faults ?? [];
}

async function factsOf(type: 'leaseWarning' | 'faultEnded', faultId: string, after: number) {
  const facts = (await system?.facts(after)) ?? [];
  return facts.filter((fact) => fact.type === type && fact.data.faultId === faultId);
}
