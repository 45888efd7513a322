import type { Clock, Timer } from '#lib/chaos/clock.ts';

export interface EventBatcherOptions {
  clock: Clock;
  /** Longest life of a batch, ms. */
  windowMs: number;
  /** A batch without new frames closes, ms. */
  idleMs: number;
  /** Objects that close it; a frame without any counts as one. */
  maxDetections: number;
  onClosed: (batch: ClosedBatch) => void;
}

export interface ClosedBatch {
  camera: string;
  /** Upload ids in the order in which they came. */
  uploadIds: string[];
  traceId: string;
}

interface OpenBatch {
  uploadIds: Set<string>;
  detections: number;
  traceId: string;
  window: Timer;
  idle: Timer;
}

/**
 * Gathers each camera's frames into one event: closed by age, by silence or by size.
 *
 * It holds nothing that cannot be read again from the database: frames without an event.
 */
export class EventBatcher {
  readonly #options: EventBatcherOptions;
  readonly #open = new Map<string, OpenBatch>();

  constructor(options: EventBatcherOptions) {
    this.#options = options;
  }

  /** Adding a frame that the camera's open batch holds changes nothing. */
  add(frame: { uploadId: string; camera: string; detections: number; traceId: string }): void {
    const { clock, windowMs, idleMs, maxDetections } = this.#options;
    const { camera, uploadId } = frame;
    let batch = this.#open.get(camera);
    if (batch?.uploadIds.has(uploadId)) return;
    if (!batch) {
      batch = {
        uploadIds: new Set(),
        detections: 0,
        traceId: frame.traceId,
        window: clock.after(windowMs, () => this.#close(camera)),
        idle: clock.after(idleMs, () => this.#close(camera)),
      };
      this.#open.set(camera, batch);
    } else {
      batch.idle.cancel();
      batch.idle = clock.after(idleMs, () => this.#close(camera));
    }
    batch.uploadIds.add(uploadId);
    batch.detections += Math.max(1, frame.detections);
    if (batch.detections >= maxDetections) this.#close(camera);
  }

  /** Ids in open batches. */
  has(uploadId: string): boolean {
    for (const batch of this.#open.values()) if (batch.uploadIds.has(uploadId)) return true;
    return false;
  }

  /** Forgets the open batches; their frames are found again in the database. */
  close(): void {
    for (const { window, idle } of this.#open.values()) {
      window.cancel();
      idle.cancel();
    }
    this.#open.clear();
  }

  #close(camera: string): void {
    const batch = this.#open.get(camera);
    if (!batch) return;
    this.#open.delete(camera);
    batch.window.cancel();
    batch.idle.cancel();
    this.#options.onClosed({ camera, uploadIds: [...batch.uploadIds], traceId: batch.traceId });
  }
}
