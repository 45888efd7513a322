import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { io, type Socket } from 'socket.io-client';
import { expect, onTestFinished } from 'vitest';
import { DegradationManager, type DegradationOptions } from '#lib/chaos/degradation/degradation-manager.ts';
import type { FallbackPrimary } from '#lib/chaos/fallback/fallback-chain.ts';
import type { FallbackJob } from '#lib/chaos/fallback/fallback-job.ts';
import type { FactData, FactType } from '#lib/protocol/facts.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import type { Mode, PipelineReport, ServiceHealth } from '#lib/protocol/state.ts';
import type { ViewerClientEvents, ViewerServerEvents } from '#lib/protocol/viewers.ts';
import { createLogger, type Logger } from '#server/logging.ts';
import { Database, type DatabaseOptions } from '#server/pipeline/database/database.ts';
import { createRedisClient } from '#server/pipeline/viewers/redis-client.ts';
import { DatabaseProbe } from '#server/pipeline/work/health-checks.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { scenariosOf } from './prove.ts';
import type { Suite } from './scenarios.ts';

/**
 * The product's own classes in the test process, connected to a running system through its fault proxies. Each is
 * closed when its test has ended.
 */

/** A logger whose records are kept, as the files of a process keep them. */
export function keptLogger(): { logger: Logger; records: Record<string, unknown>[] } {
  const records: Record<string, unknown>[] = [];
  const write = (line: string) => void records.push(JSON.parse(line) as Record<string, unknown>);
  return { logger: createLogger('scenario', 'debug', { write }), records };
}

export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'brownout-scenario-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The pipeline's Redis client, ready, through the proxy of `service`. */
export async function redisThrough(
  system: System,
  {
    service = 'redis',
    profile = 'test',
  }: { service?: 'redis' | 'pubsub'; profile?: 'test' | 'production' } = {},
): Promise<Redis> {
  const client = createRedisClient({
    address: { ...system.wiring.proxied[service], password: system.wiring.redisPassword },
    name: 'scenario',
    profile,
    logger: keptLogger().logger,
    random: Math.random,
  });
  onTestFinished(() => client.disconnect());
  await client.connect();
  return client;
}

/** Redis itself, past the proxies. */
export async function directRedis(system: System): Promise<Redis> {
  const { direct, redisPassword } = system.wiring;
  const client = new Redis({
    ...direct.redis,
    ...(redisPassword === null ? {} : { password: redisPassword }),
    disableClientInfo: true,
  });
  client.on('error', () => {}); // told by the command that fails
  onTestFinished(() => client.disconnect());
  return client;
}

/** The pipeline's pool, through the proxy. */
export function databaseThrough(system: System, options: Partial<DatabaseOptions> = {}): Database {
  const { proxied, databaseUser, databasePassword, databaseName } = system.wiring;
  const database = new Database({
    ...proxied.database,
    user: databaseUser,
    password: databasePassword,
    database: databaseName,
    ...options,
  });
  onTestFinished(() => database.close());
  return database;
}

export type Viewer = Socket<ViewerServerEvents, ViewerClientEvents>;

/** A connected viewer of the backend. */
export async function viewerOf(url: string): Promise<Viewer> {
  const viewer: Viewer = io(url, { transports: ['websocket'], forceNew: true });
  onTestFinished(() => void viewer.disconnect());
  await until('the viewer is connected', 5000, () => viewer.connected || undefined, 20);
  return viewer;
}

export function job(id: string): FallbackJob<{ camera: string }> {
  const payload = { camera: 'scenario' };
  return { id, type: 'scenario', payload, traceId: `trace-${id}`, enqueuedAt: Date.now(), attempts: 0 };
}

/** `job(1)` to `job(count)`. */
export const jobs = (count: number) => Array.from({ length: count }, (_, index) => job(String(index + 1)));

/** A list in Redis as the queue in front of a fallback chain: its order and its doubles can be read. */
export function listOf(client: Redis, key: string): FallbackPrimary<{ camera: string }> {
  return { offer: async ({ id }) => void (await client.rpush(key, id)) };
}

