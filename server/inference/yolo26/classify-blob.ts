import type { Detection } from '../../pipeline/contracts.ts';
import type { GreyFrame } from './decode-frame.ts';
import type { Blob } from './find-blobs.ts';

/**
 * What a moving blob probably is, from its shape and size alone. This is a stated rule of thumb, not a trained
 * network: it is right for upright walkers in front of a fixed camera, and a guess for everything else.
 *
 * - taller than wide: a person
 * - clearly wider than tall: large is a truck, medium a car, small a dog, or a bird in the upper quarter
 * - in between: a person (several close together) unless it is as large as a car
 */
function classOf(blob: Blob, frame: GreyFrame): string {
  const aspect = blob.height / blob.width;
  const share = (blob.width * blob.height) / (frame.width * frame.height);
  if (aspect >= 1.15) return 'person';
  if (aspect <= 0.85) {
    if (share >= 0.12) return 'truck';
    if (share >= 0.015) return 'car';
    return blob.y + blob.height < frame.height / 4 ? 'bird' : 'dog';
  }
  return share >= 0.05 ? 'car' : 'person';
}

/** Grows with contrast and size, 0.3–0.98: a faint speck is doubtful, a large dark coat on a light path is not. */
function confidenceOf(blob: Blob, frame: GreyFrame): number {
  const contrast = Math.min(1, blob.contrast / 70);
  const size = Math.min(1, Math.sqrt(blob.area / (frame.width * frame.height * 0.012)));
  return Math.round(100 * Math.min(0.98, 0.3 + 0.42 * contrast + 0.26 * size)) / 100;
}

/** The blob as a detection in pixels of the picture as it came. The one pixel by which masks are grown is taken off. */
export function toDetection(blob: Blob, frame: GreyFrame): Detection {
  const scaleX = frame.imageWidth / frame.width;
  const scaleY = frame.imageHeight / frame.height;
  const x = Math.round((blob.x + 1) * scaleX);
  const y = Math.round((blob.y + 1) * scaleY);
  return {
    class: classOf(blob, frame),
    confidence: confidenceOf(blob, frame),
    bbox: {
      x,
      y,
      width: Math.min(frame.imageWidth - x, Math.max(1, Math.round((blob.width - 2) * scaleX))),
      height: Math.min(frame.imageHeight - y, Math.max(1, Math.round((blob.height - 2) * scaleY))),
    },
  };
}
