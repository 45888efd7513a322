import { join } from 'node:path';
import type { CommandHandlers } from '#lib/agent/agent.ts';
import type { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import type { Clock, Timer } from '#lib/chaos/clock.ts';
import { deadLetterId } from '#lib/chaos/dead-letters/dead-letter.ts';
import { DeadLetterStore } from '#lib/chaos/dead-letters/dead-letter-store.ts';
import type { DegradationManager } from '#lib/chaos/degradation/degradation-manager.ts';
import { DiskTier } from '#lib/chaos/fallback/disk-tier.ts';
import { MemoryTier } from '#lib/chaos/fallback/memory-tier.ts';
import { RetryBudget } from '#lib/chaos/retry/retry-budget.ts';
import type { FactData, FactType } from '#lib/protocol/facts.ts';
import type { DlqStatus, LedgerStatus, QueueStatus } from '#lib/protocol/state.ts';
import type { DependencyAddresses } from '#server/dependency-addresses.ts';
import type { Logger } from '#server/logging.ts';
import type { Broadcaster, Cache, EventRecord, Intake, IntakeSink, ValidUpload } from '../contracts.ts';
import type { Database } from '../database/database.ts';
import { migrate } from '../database/migrate.ts';
import { CallWindow } from '../dependencies/call-window.ts';
import type { DependencyTracker } from '../dependencies/dependency-tracker.ts';
import type { PipelineProfile } from '../profile.ts';
import { type AnalysisPayload, AnalysisWork } from './analysis-work.ts';
import { BatchSize } from './batch-size.ts';
import { type Breakers, commandBreaker, letsThrough, openReason } from './breakers.ts';
import { DeadLetterCommands } from './dead-letter-commands.ts';
import { DeadLetterDesk } from './dead-letter-desk.ts';
import { DetectionCalls } from './detection-calls.ts';
import { type DetectionPayload, DetectionWork } from './detection-work.ts';
import { Detector } from './detector.ts';
import { DroppedUploads } from './dropped-uploads.ts';
import { EventMaking } from './event-making.ts';
import { closeHttpConnections } from './http-call.ts';
import { LanguageModel } from './language-model.ts';
import { OpenUploads } from './open-uploads.ts';
import { OwedWork } from './owed-work.ts';
import { RateMeter } from './rate-meter.ts';
import { Reconciler } from './reconciler.ts';
import { storeDuplicate } from './upload-rows.ts';
import { WorkQueue } from './work-queue.ts';

export interface WorkOptions {
  dataDir: string;
  proxied: DependencyAddresses;
  redisPassword: string | null;
  profile: PipelineProfile;
  clock: Clock;
  logger: Logger;
  db: Database;
  breakers: Breakers;
  tracker: DependencyTracker;
  services: DegradationManager;
  cache: Cache;
  broadcaster: Broadcaster;
  /** Made with this work's sink. */
  intake: () => Intake;
  fact: <T extends FactType>(type: T, subject: string, data: FactData[T]) => void;
  /** Ids of the faults in force. */
  faultIds: () => string[];
}

interface WorkGauges {
  oldestAgeMs: number | null;
  detectionsPerSecond: number;
  eventsPerSecond: number;
  endToEndP50Ms: number | null;
  endToEndP95Ms: number | null;
  batchSize: number;
}

/** What the control process may ask of the work. */
type WorkCommands = Required<
  Pick<CommandHandlers, 'breaker:command' | Extract<keyof CommandHandlers, `dlq:${string}`>>
>;

/** Everything that becomes of an upload after intake. */
export interface Work {
  readonly sink: IntakeSink;
  readonly commands: WorkCommands;
  start(): void;
  close(): Promise<void>;
  /** Resolves once the database has its tables; before, a read would only fail. */
  readonly schema: Promise<void>;
  /** Opens and closes the gates of the queues as mode and breakers want it. */
  updateGates(): void;
  /** A fault has ended: what it left is looked for soon. */
  reconcileSoon(): void;
  queues(): QueueStatus[];
  dlq(): DlqStatus;
  ledger(): LedgerStatus;
  gauges(): WorkGauges;
}

const DETECTION_CONCURRENCY = 8;
const ANALYSIS_CONCURRENCY = 3;

export async function createWork(options: WorkOptions): Promise<Work> {
  const { dataDir, proxied, profile, clock, logger, db, breakers, tracker, services, cache, broadcaster } =
    options;
  const { intake, fact, faultIds } = options;
  const redis = { ...proxied.redis, password: options.redisPassword };
  const connectMs = profile.timeouts.connectMs;
  const stopping = new AbortController();
  const open = new OpenUploads(clock);
  const endToEnd = new CallWindow({ clock, windowMs: 60_000 });
  const detections = new RateMeter(clock);
  const events = new RateMeter(clock);
  const batchSize = new BatchSize();
  let migrated = false;
  const schema = Promise.withResolvers<void>();
  let heldUntilMs = 0;
  let heldTimer: Timer | undefined;

  const letters = await DeadLetterStore.open(join(dataDir, 'dlq'), {
    clock,
    onUnreadable: (line) => logger.error({ line }, 'a dead letter could not be read'),
  });
  const dropped = await DroppedUploads.open(join(dataDir, 'dlq', 'dropped.jsonl'));
  const openTier = <Payload>(name: string) =>
    DiskTier.open<Payload>(join(dataDir, 'fallback', name), {
      onCorrupt: (record) => logger.error({ record }, 'a record of the disk tier was damaged'),
    });

  /** A slow service may take twice as long in DEGRADED; one that is down gets no more time. */
  const patience = (service: 'yolo26' | 'nemotron', baseMs: number) => () =>
    services.isUp(service) ? baseMs * services.timeoutFactor : baseMs;

  /** What a job of a queue needs beside the database; an upload that is submitted again needs nothing at first. */
  const breakerOf = (queue: string) =>
    queue === 'detection' ? breakers.yolo26 : queue === 'analysis' ? breakers.nemotron : undefined;
  const desk = new DeadLetterDesk({
    store: letters,
    intake,
    clock,
    logger,
    faultIds,
    enqueue: (job) =>
      job.type === 'analysis'
        ? analysisQueue.add(job as Parameters<typeof analysisQueue.add>[0])
        : detectionQueue.add(job as Parameters<typeof detectionQueue.add>[0]),
    isWell: (queue) => workable() && (breakerOf(queue) ?? breakers.nemotron).state === 'CLOSED',
  });
  const deadLetters = new DeadLetterCommands({
    store: letters,
    dropped,
    intake,
    redrive: (id) => desk.redrive(id),
    blockedBy: (queue) => {
      const breaker = breakerOf(queue);
      return breaker ? openReason(breaker) : null;
    },
    onTask: (task) => fact('deadLetterTask', task.queue, { task }),
    clock,
  });
  const overflow = (queue: 'detection' | 'analysis') => ({
    queue,
    uploadId: null as string | null,
    error: Object.assign(new Error(`No tier takes another ${queue} job`), { code: 'QUEUE_FULL' }),
    retryable: true,
  });

  const eventMaking = new EventMaking({
    db,
    clock,
    logger,
    batch: profile.batch,
    queue: () => analysisQueue,
  });
  const calls = new DetectionCalls({
    detector: new Detector({ ...proxied.yolo26, connectMs }),
    breaker: breakers.yolo26,
    tracker,
    batchSize,
    clock,
    timeoutMs: patience('yolo26', profile.timeouts.detectorMs),
  });
  const timedOut = (service: 'yolo26' | 'nemotron', breaker: CircuitBreaker) => () =>
    broadcaster.timedOut(service, Math.round(breaker.status().retryAfterMs ?? profile.queue.parkMs));

  const tellDuplicate = ({ id, camera, traceId }: ValidUpload, originalId: string) =>
    logger.info({ stage: 'duplicate', uploadId: id, camera, traceId, originalId }, 'duplicate upload');

  const detection = new DetectionWork({
    db,
    intake: {
      locate: (id) => intake().locate(id),
      store: (id) => intake().store(id),
      discard: (id) => intake().discard(id),
    },
    calls,
    clock,
    logger,
    parkMs: profile.queue.parkMs,
    deadLetter: async (job, error, retryable) => {
      await desk.writeJob(job, { queue: 'detection', uploadId: job.id, error, retryable });
      open.settled(job.id);
    },
    isDead: (uploadId) => letters.holds(deadLetterId(`detection:${uploadId}`)),
    onStored: (upload, outcome) => {
      open.settled(upload.id);
      detections.count();
      desk.resolveUpload(upload.id).catch((error: unknown) => logger.warn({ err: error }, 'dead letter'));
      if (outcome.kind === 'not_run') return;
      const found = outcome.kind === 'done' ? outcome.result.detections.length : 0;
      const { id, camera, traceId } = upload;
      eventMaking.add({ uploadId: id, camera, detections: found, traceId });
    },
    onDuplicate: (upload, originalId) => {
      open.settled(upload.id);
      desk.resolveUpload(upload.id).catch((error: unknown) => logger.warn({ err: error }, 'dead letter'));
      tellDuplicate(upload, originalId);
    },
    onTimedOut: timedOut('yolo26', breakers.yolo26),
    onRetryAfter: (retryAfterMs) => {
      heldUntilMs = Math.max(heldUntilMs, clock.monotonicMs() + retryAfterMs);
      heldTimer?.cancel();
      heldTimer = clock.after(retryAfterMs + 10, updateGates);
      updateGates();
    },
  });

  const publish = (event: EventRecord, change: 'created' | 'updated') =>
    void broadcaster
      .publish(event, change)
      .catch((error: unknown) => logger.error({ eventId: event.id, err: error }, 'event not published'));

  const analysis = new AnalysisWork({
    db,
    model: new LanguageModel({ ...proxied.nemotron, connectMs }),
    breaker: breakers.nemotron,
    tracker,
    cache,
    clock,
    logger,
    retry: profile.llmRetry,
    budget: new RetryBudget({ clock }),
    timeoutMs: patience('nemotron', profile.timeouts.llmMs),
    signal: stopping.signal,
    parkMs: profile.queue.parkMs,
    onSettled: (uploadIds) => eventMaking.settled(uploadIds),
    onTimedOut: timedOut('nemotron', breakers.nemotron),
    onEvent: (event, frames) => {
      events.count();
      for (const { acceptedAt } of frames) endToEnd.record(Math.max(0, clock.now() - acceptedAt), null);
      const { id, camera, traceId, riskScore, riskSource } = event;
      const uploads = frames.map(({ uploadId }) => uploadId);
      logger.info(
        { stage: 'event', eventId: id, camera, traceId, riskScore, riskSource, uploads },
        'event stored',
      );
      publish(event, 'created');
    },
  });

  const queueOptions = {
    redis,
    redisTimeoutMs: profile.timeouts.redisMs,
    lockMs: profile.queue.lockMs,
    stalledMs: profile.queue.stalledMs,
    clock,
    guard: <T>(call: () => Promise<T>) => breakers.redis.execute(() => tracker.track('redis', call)),
    onError: quietly(logger),
  };
  const detectionQueue = new WorkQueue<DetectionPayload>({
    ...queueOptions,
    name: 'detection',
    concurrency: DETECTION_CONCURRENCY,
    tiers: [new MemoryTier<DetectionPayload>(), await openTier<DetectionPayload>('detection')],
    deadLetter: (job) => desk.writeJob(job, { ...overflow('detection'), uploadId: job.id }),
    process: (job) => detection.process(job),
  });
  const analysisQueue = new WorkQueue<AnalysisPayload>({
    ...queueOptions,
    name: 'analysis',
    concurrency: ANALYSIS_CONCURRENCY,
    tiers: [new MemoryTier<AnalysisPayload>(), await openTier<AnalysisPayload>('analysis')],
    deadLetter: (job) => desk.writeJob(job, overflow('analysis')),
    process: (job) => analysis.process(job),
  });

  const owed = new OwedWork({
    db,
    intake,
    calls,
    analysis,
    detectorBreaker: breakers.yolo26,
    modelBreaker: breakers.nemotron,
    clock,
    logger,
    rhythm: profile.owed,
    canDetect: () => workable() && services.isUp('yolo26'),
    canAnalyse: () => workable() && services.isUp('nemotron') && analysisQueue.status().depth === 0,
    onUpdated: (event) => publish(event, 'updated'),
  });
  const reconciler = new Reconciler({
    db,
    intake,
    queue: detectionQueue,
    letters,
    dropped,
    open,
    clock,
    logger,
    rhythm: profile.ledger,
    sweep: () => eventMaking.sweep(),
    onChanged: ({ verdict, lost, lostIds, doubled }) =>
      fact('ledgerChanged', 'ledger', { verdict, lost, lostIds, doubled }),
  });

  letters.on('deadLettered', ({ letter: { id, queue, error, uploadId, faultIds: faults } }) =>
    fact('deadLettered', queue, { id, queue, error: error.message, uploadId, faultIds: faults }),
  );
  letters.on('redriven', ({ letter: { id, queue } }) => {
    if (!deadLetters.inTask(id)) fact('deadLetterRedriven', queue, { id, queue });
  });
  letters.on('purged', ({ letter: { id, queue }, reason }) =>
    fact('deadLetterPurged', queue, { id, queue, reason }),
  );

  /** MINIMAL and OFFLINE park all jobs; without a schema or a database nothing can be stored. */
  function workable(): boolean {
    const allowed = services.mode === 'NORMAL' || services.mode === 'DEGRADED';
    return migrated && allowed && letsThrough(breakers.database);
  }

  function updateGates(): void {
    const detectable = letsThrough(breakers.yolo26) && clock.monotonicMs() >= heldUntilMs;
    detectionQueue.setOpen(workable() && detectable);
    // Events are stored with or without the model.
    analysisQueue.setOpen(workable());
  }

  const sink: IntakeSink = {
    async submit(upload) {
      if (letters.get(deadLetterId(`detection:${upload.id}`))) return; // it waits for a re-drive
      const { id, traceId, acceptedAt } = upload;
      open.add(id, acceptedAt);
      await detectionQueue.add({
        id,
        type: 'detection',
        payload: upload,
        traceId,
        enqueuedAt: clock.now(),
        attempts: 0,
      });
      logger.info({ stage: 'queued', uploadId: id, camera: upload.camera, traceId }, 'detection queued');
    },
    async recordDuplicate(upload, originalId) {
      await storeDuplicate(db, upload, originalId);
      open.settled(upload.id);
      tellDuplicate(upload, originalId);
    },
    deadLetter: (letter) => desk.writeUpload(letter),
    linkDeadLetter: async (key, uploadId) => {
      await letters.link(deadLetterId(key), uploadId);
    },
    async drop(uploadId, reason) {
      if (!dropped.ids().has(uploadId)) await dropped.add(uploadId, reason, clock.now());
      open.settled(uploadId);
    },
    isDropped: (uploadId) => dropped.ids().has(uploadId),
    alert: (code, count, text) => {
      logger.warn({ code, count }, text);
      fact('alert', code, { code, service: code.startsWith('UPLOAD') ? 'ftp' : null, count, text });
      broadcaster.notify('alerts', { code, count, text });
    },
    claimHash: (sha256, uploadId) => cache.claimHash(sha256, uploadId),
    releaseHash: (sha256, uploadId) => cache.releaseHash(sha256, uploadId),
  };

  return {
    sink,
    commands: {
      'breaker:command': async ({ name, command }) => {
        const done = commandBreaker(breakers, name, command);
        updateGates();
        return { done };
      },
      'dlq:list': (request) => deadLetters.list(request),
      'dlq:groups': (request) => deadLetters.groups(request),
      'dlq:export': (request) => deadLetters.export(request),
      'dlq:redrive': (request) => deadLetters.redrive(request),
      'dlq:cancel': (request) => deadLetters.cancel(request),
      'dlq:purge': (request) => deadLetters.purge(request),
      'dlq:purgeAll': (request) => deadLetters.purgeAll(request),
    },
    start() {
      migrate(db, {
        signal: stopping.signal,
        onRetry: (error) =>
          logger.warn(
            { err: error instanceof Error ? error.message : error },
            'database not ready for its schema',
          ),
      }).then(
        () => {
          migrated = true;
          schema.resolve();
          logger.info('schema is up to date');
          updateGates();
          reconciler.start();
          owed.start();
          desk.start();
        },
        (error: unknown) => {
          if (!stopping.signal.aborted) logger.fatal({ err: error }, 'schema cannot be brought up to date');
        },
      );
    },
    async close() {
      stopping.abort();
      heldTimer?.cancel();
      eventMaking.close();
      closeHttpConnections();
      const parts = [
        detectionQueue.close(),
        analysisQueue.close(),
        owed.close(),
        reconciler.close(),
        deadLetters.close(),
        desk.close(),
      ];
      await Promise.race([
        Promise.allSettled(parts),
        new Promise((resolve) => setTimeout(resolve, 1500)), // calls in hand may hang in a fault
      ]);
      await letters.close();
    },
    schema: schema.promise,
    updateGates,
    reconcileSoon: () => reconciler.soon(),
    queues: () => [detectionQueue.status(), analysisQueue.status()],
    dlq: () => deadLetters.status(),
    ledger: () => reconciler.status(),
    gauges: () => {
      const { p50Ms, p95Ms } = endToEnd.percentiles();
      return {
        oldestAgeMs: open.oldestAgeMs(),
        detectionsPerSecond: detections.perSecond(),
        eventsPerSecond: events.perSecond(),
        endToEndP50Ms: p50Ms,
        endToEndP95Ms: p95Ms,
        batchSize: batchSize.current,
      };
    },
  };
}

/** Connection errors come many times a second while Redis is down: each text once every 10 s. */
function quietly(logger: Logger): (text: string, error: unknown) => void {
  const told = new Map<string, number>();
  return (text, error) => {
    const message = error instanceof Error ? error.message : String(error);
    const key = `${text.replace(/[0-9A-Z]{20,}/g, '')}: ${message}`;
    const now = performance.now();
    if (now - (told.get(key) ?? Number.NEGATIVE_INFINITY) < 10_000) return;
    if (told.size > 200) told.clear();
    told.set(key, now);
    logger.warn({ err: message }, text);
  };
}