/** Scenarios that start from NORMAL and closed breakers, whatever the one before them has left to recover. */
export function calmScenariosOf<Name extends Suite>(
  suite: Name,
  system: () => System,
): ReturnType<typeof scenariosOf<Name>> {
  const scenario = scenariosOf(suite, system);
  return (name, run) =>
    scenario(name, async (prove) => {
      await until('the system has recovered from the scenario before', 30_000, async () => {
        const { mode, faults, pipeline } = await system().state();
        // A fault whose end was not acknowledged in time is still there.
        if (faults.length > 0) return undefined;
        return mode === 'NORMAL' && pipeline?.breakers.every(({ state }) => state === 'CLOSED');
      });
      await run(prove);
    });
}

export async function untilModeOf(system: System, mode: Mode, timeoutMs = 10_000): Promise<void> {
  await until(
    `the mode is ${mode}`,
    timeoutMs,
    async () => (await system.state()).mode === mode || undefined,
  );
}

export async function reportOf(system: System): Promise<PipelineReport> {
  const { pipeline } = await system.state();
  if (!pipeline) throw new Error('The pipeline is not heard');
  return pipeline;
}

/** A service as the running pipeline sees it. */
export async function healthOf(system: System, name: string): Promise<ServiceHealth> {
  const found = (await reportOf(system)).services.find((service) => service.name === name);
  if (!found) throw new Error(`${name} is not checked`);
  return found;
}

/** Facts of one type since a fault was started; some come with its arming, before its start is told. */
export async function factsSince<T extends FactType>(
  system: System,
  { startedAt }: Fault,
  type: T,
): Promise<FactData[T][]> {
  return (await system.facts())
    .filter((fact) => fact.type === type && fact.at >= startedAt)
    .map(({ data }) => data as FactData[T]);
}

/** Once the facts of one type since a fault was started are as wanted: a report overtakes facts that wait in line. */
export async function untilFacts<T extends FactType>(
  system: System,
  fault: Fault,
  type: T,
  check: (facts: FactData[T][]) => void,
): Promise<void> {
  await until(`${type} is told`, 10_000, async () => {
    check(await factsSince(system, fault, type));
    return true;
  });
}

/** Log records of the pipeline since `since`, epoch ms. They come through the supervisor, later than facts and rows. */
export function logSince(system: System, since: number): Record<string, unknown>[] {
  return system.log('pipeline').filter(({ time }) => Date.parse(String(time)) >= since);
}

/** Once the pipeline has logged such a record since `since`. */
export async function untilLogHas(system: System, since: number, record: unknown): Promise<void> {
  await until('the pipeline has logged it', 10_000, () => {
    expect(logSince(system, since)).toContainEqual(record);
    return true;
  });
}

/** A manager of the test's own that asks PostgreSQL through its proxy, as the pipeline's does. */
export function managerOfDatabase(
  system: System,
  { checkMs = 8000, ...options }: { checkMs?: number } & Partial<DegradationOptions> = {},
) {
  const { proxied, databaseUser, databasePassword, databaseName } = system.wiring;
  const probe = new DatabaseProbe({
    ...proxied.database,
    user: databaseUser,
    password: databasePassword,
    database: databaseName,
    timeoutMs: checkMs,
  });
  onTestFinished(() => probe.close());
  const manager = new DegradationManager({ failureThreshold: 3, recoveryThreshold: 1, ...options });
  manager.register({ name: 'database', critical: true, check: () => probe.check() });
  const database = () => manager.services().find(({ name }) => name === 'database');
  /** Rounds one after the other; gives what the service looked like after each. */
  const rounds = async (count: number) => {
    const seen: (ServiceHealth | undefined)[] = [];
    for (let round = 0; round < count; round++) {
      await manager.runRound();
      seen.push(database());
    }
    return seen;
  };
  return { manager, database, rounds };
}
