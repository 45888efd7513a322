import type { GreyFrame } from './decode-frame.ts';

export interface BackgroundModelOptions {
  /** Share of a new frame's difference that enters the background, 0–1. @default 0.1 */
  learningRate: number;
  /** Most that one frame may change a pixel, grey levels: whoever passes leaves hardly a trace. @default 2.5 */
  maxStep: number;
  /** Least difference in grey levels (0–255) that counts as movement. @default 20 */
  minDifference: number;
  /** Difference must also exceed this many times the pixel's usual flicker. @default 4 */
  noiseFactor: number;
  /** Frames until the model is trusted; their median is the first background. @default 5 */
  warmUpFrames: number;
}

const BACKGROUND_MODEL_DEFAULTS: BackgroundModelOptions = {
  learningRate: 0.1,
  maxStep: 2.5,
  minDifference: 20,
  noiseFactor: 4,
  warmUpFrames: 5,
};

/** What differs from the background. */
export interface Movement {
  readonly width: number;
  readonly height: number;
  /** 1 where something moved. */
  readonly mask: Uint8Array;
  /** Difference from the background, grey levels. */
  readonly difference: Float32Array;
  /** The model has seen too few frames to be believed. */
  readonly warmingUp: boolean;
}

/**
 * What one camera usually sees: each pixel's brightness and flicker, as running averages that no single frame can
 * move far. The first background is the median of the warm-up frames, so that who stood there leaves no ghost.
 *
 * Frames older than the newest one seen are compared but not learnt, so that a frame that is detected again later
 * changes nothing.
 */
export class BackgroundModel {
  readonly #options: BackgroundModelOptions;
  #width = 0;
  #height = 0;
  #mean = new Float32Array();
  #noise = new Float32Array();
  /** Frames of the warm-up; empty once it is over. */
  #first: Uint8Array[] = [];
  #warmedUp = false;
  #newestAt = Number.NEGATIVE_INFINITY;

  constructor(options: Partial<BackgroundModelOptions> = {}) {
    this.#options = { ...BACKGROUND_MODEL_DEFAULTS, ...options };
  }

  /** @param capturedAt epoch ms; undefined counts as newer than all before */
  observe(frame: GreyFrame, capturedAt: number | undefined): Movement {
    if (frame.width !== this.#width || frame.height !== this.#height) this.#begin(frame);
    const movement = this.#compare(frame);
    if (capturedAt === undefined || capturedAt > this.#newestAt) {
      this.#newestAt = capturedAt ?? this.#newestAt;
      if (this.#warmedUp) this.#learn(frame, movement);
      else this.#warmUp(frame);
    }
    return movement;
  }

  #begin(frame: GreyFrame): void {
    this.#width = frame.width;
    this.#height = frame.height;
    this.#mean = Float32Array.from(frame.pixels);
    this.#noise = new Float32Array(frame.pixels.length).fill(3);
    this.#first = [];
    this.#warmedUp = false;
  }

  #compare(frame: GreyFrame): Movement {
    const { minDifference, noiseFactor } = this.#options;
    const { width, height, pixels } = frame;
    const difference = new Float32Array(pixels.length);
    const raw = new Uint8Array(pixels.length);
    for (let index = 0; index < pixels.length; index++) {
      const delta = Math.abs((pixels[index] ?? 0) - (this.#mean[index] ?? 0));
      difference[index] = delta;
      if (delta > minDifference && delta > noiseFactor * (this.#noise[index] ?? 0)) raw[index] = 1;
    }
    return {
      width,
      height,
      mask: closeGaps(raw, width, height),
      difference,
      warmingUp: !this.#warmedUp,
    };
  }

  #warmUp(frame: GreyFrame): void {
    this.#first.push(frame.pixels);
    const values = new Uint8Array(this.#first.length);
    for (let index = 0; index < this.#mean.length; index++) {
      this.#mean[index] = medianAt(index, this.#first, values);
    }
    this.#warmedUp = this.#first.length >= this.#options.warmUpFrames;
    if (this.#warmedUp) this.#first = [];
  }

  #learn({ pixels }: GreyFrame, { mask, difference }: Movement): void {
    const { learningRate, maxStep } = this.#options;
    for (let index = 0; index < pixels.length; index++) {
      const mean = this.#mean[index] ?? 0;
      const step = learningRate * ((pixels[index] ?? 0) - mean);
      this.#mean[index] = mean + Math.max(-maxStep, Math.min(maxStep, step));
      if (mask[index]) continue;
      const noise = this.#noise[index] ?? 0;
      this.#noise[index] = noise + learningRate * ((difference[index] ?? 0) - noise);
    }
  }
}

/** Median of one pixel over a few frames. @param values room for one value a frame */
function medianAt(index: number, frames: readonly Uint8Array[], values: Uint8Array): number {
  let filled = 0;
  for (const pixels of frames) {
    const value = pixels[index] ?? 0;
    let place = filled++;
    for (; place > 0 && (values[place - 1] ?? 0) > value; place--) values[place] = values[place - 1] ?? 0;
    values[place] = value;
  }
  return values[filled >> 1] ?? 0;
}

/** Drops single specks and joins what is one pixel apart: at least 3 of 9 neighbours, then grown by one. */
function closeGaps(raw: Uint8Array, width: number, height: number): Uint8Array {
  const solid = new Uint8Array(raw.length);
  const grown = new Uint8Array(raw.length);
  forInner(width, height, (index) => {
    if (!raw[index]) return;
    let count = 0;
    for (let row = index - width; row <= index + width; row += width) {
      count += (raw[row - 1] ?? 0) + (raw[row] ?? 0) + (raw[row + 1] ?? 0);
    }
    if (count >= 4) solid[index] = 1;
  });
  forInner(width, height, (index) => {
    if (!solid[index]) return;
    for (let row = index - width; row <= index + width; row += width) grown.fill(1, row - 1, row + 2);
  });
  return grown;
}

function forInner(width: number, height: number, visit: (index: number) => void): void {
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) visit(y * width + x);
  }
}
