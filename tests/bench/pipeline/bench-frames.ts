import { randomUUID } from 'node:crypto';
import { cameraName } from '#server/pipeline/intake/credentials.ts';
import { writeFrameComment } from '#server/pipeline/intake/frame-comment.ts';
import { frameNumber } from '#tests/support/frames.ts';

/** Cameras among which frames are dealt out. */
export const CAMERAS = 4;

export interface BenchFrame {
  camera: string;
  name: string;
  traceId: string;
  /** Epoch ms. */
  capturedAt: number;
  bytes: Buffer;
}

let sequence = 0;

/** The next frame of a run: one of a dozen real pictures, made different from every other by its comment. */
export function nextFrame(): BenchFrame {
  const number = ++sequence;
  const camera = cameraName(number % CAMERAS);
  const traceId = randomUUID();
  const capturedAt = Date.now();
  const bytes = writeFrameComment(frameNumber(number), { camera, sequence: number, capturedAt, traceId });
  return { camera, name: `${camera}-${traceId}.jpg`, traceId, capturedAt, bytes };
}
