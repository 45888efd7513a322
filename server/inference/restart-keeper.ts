import type { Clock, Timer } from '#lib/chaos/clock.ts';
import type { GpuDevice } from '#lib/chaos/gpu/gpu-device.ts';
import { GpuError } from '#lib/chaos/gpu/gpu-error.ts';
import type { Logger } from '../logging.ts';
import type { InferenceProfile, ModelName } from './inference-profile.ts';
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
  logger: Logger;
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

  /** Restarts one model, or the card with both, after the delay. Does nothing when that is under way. */
  schedule(what: ModelName | 'card'): void {
    if (this.#timers.has(what)) return;
    this.#recovering = true;
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
    if (!this.#options.device.available) return;
    for (const name of MODEL_NAMES) {
      if (this.#options.runtimes[name].loadFailed) this.#load(name);
    }
    this.#tellWhenOver();
  }

  #restart(what: ModelName | 'card'): void {
    const { clock, profile, logger, device, runtimes, held } = this.#options;
    // A fault that came meanwhile holds the card (its end schedules anew), or the card's own restart will do.
    if (what === 'card' ? held() : !device.available) {
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
    if (!this.#recovering || this.#timers.size > 0) return;
    if (MODEL_NAMES.some((name) => this.#options.runtimes[name].downBecause !== undefined)) return;
    this.#recovering = false;
    this.#options.tell({ faultId: this.blame ?? null, text: 'inference services restarted', over: true });
    this.blame = undefined;
  }

  #load(name: ModelName): void {
    const runtime = this.#options.runtimes[name];
    const failedBefore = runtime.loadFailed;
    try {
      runtime.load();
    } catch (error) {
      if (!(error instanceof GpuError)) throw error;
      // Tried again at every tick for as long as the card is there; said once.
      if (!failedBefore) this.#options.logger.error({ err: error, model: name }, 'could not load');
    }
  }
}
