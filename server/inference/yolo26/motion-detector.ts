import { LRUCache } from 'lru-cache';
import type { Detection } from '../../pipeline/contracts.ts';
import { BackgroundModel } from './background-model.ts';
import { toDetection } from './classify-blob.ts';
import type { GreyFrame } from './decode-frame.ts';
import { findBlobs, joinStacked } from './find-blobs.ts';

/** Cameras whose background is remembered; the one not seen for longest goes first. */
const MAX_CAMERAS = 256;
/** Smallest movement that counts, share of the frame. */
const MIN_AREA_SHARE = 0.001;
const MAX_DETECTIONS = 25;
/** More of the frame than this has changed: light or camera, not things that move. */
const MAX_MOVING_SHARE = 0.5;

export interface Seen {
  readonly detections: Detection[];
  readonly warmingUp: boolean;
}

/** Finds what moved in front of each camera. */
export class MotionDetector {
  readonly #cameras = new LRUCache<string, BackgroundModel>({ max: MAX_CAMERAS });

  /** @param capturedAt epoch ms; undefined counts as newer than all before */
  see(camera: string, frame: GreyFrame, capturedAt: number | undefined): Seen {
    let background = this.#cameras.get(camera);
    if (!background) {
      background = new BackgroundModel();
      this.#cameras.set(camera, background);
    }
    const movement = background.observe(frame, capturedAt);
    const pixels = frame.width * frame.height;
    const blobs = joinStacked(findBlobs(movement, Math.max(4, Math.round(pixels * MIN_AREA_SHARE))), 1);
    const moving = blobs.reduce((sum, blob) => sum + blob.area, 0);
    const detections =
      moving > pixels * MAX_MOVING_SHARE
        ? []
        : blobs.slice(0, MAX_DETECTIONS).map((blob) => toDetection(blob, frame));
    return { detections, warmingUp: movement.warmingUp };
  }

  /** Forgets every background: what a restart does. */
  forget(): void {
    this.#cameras.clear();
  }
}
