import { describe, expect, it } from 'vitest';
import { FAULT_TYPES, injectorFor } from '#lib/chaos/faults/catalogue.ts';
import type { FaultType } from '#lib/chaos/faults/define.ts';
import {
  type FaultSpec,
  PROXIED_SERVICES,
  type ProxiedService,
  type ServiceName,
} from '#lib/chaos/faults/fault.ts';
import { type CallInfo, FaultInjector } from '#lib/chaos/faults/injector.ts';
import { modifiersOf } from '#lib/chaos/faults/modifiers.ts';
import { actionOf } from '#lib/chaos/proxy/actions.ts';
import { ServiceFaults } from '#lib/chaos/proxy/service-faults.ts';
import { drawFor } from '#lib/chaos/random.ts';

const SEED = 77;
const RATIO = 0.4;
const CALLS = 240;
const HALF = CALLS / 2;
/** Every so many calls there is a health check. */
const HEALTH_EVERY = 4;

/** One call of each kind, as the protocols tell them; every type finds calls that it is meant for. */
const CALLS_OF: Readonly<Record<ProxiedService, readonly [work: CallInfo, health: CallInfo]>> = {
  yolo26: [
    { kind: 'POST /detect/batch', route: '/detect/batch' },
    { kind: 'GET /health', route: '/health', healthCheck: true },
  ],
  nemotron: [
    { kind: 'POST /completion', route: '/completion' },
    { kind: 'GET /health', route: '/health', healthCheck: true },
  ],
  redis: [
    { kind: 'SET', command: 'SET' },
    { kind: 'PING', command: 'PING', healthCheck: true },
  ],
  pubsub: [
    { kind: 'PUBLISH', command: 'PUBLISH', channels: ['brownout:events'] },
    { kind: 'PING', command: 'PING', healthCheck: true },
  ],
  database: [
    { kind: 'UPDATE', command: 'UPDATE', sql: 'UPDATE uploads SET state = $1', inTransaction: true },
    { kind: 'SELECT', command: 'SELECT', sql: 'SELECT 1', healthCheck: true },
  ],
  ftp: [
    { kind: 'STOR', command: 'STOR', file: 'cam-01.jpg' },
    { kind: 'NOOP', command: 'NOOP', healthCheck: true },
  ],
};

/** What became of the n-th call, connection or close: hit by the fault under test, by a neighbour, or by nothing. */
type Verdict = 'hit' | 'taken' | 'clean';
type Ask = (n: number) => Verdict;
const MINE = 'under-test';
const verdictOf = (fault: FaultSpec | undefined): Verdict =>
  fault === undefined ? 'clean' : fault.id === MINE ? 'hit' : 'taken';

const proxyAsks = (injector: FaultInjector, on: ProxiedService, type: FaultType): Ask => {
  const faults = new ServiceFaults(injector, on);
  const [work, health] = CALLS_OF[on];
  const call = (n: number): CallInfo => {
    if (type.type === 'too_many_connections') return { kind: 'connect' };
    if (type.type === 'subscription_failure') return { ...work, kind: 'SUBSCRIBE', command: 'SUBSCRIBE' };
    return n % HEALTH_EVERY === 0 ? health : work;
  };
  const asks: Readonly<Record<NonNullable<ReturnType<typeof actionOf>>, Ask>> = {
    hold: (n) => verdictOf(faults.outcome(call(n))?.fault),
    answer: (n) => verdictOf(faults.outcome(call(n))?.fault),
    malform: (n) => verdictOf(faults.outcome(call(n))?.fault),
    reset: (n) => verdictOf(faults.outcome(call(n))?.fault),
    delay: (n) => (faults.delayMs(call(n)) >= MARK_MS ? 'hit' : 'clean'),
    refuse: () => verdictOf(faults.connection()),
    cut: () => verdictOf(faults.connection()),
    drop: () => verdictOf(faults.drop()),
    throttle: () => verdictOf(faults.throttle()),
    linger: () => (faults.lingerMs() > 0 ? 'hit' : 'clean'),
  };
  const action = actionOf(type.type);
  if (!action) throw new Error(`${type.type} acts in no proxy`);
  return (n) => {
    faults.refresh();
    return asks[action](n);
  };
};

/** Inside a process its types are asked for one by one, in the words of the call. */
const processAsks = (injector: FaultInjector, service: ServiceName, { type }: FaultType): Ask => {
  const calls: readonly CallInfo[] =
    service === 'gpu'
      ? [
          { kind: 'detect', route: '/detect' },
          { kind: 'completion', route: '/completion' },
        ]
      : [{ kind: 'STOR', command: 'STOR', file: 'cam-01.jpg' }];
  return (n) => verdictOf(injector.decide(service, calls[n % calls.length] ?? { kind: '' }, [type])?.fault);
};

/** Of a latency under test; its neighbour's stays below. */
const MARK_MS = 1000;

