import type { Clock, Timer } from '#lib/chaos/clock.ts';
import type { GpuDevice } from '#lib/chaos/gpu/gpu-device.ts';
import { GpuError } from '#lib/chaos/gpu/gpu-error.ts';
import type { Logger } from '../logging.ts';
import type { InferenceProfile, ModelName } from './inference-profile.ts';
import { ModelFileError, type ModelFiles } from './model-files.ts';
import type { ModelRuntime } from './model-runtime.ts';

/** Something that outlives its fault, for the story: begun (`over` false) or done with. */
export interface AfterEffect {
  readonly faultId: string | null;
  readonly text: string;
  readonly over: boolean;
}

export interface RestartKeeperOptions {
  clock: Clock;
  profile: InferenceProfile;
  device: GpuDevice;
  runtimes: Readonly<Record<ModelName, ModelRuntime>>;
  files: ModelFiles;
  logger: Logger;
  /** Whether the services use the CPU although there may be a card. */
  cpuOnly: () => boolean;
  /** Whether a fault keeps the card from coming back. */
  held: () => boolean;
  tell: (effect: AfterEffect) => void;
  /** A model was started anew and has forgotten what it had learnt. */
  onRestart: (model: ModelName) => void;
}

/** Restarts of the last minute lengthen the next delay. */
const BACK_OFF_WINDOW_MS = 60_000;
const MODEL_NAMES: readonly ModelName[] = ['yolo26', 'nemotron'];

/** Loads the models and restarts them when what they had on the card is lost: counted, with back-off. */
export class RestartKeeper {
  /** The fault behind the latched Xid or the leak, until the restart that clears it. */
  blame: string | undefined;
  readonly #options: RestartKeeperOptions;
  readonly #timers = new Map<ModelName | 'card', Timer>();
  #restartedAt: number[] = [];
  /** A restart has been announced and is not over yet. */
  #recovering = false;

  constructor(options: RestartKeeperOptions) {
    this.#options = options;
  }

  loadAll(): void {
    for (const name of MODEL_NAMES) this.#load(name);
  }

  close(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  /** Loads one model from its file at once, as its process does when it starts. */
  reload(name: ModelName): void {
    this.#options.runtimes[name].countRestart();
    this.#load(name);
    this.#options.onRestart(name);
  }

  /**
   * Restarts one model, or the card with both, after the delay. Does nothing when that is under way.
   * @param announced it has been told as an after-effect, so that its end is told too
   */
  schedule(what: ModelName | 'card', announced = true): void {
    if (announced) this.#recovering = true;
    if (this.#timers.has(what)) return;
    const { clock, profile } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#restartedAt = this.#restartedAt.filter((at) => nowMs - at < BACK_OFF_WINDOW_MS);
    const delayMs = Math.min(
      profile.restartMaxDelayMs,
      profile.restartDelayMs * 2 ** this.#restartedAt.length,
    );
    this.#timers.set(
      what,
      clock.after(delayMs, () => this.#restart(what)),
    );
  }

  /** Tries again what could not be loaded, and tells when all is well again. */
  tick(): void {
    for (const name of MODEL_NAMES) this.#fetchAgain(name);
    const { device, held } = this.#options;
    if (!device.available) {
      // It went away once more while it was being restarted.
      if (!device.absent && !held()) this.schedule('card', false);
      return;
    }
    for (const name of MODEL_NAMES) {
      const { loadFailed, fileError } = this.#options.runtimes[name];
      if (loadFailed && !fileError) this.#load(name);
    }
    this.#tellWhenOver();
  }

  /** A damaged model file is replaced by the store's, and then loaded by a restart. */
  #fetchAgain(name: ModelName): void {
    const { runtimes, files, logger } = this.#options;
    if (runtimes[name].fileError?.code !== 'MODEL_CORRUPTED' || this.#timers.has(name)) return;
    try {
      files.fetch(name);
    } catch {
      return; // tried again at the next tick
    }
    logger.warn({ model: name }, 'model file fetched again from the store');
    this.schedule(name, false);
  }

  #restart(what: ModelName | 'card'): void {
    const { clock, profile, logger, device, runtimes, held } = this.#options;
    // A fault that came meanwhile holds the card (its end schedules anew), or the card's own restart will do.
    if (what === 'card' ? held() : !device.available && !device.absent) {
      this.#timers.delete(what);
      return;
    }
    this.#restartedAt.push(clock.monotonicMs());
    const models = what === 'card' ? MODEL_NAMES : [what];
    for (const name of models) {
      runtimes[name].unload('it is restarting');
      runtimes[name].countRestart();
      logger.warn({ model: name, restarts: runtimes[name].restarts }, 'restarting');
    }
    if (what === 'card') device.reset();
    this.#timers.set(
      what,
      clock.after(profile.loadMs, () => {
        this.#timers.delete(what);
        for (const name of models) {
          this.#load(name);
          this.#options.onRestart(name);
        }
        this.#tellWhenOver();
      }),
    );
  }

  #tellWhenOver(): void {
    if (this.#timers.size > 0) return;
    if (MODEL_NAMES.some((name) => this.#options.runtimes[name].downBecause !== undefined)) return;
    const { blame } = this;
    this.blame = undefined;
    if (!this.#recovering) return;
    this.#recovering = false;
    this.#options.tell({ faultId: blame ?? null, text: 'inference services restarted', over: true });
  }

  #load(name: ModelName): void {
    const runtime = this.#options.runtimes[name];
    const failedBefore = runtime.loadFailed;
    try {
      this.#options.files.verify(name);
      if (this.#options.cpuOnly()) runtime.unload('it runs on the CPU');
      else runtime.load();
    } catch (error) {
      if (error instanceof ModelFileError) runtime.refuse(error);
      else if (!(error instanceof GpuError)) throw error;
      // Tried again at every tick for as long as the card is there; said once.
      if (!failedBefore) this.#options.logger.error({ err: error, model: name }, 'could not load');
    }
  }
}
