import { join } from 'node:path';
import { Agent } from '#lib/agent/agent.ts';
import { BREAKER_PROFILES } from '#lib/chaos/breaker/breaker-options.ts';
import { systemClock } from '#lib/chaos/clock.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import type { PipelineReport } from '#lib/protocol/state.ts';
import { dependencyAddresses } from '../dependency-addresses.ts';
import { type ProcessContext, type Running, runProcess } from '../run-process.ts';
import type { Intake } from './contracts.ts';
import { Database } from './database/database.ts';
import { PoolFaults } from './database/pool-faults.ts';
import { DependencyTracker } from './dependencies/dependency-tracker.ts';
import { loadCredentials } from './intake/credentials.ts';
import { createIntake } from './intake/intake.ts';
import { PipelineFaults } from './pipeline-faults.ts';
import { pipelineMetrics } from './pipeline-metrics.ts';
import { pipelineProfile } from './profile.ts';
import { createBroadcaster } from './viewers/broadcaster.ts';
import { createCache } from './viewers/cache.ts';
import { createViewerApi } from './viewers/viewer-api.ts';
import { createBreakers } from './work/breakers.ts';
import { createWork, type Work } from './work/create-work.ts';
import { DatabaseProbe } from './work/health-checks.ts';
import { createServiceHealth } from './work/service-health.ts';

const GATE_MS = 500;
/** A pool that stays exhausted is told once in this time, ms; the log has each check-out. */
const EXHAUSTED_MS = 10_000;
const GIB = 1024 ** 3;
/** What may take longer than this when the process ends is left behind, ms. */
const CLOSE_STEP_MS = 700;

/**
 * The backend under test: intake, work and viewers in one process, every dependency behind its proxy.
 *
 * It starts whether or not Redis, PostgreSQL and the inference process are there.
 */
