import { OutOfMemoryError } from '#lib/chaos/gpu/gpu-error.ts';
import type { Detection } from '../../pipeline/contracts.ts';
import type { GpuHost, Inferred } from '../gpu-host.ts';
import { InferenceError } from '../inference-error.ts';
import { MODELS } from '../inference-profile.ts';
import type { Execution } from '../model-runtime.ts';
import { decodeFrame, type GreyFrame, UndecodableImageError } from './decode-frame.ts';
import { MotionDetector } from './motion-detector.ts';

/** An image as it was uploaded. */
export interface Upload {
  readonly bytes: Uint8Array;
  readonly cameraId: string;
  /** Epoch ms. */
  readonly capturedAt: number | undefined;
}

export interface DetectionAnswer {
  readonly detections: Detection[];
  readonly inference_time_ms: number;
  readonly image_width: number;
  readonly image_height: number;
  readonly device: 'cuda' | 'cpu';
  readonly warming_up?: true;
}

export interface Detected {
  /** One for each upload, in their order. */
  readonly outcomes: (DetectionAnswer | InferenceError)[];
  /** The fault that disturbed a call although it succeeded. */
  readonly faultId: string | undefined;
}

interface Decoded {
  readonly index: number;
  readonly upload: Upload;
  readonly frame: GreyFrame;
}

/**
 * YOLO26's work: decode, run on the card in batches that fit, tell what moved.
 *
 * Out of memory: the caches are emptied once, then the batch is halved, then the answer says so.
 */
export class DetectionService {
  readonly #host: GpuHost;
  readonly #motion = new MotionDetector();
  readonly #onInference: (images: number) => void;

  constructor(host: GpuHost, onInference: (images: number) => void = () => {}) {
    this.#host = host;
    this.#onInference = onInference;
  }

  /** What a restart loses. */
  forget(): void {
    this.#motion.forget();
  }

  async detect(uploads: readonly Upload[], route: string, signal?: AbortSignal): Promise<Detected> {
    const outcomes: (DetectionAnswer | InferenceError)[] = [];
    const decoded: Decoded[] = [];
    await Promise.all(
      uploads.map(async (upload, index) => {
        try {
          decoded.push({ index, upload, frame: await decodeFrame(upload.bytes) });
        } catch (error) {
          if (!(error instanceof UndecodableImageError)) throw error;
          outcomes[index] = new InferenceError('UNDECODABLE_IMAGE', error.message, { status: 400 });
        }
      }),
    );
    decoded.sort((a, b) => a.index - b.index);
    let faultId: string | undefined;
    const waiting = [...decoded];
    while (waiting.length > 0) {
      const chunk = waiting.splice(0, Math.max(1, this.#host.batchLimit.current));
      try {
        faultId = (await this.#run(chunk, route, signal, outcomes)) ?? faultId;
      } catch (error) {
        if (!(error instanceof InferenceError)) throw error;
        for (const { index } of chunk) outcomes[index] = error;
      }
    }
    return { outcomes, faultId };
  }

  /** Runs a chunk; when memory runs out twice, its halves. Gives the fault that disturbed it, if one did. */
  async #run(
    chunk: readonly Decoded[],
    route: string,
    signal: AbortSignal | undefined,
    outcomes: (DetectionAnswer | InferenceError)[],
  ): Promise<string | undefined> {
    const limit = this.#host.batchLimit;
    let ranOut = false;
    let memoryFaultId: string | undefined;
    const inferred = await this.#host.infer(
      'yolo26',
      { kind: 'detect', route, signal },
      async (execution) => {
        try {
          await this.#kernel(execution, chunk.length);
        } catch (error) {
          if (!(error instanceof OutOfMemoryError)) throw error;
          ranOut = true;
          memoryFaultId = this.#outOfMemory();
          await this.#smaller(execution, chunk.length);
        }
      },
    );
    if (!ranOut) limit.succeeded();
    this.#onInference(chunk.length);
    for (const { index, upload, frame } of chunk) {
      outcomes[index] = this.#answer(upload, frame, inferred, chunk.length);
    }
    return inferred.faultId ?? memoryFaultId;
  }

  async #kernel(execution: Execution, images: number): Promise<void> {
    const { imageMib, baseMs, imageMs } = MODELS.yolo26;
    await execution.withMemory(images * imageMib, () => execution.run(baseMs + images * imageMs));
  }

  async #smaller(execution: Execution, images: number): Promise<void> {
    this.#host.emptyCaches();
    try {
      await this.#kernel(execution, images);
      return;
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
      this.#outOfMemory();
      const limit = this.#host.batchLimit;
      limit.outOfMemory();
      if (images === 1) throw error;
    }
    const half = Math.ceil(images / 2);
    try {
      await this.#kernel(execution, half);
      await this.#kernel(execution, images - half);
    } catch (error) {
      if (error instanceof OutOfMemoryError) {
        this.#outOfMemory();
        this.#host.batchLimit.outOfMemory();
      }
      throw error;
    }
  }

  #outOfMemory(): string | undefined {
    this.#host.countOutOfMemory();
    return this.#host.memoryFaultId;
  }

  #answer(
    upload: Upload,
    frame: GreyFrame,
    { device, kernelMs }: Inferred<void>,
    images: number,
  ): DetectionAnswer {
    const { detections, warmingUp } = this.#motion.see(upload.cameraId, frame, upload.capturedAt);
    return {
      detections,
      inference_time_ms: Math.round((kernelMs / images) * 10) / 10,
      image_width: frame.imageWidth,
      image_height: frame.imageHeight,
      device,
      ...(warmingUp && { warming_up: true }),
    };
  }
}
