import type { Clock, Timer } from '#lib/chaos/clock.ts';
import { type FaultSpec, faultMark } from '#lib/chaos/faults/fault.ts';
import type { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { CLOCK_EVENT_REASONS } from '#lib/chaos/gpu/clock-events.ts';
import { MIB } from '#lib/chaos/gpu/device-memory.ts';
import { GpuDevice } from '#lib/chaos/gpu/gpu-device.ts';
import { GpuError } from '#lib/chaos/gpu/gpu-error.ts';
import type { GpuStatus } from '#lib/protocol/state.ts';
import type { Logger } from '../logging.ts';
import { BatchLimit } from './batch-limit.ts';
import { CallFaults, type InferenceCall } from './call-faults.ts';
import { InferenceError } from './inference-error.ts';
import { CACHE_TRIM_MS, type InferenceProfile, MODELS, type ModelName } from './inference-profile.ts';
import type { ModelFiles } from './model-files.ts';
import { type Execution, ModelRuntime } from './model-runtime.ts';
import { type AfterEffect, RestartKeeper } from './restart-keeper.ts';

export interface GpuHostOptions {
  clock: Clock;
  profile: InferenceProfile;
  injector: FaultInjector;
  files: ModelFiles;
  logger: Logger;
  /** @default nothing */
  onAfterEffect?: (effect: AfterEffect) => void;
  /** A model was started anew and has forgotten what it had learnt. @default nothing */
  onRestart?: (model: ModelName) => void;
}

export interface Inferred<T> {
  readonly value: T;
  readonly device: 'cuda' | 'cpu';
  readonly kernelMs: number;
  /** The fault that disturbed the call although it succeeded. */
  readonly faultId: string | undefined;
}

const TICK_MS = 250;
/** A kernel that runs for longer than this hangs. */
const HANG_MS = 5000;
/** Faults that keep the card from coming back for as long as they are armed. */
const HOLDING_FAULTS = ['unavailable', 'driver_crash', 'connection_error', 'no_gpu', 'thermal_throttle'];

/**
 * The two models, their card, and the policies between them: what runs where, what pauses, what restarts.
 *
 *     call ─► faults ─► paused? lost? ─► GPU (or CPU without one) ─► errors turned into answers
 */
export class GpuHost {
  readonly device: GpuDevice;
  readonly runtimes: Readonly<Record<ModelName, ModelRuntime>>;
  readonly batchLimit = new BatchLimit(MODELS.yolo26.maxBatchSize);
  readonly #options: GpuHostOptions;
  readonly #restarts: RestartKeeper;
  readonly #callFaults: CallFaults;
  #tickTimer: Timer | undefined;
  #outOfMemoryCount = 0;
  #coolingFrom: FaultSpec | undefined;
  #wasPaused = false;
  #trimmedAt = 0;

  constructor(options: GpuHostOptions) {
    this.#options = options;
    const { clock, profile } = options;
    this.device = new GpuDevice({ clock, thermal: profile.thermal });
    this.runtimes = {
      yolo26: new ModelRuntime('yolo26', this.device, clock),
      nemotron: new ModelRuntime('nemotron', this.device, clock),
    };
    this.#callFaults = new CallFaults(clock, options.injector, this.device);
    this.#restarts = new RestartKeeper({
      ...options,
      device: this.device,
      runtimes: this.runtimes,
      cpuOnly: () => this.#fault('device_index') !== undefined,
      held: () => this.#held(),
      tell: (effect) => this.#tell(effect),
      onRestart: options.onRestart ?? (() => {}),
    });
    this.device.on('xid', (xid) => {
      options.logger.error({ xid: xid.code }, `Xid ${xid.code}: ${xid.meaning}`);
      if (xid.code === 79) this.#lost();
    });
  }

  /** Loads both models and begins to watch the card. */
  start(): void {
    this.#restarts.loadAll();
    this.#tick();
  }

  close(): void {
    this.#tickTimer?.cancel();
    this.#restarts.close();
    this.#callFaults.close();
  }

  get files(): ModelFiles {
    return this.#options.files;
  }

  /** Without a card, or told to use one that is not there. */
  get onCpu(): boolean {
    return this.device.absent || this.#fault('device_index') !== undefined;
  }

  get outOfMemoryCount(): number {
    return this.#outOfMemoryCount;
  }

  /** Heat pauses inference from 90 °C until the flag clears below 88. */
  get paused(): boolean {
    return this.device.available && this.device.softwareThermal;
  }

  /** The clock is below its maximum, whatever the reason. */
  get slowed(): boolean {
    return this.device.slowdown > 1.01;
  }

  /** Why `/health` should say unhealthy; undefined while calls can succeed. */
  problem(model: ModelName): InferenceError | undefined {
    if (this.device.kernelAgeMs <= HANG_MS) return this.#refusal(model);
    const ageMs = Math.round(this.device.kernelAgeMs);
    return new InferenceError('CUDA_ERROR', `CUDA error: a kernel has been running for ${ageMs} ms`, {
      status: 503,
      faultId: this.#fault('timeout')?.id,
    });
  }

  /** Images that fit at once now: never more than the out-of-memory policy allows. */
  get batchSize(): number {
    const allocator = this.runtimes.yolo26.context?.allocator;
    if (!allocator) return this.onCpu ? this.batchLimit.current : 0;
    const cached = Math.max(allocator.releasableBytes, allocator.largestCachedBytes);
    const fitting = Math.floor((this.device.memory.freeBytes + cached) / (MODELS.yolo26.imageMib * MIB));
    return Math.min(this.batchLimit.current, fitting);
  }

  status(): GpuStatus {
    const { yolo26, nemotron } = this.runtimes;
    const sample = this.device.status();
    const { thermal } = this.#options.profile;
    return {
      ...sample,
      clockEvents: this.#clockEvents(sample.clockEventReasons),
      limits: {
        targetC: thermal.targetC,
        softwareC: thermal.softwareSetC,
        hardwareC: thermal.hardwareSetC,
        shutdownC: thermal.shutdownC,
        powerW: thermal.idlePowerW + thermal.loadPowerW,
      },
      device: this.onCpu ? 'cpu' : 'cuda',
      paused: this.paused,
      imageMib: MODELS.yolo26.imageMib,
      maxBatchSize: this.batchSize,
      outOfMemoryCount: this.#outOfMemoryCount,
      restarts: yolo26.restarts + nemotron.restarts,
    };
  }

  /**
   * Runs one inference of a model with everything that can disturb it.
   * @throws {InferenceError}; the signal's reason when the caller is gone
   */
  async infer<T>(
    model: ModelName,
    call: InferenceCall,
    work: (execution: Execution) => Promise<T>,
  ): Promise<Inferred<T>> {
    const late = await this.#callFaults.delay(call);
    const verdict = this.#callFaults.verdict(call);
    try {
      const { execution, faultId } = this.#place(model, call);
      if (verdict) await this.#callFaults.fail(verdict, this.runtimes[model].context, call.signal);
      const value = await work(execution);
      return { value, device: execution.device, kernelMs: execution.kernelMs, faultId: faultId ?? late };
    } catch (error) {
      throw this.#answerFor(error, call);
    }
  }

  /** Counts and says it: with enough memory in pieces that are too small, or without enough. */
  countOutOfMemory(): void {
    this.#outOfMemoryCount++;
    const { freeMib, cachedMib, largestFreeMib } = this.device.status().memory;
    const { imageMib } = MODELS.yolo26;
    const fragmented = largestFreeMib < imageMib && freeMib + cachedMib >= imageMib;
    this.#options.logger.warn(
      { freeMib, cachedMib, largestFreeMib, fragmented },
      'out of GPU memory: caches are emptied',
    );
  }

  /** Gives back what both models keep for later. */
  emptyCaches(): void {
    for (const runtime of Object.values(this.runtimes)) runtime.emptyCache();
  }

  /** The fault that has taken memory, if one has. */
  get memoryFaultId(): string | undefined {
    return this.#fault('vram_exhaustion', 'vram_fragmentation')?.id ?? this.#restarts.blame;
  }

  /** Ends every kernel that this fault holds. */
  releaseHang(faultId: string): void {
    this.#callFaults.release(faultId);
  }

  /** The driver finds the card again, unless another fault hides it: both models load at once. */
  cardFound(): void {
    if (this.#fault('connection_error', 'no_gpu')) return;
    this.device.reset();
    this.#restarts.loadAll();
    if (this.#fault('unavailable', 'driver_crash')) this.device.raiseXid(79);
  }

  /** Both models load again, on whatever device they are told to use now. */
  reloadAll(): void {
    this.#restarts.loadAll();
  }

  /** Loads a model from its file at once. */
  reload(model: ModelName, faultId: string): void {
    this.#restarts.blame = faultId;
    this.#restarts.reload(model);
  }

  /** Ends what a context corruption has left behind, by a restart that is told. */
  replaceCorrupted(faultId: string): void {
    for (const runtime of Object.values(this.runtimes)) {
      if (!runtime.context?.corrupted && runtime.downBecause === undefined) continue;
      this.restartModel(runtime.name, faultId, 'its CUDA context is spoilt');
    }
  }

  /** Restarts what was lost, soon. Called when a fault has ended; does nothing when nothing was lost. */
  recover(): void {
    if (!this.device.available && !this.device.absent && !this.#held()) this.#restarts.schedule('card');
  }

  /** Restarts one model to get rid of what a fault has left in its process. */
  restartModel(model: ModelName, faultId: string, why: string): void {
    this.#restarts.blame = faultId;
    this.#tell({ faultId, text: `${why}; ${model} restarts`, over: false });
    this.#restarts.schedule(model);
  }

  /** Tells when the heat of this fault is gone. */
  coolDown(fault: FaultSpec): void {
    if (!this.device.softwareThermal) return;
    this.#coolingFrom = fault;
    const celsius = Math.round(this.device.temperatureC);
    this.#tell({ faultId: fault.id, text: `inference still paused at ${celsius} °C`, over: false });
  }

  #clockEvents(bits: number): GpuStatus['clockEvents'] {
    const { heldMs, ...times } = this.device.clockEventTimes();
    const reasons = CLOCK_EVENT_REASONS.map(({ bit, word, severity }) => ({
      word,
      severity,
      active: (bits & bit) !== 0,
      heldMs: heldMs.get(bit) ?? 0,
    }));
    return { ...times, reasons };
  }

  #place(model: ModelName, call: InferenceCall): { execution: Execution; faultId?: string } {
    const { injector } = this.#options;
    const runtime = this.runtimes[model];
    this.#crashAgain(model);
    const refusal = this.#refusal(model);
    if (refusal) {
      if (refusal.details.faultId) injector.recordHit(refusal.details.faultId, call.kind);
      throw refusal;
    }
    if (this.onCpu) {
      const fault = this.#fault('connection_error', 'no_gpu', 'device_index');
      if (fault) injector.recordHit(fault.id, call.kind);
      return { execution: runtime.onCpu(call.signal), ...(fault && { faultId: fault.id }) };
    }
    const { context } = runtime;
    if (!context) throw new GpuError('CONTEXT_LOST', `${model} has no context`);
    const spoilt = injector.decide('gpu', call, ['context_corruption']);
    if (spoilt) {
      context.corrupt();
      this.#restarts.blame = spoilt.fault.id;
      this.#restarts.schedule(model, false);
      throw corrupted(spoilt.fault.id);
    }
    const heat = this.#fault('thermal_throttle');
    if (heat && this.device.slowdown > 1) injector.recordHit(heat.id, call.kind);
    return { execution: runtime.onGpu(context, call.signal) };
  }

  /** A crash loop: the first call after a restart takes the card off the bus again. */
  #crashAgain(model: ModelName): void {
    const fault = this.#fault('driver_crash');
    const isUp = this.device.available && this.runtimes[model].context !== undefined;
    if (fault?.params['mode'] === 'crash_loop' && isUp) this.device.raiseXid(79);
  }

  /** Why a call to this model would be refused now. */
  #refusal(model: ModelName): InferenceError | undefined {
    const { profile } = this.#options;
    const { fileError } = this.runtimes[model];
    if (fileError) {
      return new InferenceError(fileError.code, fileError.message, {
        status: 503,
        retryAfterMs: profile.restartDelayMs + profile.loadMs,
        faultId: this.#fileFault(model)?.id ?? this.#restarts.blame,
      });
    }
    if (this.onCpu) return undefined;
    if (!this.device.available) {
      return new InferenceError('GPU_LOST', 'CUDA error: the GPU is lost (Xid 79), waiting for a restart', {
        status: 503,
        retryAfterMs: profile.restartDelayMs + profile.loadMs,
        faultId: this.#restarts.blame,
      });
    }
    const why = this.runtimes[model].downBecause;
    if (why !== undefined) {
      const code = this.runtimes[model].loadFailed ? 'OUT_OF_MEMORY' : 'RESTARTING';
      const faultId = this.#restarts.blame ?? this.memoryFaultId;
      return new InferenceError(code, `${model} is not serving: ${why}`, {
        status: 503,
        retryAfterMs: profile.loadMs,
        faultId,
      });
    }
    if (this.runtimes[model].context?.corrupted) {
      return corrupted(this.#fault('context_corruption')?.id ?? this.#restarts.blame);
    }
    if (!this.paused) return undefined;
    return new InferenceError(
      'THERMAL_PAUSE',
      `Inference is paused: the GPU is at ${Math.round(this.device.temperatureC)} °C`,
      {
        status: 503,
        retryAfterMs: profile.pauseRetryAfterMs,
        faultId: (this.#fault('thermal_throttle') ?? this.#coolingFrom)?.id,
      },
    );
  }

  #answerFor(error: unknown, call: InferenceCall): unknown {
    if (!(error instanceof GpuError)) return error;
    const { injector } = this.#options;
    const lost = error.code === 'GPU_LOST';
    switch (error.code) {
      case 'OUT_OF_MEMORY': {
        const faultId = this.memoryFaultId;
        if (faultId) injector.recordHit(faultId, call.kind);
        return new InferenceError(
          'OUT_OF_MEMORY',
          error.message,
          { status: 503, retryAfterMs: 1000, faultId },
          { cause: error },
        );
      }
      case 'GPU_LOST':
      case 'NO_DEVICE': {
        const types = lost ? ['unavailable', 'driver_crash'] : ['connection_error', 'no_gpu'];
        const faultId = this.#restarts.blame ?? this.#fault(...types)?.id;
        if (faultId) injector.recordHit(faultId, call.kind);
        const code = lost ? 'GPU_LOST' : 'CUDA_ERROR';
        const details = { status: 503, retryAfterMs: 1000, faultId };
        return new InferenceError(code, error.message, details, { cause: error });
      }
      case 'CONTEXT_CORRUPTED':
        return corrupted(this.#fault('context_corruption')?.id ?? this.#restarts.blame);
      case 'CONTEXT_LOST':
        return new InferenceError(
          'RESTARTING',
          error.message,
          { status: 503, retryAfterMs: 1000, faultId: this.#restarts.blame },
          { cause: error },
        );
    }
  }

  #fault(...types: readonly string[]): FaultSpec | undefined {
    return this.#options.injector.active('gpu').find((fault) => types.includes(fault.type));
  }

  /** The fault that has put a bad file in this model's place. */
  #fileFault(model: ModelName): FaultSpec | undefined {
    const code = this.runtimes[model].fileError?.code;
    const type = code === 'MODEL_CORRUPTED' ? 'model_corrupted' : 'model_version_mismatch';
    const fault = this.#fault(type);
    return fault?.params['model'] === model ? fault : undefined;
  }

  #held(): boolean {
    return this.#options.injector
      .active('gpu')
      .some((fault) => HOLDING_FAULTS.includes(fault.type) && fault.params['mode'] !== 'crash_loop');
  }

  #lost(): void {
    const fault = this.#fault('unavailable', 'driver_crash') ?? this.#fault('thermal_throttle');
    this.#restarts.blame = fault?.id;
    if (fault) this.#options.injector.recordHit(fault.id, 'xid');
    this.#tell({
      faultId: fault?.id ?? null,
      text: 'Xid 79: the GPU has fallen off the bus, latched until the services restart',
      over: false,
    });
    if (!this.#held()) this.#restarts.schedule('card');
  }

  #tick(): void {
    this.#tickTimer = this.#options.clock.after(TICK_MS, () => this.#tick());
    this.device.advance();
    const { paused } = this;
    if (paused !== this.#wasPaused) {
      this.#wasPaused = paused;
      const celsius = Math.round(this.device.temperatureC);
      this.#options.logger.warn({ celsius }, paused ? 'inference paused by heat' : 'inference resumed');
    }
    if (this.#coolingFrom && !paused) {
      this.#tell({ faultId: this.#coolingFrom.id, text: 'GPU cooled down, inference resumed', over: true });
      this.#coolingFrom = undefined;
    }
    this.#restarts.tick();
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#trimmedAt >= CACHE_TRIM_MS) {
      this.#trimmedAt = nowMs;
      this.emptyCaches();
    }
  }

  #tell(effect: AfterEffect): void {
    this.#options.logger.warn({ faultId: effect.faultId, over: effect.over }, effect.text);
    this.#options.onAfterEffect?.(effect);
  }
}

function corrupted(faultId: string | undefined): InferenceError {
  return new InferenceError('CUDA_ERROR', 'CUDA error: an illegal memory access was encountered', {
    status: 500,
    faultId,
  });
}

/** The message as it leaves the service: injected errors carry their fault's mark. */
export function messageWithMark(error: InferenceError): string {
  const { faultId } = error.details;
  return faultId ? `${error.message} ${faultMark(faultId)}` : error.message;
}
