/** The pipeline's real clients and breakers in the test's own process, and what the running system says of its own. */
import { expect } from 'vitest';
import { BREAKER_PROFILES, type BreakerOptions } from '#lib/chaos/breaker/breaker-options.ts';
import { type BreakerChange, CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import type { Fact, FactData, FactType } from '#lib/protocol/facts.ts';
import type { BreakerState, BreakerStatus, ServiceHealth } from '#lib/protocol/state.ts';
import { isDetectorFailure } from '#server/pipeline/work/detection-calls.ts';
import { Detector, type Frame } from '#server/pipeline/work/detector.ts';
import { LanguageModel } from '#server/pipeline/work/language-model.ts';
import { frameNumber } from '#tests/support/frames.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';

/** Longest wait for the running pipeline to show something, ms. */
export const SEEN_MS = 15_000;

export const makeFrame = (number = 14): Frame => ({
  id: '01J00000000000000000000000',
  camera: 'probe',
  name: 'probe.jpg',
  capturedAt: null,
  traceId: 'probe',
  bytes: frameNumber(number),
});

/** Two frames go to /detect/batch, which a fault can be aimed at while the pipeline's single frames pass. */
export const makePair = (): Frame[] => [makeFrame(14), makeFrame(15)];

export const detectorOf = (system: System) =>
  new Detector({ ...system.wiring.proxied.yolo26, connectMs: 2000 });

export const languageModelOf = (system: System, maxTokens = 100) =>
  new LanguageModel({ ...system.wiring.proxied.nemotron, connectMs: 2000, maxTokens });

/** A breaker as the pipeline's, that tries again sooner; with what it went through. */
export function makeBreaker(
  name: keyof typeof BREAKER_PROFILES.test,
  options: Partial<BreakerOptions> = {},
): CircuitBreaker & { readonly path: string[]; readonly changes: BreakerChange[] } {
  const changes: BreakerChange[] = [];
  const path: string[] = ['CLOSED'];
  const breaker = new CircuitBreaker(name, {
    ...BREAKER_PROFILES.test[name],
    recoveryTimeoutMs: 1000, // what is looked at while it is OPEN is looked at in time on a busy machine
    ...(name === 'yolo26' ? { isFailure: isDetectorFailure } : {}),
    ...options,
  });
  breaker.on('stateChanged', (change) => {
    changes.push(change);
    path.push(change.to);
  });
  return Object.assign(breaker, { path, changes });
}

/** A call that has no end after this is no failed one, ms. */
const FAILED_MS = 10_000;

/** How a call failed. Fails when it did not, and when it goes on for ever. */
export async function failureOf(call: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  let timer: NodeJS.Timeout | undefined;
  const noEnd = new Promise((resolve) => {
    timer = setTimeout(() => resolve('it goes on'), FAILED_MS);
  });
  const outcome = await Promise.race([
    call.then(
      () => 'it succeeded',
      (reason: unknown) => reason,
    ),
    noEnd,
  ]);
  clearTimeout(timer);
  expect(outcome, 'the call failed').toBeInstanceOf(Error);
  return outcome as Error & Record<string, unknown>;
}

/** Fails a breaker as often as it takes to open it; gives the failures. */
export async function openByFailing(breaker: CircuitBreaker, call: () => Promise<unknown>): Promise<Error[]> {
  const failures: Error[] = [];
  for (let failure = 1; failure <= 3; failure++) {
    expect(breaker.state, `before failure ${failure}`).toBe('CLOSED');
    failures.push(await failureOf(breaker.execute(call)));
  }
  expect(breaker.state).toBe('OPEN');
  return failures;
}

export async function untilState(breaker: CircuitBreaker, state: BreakerState): Promise<void> {
  await until(`the breaker is ${state}`, 5000, () => breaker.state === state || undefined, 10);
}

/** Calls until the breaker has closed. */
export async function untilClosed(breaker: CircuitBreaker, call: () => Promise<unknown>): Promise<void> {
  await until(
    'the breaker is CLOSED',
    10_000,
    async () => {
      if (breaker.state !== 'CLOSED') await breaker.execute(call);
      return breaker.state === 'CLOSED' || undefined;
    },
    50,
  );
}

/** What the pipeline says of one of its breakers. */
export async function pipelineBreaker(system: System, name: string): Promise<BreakerStatus> {
  const breaker = (await system.state()).pipeline?.breakers.find((each) => each.name === name);
  if (!breaker) throw new Error(`the pipeline tells of no breaker ${name}`);
  return breaker;
}

export async function pipelineService(system: System, name: string): Promise<ServiceHealth> {
  const service = (await system.state()).pipeline?.services.find((each) => each.name === name);
  if (!service) throw new Error(`the pipeline tells of no service ${name}`);
  return service;
}

/** What an earlier scenario did to one of the pipeline's breakers is over. */
export async function untilPipelineClosed(system: System, name: string): Promise<void> {
  await until(`the pipeline's breaker ${name} is CLOSED`, SEEN_MS, async () => {
    return (await pipelineBreaker(system, name)).state === 'CLOSED';
  });
}

/** The first fact of a type since `after` that fits. */
export function untilFact<T extends FactType>(
  system: System,
  after: number,
  type: T,
  fits: (data: FactData[T]) => boolean,
): Promise<FactData[T]> {
  return until(`a fact ${type}`, SEEN_MS, async () => {
    const facts: Fact[] = await system.facts(after);
    return facts
      .filter((fact) => fact.type === type)
      .map((fact) => fact.data as FactData[T])
      .find(fits);
  });
}

/** The first record that a process logged since `since` (epoch ms) and that has these fields. */
export function untilLogged(
  system: System,
  process: string,
  since: number,
  fits: (record: Record<string, unknown>) => boolean,
): Promise<Record<string, unknown>> {
  return until(`${process} has logged it`, SEEN_MS, () =>
    system.log(process).find((record) => Date.parse(String(record['time'])) >= since && fits(record)),
  );
}

export const WARN = 40;