interface Entry {
  service: ServiceName;
  type: FaultType;
}
const ENTRIES: Entry[] = FAULT_TYPES.flatMap((type) => type.services.map((service) => ({ service, type })));
const TITLES = new Map(ENTRIES.map((entry) => [`${entry.service}/${entry.type.type}`, entry]));
const drawing = [...TITLES].filter(([, { service, type }]) => modifiersOf(type, service).includes('ratio'));

async function verdicts({ service, type }: Entry, withNeighbours: boolean): Promise<Verdict[]> {
  const injector = new FaultInjector();
  const arm = (
    id: string,
    on: ServiceName,
    declared: FaultType,
    params: object,
    ratio: number,
    seed: number,
  ) =>
    injector.arm({
      id,
      version: 1,
      service: on,
      type: declared.type,
      params: declared.params.parse(params),
      ratio,
      seed,
      ttlMs: 900_000,
    });
  const isProxied = injectorFor(service, type) === 'proxy' && type.proxy !== undefined;
  const on = PROXIED_SERVICES.find((each) => each === service) ?? 'redis';
  const ask = isProxied ? proxyAsks(injector, on, type) : processAsks(injector, service, type);
  const seen: Verdict[] = [];
  try {
    const late = type.type === 'latency' || type.type === 'slow_query';
    await arm(MINE, service, type, late ? { latencyMs: MARK_MS } : {}, RATIO, SEED);
    for (let n = 0; n < CALLS; n++) {
      if (withNeighbours && n === HALF) {
        // All that fit beside it, on its service and on its network, with chances and seeds of their own.
        const neighbours = ENTRIES.filter(
          (entry) =>
            [service, on, 'network'].includes(entry.service) &&
            !(entry.service === service && entry.type === type) &&
            modifiersOf(entry.type, entry.service).includes('ratio'),
        );
        for (const [index, entry] of neighbours.entries()) {
          const delay =
            entry.type.type === 'latency' || entry.type.type === 'slow_query' ? { latencyMs: 1 } : {};
          await arm(`neighbour-${index}`, entry.service, entry.type, delay, 0.05, index);
        }
      }
      seen.push(ask(n));
    }
    return seen;
  } finally {
    await injector.close();
  }
}

describe('chance', () => {
  it.each(drawing)(
    'of %s: the same seed gives the same verdicts, also when neighbours come halfway',
    async (_, entry) => {
      const first = await verdicts(entry, false);
      expect(await verdicts(entry, false)).toEqual(first);
      const beside = await verdicts(entry, true);
      // A nearer neighbour may have been first; every other call has the verdict that it had.
      expect(beside.map((verdict, n) => (verdict === 'taken' ? first[n] : verdict))).toEqual(first);
      expect(beside.slice(HALF)).toContain('hit');
      expect(beside.slice(HALF)).toContain('clean');
      const hits = first.filter((verdict) => verdict === 'hit').length;
      expect(hits).toBeGreaterThan(CALLS * RATIO * 0.6);
      expect(hits).toBeLessThan(CALLS * RATIO * 1.4);
    },
  );

  it.each(['redis/timeout', 'gpu/latency', 'ftp/corrupted_file', 'network/packet_loss'])(
    'of %s follows from seed, type, service and n alone, health checks numbered apart',
    async (title) => {
      const entry = TITLES.get(title);
      if (!entry) throw new Error(`No ${title} in the catalogue`);
      const { service, type } = entry;
      const checked = service === 'redis' || service === 'network';
      const counts = { work: 0, health: 0 };
      const expected = Array.from({ length: CALLS }, (_, n) => {
        const isHealth = checked && n % HEALTH_EVERY === 0;
        const lane = isHealth ? `${service}/health` : service;
        return drawFor(SEED, type.type, lane, isHealth ? counts.health++ : counts.work++) < RATIO
          ? 'hit'
          : 'clean';
      });
      expect(await verdicts(entry, false)).toEqual(expected);
    },
  );

  it('is no part of what changes a state', () => {
    const states = [...TITLES.keys()].filter((title) => !drawing.some(([name]) => name === title));
    expect(states.sort()).toMatchInlineSnapshot(`
      [
        "database/connection_leak",
        "database/pool_exhaustion",
        "database/process_killed",
        "database/process_paused",
        "gpu/connection_error",
        "gpu/device_index",
        "gpu/driver_crash",
        "gpu/model_corrupted",
        "gpu/model_version_mismatch",
        "gpu/no_gpu",
        "gpu/thermal_throttle",
        "gpu/unavailable",
        "gpu/vram_exhaustion",
        "gpu/vram_fragmentation",
        "inference/process_killed",
        "inference/process_paused",
        "pipeline/process_killed",
        "pipeline/process_paused",
        "redis/process_killed",
        "redis/process_paused",
      ]
    `);
  });
});
