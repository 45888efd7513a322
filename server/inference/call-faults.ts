import { type Clock, sleep } from '#lib/chaos/clock.ts';
import type { FaultInjector, Verdict } from '#lib/chaos/faults/injector.ts';
import type { GpuContext } from '#lib/chaos/gpu/gpu-context.ts';
import type { GpuDevice } from '#lib/chaos/gpu/gpu-device.ts';
import { InferenceError } from './inference-error.ts';

export interface InferenceCall {
  readonly kind: 'detect' | 'completion';
  readonly route: string;
  readonly signal?: AbortSignal | undefined;
}

const PER_CALL = ['timeout', 'inference_timeout', 'server_error', 'intermittent'];

/** Faults on `gpu` that hit single inferences: late, hung, or failed with a CUDA error. */
export class CallFaults {
  readonly #clock: Clock;
  readonly #injector: FaultInjector;
  readonly #device: GpuDevice;
  readonly #hangs = new Map<string, AbortController>();

  constructor(clock: Clock, injector: FaultInjector, device: GpuDevice) {
    this.#clock = clock;
    this.#injector = injector;
    this.#device = device;
  }

  /** Ends every kernel that this fault holds. */
  release(faultId: string): void {
    this.#hangs.get(faultId)?.abort();
    this.#hangs.delete(faultId);
  }

  close(): void {
    for (const id of this.#hangs.keys()) this.release(id);
  }

  /** Waits as long as a latency fault wants, beside the card: throughput is not cut. Gives that fault's id. */
  async delay(call: InferenceCall): Promise<string | undefined> {
    const late = this.#injector.decide('gpu', call, ['latency']);
    if (!late) return undefined;
    const { latencyMs, jitterMs } = late.fault.params as { latencyMs: number; jitterMs: number };
    const delayMs = Math.max(0, latencyMs + (2 * late.draw - 1) * jitterMs) * late.delayShare;
    await sleep(this.#clock, delayMs, call.signal);
    return late.fault.id;
  }

  verdict(call: InferenceCall): Verdict | undefined {
    return this.#injector.decide('gpu', call, PER_CALL);
  }

  /**
   * Lets the inference fail as its fault says.
   * @param context of its model on the card; undefined runs, and hangs, on the CPU
   * @throws {InferenceError} CUDA_ERROR or INFERENCE_TIMEOUT, always
   */
  async fail(
    { fault }: Verdict,
    context: GpuContext | undefined,
    signal: AbortSignal | undefined,
  ): Promise<never> {
    const faultId = fault.id;
    const cudaError = (text: string) =>
      new InferenceError('CUDA_ERROR', `CUDA error: ${text}`, { status: 500, faultId });
    switch (fault.type) {
      case 'timeout': {
        const { delayMs } = fault.params as { delayMs: number };
        await this.#occupy(faultId, delayMs, context, signal);
        throw cudaError('the launch timed out and was terminated');
      }
      case 'inference_timeout': {
        const { deadlineMs } = fault.params as { deadlineMs: number };
        await this.#occupy(faultId, deadlineMs, context, signal);
        throw new InferenceError(
          'INFERENCE_TIMEOUT',
          `CUDA error: the kernel exceeded its deadline of ${deadlineMs} ms and was terminated`,
          { status: 504, faultId },
        );
      }
      case 'intermittent':
        throw cudaError('unspecified launch failure');
      default:
        throw cudaError('an illegal memory access was encountered');
    }
  }

  /** A kernel that does nothing but take its time, on the card when there is one. */
  async #occupy(
    faultId: string,
    durationMs: number,
    context: GpuContext | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const released = this.#hangOf(faultId);
    if (!context) await this.#hang(durationMs, released, undefined);
    else await this.#device.occupy(context, (epoch) => this.#hang(durationMs, released, epoch), signal);
  }

  #hangOf(faultId: string): AbortSignal {
    const hang = this.#hangs.get(faultId) ?? new AbortController();
    this.#hangs.set(faultId, hang);
    return hang.signal;
  }

  async #hang(delayMs: number, released: AbortSignal, epoch: AbortSignal | undefined): Promise<void> {
    const ended = epoch ? AbortSignal.any([released, epoch]) : released;
    try {
      await sleep(this.#clock, delayMs, ended);
    } catch {
      epoch?.throwIfAborted(); // the card went away; a released kernel simply ends
    }
  }
}