async function start({ settings, wiring, logger }: ProcessContext): Promise<Running> {
  const clock = systemClock;
  const profile = pipelineProfile(settings.PROFILE);
  const proxied = dependencyAddresses(wiring);
  const probed = dependencyAddresses(wiring, { healthCheck: true });
  const mediaRoots = ['media', 'inbox'].map((folder) => join(settings.DATA_DIR, folder));
  let work: Work | undefined;
  let intake: Intake | undefined;

  const injector: FaultInjector = new FaultInjector({
    clock,
    effect: {
      arm: (fault) => faults.arm(fault),
      change: (fault, previous) => faults.change(fault, previous),
      end: (fault) => faults.end(fault),
    },
  });
  const agent = new Agent({
    controlUrl: wiring.controlUrl,
    secret: wiring.agentSecret,
    name: 'pipeline',
    injector,
    metrics: pipelineMetrics({
      work: () => work,
      tracker: () => tracker,
      uploadsPerSecond: () => intake?.metrics().uploadsPerSecond ?? null,
    }),
    report: () => (work ? { kind: 'pipeline', report: reportOf(work) } : null),
    commands: {
      'breaker:command': async (request) => ready().commands['breaker:command'](request),
      'dlq:list': async (request) => ready().commands['dlq:list'](request),
      'dlq:groups': async (request) => ready().commands['dlq:groups'](request),
      'dlq:export': async (request) => ready().commands['dlq:export'](request),
      'dlq:redrive': async (request) => ready().commands['dlq:redrive'](request),
      'dlq:cancel': async (request) => ready().commands['dlq:cancel'](request),
      'dlq:purge': async (request) => ready().commands['dlq:purge'](request),
      'dlq:purgeAll': async (request) => ready().commands['dlq:purgeAll'](request),
    },
    onWarning: (text, error) => logger.debug({ err: error }, text),
  });
  const faultIds = () =>
    agent.activeFaults.filter(({ endedAt }) => endedAt === undefined).map(({ id }) => id);

  const tracker = new DependencyTracker({
    clock,
    activeFaults: () => agent.activeFaults,
    recentMs: 2 * BREAKER_PROFILES[profile.name].yolo26.recoveryTimeoutMs,
  });
  const breakers = createBreakers({
    profile: profile.name,
    clock,
    tracker,
    logger,
    onChanged: ({ breaker, from, to, reason, failures, origin, calls }) => {
      agent.fact('breakerChanged', breaker, { breaker, from, to, reason, failures, origin, calls });
      work?.updateGates();
    },
  });
  const redisAddress = { ...proxied.redis, password: wiring.redisPassword };
  const cache = createCache({
    redis: redisAddress,
    logger,
    profile: profile.name,
    clock,
    track: (call) => tracker.track('redis', call),
  });
  const broadcaster = createBroadcaster({
    pubsub: { ...proxied.pubsub, password: wiring.redisPassword },
    breaker: breakers.broadcaster,
    logger,
    profile: profile.name,
    track: (call) => tracker.track('pubsub', call),
    keptFile: join(settings.DATA_DIR, 'fallback', 'critical-events.jsonl'),
    clock,
  });
  const account = {
    ...proxied.database,
    user: wiring.databaseUser,
    password: wiring.databasePassword,
    database: wiring.databaseName,
  };
  let exhaustedMs = Number.NEGATIVE_INFINITY;
  const database = new Database({
    ...account,
    ...profile.pool,
    queryMs: profile.timeouts.databaseMs,
    guard: (call) => breakers.database.execute(call),
    onCall: ({ durationMs, error }) => tracker.record('database', durationMs, error),
    onLeak: ({ heldMs, callSite }) => {
      logger.error({ heldMs, callSite }, 'a database connection is held for too long');
      const text = `A database connection is held since ${heldMs} ms by ${callSite}`;
      agent.fact('alert', 'database', { code: 'CONNECTION_LEAK', service: 'database', count: 1, text });
    },
    onExhausted: (figures) => {
      logger.warn(figures, 'database pool exhausted');
      if (clock.monotonicMs() - exhaustedMs < EXHAUSTED_MS) return;
      exhaustedMs = clock.monotonicMs();
      const text = `No database connection in time: ${figures.active} of ${figures.max} in use`;
      agent.fact('alert', 'database', { code: 'POOL_EXHAUSTED', service: 'database', count: 1, text });
    },
    onRepeat: (repeat) => logger.warn(repeat, 'transaction repeated'),
    onSlowQuery: (slow) => logger.warn(slow, 'slow query'),
    onConnectionError: (error) => logger.debug({ err: error.message }, 'database connection lost'),
  });
  const faults = new PipelineFaults({
    pool: new PoolFaults(database, (id) => injector.recordHit(id, 'connection')),
    refreshDisk: async () => running.refreshDisk(),
  });
  const databaseProbe = new DatabaseProbe({
    ...account,
    ...probed.database,
    timeoutMs: profile.timeouts.connectMs,
  });
  const services = createServiceHealth({
    profile: profile.name,
    addresses: probed,
    clock,
    tracker,
    databaseProbe,
    checkRedis: (signal) => cache.healthCheck(signal),
    checkPubsub: (signal) => broadcaster.healthCheck(signal),
  });
  services.on('serviceChanged', ({ service, healthy, error, origin }) => {
    logger.warn({ service, healthy, error, origin }, `${service} is ${healthy ? 'up again' : 'down'}`);
    agent.fact('serviceChanged', service, { service, healthy, error, origin });
    const down = services.services().find((each) => each.name === service && each.critical && !healthy);
    if (down) {
      const text = `${service} is down: ${error}`;
      agent.fact('alert', service, { code: 'SERVICE_DOWN', service, count: down.consecutiveFailures, text });
    }
  });
  services.on('modeChanged', ({ from, to, causes, at }) => {
    logger.warn({ from, to, causes }, `mode ${from} → ${to}`);
    agent.fact('modeChanged', 'pipeline', { from, to, causes });
    broadcaster.notify('service_status', { mode: to, from, causes, at, features: services.features() });
    work?.updateGates();
  });

  work = await createWork({
    dataDir: settings.DATA_DIR,
    proxied,
    redisPassword: wiring.redisPassword,
    profile,
    clock,
    logger,
    db: database,
    breakers,
    tracker,
    services,
    cache,
    broadcaster,
    intake: () => running,
    fact: (type, subject, data) => agent.fact(type, subject, data),
    faultIds,
  });
  const running = createIntake({
    dataDir: settings.DATA_DIR,
    ftp: wiring.direct.ftp,
    credentials: await loadCredentials(settings.DATA_DIR),
    profile: profile.name,
    sink: work.sink,
    logger,
    clock,
    injector,
    mediaMaxBytes: Math.round(settings.MEDIA_MAX_GIB * GIB),
  });
  intake = running;

  agent.start();
  await broadcaster.start();
  await running.start();
  services.start();
  work.start();
  const api = await createViewerApi({
    http: { host: settings.HOST, port: settings.BACKEND_PORT },
    token: settings.BROWNOUT_TOKEN,
    database,
    schema: work.schema,
    intake: running,
    mediaRoots,
    health: () => ({ mode: services.status(), services: services.services(), ...partsOf(ready()) }),
    broadcaster,
    cache,
    logger,
    profile: profile.name,
    consolePort: settings.PORT,
    clock,
  });
  let inForce = new Set<string>();
  const gates = setInterval(() => {
    ready().updateGates();
    const now = new Set(faultIds());
    if ([...inForce].some((id) => !now.has(id))) ready().reconcileSoon();
    inForce = now;
  }, GATE_MS);

  function ready(): Work {
    if (!work) throw new Error('The pipeline is still starting');
    return work;
  }

  function partsOf(current: Work) {
    return {
      queues: current.queues(),
      pools: [database.status()],
      ledger: current.ledger(),
      dependencies: tracker.status(),
    };
  }

  function reportOf(current: Work): PipelineReport {
    const { connected, direct, published, unheard } = broadcaster.stats();
    return {
      mode: services.status(),
      services: services.services(),
      breakers: Object.values(breakers).map((breaker) => breaker.status()),
      dlq: current.dlq(),
      viewers: { connected, direct, published, unheard },
      recentEvents: broadcaster.recentEvents(),
      ...partsOf(current),
    };
  }

  return {
    async close() {
      clearInterval(gates);
      // What brings work in first, then the work, then what it stands on.
      await settled([api.close(), running.close(), services.stop()]);
      await settled([ready().close()], 2 * CLOSE_STEP_MS);
      databaseProbe.close();
      for (const breaker of Object.values(breakers)) breaker.dispose();
      await settled([broadcaster.close(), cache.close(), database.close(), agent.close()]);
    },
  };
}

/** Waits until all have ended, but not longer than a fault could hold them. */
async function settled(parts: readonly Promise<unknown>[], limitMs = CLOSE_STEP_MS): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([Promise.allSettled(parts), limit]);
  clearTimeout(timer);
}

await runProcess('pipeline', start);
