import { type Clock, sleep } from '#lib/chaos/clock.ts';
import { MIB } from '#lib/chaos/gpu/device-memory.ts';
import type { GpuContext } from '#lib/chaos/gpu/gpu-context.ts';
import type { GpuDevice } from '#lib/chaos/gpu/gpu-device.ts';
import { GpuError } from '#lib/chaos/gpu/gpu-error.ts';
import { CPU_FACTOR, MODELS, type ModelName } from './inference-profile.ts';
import { ModelFileError } from './model-files.ts';

/** Where an inference runs and what it may use. */
export interface Execution {
  readonly device: 'cuda' | 'cpu';
  /** Time spent in kernels so far, ms. */
  readonly kernelMs: number;
  /** Runs a kernel that takes `baseMs` at full clock, when its turn comes. */
  run(baseMs: number): Promise<void>;
  /**
   * Holds `mib` of GPU memory while `work` runs.
   * @throws {OutOfMemoryError}
   */
  withMemory<T>(mib: number, work: () => Promise<T>): Promise<T>;
}

type Phase =
  | { readonly kind: 'ready'; readonly context: GpuContext }
  | { readonly kind: 'down'; readonly why: string }
  | { readonly kind: 'failed'; readonly error: GpuError | ModelFileError };

/** One model as a process of its own sees it: its context and weights on the card, or the CPU when there is none. */
export class ModelRuntime {
  readonly name: ModelName;
  readonly #device: GpuDevice;
  readonly #clock: Clock;
  #phase: Phase = { kind: 'down', why: 'not started' };
  #restarts = 0;
  /** End of the CPU's queue. */
  #cpu: Promise<void> = Promise.resolve();

  constructor(name: ModelName, device: GpuDevice, clock: Clock) {
    this.name = name;
    this.#device = device;
    this.#clock = clock;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Why it cannot serve on the GPU; undefined when it can. */
  get downBecause(): string | undefined {
    if (this.#phase.kind === 'down') return this.#phase.why;
    if (this.#phase.kind === 'failed') return this.#phase.error.message;
    return this.#phase.context.lost ? 'its context was lost' : undefined;
  }

  /** What is wrong with the file that it was to serve; neither card nor CPU can use it. */
  get fileError(): ModelFileError | undefined {
    if (this.#phase.kind !== 'failed') return undefined;
    return this.#phase.error instanceof ModelFileError ? this.#phase.error : undefined;
  }

  /** Context or weights could not be loaded. */
  get loadFailed(): boolean {
    return this.#phase.kind === 'failed';
  }

  /** Its context on the card; undefined while it has none. */
  get context(): GpuContext | undefined {
    return this.#phase.kind === 'ready' && !this.#phase.context.lost ? this.#phase.context : undefined;
  }

  /**
   * Opens the context and loads the weights.
   * @throws {GpuError} when card or memory are not there; the model is then down
   */
  load(): void {
    this.unload('it is loading');
    let context: GpuContext | undefined;
    try {
      context = this.#device.openContext(this.name);
      context.allocator.allocate(MODELS[this.name].weightsMib * MIB);
      this.#phase = { kind: 'ready', context };
    } catch (error) {
      if (context) this.#device.closeContext(context);
      if (error instanceof GpuError) this.#phase = { kind: 'failed', error };
      throw error;
    }
  }

  /** Its file cannot be used. */
  refuse(error: ModelFileError): void {
    this.unload(error.message);
    this.#phase = { kind: 'failed', error };
  }

  unload(why: string): void {
    if (this.#phase.kind === 'ready') this.#device.closeContext(this.#phase.context);
    this.#phase = { kind: 'down', why };
  }

  countRestart(): void {
    this.#restarts++;
  }

  emptyCache(): void {
    this.context?.allocator.emptyCache();
  }

  onGpu(context: GpuContext, signal: AbortSignal | undefined): Execution {
    const device = this.#device;
    let kernelMs = 0;
    return {
      device: 'cuda',
      get kernelMs() {
        return kernelMs;
      },
      async run(baseMs) {
        kernelMs += await device.runKernel(context, baseMs, signal);
      },
      async withMemory(mib, work) {
        device.requireUsable(context);
        const allocation = context.allocator.allocate(mib * MIB);
        try {
          return await work();
        } finally {
          if (!context.lost) context.allocator.free(allocation);
        }
      },
    };
  }

  /** One call at a time, about 12 times slower, in ordinary memory. */
  onCpu(signal: AbortSignal | undefined): Execution {
    const takeTurn = (baseMs: number) => this.#runOnCpu(baseMs, signal);
    let kernelMs = 0;
    return {
      device: 'cpu',
      get kernelMs() {
        return kernelMs;
      },
      async run(baseMs) {
        kernelMs += await takeTurn(baseMs);
      },
      withMemory: (_mib, work) => work(),
    };
  }

  async #runOnCpu(baseMs: number, signal: AbortSignal | undefined): Promise<number> {
    const durationMs = baseMs * CPU_FACTOR;
    const turn = this.#cpu.then(async () => {
      signal?.throwIfAborted();
      await sleep(this.#clock, durationMs, signal);
    });
    this.#cpu = turn.catch(() => {}); // whoever gave up leaves the line to the next
    await turn;
    return durationMs;
  }
}
